# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

WEST = {
    "name": "west",
    "local": "192.0.2.1",
    "remote": "192.0.2.2",
    "key": 12,
    "addresses": [{"address": "10.9.0.1/24"}],
}


def test_devices_and_routes(kernel):
    kernel.sh("ip link add red up type vrf table 77; ip route add 10.7.0.0/16 dev wan")
    kernel.tunnels(WEST, {"name": "six", "local": "2001:db8::1", "remote": "2001:db8::2", "key": 6, "vrf": "red"})
    kernel.routes(
        {"destination": "10.0.0.0/8", "device": "west"}, {"destination": "fd01::/48", "device": "six", "table": 7}
    )
    kernel.sh("ping -c 3 -i 0.2 -W 1 10.0.0.1 || true")
    result = kernel.call("vpn_info", names=[])
    six, west = result["devices"]
    assert (six["name"], six["kind"], six["master"], six["okey"]) == ("six", "vti6", "red", 6)
    assert (west["name"], west["addresses"][0], west["master"], west["conns"]) == ("west", "10.9.0.1/24", "", [])
    assert west["index"] == kernel.ip("link show dev west")[0]["ifindex"]
    # Without an SA nothing is sent, and each packet is an error.
    live = kernel.ip("-s -s link show dev west")[0]["stats64"]
    assert west["counters"]["tx_carrier_errors"] == live["tx"]["carrier_errors"] >= 3
    assert west["counters"]["tx_errors"] == live["tx"]["errors"] >= 3
    assert west["counters"]["rx_packets"] == live["rx"]["packets"] == 0
    assert [(route["destination"], route["table"]) for route in result["routes"]] == [
        ("10.0.0.0/8", 254),
        ("fd01::/48", 7),
    ]

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hub with more links than libreswan 5.2 survives when each has a device with the hub's inner address: pluto logs
each pair of devices that share one, and stops for ever at about 56 of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _restart
from ansible_collections.route_based.vpn.plugins.plugin_utils import _auth, _links, _sites, _tunnels

LINKS = 80
ADDRESSES = 600
CONNS = 1500
TEMPLATE = Path(__file__).parent / "start.conf.j2"
LIMITS = Path("/etc/systemd/system/ipsec.service.d/limits.conf")
#: Within so many seconds of a restart the outer address has to be bound again.
LIMIT_SECONDS = 30
#: Within so many all conns are loaded, on a busy machine: 4.10 takes long with many, and a pluto that stops never does.
LOADED_SECONDS = 120


@pytest.fixture
def hub(libreswan):
    """Devices, routes and conns of a hub, as the role works them out from an inventory."""
    own = libreswan.sh("ip -4 -o route get 192.1.2.254").split("src ")[1].split()[0]
    common = {"vpn_topology": "hub_and_spoke", "vpn_auth": "psk"}
    hosts = {"hub": {**common, "vpn_site_id": 1, "vpn_address": own, "vpn_hub": True}}
    for number in range(2, LINKS + 2):
        spoke = {"vpn_site_id": number, "vpn_address": f"198.51.100.{number}", "vpn_networks": [f"10.1.{number}.0/24"]}
        hosts[f"spoke{number}"] = {**common, **spoke}
    plan, errors = _sites.plan(hosts)
    assert not errors
    own_secret = _auth.Credentials(psk_master="a master secret of the test, not of anybody")
    host = _tunnels.Host(libreswan.version, "/bin/true", "aes_gcm256-sha2_512;dh19", "aes_gcm256", 0, 60, own_secret)
    tunnels = _tunnels.normalise(_links.Links(plan).tunnels("hub"))
    yield {
        "own": own,
        "devices": _tunnels.devices(tunnels),
        "routes": _tunnels.routes(tunnels),
        "conns": _tunnels.conns(tunnels, host),
        "secrets": _auth.secrets(tunnels, own_secret),
    }
    libreswan.call("vti_route", routes=[], rules=[], purge=True)
    libreswan.call("vti_tunnel", tunnels=[], purge=True)


def set_up(libreswan, hub):
    """What the role does on a host that has libreswan already."""
    done = [libreswan.call("vti_tunnel", tunnels=hub["devices"], purge=True)]
    done.append(libreswan.call("vti_route", routes=hub["routes"], purge=True))
    conns = [
        {"name": c["name"], "state": "loaded", "options": {k: v for k, v in c["keywords"].items() if k != "auto"}}
        for c in hub["conns"]
    ]
    done.append(libreswan.conns(*conns, secrets=hub["secrets"]))
    assert not [result["msg"] for result in done if result.get("failed")]
    return [result["changed"] for result in done]


def test_a_hub_survives_a_restart_of_pluto(libreswan, hub):
    assert set_up(libreswan, hub) == [True, True, True]
    assert set_up(libreswan, hub) == [False, False, False]
    libreswan.sh(f"systemctl reset-failed ipsec; timeout {LIMIT_SECONDS} systemctl restart ipsec")
    libreswan.wait(f"ss -Hlun | grep -q '{hub['own']}:4500 ' && ipsec whack --status >/dev/null", seconds=LIMIT_SECONDS)
    loaded = set(re.findall(r'"(link-1-\d+)"', libreswan.sh("ipsec whack --status")))
    assert len(loaded) == LINKS
    assert libreswan.sh("ip -o address show").count("10.255.0.1/") == 1
    assert set_up(libreswan, hub) == [False, False, False]
    # All of them go by the alias that each of them has.
    assert libreswan.sh("ipsec whack --status").count("aliases: _route_based_vpn") == LINKS
    assert not libreswan.conns().get("failed")
    assert libreswan.states() == {}


def test_more_addresses_than_pluto_may_open_files(libreswan, hub):
    """As with 600 tunnels that have an address each: told before the restart, and healed by a larger limit."""
    devices = [
        {
            "name": f"vti{n}",
            "local": hub["own"],
            "remote": f"198.18.{n // 250}.{n % 250 + 1}",
            "key": n,
            "addresses": [{"address": f"10.254.{n // 64}.{n % 64 * 4 + 1}/30"}],
        }
        for n in range(1, ADDRESSES + 1)
    ]
    assert not libreswan.call("vti_tunnel", tunnels=devices, purge=True).get("failed")
    (problem,) = libreswan.call("vpn_info")["restart"]["problems"]
    assert "pluto would not survive a restart" in problem
    limit = _restart.settings(ADDRESSES, 0).open_files
    assert f"LimitNOFILE={limit} " in problem
    try:
        LIMITS.parent.mkdir()
        LIMITS.write_text(f"[Service]\nLimitNOFILE={limit}\n")
        libreswan.sh(f"systemctl daemon-reload; timeout {LIMIT_SECONDS} systemctl restart ipsec")
        libreswan.wait(f"ss -Hlun | grep -q '{hub['own']}:4500 ' && ipsec whack --status >/dev/null", LIMIT_SECONDS)
        assert libreswan.call("vpn_info")["restart"]["problems"] == []
    finally:
        libreswan.sh(f"rm -rf {LIMITS.parent}; systemctl daemon-reload")


def test_more_conns_than_libreswan_5_can_tell_of(libreswan):
    """It stops for ever at its start with so many, unless another whack has it listen before: the role's drop-in."""
    blocks = [
        f"conn many{n}\n  left=%defaultroute\n  right=198.18.{n // 250}.{n % 250 + 1}\n  authby=secret\n"
        f"  mark={n}/0xffffffff\n  leftsubnet=0.0.0.0/0\n  rightsubnet=0.0.0.0/0\n  auto=add\n"
        for n in range(1, CONNS + 1)
    ]
    first = [line for line in TEMPLATE.read_text().splitlines() if line.startswith("ExecStartPost=")]
    path = Path("/etc/ipsec.d/many.conf")
    try:
        LIMITS.parent.mkdir()
        LIMITS.write_text("\n".join(["[Service]", *first]))
        path.write_text("\n".join(blocks))
        libreswan.sh("systemctl daemon-reload; systemctl restart --no-block ipsec")
        # One after the other, as a pluto that hangs lets no whack go.
        libreswan.wait("timeout 5 ipsec whack --status | grep -q many", seconds=LIMIT_SECONDS)
        libreswan.wait(f"test $(timeout 20 ipsec whack --status | grep -c 'conn serial') = {CONNS}", LOADED_SECONDS)
        assert "4500" in libreswan.sh("ss -Hlun sport = :4500")
    finally:
        path.unlink(missing_ok=True)
        libreswan.sh(f"rm -rf {LIMITS.parent}; systemctl daemon-reload; systemctl kill -s KILL ipsec", fails=False)


def test_a_hub_that_was_set_up_before_goes_over_without_a_restart(libreswan, hub):
    """From devices that each have the address, as earlier versions of the collection made them."""
    own = hub["devices"][0]["addresses"][0]["address"]
    before = [
        {**{k: v for k, v in d.items() if k != "unnumbered"}, "addresses": [{"address": own, "peer": loan["peer"]}]}
        for d in hub["devices"]
        for loan in [d.get("unnumbered")]
        if loan
    ]
    routes = [{k: v for k, v in route.items() if k != "source"} for route in hub["routes"]]
    set_up(libreswan, {**hub, "devices": before, "routes": routes})
    states = libreswan.states()
    assert set_up(libreswan, hub) == [True, True, False]
    assert libreswan.states() == states
    assert libreswan.sh("ip -o address show").count("10.255.0.1/") == 1
    libreswan.sh(f"timeout {LIMIT_SECONDS} systemctl restart ipsec")
    libreswan.wait(f"ss -Hlun | grep -q '{hub['own']}:4500 ' && ipsec whack --status >/dev/null", seconds=LIMIT_SECONDS)

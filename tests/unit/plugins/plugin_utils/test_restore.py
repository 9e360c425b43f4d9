# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the boot unit is told: golden lines, and the script carries them out in the order that they need."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

from ansible_collections.route_based.vpn.plugins.plugin_utils import _restore, _tunnels

SCRIPT = Path(__file__).parents[4] / "roles/gateway/files/restore"
TUNNELS = [
    {
        "name": "a",
        "local": "192.0.2.1",
        "remote": "192.0.2.2",
        "mark_in": 5,
        "mark_out": 6,
        "interface": "vti01",
        "addresses": ["10.0.1.1/24", {"address": "10.9.0.1/32", "peer": "10.9.0.2"}],
        "routes": ["10.0.0.0/8"],
        "psk": "a secret of the test",
    },
    {
        "name": "b",
        "local": "2001:db8::1",
        "remote": "2001:db8::2",
        "mark": 7,
        "mtu": 1380,
        "routes": ["fd00::/8"],
        "guard": False,
        "psk": "a secret of the test",
    },
]


def lines() -> list[str]:
    """The lines for the two tunnels."""
    checked = _tunnels.normalise(TUNNELS)
    return _restore.lines(_tunnels.devices(checked), [*_tunnels.routes(checked), *ROUTES], RULES)


ROUTES = [
    {"destination": "10.3.0.0/16", "nexthops": [{"device": "vti7", "weight": 2}, {"device": "vti01"}], "metric": 7},
    {
        "destination": "10.4.0.0/16",
        "device": "vti01",
        "table": "100",
        "source": "10.0.1.1",
        "mtu": 1380,
        "advmss": 1340,
    },
    {"destination": "10.5.0.0/16", "type": "blackhole"},
    {"destination": "10.6.0.0/16", "device": "vti01", "state": "absent"},
]
RULES = [
    {"priority": 1000, "from": "10.1.0.0/16", "fwmark": "5/0xff", "table": "100"},
    {"priority": 1001, "to": "fd00::/8", "type": "unreachable"},
    {"priority": 1002, "to": "fd00::/8", "type": "prohibit", "state": "absent"},
]


def test_lines() -> None:
    assert lines() == [
        "devices vti01 vti7",
        "device vti01 mtu 1400 type vti local 192.0.2.1 remote 192.0.2.2 ikey 5 okey 6",
        "device vti7 mtu 1380 type vti6 local 2001:db8::1 remote 2001:db8::2 ikey 7 okey 7",
        "sysctl vti01 disable_policy 1",
        "sysctl vti01 forwarding 1",
        "sysctl vti01 rp_filter 0",
        "sysctl vti7 disable_policy 1",
        "sysctl vti7 forwarding 1",
        "sysctl vti7 rp_filter 0",
        "ip address replace 10.0.1.1/24 dev vti01",
        "ip address replace 10.9.0.1 peer 10.9.0.2/32 dev vti01",
        "ip link set vti01 group 4500 alias route_based.vpn up",
        "ip link set vti7 group 4500 alias route_based.vpn up",
        "ip route replace unreachable 10.0.0.0/8 metric 4278198272 proto 157",
        "ip route replace 10.0.0.0/8 dev vti01 proto 157",
        "ip route replace fd00::/8 dev vti7 proto 157",
        "ip route replace 10.3.0.0/16 metric 7 proto 157 nexthop dev vti01 nexthop dev vti7 weight 2",
        "ip route replace 10.4.0.0/16 dev vti01 table 100 src 10.0.1.1 mtu 1380 advmss 1340 proto 157",
        "ip route replace blackhole 10.5.0.0/16 proto 157",
        "rule4 add priority 1000 from 10.1.0.0/16 fwmark 0x5/0xff lookup 100 protocol 157",
        "rule6 add priority 1001 from all to fd00::/8 unreachable protocol 157",
    ]


def test_script_goes_on_after_a_failure_and_says_so(tmp_path: Path) -> None:
    """With an ip that notes what it is told: on this kernel no VTI device appears, so no sysctl can be written."""
    fake = tmp_path / "ip"
    fake.write_text(f"#!/bin/sh\ncat >>{tmp_path}/told\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    state = tmp_path / "restore.conf"
    state.write_text("# a comment\n" + "\n".join(lines()) + "\n")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([str(SCRIPT), str(state)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    told = (tmp_path / "told").read_text().splitlines()
    assert told == [
        *[line.replace("device ", "link add ", 1) for line in lines() if line.startswith("device ")],
        *[line.replace("ip ", "", 1) for line in lines() if line.startswith("ip ")],
        *[f"rule {line[6:]}" for line in lines() if line.startswith("rule")],
    ]


def test_routes_that_go_with_a_conn_do_not_come_at_boot() -> None:
    """Their guard does; the hook has the rest."""
    follower = {"destination": "10.7.0.0/16", "device": "vti01", "metric": 100, "source": "10.0.1.1", "guard": True}
    routes = [{**follower, "conn": "a"}]
    assert _restore.lines([], routes) == ["ip route replace unreachable 10.7.0.0/16 metric 4278198272 proto 157"]
    assert _restore.followers(routes) == ["a 10.7.0.0/16 dev vti01 metric 100 src 10.0.1.1 proto 157"]
    assert _restore.followers([follower]) == []


def test_unnumbered_tunnels_come_after_the_address_that_they_use() -> None:
    loans = [{"address": "10.255.0.1", "peer": "10.255.0.2"}, {"address": "fd99::1", "peer": "fd99::3"}]
    tunnels = [
        {
            "name": f"t{number}",
            "local": "192.0.2.1",
            "remote": f"192.0.2.{number}",
            "mark": number,
            "routes": [f"10.{number}.0.0/16"],
            "guard": False,
            "unnumbered": loan,
            "psk": "a secret of the test",
        }
        for number, loan in enumerate(loans, 2)
    ]
    checked = _tunnels.normalise(tunnels)
    assert _restore.lines(_tunnels.devices(checked), _tunnels.routes(checked)) == [
        "devices vpn-inner vti2 vti3",
        "device vpn-inner type dummy",
        "device vti2 mtu 1400 type vti local 192.0.2.1 remote 192.0.2.2 ikey 2 okey 2",
        "device vti3 mtu 1400 type vti local 192.0.2.1 remote 192.0.2.3 ikey 3 okey 3",
        "sysctl vti2 disable_policy 1",
        "sysctl vti2 forwarding 1",
        "sysctl vti2 rp_filter 0",
        "sysctl vti3 disable_policy 1",
        "sysctl vti3 forwarding 1",
        "sysctl vti3 rp_filter 0",
        "ip address replace 10.255.0.1/32 dev vpn-inner",
        "ip address replace fd99::1/128 dev vpn-inner nodad",
        "ip link set vpn-inner group 4500 alias route_based.vpn up",
        "ip link set vti2 group 4500 alias route_based.vpn up",
        "ip link set vti3 group 4500 alias route_based.vpn up",
        "ip route replace 10.255.0.2/32 dev vti2 src 10.255.0.1 proto 158",
        "ip route replace fd99::3/128 dev vti3 src fd99::1 proto 158",
        "ip route replace 10.2.0.0/16 dev vti2 src 10.255.0.1 proto 157",
        "ip route replace 10.3.0.0/16 dev vti3 proto 157",
    ]

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

INNER = {"address": "10.9.0.1/24"}
WEST = {"name": "west", "local": "192.0.2.1", "remote": "192.0.2.2", "key": 12}
EAST = {"name": "east", "local": "192.0.2.1", "remote": "198.51.100.3", "key": 13}
SIX = {"address": "fd09::1/64"}
RULE = {"priority": 1000, "from": "10.1.0.0/16", "table": 100}
TWO = {"destination": "10.0.0.0/8", "nexthops": [{"device": "west"}, {"device": "east", "weight": 3}]}
TWO6 = {
    "destination": "fd10::/48",
    "nexthops": [{"device": "west", "gateway": "fd09::2"}, {"device": "east", "gateway": "fe80::3", "weight": 2}],
}


@pytest.fixture
def routed(kernel):
    kernel.tunnels({**WEST, "addresses": [INNER, SIX]}, EAST)
    return kernel


def ours(kernel, family="-4"):
    return [
        line.strip().replace("\t", " ")
        for line in kernel.sh(f"ip {family} -d rule show").splitlines()
        if "proto 157" in line
    ]


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        (RULE, "1000: from 10.1.0.0/16 lookup 100"),
        ({**RULE, "to": "10.2.0.0/24", "table": "main"}, "1000: from 10.1.0.0/16 to 10.2.0.0/24 lookup main"),
        ({"priority": 9, "table": 70000}, "9: from all lookup 70000"),
        ({**RULE, "fwmark": "0x5/0xff", "iif": "lo"}, "1000: from 10.1.0.0/16 fwmark 0x5/0xff iif lo lookup 100"),
        ({**RULE, "fwmark": 7, "oif": "west"}, "1000: from 10.1.0.0/16 fwmark 0x7 oif west lookup 100"),
        ({"priority": 9, "fwmark": "0/0xf", "type": "prohibit"}, "9: from all fwmark 0/0xf prohibit"),
        ({"priority": 9, "to": "10.8.0.0/16", "type": "unreachable"}, "9: from all to 10.8.0.0/16 unreachable"),
        ({"priority": 9, "to": "10.8.0.1", "type": "blackhole"}, "9: from all to 10.8.0.1 blackhole"),
    ],
    ids=str,
)
def test_create_and_remove(kernel, rule, shown):
    assert [entry[1] for entry in kernel.rules(rule)] == ["created"]
    assert [line.replace(" [detached]", "") for line in ours(kernel)] == [f"{shown} proto 157"]
    assert [entry[1] for entry in kernel.rules({**rule, "state": "absent"})] == ["removed"]
    assert ours(kernel) == []


def test_ipv6(kernel):
    kernel.rules({"priority": 5, "from": "fd01::/48", "table": 100}, {"priority": 6, "family": "ipv6", "table": "main"})
    assert ours(kernel, "-6") == ["5: from fd01::/48 lookup 100 proto 157", "6: from all lookup main proto 157"]
    assert ours(kernel) == []


def test_change_leaves_the_kernel_with_one(kernel):
    kernel.rules(RULE)
    assert kernel.rules({**RULE, "table": 101})[0][1:] == ("updated", ["table: 100 -> 101"])
    assert ours(kernel) == ["1000: from 10.1.0.0/16 lookup 101 proto 157"]


@pytest.mark.parametrize("proto", ["boot", "static", "0"])
def test_rule_made_by_hand_is_taken_over(kernel, proto):
    kernel.sh(f"ip rule add from 10.1.0.0/16 priority 1000 lookup 100 proto {proto}")
    assert kernel.rules(RULE)[0][1] == "updated"
    assert kernel.sh("ip -d rule show priority 1000").count("10.1.0.0/16") == 1
    assert len(ours(kernel)) == 1


def test_rule_of_a_daemon_is_refused(kernel):
    kernel.sh("ip rule add from 10.1.0.0/16 priority 1000 lookup 100 proto bgp")
    assert "belongs to protocol 186 (bgp)" in kernel.refuse("vti_route", rules=[RULE])


def test_purge_removes_only_ours(kernel):
    kernel.sh("ip rule add priority 7 lookup 70; ip rule add priority 1000 ipproto udp dport 4500 lookup main")
    kernel.rules(RULE, {"priority": 1001, "from": "10.1.0.0/16", "type": "unreachable"})
    before = kernel.sh("ip rule | wc -l")
    assert [entry[1] for entry in kernel.rules(purge=True)] == ["removed", "removed"]
    assert int(kernel.sh("ip rule | wc -l")) == int(before) - 2


def test_policy_routing_leads_and_guards(routed):
    """The recipe of the module's examples: through the tunnel, or nowhere."""
    routed.rules(
        {"priority": 1000, "to": "10.8.0.0/16", "table": 100},
        {"priority": 1001, "to": "10.8.0.0/16", "type": "unreachable"},
        routes=[{"destination": "0.0.0.0/0", "device": "west", "table": 100}],
    )
    assert "dev west" in routed.sh("ip route get 10.8.1.1")
    assert "dev wan" in routed.sh("ip route get 192.0.2.2")
    routed.sh("ip link set west down")
    assert "unreachable" in routed.sh("ip route get 10.8.1.1 2>&1 || true")


def test_rule_that_takes_in_the_peer_is_refused(routed):
    routed.routes({"destination": "0.0.0.0/0", "device": "west", "table": 100})
    everything = {"priority": 1000, "table": 100}
    assert "run into itself" in routed.refuse("vti_route", rules=[everything])
    exempt = [{"priority": 900 + n, "to": to, "table": "main"} for n, to in enumerate(("192.0.2.2", "198.51.100.3"))]
    routed.rules(everything, *exempt)
    assert "dev wan" in routed.sh("ip route get 192.0.2.2 from 192.0.2.1")
    assert "run into itself" in routed.refuse("vti_route", rules=[everything, {**exempt[0], "state": "absent"}])


def test_halves_of_the_default_are_refused(routed):
    halves = [{"destination": net, "device": "west"} for net in ("0.0.0.0/1", "128.0.0.0/1")]
    assert "198.51.100.3 of east, so that the tunnel would run through west" in routed.refuse(
        "vti_route", routes=halves
    )
    halves6 = [{"destination": net, "device": "six"} for net in ("::/1", "8000::/1")]
    routed.tunnels({"name": "six", "local": "2001:db8::1", "remote": "2001:db8:7::2", "key": 6, "addresses": [SIX]})
    assert "run into itself" in routed.refuse("vti_route", routes=halves6)
    routed.routes(*halves6, {"destination": "2001:db8:7::/64", "gateway": "2001:db8::9", "device": "wan"})


@pytest.mark.parametrize("route", [TWO, TWO6], ids=["ipv4", "ipv6"])
def test_several_ways(routed, route):
    family, net = ("-6", "fd10::/48") if ":" in route["destination"] else ("-4", "10.0.0.0/8")

    def weights():
        (live,) = routed.ip(f"{family} route show {net}")
        hops = live.get("nexthops") or [live]
        return {hop["dev"]: hop.get("weight") for hop in hops}

    assert routed.routes(route)[0][1] == "created"
    assert weights() == {"west": 1, "east": route["nexthops"][1]["weight"]}
    even = {**route, "nexthops": [{**hop, "weight": 1} for hop in reversed(route["nexthops"])]}
    assert routed.routes(even)[0][1] == "updated"
    assert weights() == {"west": 1, "east": 1}
    single = {"destination": net, **{k: v for k, v in route["nexthops"][0].items() if k != "weight"}}
    assert routed.routes(single)[0][1] == "updated"
    assert weights() == {"west": None}
    assert routed.routes(even)[0][1] == "updated"
    assert weights() == {"west": 1, "east": 1}
    assert routed.routes({"destination": net, "type": "unreachable"})[0][1] == "updated"
    assert routed.routes({**even, "guard": True})[0][1] == "updated"
    assert routed.routes({"destination": net, "state": "absent"})[0][1] == "removed"


@pytest.mark.parametrize("route", [TWO, TWO6], ids=["ipv4", "ipv6"])
def test_a_way_that_went_comes_back(routed, route):
    routed.routes(route)
    routed.sh("ip link set east down; ip link set east up")
    before = routed.sh(f"ip route get {route['destination'].partition('/')[0]}")
    result = routed.routes(route)
    assert result[0][1] in ("updated", "created", "kept"), before
    live = routed.sh(f"ip -{6 if ':' in route['destination'] else 4} route show {route['destination']}")
    assert live.count("nexthop") == 2
    assert "dead" not in live


def test_a_down_device_is_refused_for_one_of_several_ways(routed):
    routed.sh("ip link set east down")
    assert "nexthops[east]='east': is down" in routed.refuse("vti_route", routes=[TWO])


def test_routes_of_unknown_shape_are_replaced(routed):
    routed.sh("ip route add 10.4.0.0/16 via inet6 fe80::9 dev west proto 157")
    (entry,) = routed.routes({"destination": "10.4.0.0/16", "device": "west"})
    assert entry[1:] == ("updated", ["it has RTA_VIA, which no route of this module has"])
    routed.sh("ip nexthop add id 5 dev west; ip route add 10.5.0.0/16 nhid 5 proto 157")
    (entry,) = routed.routes({"destination": "10.5.0.0/16", "device": "west"})
    assert "RTA_NH_ID" in str(entry[2])


def test_vrf_peer_is_looked_up_in_the_vrf(routed):
    routed.sh("ip link add red type vrf table 77; ip link set red up; ip link set west master red")
    default = {"destination": "0.0.0.0/0", "device": "west", "table": 77}
    assert "run into itself" in routed.refuse("vti_route", routes=[default])
    routed.routes(default, {"destination": "192.0.2.2", "device": "wan", "table": 77})

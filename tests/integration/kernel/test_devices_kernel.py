# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

WEST = {
    "name": "west",
    "local": "192.0.2.1",
    "remote": "192.0.2.2",
    "key": "12",
    "addresses": [{"address": "10.9.0.1/32", "peer": "10.9.0.2"}, {"address": "fd00::1/64"}],
}
SIX = {
    "name": "six",
    "local": "2001:db8::1",
    "remote": "2001:db8::2",
    "key": 6,
    "addresses": [{"address": "10.6.0.1/24"}],
}


def link(kernel, name="west"):
    return kernel.ip(f"-d link show dev {name}")[0]


def inner(kernel, name="west"):
    info = kernel.ip(f"address show dev {name}")[0]["addr_info"]
    return sorted(
        f"{a['local']}/{a['prefixlen']}" + (f" {a['address']}" if "address" in a else "")
        for a in info
        if a["scope"] != "link"
    )


def test_create_vti(kernel):
    assert kernel.tunnels(WEST) == [("west", "created", ["there was no such device"])]
    live = link(kernel)
    data = live["linkinfo"]["info_data"]
    assert (data["local"], data["remote"], data["ikey"], data["okey"]) == (
        "192.0.2.1",
        "192.0.2.2",
        "0.0.0.12",
        "0.0.0.12",
    )
    assert (live["mtu"], live["ifalias"], live["group"]) == (1400, "route_based.vpn", "4500")
    assert "UP" in live["flags"]
    assert inner(kernel) == ["10.9.0.1/32 10.9.0.2", "fd00::1/64"]
    conf = {
        n: kernel.sh(f"cat /proc/sys/net/ipv4/conf/west/{n}").strip()
        for n in ("disable_policy", "rp_filter", "forwarding")
    }
    assert conf == {"disable_policy": "1", "rp_filter": "0", "forwarding": "1"}


def test_create_vti6_with_two_keys(kernel):
    kernel.tunnels({**SIX, "key": None, "ikey": "0xfffffffe", "okey": "7/0xff"})
    data = link(kernel, "six")["linkinfo"]["info_data"]
    assert (data["local"], data["remote"], data["ikey"], data["okey"]) == (
        "2001:db8::1",
        "2001:db8::2",
        "255.255.255.254",
        "0.0.0.7",
    )
    assert link(kernel, "six")["mtu"] == 1400


@pytest.mark.parametrize("tunnel", [WEST, SIX], ids=lambda tunnel: tunnel["name"])
@pytest.mark.parametrize(
    "change",
    [
        {"key": 13},
        {"key": None, "ikey": 1, "okey": 2},
        {"mtu": 1300},
        {"mtu": 1300, "key": 77},
        {"link": "wan"},
        {"sysctls": {"rp_filter": 2, "send_redirects": False}},
        {"enabled": False},
        {"addresses": []},
        {"addresses": [{"address": "10.6.0.2/24"}, {"address": "10.9.0.1/24"}, {"address": "fd00::2/64"}]},
        {"addresses": [{"address": "10.9.0.1/32", "peer": "10.9.0.3"}, {"address": "fd00::1/128", "peer": "fd00::9"}]},
    ],
    ids=str,
)
def test_change_in_place_and_back(kernel, tunnel, change):
    kernel.tunnels(tunnel)
    index = link(kernel, tunnel["name"])["ifindex"]
    for wanted in ({**tunnel, **change}, tunnel):
        [(_name, action, _reasons)] = kernel.tunnels(wanted)
        assert action == "updated"
        assert link(kernel, tunnel["name"])["ifindex"] == index


@pytest.mark.parametrize(("option", "value"), [("local", "192.0.2.9"), ("remote", "192.0.2.9"), ("local", "any")])
def test_other_ends_in_place_keep_mtu_and_routes(kernel, option, value):
    kernel.tunnels(WEST)
    kernel.sh("ip route add 10.0.0.0/8 dev west")
    assert kernel.tunnels({**WEST, option: value}) == [("west", "updated", [f"{option}: {WEST[option]} -> {value}"])]
    assert link(kernel)["mtu"] == 1400
    assert kernel.ip("route show 10.0.0.0/8")


@pytest.mark.parametrize(
    ("drift", "reason"),
    [
        ("ip link set west mtu 1480", "mtu: 1480 -> 1400"),
        ("ip link set west down", "enabled: False -> True"),
        ("ip link set west alias other", "owner: other -> route_based.vpn"),
        ("ip link set west group 7", "owner: other -> route_based.vpn"),
        ("ip link change west type vti local 192.0.2.1 remote 192.0.2.2 key 99", "key: 99 -> 12"),
        ("ip addr add 10.77.0.1/24 dev west", "addresses: 10.77.0.1/24, 10.9.0.1/32 peer 10.9.0.2, fd00::1/64 -> "),
        ("ip addr flush dev west scope global", "addresses: none -> "),
        ("echo 1 > /proc/sys/net/ipv4/conf/west/rp_filter", "rp_filter: 1 -> 0"),
    ],
)
def test_drift_is_repaired(kernel, drift, reason):
    kernel.tunnels(WEST)
    kernel.sh(drift)
    [(_name, action, reasons)] = kernel.tunnels(WEST)
    assert action == "updated"
    assert reasons[0].startswith(reason)


def test_deleted_device_is_made_again(kernel):
    kernel.tunnels(WEST)
    kernel.sh("ip link del west")
    assert kernel.tunnels(WEST)[0][1] == "created"


def test_recreate_puts_back_every_route(kernel):
    kernel.sh("ip link add lan type dummy; ip link set lan up; ip addr add 172.16.0.1/24 dev lan")
    kernel.tunnels(WEST)
    kernel.sh(
        "ip route add 10.0.0.0/8 dev west src 10.9.0.1 mtu 1350 initcwnd 20;"
        "ip route add 10.1.0.0/16 via 10.9.0.2 dev west proto 157 metric 7;"
        "ip route add 10.2.0.0/16 dev west table 100000;"
        "ip route add 10.3.0.0/16 tos 0x10 dev west; ip -6 route add fd01::/64 via fd00::2 dev west proto bird;"
        "ip -6 route add fd02::/64 dev west metric 5; ip route add 10.5.0.0/16 via 203.0.113.9 dev west onlink;"
        "ip route add 10.4.0.0/16 nexthop dev west weight 3 nexthop via 172.16.0.9 dev lan weight 2"
    )
    index, before = link(kernel)["ifindex"], kernel.sh("ip route show table all; ip -6 route show table all")
    [(_name, action, reasons)] = kernel.tunnels({**WEST, "remote": "any"})
    assert action == "recreated"
    assert "puts back 8 routes" in reasons[2]
    assert kernel.sh("ip route show table all; ip -6 route show table all") == before
    assert link(kernel)["ifindex"] == index
    assert kernel.tunnels(WEST)[0][1] == "recreated"
    assert kernel.sh("ip route show table all; ip -6 route show table all") == before


def test_recreate_keeps_the_vrf(kernel):
    kernel.sh("ip link add red type vrf table 10; ip link set red up")
    kernel.tunnels(WEST)
    kernel.sh("ip link set west master red; ip route add 10.0.0.0/8 dev west table 10")
    kernel.tunnels({**WEST, "remote": "any"})
    assert link(kernel)["master"] == "red"
    assert kernel.ip("route show table 10 10.0.0.0/8")


def test_change_of_kind(kernel):
    kernel.tunnels(WEST)
    assert kernel.tunnels({**SIX, "name": "west"})[0][1] == "recreated"
    assert link(kernel)["linkinfo"]["info_kind"] == "vti6"


def test_readdressing_puts_back_routes(kernel):
    kernel.tunnels(WEST)
    kernel.sh("ip route add 10.0.0.0/8 dev west src 10.9.0.1; ip route add 10.1.0.0/16 via 10.9.0.2 dev west")
    kernel.tunnels({**WEST, "addresses": [{"address": "10.9.0.1/24"}]})
    assert kernel.ip("route show 10.0.0.0/8")
    assert kernel.ip("route show 10.1.0.0/16")


def test_secondary_address_survives_the_primary(kernel):
    kernel.tunnels({**WEST, "addresses": [{"address": "10.9.0.1/24"}, {"address": "10.9.0.2/24"}]})
    kernel.tunnels({**WEST, "addresses": [{"address": "10.9.0.2/24"}]})
    assert inner(kernel) == ["10.9.0.2/24"]


def test_swap_and_hand_over_ends(kernel):
    east = {"name": "east", "local": "192.0.2.1", "remote": "192.0.2.3", "key": 3}
    kernel.tunnels(WEST, east)
    actions = [entry[1] for entry in kernel.tunnels({**WEST, "remote": "192.0.2.3"}, {**east, "remote": "192.0.2.2"})]
    assert actions == ["recreated", "recreated"]
    kernel.tunnels({**east, "state": "absent"}, {**east, "name": "new", "remote": "192.0.2.2"})
    assert link(kernel, "new")


def test_same_ends_on_two_links(kernel):
    kernel.tunnels(WEST, {**WEST, "name": "west2", "link": "wan", "addresses": []})


@pytest.mark.parametrize(
    ("setup", "wanted", "words"),
    [
        ("ip link add west type dummy", {}, "kind dummy"),
        ("ip link add west type veth peer name w2", {"state": "absent"}, "kind veth"),
        ("true", {"name": "lo", "state": "absent"}, "no VTI device"),
        ("ip link add other type vti local 192.0.2.1 remote 192.0.2.2 key 99", {}, "the device other has the same"),
        (
            "ip link add other type vti6 local 2001:db8::1 remote 2001:db8::2",
            {**SIX, "link": "wan"},
            "the device other has the same",
        ),
        ("true", {"link": "nope"}, "no such device"),
    ],
)
def test_refused_before_anything_is_written(kernel, setup, wanted, words):
    kernel.sh(setup)
    message = kernel.refuse(
        "vti_tunnel", tunnels=[{**WEST, "name": "first", "remote": "192.0.2.77"}, {**WEST, **wanted}]
    )
    assert words in message
    assert "tunnels[1]" in message


def test_ends_taken_in_another_namespace_fail_half_way(kernel):
    kernel.sh(
        "ip link add hidden type vti local 192.0.2.1 remote 192.0.2.2; ip netns add far; ip link set hidden netns far"
    )
    try:
        first, last = ({**WEST, "name": n, "remote": r} for n, r in (("first", "192.0.2.7"), ("last", "192.0.2.8")))
        result = kernel.call("vti_tunnel", tunnels=[first, WEST, last])
        assert result["failed"]
        assert "EEXIST" in result["msg"]
        assert [entry["name"] for entry in result["done"]] == ["first"]
        assert result["failed_item"]["name"] == "west"
        assert [entry["name"] for entry in result["not_done"]] == ["last"]
        kernel.sh("ip -n far link del hidden")
        assert [e[1] for e in kernel.tunnels(first, WEST, last)] == ["kept", "created", "created"]
    finally:
        kernel.sh("ip netns del far")


def test_purge_takes_only_ours(kernel):
    kernel.sh("ip link add theirs type vti local 192.0.2.1 remote 192.0.2.50 key 5; ip link set theirs group 4500")
    east = {"name": "east", "local": "192.0.2.1", "remote": "192.0.2.3", "key": 3}
    kernel.tunnels(WEST, east, SIX)
    assert kernel.tunnels(east) == [("east", "kept", [])]
    purged = kernel.tunnels(east, purge=True)
    assert sorted(entry[:2] for entry in purged) == [("east", "kept"), ("six", "removed"), ("west", "removed")]
    assert link(kernel, "theirs")


def test_absent(kernel):
    kernel.tunnels(WEST)
    assert kernel.tunnels({"name": "west", "state": "absent"})[0][1] == "removed"
    assert kernel.tunnels({"name": "west", "state": "absent"})[0][1] == "kept"


def test_existing_vti_is_taken_over_without_a_gap(kernel):
    kernel.sh("ip link add west type vti local 192.0.2.1 remote 192.0.2.2 key 12; ip link set west up mtu 1400")
    index = link(kernel)["ifindex"]
    assert kernel.tunnels(WEST)[0][1] == "updated"
    assert link(kernel)["ifindex"] == index


def test_rp_filter_of_all_is_warned_about(kernel):
    kernel.sh("echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter")
    result = kernel.call("vti_tunnel", tunnels=[WEST])
    assert "rp_filter 0 of west" in str(result["warnings"])


def test_routes_of_any_shape_come_back(kernel):
    """With a gateway of the other family, an encapsulation, metrics: as they were, to the word."""
    kernel.tunnels(WEST)
    kernel.sh(
        "ip route add 10.8.0.0/16 via inet6 fe80::9 dev west proto bgp metric 20 initcwnd 7;"
        "ip route add 10.9.8.0/24 proto 99 nexthop via inet6 fe80::9 dev west weight 3 nexthop via 192.0.2.254 dev wan;"
        "ip route add 10.7.0.0/16 via 10.9.0.2 dev west table 77 rto_min 5ms"
    )
    before = kernel.sh("ip route show table all dev west; ip route show 10.9.8.0/24")
    (_name, action, reasons), *_rest = kernel.tunnels({**WEST, "remote": "any"})
    assert action == "recreated"
    assert "10.8.0.0/16" in str(reasons)
    assert kernel.sh("ip route show table all dev west; ip route show 10.9.8.0/24") == before


def test_routes_survive_the_change_of_the_only_address(kernel):
    kernel.tunnels({**WEST, "addresses": [{"address": "10.9.0.1/32"}]})
    kernel.sh("ip route add 10.0.0.0/8 dev west; ip route add 10.1.0.0/16 dev west table 77 proto 99 metric 5")
    before = kernel.sh("ip route show table all dev west proto boot; ip route show table 77")
    kernel.tunnels({**WEST, "addresses": [{"address": "10.8.0.1/32"}]})
    assert kernel.sh("ip route show table all dev west proto boot; ip route show table 77") == before
    kernel.tunnels({**WEST, "addresses": []})
    assert kernel.sh("ip route show table all dev west proto boot; ip route show table 77") == before


def test_mtu_auto(kernel):
    kernel.tunnels({**WEST, "addresses": [], "mtu": "auto"}, {**SIX, "mtu": "auto", "nat_t": True})
    assert (link(kernel)["mtu"], link(kernel, "six")["mtu"]) == (1446, 1418)
    kernel.sh("ip link set wan mtu 9000; ip route add 192.0.2.2 dev wan mtu 1400")
    kernel.tunnels({**WEST, "addresses": [], "mtu": "auto"}, {**SIX, "mtu": "auto"})
    assert (link(kernel)["mtu"], link(kernel, "six")["mtu"]) == (1346, 8926)
    kernel.tunnels({**WEST, "addresses": [], "remote": "any", "mtu": "auto"})
    assert link(kernel)["mtu"] == 8946
    kernel.sh("ip route del default")
    far = {**WEST, "name": "far", "remote": "198.51.100.9", "addresses": [], "mtu": "auto"}
    assert "the kernel knows no way to 198.51.100.9; give underlay_mtu" in kernel.refuse("vti_tunnel", tunnels=[far])


def test_vrf(kernel):
    kernel.sh(
        "ip link add red type vrf table 77; ip link set red up; ip route add table 77 unreachable default metric 9999"
    )
    kernel.tunnels(WEST)
    kernel.sh("ip route add 10.0.0.0/8 via 10.9.0.2 dev west; ip -6 route add fd01::/48 via fd00::2 dev west table 77")
    entries = kernel.tunnels({**WEST, "vrf": "red"})
    assert [entry[:2] for entry in entries] == [("west", "updated"), ("192.0.2.2/32 dev wan table 77", "created")]
    assert link(kernel)["master"] == "red"
    assert inner(kernel) == ["10.9.0.1/32 10.9.0.2", "fd00::1/64"]
    assert "10.0.0.0/8 via 10.9.0.2 dev west" in kernel.sh("ip route")
    assert "fd01::/48 via fd00::2 dev west" in kernel.sh("ip -6 route show table 77")
    assert "dev wan" in kernel.sh("ip route get vrf red 192.0.2.2")
    moved = {**WEST, "vrf": "red", "remote": "198.51.100.7"}
    assert [entry[1] for entry in kernel.tunnels(moved)] == ["updated", "created", "removed"]
    assert "198.51.100.7 via 192.0.2.254 dev wan proto 158" in kernel.sh("ip -N route show table 77")
    assert kernel.routes(purge=True) == []
    assert [entry[1] for entry in kernel.tunnels({**moved, "vrf": ""})] == ["updated", "removed"]
    assert "master" not in link(kernel)
    assert "there is no VRF of this name" in kernel.refuse("vti_tunnel", tunnels=[{**WEST, "vrf": "wan"}])


def test_many_leave_at_once(kernel):
    many = [{"name": f"v{n}", "local": "192.0.2.1", "remote": f"198.51.100.{n}", "key": n} for n in range(1, 41)]
    kernel.tunnels(WEST, *many)
    kernel.sh("ip link add theirs type dummy; ip link set theirs group 4500")
    assert [entry[1] for entry in kernel.tunnels(WEST, purge=True)] == ["kept", *["removed"] * 40]
    assert sorted(entry["ifname"] for entry in kernel.ip("link show group 4500") if entry) == ["theirs", "west"]


def test_recreate_keeps_sysctls_and_alias_of_others(kernel):
    kernel.tunnels(WEST)
    kernel.sh("ip link set west alias 'route_based.vpn of the west'; echo 1 >/proc/sys/net/ipv4/conf/west/accept_local")
    (entry,) = kernel.tunnels({**WEST, "remote": "any"})
    assert entry[1] == "recreated"
    assert link(kernel)["ifalias"] == "route_based.vpn of the west"
    assert kernel.sh("cat /proc/sys/net/ipv4/conf/west/accept_local") == "1\n"


def test_policy_based_conn_between_the_ends_is_a_warning(kernel):
    """Each time by another name, as Ansible keeps the warnings of a process."""

    def warnings(name, **changes):
        gone = [{"name": entry["ifname"], "state": "absent"} for entry in kernel.ip("link show type vti") if entry]
        gone = [entry for entry in gone if entry["name"] != "ip_vti0"]
        kernel.call("vti_tunnel", tunnels=gone)
        found = kernel.call("vti_tunnel", tunnels=[{**WEST, "name": name, **changes}]).get("warnings", [])
        return " ".join(text for text in map(str, found) if name in text)

    ends = "src 192.0.2.1 dst 192.0.2.2 proto esp mode tunnel"
    kernel.sh(f"ip xfrm policy add src 10.1.0.0/16 dst 10.2.0.0/16 dir out tmpl {ends}")
    assert "conn" not in warnings("one")
    assert "a conn without a mark is between the ends of two" in warnings("two", sysctls={"disable_policy": 0})
    kernel.sh(f"ip xfrm policy add src 10.3.0.0/16 dst 10.4.0.0/16 dir out mark 7 mask 0xff tmpl {ends}")
    assert "ends of three, with a mark that is not the device's key" in warnings("three")
    kernel.sh("ip xfrm policy flush")
    kernel.sh(f"ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out mark 12 tmpl {ends}")
    assert "conn" not in warnings("four")

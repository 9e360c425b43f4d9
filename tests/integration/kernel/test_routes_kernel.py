# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

GUARD_METRIC = 4278198272
NET = {"destination": "10.0.0.0/8", "device": "west"}
NET6 = {"destination": "fd01::/48", "device": "west"}


@pytest.fixture
def routed(kernel):
    """A kernel with two tunnels to route into."""
    ends = {"local": "192.0.2.1", "key": 1, "addresses": [{"address": "10.9.0.1/24"}, {"address": "fd00::1/64"}]}
    east = {**ends, "name": "east", "remote": "192.0.2.3", "addresses": []}
    kernel.tunnels({**ends, "name": "west", "remote": "192.0.2.2"}, east)
    return kernel


@pytest.mark.parametrize("base", [NET, NET6], ids=["v4", "v6"])
@pytest.mark.parametrize(
    "change",
    [
        {"device": "east"},
        {"mtu": 1350},
        {"advmss": 1300},
        {"mtu": 1350, "advmss": 1300},
        {"gateway": "GATEWAY"},
        {"source": "SOURCE"},
        {"type": "unreachable", "device": None},
        {"type": "prohibit", "device": None},
        {"type": "blackhole", "device": None},
    ],
    ids=str,
)
def test_change_and_back(routed, base, change):
    six = ":" in base["destination"]
    words = {"GATEWAY": "fd00::2" if six else "10.9.0.2", "SOURCE": "fd00::1" if six else "10.9.0.1"}
    change = {option: words.get(value, value) for option, value in change.items()}
    assert routed.routes(base)[0][1] == "created"
    assert routed.routes({**base, **change})[0][1] == "updated"
    assert len(routed.ip(f"{'-6' if six else '-4'} route show {base['destination']}")) == 1
    assert routed.routes(base)[0][1] == "updated"


@pytest.mark.parametrize("base", [NET, NET6], ids=["v4", "v6"])
def test_tables_metrics_and_absent(routed, base):
    variants = [
        base,
        {**base, "metric": 70, "device": "east"},
        {**base, "table": 100000},
        {**base, "table": "100", "metric": 9},
    ]
    assert [entry[1] for entry in routed.routes(*variants)] == ["created"] * 4
    gone = [{**entry, "state": "absent"} for entry in variants[1:]]
    assert [entry[1] for entry in routed.routes(*gone)] == ["removed"] * 3
    assert (
        len(routed.ip(f"{'-6' if ':' in base['destination'] else '-4'} route show table all {base['destination']}"))
        == 1
    )
    assert routed.routes({**base, "device": "east", "state": "absent"})[0][1] == "kept"
    assert routed.routes({"destination": base["destination"], "state": "absent"})[0][1] == "removed"


@pytest.mark.parametrize("base", [NET, NET6], ids=["v4", "v6"])
def test_guard_holds_when_the_device_goes(routed, base):
    assert [entry[1] for entry in routed.routes({**base, "guard": True})] == ["created", "created"]
    routed.sh("ip link set west down")
    address = "fd01::5" if ":" in base["destination"] else "10.0.0.5"
    with pytest.raises(RuntimeError, match="unreachable|No route to host"):
        routed.sh(f"ip route get {address}")
    routed.sh("ip link set west up")
    assert [entry[1] for entry in routed.routes({**base, "guard": True})] == ["created", "kept"]
    assert [entry[1] for entry in routed.routes(base)] == ["kept", "removed"]


def test_purge_takes_only_ours(routed):
    routed.sh("ip route add 10.50.0.0/16 dev west proto static; ip -6 route add fd50::/48 dev west proto bird")
    routed.routes(NET, NET6, {**NET, "table": 100, "guard": True})
    purged = routed.routes(NET, purge=True)
    assert [entry[1] for entry in purged] == ["kept", "removed", "removed", "removed"]
    assert routed.ip("route show 10.50.0.0/16")
    assert routed.ip("-6 route show fd50::/48")


def test_takes_over_static_routes(routed):
    routed.sh("ip route add 10.0.0.0/8 dev west")
    assert routed.routes(NET) == [("10.0.0.0/8 dev west", "updated", ["protocol: 3 -> 157"])]


def test_removes_a_multipath_route(routed):
    routed.sh("ip route add 10.0.0.0/8 proto static nexthop dev west nexthop dev east")
    routed.sh("ip -6 route add fd01::/48 proto static nexthop via fd00::5 dev west nexthop via fd00::6 dev west")
    gone = [{"destination": destination, "state": "absent"} for destination in ("10.0.0.0/8", "fd01::/48")]
    assert [entry[1] for entry in routed.routes(*gone)] == ["removed", "removed"]


def test_updates_a_multipath_route(routed):
    routed.sh("ip route add 10.0.0.0/8 proto static nexthop dev west nexthop dev east")
    assert routed.routes(NET)[0][1] == "updated"
    routed.sh("ip -6 route add fd01::/48 proto static nexthop via fd00::5 dev west nexthop via fd00::6 dev west")
    assert routed.routes(NET6)[0][1] == "updated"


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ({"destination": "10.9.0.0/24", "device": "east"}, "protocol 2 (kernel)"),
        ({"destination": "10.60.0.0/16", "device": "east"}, "protocol 186 (bgp)"),
        ({"destination": "10.0.0.0/8", "device": "nope"}, "no such device"),
        ({"destination": "192.0.2.2/32", "device": "west"}, "run into itself"),
        ({"destination": "0.0.0.0/1", "device": "west"}, None),
        ({"destination": "192.0.2.0/25", "device": "west"}, "run into itself"),
        ({"destination": "10.0.0.0/8", "device": "idle"}, "is down"),
        ({"destination": "0.0.0.0/0", "device": "road"}, "remote is any"),
    ],
)
def test_refused_before_anything_is_written(routed, route, words):
    routed.sh(
        "ip route add 10.60.0.0/16 dev west proto bgp; ip link add idle type vti local 192.0.2.1 remote 192.0.2.9;"
        "ip link add road type vti local 192.0.2.1 key 9; ip link set road up"
    )
    if words is None:
        routed.routes(route)
        return
    message = routed.refuse("vti_route", routes=[{"destination": "10.70.0.0/16", "device": "west"}, route])
    assert words in message
    assert "routes[1]" in message


def test_default_route_with_a_way_out(routed):
    routed.sh(
        "ip addr flush dev wan; ip addr add 192.0.2.1/32 dev wan; ip route add 192.0.2.254 dev wan;"
        "ip route add default via 192.0.2.254 metric 50"
    )
    default = {"destination": "0.0.0.0/0", "device": "west"}
    assert "run into itself" in routed.refuse("vti_route", routes=[default])
    way_out = {"destination": "192.0.2.2/31", "gateway": "192.0.2.254", "device": "wan"}
    assert [entry[1] for entry in routed.routes(default, way_out)] == ["created", "created"]
    assert "run into itself" in routed.refuse("vti_route", routes=[default, {**way_out, "state": "absent"}])


def test_kernel_refusal_half_way(routed):
    bad = {"destination": "10.61.0.0/16", "gateway": "203.0.113.250", "device": "west"}
    result = routed.call("vti_route", routes=[NET, bad, NET6])
    assert result["failed"]
    assert [entry["name"] for entry in result["done"]] == ["10.0.0.0/8 dev west", "fd01::/48 dev west"]
    assert result["failed_item"]["name"] == "10.61.0.0/16 via 203.0.113.250 dev west"
    assert result["not_done"] == []


def test_nothing_is_tried_after_the_batch_of_a_refusal(routed):
    bad = {"destination": "10.61.0.0/16", "gateway": "203.0.113.250", "device": "west"}
    many = [{"destination": f"10.70.{number}.0/24", "device": "west"} for number in range(100)]
    result = routed.call("vti_route", routes=[bad, *many])
    assert result["failed_item"]["name"].startswith("10.61.0.0/16")
    live = [entry["dst"] for entry in routed.ip("route show proto 157")]
    assert [entry["name"].split()[0] for entry in result["done"]] == live
    assert [entry["name"].split()[0] for entry in result["not_done"]] == [
        entry["destination"] for entry in many if entry["destination"] not in live
    ]
    assert 0 < len(live) < 100
    assert len(routed.routes(*many)) == 100


def test_missing_device_is_a_warning_in_check_mode(routed):
    result = routed.call("vti_route", routes=[{**NET, "device": "later"}], _ansible_check_mode=True)
    assert result["routes"][0]["action"] == "created"
    assert "no device later yet" in str(result["warnings"])

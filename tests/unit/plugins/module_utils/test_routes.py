# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import golden
import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _route_plan, _routes
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from fakes.kernel import FakeKernel, device, route
from hypothesis import given
from hypothesis import strategies as st

NET = {"destination": "10.0.0.0/8", "device": "west"}
TWO = [{"device": "west"}, {"device": "east"}]
WEST = device(name="west", local="192.0.2.1", remote="192.0.2.2", key=12, addresses=["10.9.0.1/24"])


CASES = [(kind, name) for kind in ("routes", "rules") for name in golden.cases(kind)]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_plan(kind, name):
    case = golden.load(kind, name)
    assert golden.outcome(case, kind) == case["plan"]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_carried_out_plan_leaves_nothing_to_do(kind, name):
    case = golden.load(kind, name)
    if "refused" in case["plan"]:
        return
    kernel = golden.kernel_of(case)
    for _name, operation in golden.plan_of(case, "routes", kernel).work:
        kernel.apply(operation)
    again = golden.plan_of(case, "routes", kernel)
    assert again.work == ()
    assert not any(change.changed for change in again.changes)


def test_missing_device_is_foretold_in_check_mode():
    wanted = _routes.from_params([{**NET, "device": "later", "guard": True}])
    state = FakeKernel().route_state(wanted, False)
    plan = _route_plan.plan(state, wanted, foretell=True)
    assert [change.action for change in plan.changes] == ["created", "created"]
    assert "no device later yet" in plan.warnings[0]
    with pytest.raises(InputErrors, match="no such device"):
        _route_plan.plan(state, wanted)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"destination": "10.0.0.1/8"}, "has host bits set; the network is 10.0.0.0/8"),
        ({"destination": "10.0.0.0/33"}, "is not a network"),
        ({"destination": "10.0.0/8"}, "is not a network"),
        ({"destination": "default"}, "write 0.0.0.0/0 or ::/0"),
        ({"destination": "ten"}, "is not a network"),
        ({"destination": ""}, "is not a network"),
        ({"destination": "224.0.0.0/4"}, "multicast"),
        ({"destination": "ff00::/8"}, "multicast"),
        ({"destination": "10.0.0.0/8\n"}, "is not a network"),
        ({"device": None}, "needs a device, a gateway or both, or nexthops"),
        ({"device": "ip_vti0"}, "fallback device"),
        ({"device": "a/b"}, "is not a device name"),
        ({"device": "a b"}, "is not a device name"),
        ({"device": "x" * 16}, "is not a device name"),
        ({"gateway": "fd00::1"}, "is not of the destination's family (IPv4)"),
        ({"gateway": "10.0.0.0/8"}, "is not an IPv4 or IPv6 address"),
        ({"gateway": "0.0.0.0"}, "unspecified"),
        ({"source": "fd00::1"}, "is not of the destination's family (IPv4)"),
        ({"source": "x"}, "source='x': is not an IPv4 or IPv6 address"),
        ({"table": "local"}, "belongs to the kernel"),
        ({"table": "255"}, "belongs to the kernel"),
        ({"table": "0"}, "is no routing table"),
        ({"table": "4294967296"}, "is no routing table"),
        ({"table": "-1"}, "is no routing table"),
        ({"table": "vpn"}, "is no routing table"),
        ({"table": "٣"}, "is no routing table"),
        ({"metric": -1}, "metric=-1: has to be 0 to 4294967295"),
        ({"metric": 4294967296}, "has to be 0 to"),
        ({"mtu": 67}, "has to be 68 to 65535"),
        ({"mtu": 65536}, "has to be 68 to 65535"),
        ({"destination": "fd00::/48", "mtu": 1279}, "has to be 1280 to 65535"),
        ({"advmss": 0}, "has to be 1 to 65495"),
        ({"advmss": 70000}, "has to be 1 to 65495"),
        ({"type": "blackhole"}, "device='west': a route of type blackhole leads nowhere"),
        ({"type": "unreachable", "device": None, "gateway": "10.9.0.1"}, "gateway='10.9.0.1': a route of type"),
        ({"type": "prohibit", "device": None, "mtu": 1400}, "mtu=1400: a route of type prohibit"),
        ({"device": None, "nexthops": [{"device": "west"}]}, "nexthops='dev west': is only one"),
        ({"nexthops": TWO}, "device='west': is for a route of one way"),
        ({"device": None, "gateway": "10.9.0.2", "nexthops": TWO}, "gateway='10.9.0.2': is for a route of one way"),
        ({"device": None, "nexthops": [*TWO, {"device": "east"}]}, "nexthops[2]='dev east': is given twice"),
        ({"device": None, "nexthops": [*TWO, {"device": "ip_vti0"}]}, "nexthops[2].device='ip_vti0'"),
        ({"device": None, "nexthops": [*TWO, {"device": "x" * 16}]}, "is not a device name"),
        (
            {"device": None, "nexthops": [{"device": "a", "weight": 0}, *TWO]},
            "nexthops[0].weight=0: has to be 1 to 256",
        ),
        ({"device": None, "nexthops": [{"device": "a", "weight": 257}, *TWO]}, "has to be 1 to 256"),
        ({"device": None, "nexthops": [{"device": "a", "weight": -1}, *TWO]}, "has to be 1 to 256"),
        (
            {"device": None, "nexthops": [{"device": "a", "gateway": "fd00::1"}, *TWO]},
            "is not of the destination's family",
        ),
        ({"device": None, "nexthops": [{"device": "a", "gateway": "x"}, *TWO]}, "is not an IPv4 or IPv6 address"),
        ({"destination": "fd00::/48", "device": None, "nexthops": TWO}, "needs a gateway for each"),
        ({"device": None, "type": "blackhole", "nexthops": TWO}, "nexthops='dev east, dev west': a route of type"),
        ({"guard": True, "state": "absent"}, "list the guard as a route"),
        ({"guard": True, "metric": 4278198272}, "lower than the guard's"),
        ({"destination": "10.7.0.0/16"}, "is in routes[0] already"),
        ({"destination": "10.7.0.0/16", "device": "east", "state": "absent"}, "is in routes[0] already"),
        ({"destination": "10.7.0.0/16", "metric": 0, "table": "254"}, "is in routes[0] already"),
    ],
    ids=str,
)
def test_bad_input(change, words):
    routes = [{"destination": "10.7.0.0/16", "device": "west"}, {**NET, **change}]
    with pytest.raises(InputErrors) as caught:
        _routes.from_params(routes)
    assert words in str(caught.value)
    assert all(error.item == f"routes[1] ({routes[1]['destination']})" for error in caught.value.errors)


def test_metric_of_ipv6():
    first, second = (
        _routes.from_params([{"destination": "fd00::/48", "device": "w", "metric": m}])[0] for m in (None, 0)
    )
    assert first.route == second.route
    assert first.route.metric == 1024


def test_way_out_that_is_purged_is_none():
    kernel = FakeKernel([WEST], routes=[route(destination="192.0.2.2/32", device="eth0")])
    wanted = _routes.from_params([{"destination": "192.0.2.0/24", "device": "west"}])
    assert _route_plan.plan(kernel.route_state(wanted, False), wanted, False).work
    with pytest.raises(InputErrors, match="run into itself"):
        _route_plan.plan(kernel.route_state(wanted, True), wanted, True)


def test_absent_entry_that_means_another_route_leaves_the_way_out():
    kernel = FakeKernel([WEST], routes=[route(destination="192.0.2.2/32", device="eth0")])
    way_out = {"destination": "192.0.2.2/32", "device": "eth1", "state": "absent"}
    wanted = _routes.from_params([{"destination": "192.0.2.0/24", "device": "west"}, way_out])
    assert len(_route_plan.plan(kernel.route_state(wanted, False), wanted).work) == 1


ROUTES = st.fixed_dictionaries(
    {
        "destination": st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "fd01::/48"]),
        "type": st.sampled_from(["unicast", "unicast", "multipath", "blackhole"]),
        "metric": st.sampled_from([5, 6]),
        "table": st.sampled_from([254, 100]),
    }
)


def _placed(fields, name):
    """The fields of a route, or an entry of the module's list."""
    if fields["type"] != "multipath":
        return {**fields, "device": name if fields["type"] == "unicast" else ""}
    gateway = "fd00::1" if ":" in fields["destination"] else "10.9.0.7"
    hops = [{"device": "eth0", "gateway": gateway}, {"device": "west", "gateway": gateway, "weight": 1 + len(name)}]
    return {**fields, "type": "unicast", "nexthops": hops}


def _live(fields, **more):
    hops = (_routes.Nexthop(**hop) for hop in fields.get("nexthops", ()))
    return route(**{**fields, **more, "nexthops": tuple(sorted(hops, key=str))})


def _key(fields):
    return fields["destination"], fields["metric"], fields["table"]


@given(
    st.lists(st.tuples(ROUTES, st.sampled_from(["west", "eth0"]), st.sampled_from([157, 4])), max_size=5),
    st.lists(st.tuples(ROUTES, st.sampled_from(["west", "eth0"]), st.booleans(), st.booleans()), max_size=5),
    st.booleans(),
)
def test_any_plan_leaves_nothing_to_do(live, entries, purge):
    routes = {_key(fields): _live(_placed(fields, name), protocol=number) for fields, name, number in live}
    kernel = FakeKernel([WEST], routes=list(routes.values()))
    unique = {_key(entry[0]): entry for entry in entries}
    wanted = _routes.from_params(
        [
            {**_placed(f, name), "state": "present" if present else "absent", "guard": guard and present}
            for f, name, present, guard in unique.values()
        ]
    )
    for _name, operation in _route_plan.plan(kernel.route_state(wanted, purge), wanted, purge).work:
        kernel.apply(operation)
    assert _route_plan.plan(kernel.route_state(wanted, purge), wanted, purge).work == ()

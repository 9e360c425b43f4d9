# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import yaml
from ansible_collections.route_based.vpn.plugins.module_utils import _routes, _status
from ansible_collections.route_based.vpn.plugins.modules import vti_route
from fakes.kernel import FakeKernel, device, route
from fakes.module import call, twice

NET = {"destination": "10.0.0.0/8", "device": "west"}
NET6 = {"dst": "fd01::/48", "dev": "west"}


@pytest.fixture
def kernel():
    west = device(name="west", local="192.0.2.1", remote="192.0.2.2", key=12, addresses=["10.9.0.1/24", "fd00::1/64"])
    return FakeKernel([west])


def actions(result):
    return [entry["action"] for entry in result["routes"]]


def test_create(monkeypatch, kernel):
    result = twice(monkeypatch, vti_route, kernel, routes=[{**NET, "guard": True}, NET6])
    assert [entry["name"] for entry in result["routes"]] == [
        "10.0.0.0/8 dev west",
        "fd01::/48 dev west",
        "unreachable 10.0.0.0/8 metric 4278198272",
    ]
    assert actions(result) == ["created"] * 3
    assert {live.protocol for live in kernel.routes} == {_routes.PROTOCOL}


@pytest.mark.parametrize("base", [NET, NET6], ids=["v4", "v6"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"dev": "eth0"}, ["updated"]),
        ({"mtu": 1300}, ["updated"]),
        ({"advmss": 1300}, ["updated"]),
        ({"type": "prohibit", "dev": None}, ["updated"]),
        ({"metric": 7}, ["created"]),
        ({"table": 100}, ["created"]),
        ({"guard": True}, ["kept", "created"]),
        ({"state": "absent"}, ["removed"]),
    ],
    ids=str,
)
def test_change(monkeypatch, kernel, base, change, expected):
    base = {"destination": base.get("dst", NET["destination"]), "dev": "west"}
    twice(monkeypatch, vti_route, kernel, routes=[base])
    assert actions(twice(monkeypatch, vti_route, kernel, routes=[{**base, **change}])) == expected


def test_purge(monkeypatch, kernel):
    kernel.routes.append(route(destination="10.5.0.0/16", device="west", protocol=4))
    twice(monkeypatch, vti_route, kernel, routes=[NET, {**NET6, "table": "100"}])
    assert actions(twice(monkeypatch, vti_route, kernel, routes=[NET], purge=True)) == ["kept", "removed"]
    assert [live.destination for live in kernel.routes] == ["10.5.0.0/16", "10.0.0.0/8"]


def test_empty_list_purges_everything_of_ours(monkeypatch, kernel):
    twice(monkeypatch, vti_route, kernel, routes=[{**NET, "guard": True}, NET6])
    assert actions(twice(monkeypatch, vti_route, kernel, routes=[], purge=True)) == ["removed"] * 3


def test_bad_input_is_refused_before_anything_is_read(monkeypatch):
    result = call(monkeypatch, vti_route, None, routes=[{**NET, "table": "x"}, {**NET, "metric": -1}])
    assert [error.split(":")[0] for error in result["errors"]] == ["routes[0] (10.0.0.0/8)", "routes[1] (10.0.0.0/8)"]


def test_failure_half_way(monkeypatch, kernel):
    bad = {"destination": "10.61.0.0/16", "gateway": "203.0.113.250", "device": "west"}
    result = call(monkeypatch, vti_route, kernel, routes=[NET, bad, NET6])
    assert (result["failed"], result["changed"]) == (True, True)
    assert [entry["name"] for entry in result["done"]] == ["10.0.0.0/8 dev west", "fd01::/48 dev west"]
    assert result["failed_item"]["name"] == "10.61.0.0/16 via 203.0.113.250 dev west"
    assert result["not_done"] == []


def test_missing_device(monkeypatch, kernel):
    later = {**NET, "device": "later"}
    assert "no such device" in call(monkeypatch, vti_route, kernel, routes=[later])["msg"]
    foretold = call(monkeypatch, vti_route, kernel, check=True, routes=[later])
    assert actions(foretold) == ["created"]
    assert "no device later yet" in str(foretold["warnings"])


def test_examples_are_good_input():
    for task in yaml.safe_load(vti_route.EXAMPLES):
        _routes.from_params(task["route_based.vpn.vti_route"]["routes"])


FIRST = {"destination": "10.7.0.0/16", "device": "west", "metric": 100, "conn": "first", "guard": True}
SECOND = {"destination": "10.7.0.0/16", "device": "eth0", "metric": 200, "conn": "second", "guard": True}
GUARD = "unreachable 10.7.0.0/16 metric 4278198272"


def test_routes_that_go_with_a_conn(monkeypatch, kernel):
    """Of two ways that of the established conn is there; the guard always is."""
    established = {"first"}
    monkeypatch.setattr(
        vti_route._pluto, "established", lambda _module: [_status.ConnStatus(name) for name in established]
    )
    result = twice(monkeypatch, vti_route, kernel, routes=[FIRST, SECOND], purge=True)
    assert actions(result) == ["created", "kept", "created"]
    assert [str(live) for live in kernel.routes] == [GUARD, "10.7.0.0/16 dev west metric 100"]
    established.clear()
    established.add("second")
    result = twice(monkeypatch, vti_route, kernel, routes=[FIRST, SECOND], purge=True)
    assert actions(result) == ["removed", "created", "kept"]
    assert result["routes"][0]["reasons"] == ["conn first is not established"]
    assert [str(live) for live in kernel.routes] == [GUARD, "10.7.0.0/16 dev eth0 metric 200"]


def test_pluto_is_not_asked_where_no_route_goes_with_a_conn(monkeypatch, kernel):
    def established(_module):
        raise AssertionError

    monkeypatch.setattr(vti_route._pluto, "established", established)
    twice(monkeypatch, vti_route, kernel, routes=[NET])


def test_the_name_of_a_conn_is_checked(monkeypatch):
    result = call(monkeypatch, vti_route, None, routes=[{**FIRST, "conn": "a b"}])
    assert "conn='a b': a conn name is" in result["errors"][0]

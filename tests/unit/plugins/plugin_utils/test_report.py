# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of all links, each from both of its ends."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.route_based.vpn.plugins.plugin_utils import _report, _sites

SITES = tuple(_sites.Site(n, name, f"192.0.2.{n}", f"192.0.2.{n}") for n, name in ((1, "a"), (2, "b"), (3, "c")))
PLAN = _sites.Plan(SITES)


def conn(name: str, **changes: t.Any) -> dict[str, t.Any]:
    """A conn in good health, as vpn_info shows it."""
    return {
        "name": name,
        "loaded": True,
        "established": True,
        "since": 1795471427,
        "in_bytes": 420,
        "out_bytes": 84,
        "remote": "192.0.2.9",
        "interface": "vti2",
        "last_error": None,
        "device": {"name": "vti2", "enabled": True, "mtu": 1400},
        "routes": [],
        "ping": None,
        **changes,
    }


def made(infos: dict[str, list[dict[str, t.Any]]], hosts: str = "abc", **foretold: t.Any) -> dict[str, t.Any]:
    """The report of these answers."""
    told = {name: {"conns": conns} for name, conns in infos.items()}
    return _report.report(PLAN, _report.Answers(list(hosts), told, foretold), 1795471500)


def states(infos: dict[str, list[dict[str, t.Any]]], hosts: str = "abc") -> dict[str, str]:
    """The state of each link by its name."""
    return {link["name"]: link["state"] for link in made(infos, hosts)["links"]}


def test_a_link_with_both_views() -> None:
    report = made({"a": [conn("link-1-2")], "b": [conn("link-1-2", since=1795471430, in_bytes=84)]}, "ab")
    view = {"state": "established", "bytes_out": 84, "mtu": 1400}
    assert report["links"][0] == {
        "name": "link-1-2",
        "ends": ["a", "b"],
        "state": "up",
        "problems": [],
        "since": "2026-11-23 22:03:50Z",
        "a": {"host": "a", "bytes_in": 420, **view},
        "b": {"host": "b", "bytes_in": 84, **view},
        "mtu": 1400,
    }
    assert report["made"] == "2026-11-23 22:05:00Z"
    assert report["counts"] == {"up": 1, "planned": 2}


def test_a_gateway_that_would_not_survive_a_restart() -> None:
    told = {"a": {"conns": [], "restart": {"problems": ["pluto would not survive a restart"]}}, "b": {"conns": []}}
    sites = _report.report(PLAN, _report.Answers(["a", "b"], told, {}), 1795471500)["sites"]
    found = {site["name"]: site["problems"] for site in sites}
    assert (found["a"], found["b"]) == (["pluto would not survive a restart"], [])


@pytest.mark.parametrize("firewall", [None, {"state": "missing", "watched": True, "problems": ["it is missing"]}])
def test_what_is_wrong_with_the_firewall_of_a_gateway(firewall: t.Optional[dict[str, t.Any]]) -> None:
    told = {"a": {"conns": [], "firewall": firewall}, "b": {"conns": []}}
    sites = _report.report(PLAN, _report.Answers(["a", "b"], told, {}), 1795471500)["sites"]
    found = {site["name"]: (site["state"], site["problems"]) for site in sites}
    assert found["a"] == ("up", ["it is missing"] if firewall else [])
    assert found["b"] == ("up", [])


def test_states() -> None:
    up, loaded = conn("link-1-2"), conn("link-1-2", established=False)
    assert states({"a": [up], "b": [loaded], "c": []})["link-1-2"] == "partly"
    assert states({"a": [loaded], "b": [loaded], "c": []})["link-1-2"] == "down"
    assert states({"a": [loaded], "b": [], "c": []})["link-1-2"] == "down"
    assert states({"a": [up], "c": []})["link-1-2"] == "partly"
    assert states({"c": []})["link-1-2"] == "unknown"
    assert states({"a": [], "b": [], "c": []})["link-1-2"] == "planned"
    # With --limit a, b says nothing, as nobody has asked.
    assert states({"a": [up]}, "a") == {"link-1-2": "up", "link-1-3": "planned"}


def test_what_is_wrong_names_the_end() -> None:
    loaded = conn("link-1-2", established=False, last_error="AUTHENTICATION_FAILED")
    link = made({"a": [loaded], "b": [conn("link-1-2", device={"name": "vti1", "enabled": True, "mtu": 1380})]})[
        "links"
    ][0]
    assert link["problems"] == [
        "a: link-1-2: is not established; pluto says: AUTHENTICATION_FAILED",
        "the MTU is 1400 at a and 1380 at b",
    ]
    assert link["mtu"] is None
    link = made({"a": [conn("link-1-2")], "c": []})["links"][0]
    assert link["problems"] == ["b did not answer"]


def test_peers_beyond_the_inventory() -> None:
    links = made({"a": [conn("partner"), conn("down", established=False)]}, "a")["links"]
    found = {link["name"]: (link["ends"], link["state"], link["b"]["state"]) for link in links}
    assert found["partner"] == (["a", "192.0.2.9"], "up", "unmanaged")
    assert found["down"] == (["a", "192.0.2.9"], "down", "unmanaged")


def test_a_server_without_clients_is_as_it_should_be() -> None:
    link = made({"a": [conn("road", remote=None, established=False)]}, "a")["links"][-1]
    assert (link["ends"], link["state"], link["problems"]) == (["a", "clients of road"], "planned", [])
    link = made({"a": [conn("road", remote=None)]}, "a")["links"][-1]
    assert (link["state"], link["problems"]) == ("up", [])


def test_tunnels_written_by_hand_at_both_ends_are_one_link() -> None:
    plan = _sites.Plan(by_hand=(("y", "to-x", "x", "to-y"),))
    infos = {"x": {"conns": [conn("to-y")]}, "y": {"conns": [conn("to-x")]}}
    links = _report.report(plan, _report.Answers(["x", "y"], infos, {}), 0)["links"]
    assert [(link["name"], link["ends"], link["state"]) for link in links] == [("to-x", ["y", "x"], "up")]


def test_hosts() -> None:
    infos = {"a": {"conns": []}, "b": {"msg": "pluto does not run", "failed": True}, "z": {"conns": []}}
    sites = _report.report(PLAN, _report.Answers(list("abz"), infos, {}), 0)["sites"]
    found = [(x["id"], x["name"], x["state"], x["problems"], x["drift"]) for x in sites]
    assert found == [
        (1, "a", "up", [], None),
        (2, "b", "unreachable", ["pluto does not run"], None),
        (3, "c", "planned", [], None),
        (6, "z", "up", [], None),
    ]


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([{"tunnels": [{"name": "vti2", "action": "kept", "reasons": []}]}], []),
        (
            [
                {"tunnels": [{"name": "vti2", "action": "updated", "reasons": ["mtu: 1300 -> 1400"]}]},
                {"routes": [], "rules": [{"name": "100: from all", "action": "removed"}]},
                {"failed": True, "msg": "pluto does not run"},
            ],
            [
                "device vti2 would be updated (mtu: 1300 -> 1400)",
                "rule 100: from all would be removed",
                "pluto does not run",
            ],
        ),
    ],
)
def test_drift(results: list[dict[str, t.Any]], expected: list[str]) -> None:
    assert _report.drift(results) == expected
    report = made({"a": []}, "a", a=results)
    assert report["sites"][0]["drift"] == expected

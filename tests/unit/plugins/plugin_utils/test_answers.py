# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is taken of the answers of hosts that lie, and what is not."""

from __future__ import annotations

import copy
import typing as t

import documented
import pytest
from ansible_collections.route_based.vpn.plugins.plugin_utils import _answers, _report, _sites

DEVICE = {
    **{"name": "vti2", "kind": "vti", "local": "192.0.2.1", "remote": None, "ikey": 2, "okey": 2, "link": None},
    **{"mtu": 1400, "enabled": True, "addresses": ["10.99.0.1/32"], "sysctls": {"rp_filter": 0}, "owner": "other"},
    "unnumbered": None,
}
ROUTE = {"destination": "10.0.0.0/8", "type": "unicast", "device": "vti2", "table": 254, "metric": 0, "protocol": 157}
CONN = {
    **{"name": "x", "loaded": True, "established": True, "since": 1795471427, "in_bytes": 1, "out_bytes": 2},
    **{"local": "192.0.2.1", "remote": None, "mark_in": "5/0xffffffff", "mark_out": None, "interface": "vti2"},
    **{"routing": "", "ike_state": "established", "ike_sas": [1], "last_error": None, "last_error_at": None},
    **{"instances": 0, "sas": [{"serial": 1}], "device": DEVICE, "routes": [ROUTE]},
    "ping": {"address": "10.99.0.2", "answered": True, "ms": 1.5},
}
LISTED = {**DEVICE, "index": 7, "master": "", "counters": {"rx_bytes": 1}, "conns": ["x"]}
INFO = {"changed": False, "conns": [CONN], "devices": [LISTED], "firewall": None, "routes": [ROUTE]}
INFO["restart"] = {"addresses": 2, "open_files": None, "problems": []}


def changed(path: str, value: t.Any) -> dict[str, t.Any]:
    """INFO with another value in one place; none where the value is ..."""
    result = copy.deepcopy(INFO)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: t.Any = result
    for part in way:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return result


def test_an_honest_answer_is_taken_as_it_is() -> None:
    assert _answers.received("vpn_info", INFO) == {**INFO, "failed": False}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("conns", ..., "conns is missing"),
        ("conns", {}, "conns has to be a list, and is {} (dict)"),
        ("conns.0", None, "conns[0] has to be a dict, and is nothing"),
        ("conns.0.name", ..., "conns[0].name is missing"),
        ("conns.0.name", 1, "conns[0].name has to be a text, and is 1 (int)"),
        ("conns.0.name", {"x": "y"}, "conns[0].name has to be a text"),
        ("conns.0.established", "yes", "conns[0].established has to be true or false, and is 'yes' (str)"),
        ("conns.0.since", 10**18, "conns[0].since has to be a time"),
        ("conns.0.since", True, "conns[0].since has to be a time"),
        ("conns.0.in_bytes", 1 << 64, "conns[0].in_bytes has to be a whole number of at most 64 bits"),
        ("conns.0.in_bytes", float("nan"), "conns[0].in_bytes has to be a whole number"),
        ("conns.0.ping.ms", float("inf"), "conns[0].ping.ms has to be a number"),
        ("conns.0.device", [], "conns[0].device has to be a dict, and is [] (list)"),
        ("conns.0.device.mtu", "1400", "conns[0].device.mtu has to be a whole number"),
        ("conns.0.routes.0.destination", None, "conns[0].routes[0].destination has to be a text"),
        ("devices.0.counters.rx_bytes", "1", "devices[0].counters['rx_bytes'] has to be a whole number"),
    ],
)
def test_what_is_malformed_is_a_failure_that_says_where(path: str, value: t.Any, said: str) -> None:
    taken = _answers.received("vpn_info", changed(path, value))
    assert taken["failed"]
    assert said in taken["msg"]
    assert set(taken) == {"failed", "changed", "msg"}


@pytest.mark.parametrize("answer", [None, [], "x", 1])
def test_an_answer_that_is_no_dict(answer: t.Any) -> None:
    assert _answers.received("vpn_info", answer)["failed"]


@pytest.mark.parametrize("module", sorted(_answers.ANSWERS))
def test_what_the_documentation_says_is_taken(module: str) -> None:
    """And nothing else: no facts, no statistics, no hosts."""
    said = set(documented.modules()[module]["return"])
    known = {name.lstrip("?") for name in _answers.ANSWERS[module]}
    assert known <= said
    assert said <= known | {*_answers.COMMON, *_answers.FAILED}


def test_all_of_a_conn_is_checked() -> None:
    said = documented.modules()["vpn_info"]["return"]["conns"]["contains"]
    assert set(said) == set(_answers.CONN)
    assert set(said["device"]["contains"]) == set(_answers.DEVICE)


@pytest.mark.parametrize("failed", [True, False])
def test_what_steers_ansible_is_dropped(failed: bool) -> None:
    more = {"ansible_facts": {"x": 1}, "ansible_stats": {"data": {}}, "add_host": {}, "add_group": "x", "_x": 1}
    taken = _answers.received("vpn_info", {**INFO, **more, "failed": failed, "msg": "no"})
    assert not set(more) & set(taken)
    assert taken["failed"] is failed


def test_no_text_of_it_does_harm() -> None:
    evil = "a\u202eb\x1b[2K\nparis: up"
    taken = _answers.received("vpn_info", {**changed("conns.0.last_error", evil), "warnings": [evil]})
    assert taken["conns"][0]["last_error"] == "a\\u202eb\\x1b[2K\nparis: up"
    failed = _answers.received("vpn_info", {"failed": True, "msg": evil, "errors": [evil]})
    assert failed["msg"] == "a\\u202eb\\x1b[2K paris: up"


PLAN = _sites.Plan(tuple(_sites.Site(n, name, f"192.0.2.{n}", f"192.0.2.{n}") for n, name in ((1, "a"), (2, "b"))))


@pytest.mark.parametrize(
    "lie",
    [
        {"conns": None},
        {"conns": [None]},
        {"conns": [{"name": "link-1-2"}]},
        {"conns": {"x": 1}},
        [],
        "x",
        None,
        changed("conns.0.since", 10**30),
        changed("conns.0.name", ["x"]),
        changed("conns.0.device.mtu", "x"),
        changed("conns.0.routes", [{}]),
        changed("firewall", {"problems": "x"}),
        changed("firewall", "x"),
    ],
)
@pytest.mark.parametrize("foretold", [None, 1, [1], [{"tunnels": [1]}], [{"conns": [{"action": "x"}]}]])
def test_the_report_goes_on_and_says_so_in_the_row_of_the_host(lie: t.Any, foretold: t.Any) -> None:
    infos = {"a": lie, "b": changed("conns.0.name", "link-1-2")}
    made = _report.report(PLAN, _report.Answers(["a", "b"], infos, {"a": foretold} if foretold else {}), 0)
    assert made["links"][0]["b"]["state"] == "established"
    assert made["links"][0]["state"] == "partly"
    rows = {site["name"]: site for site in made["sites"]}
    assert "is not one of vpn_info" in rows["a"]["problems"][0]
    assert rows["b"]["problems"] == []


def test_no_peer_has_the_name_of_a_site_because_a_host_says_so() -> None:
    lie = changed("conns.0.remote", "b")
    made = _report.report(PLAN, _report.Answers(["a"], {"a": lie}, {}), 0)
    assert ["a", "? (b)"] in [link["ends"] for link in made["links"]]

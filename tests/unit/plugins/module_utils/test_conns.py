# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _conn_list, _conns, _files
from ansible_collections.route_based.vpn.plugins.module_utils import _ipsec_conf as conf
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors

DATA = Path(__file__).parents[2] / "data" / "conns"
CASES = sorted(path.name for path in DATA.iterdir())


def found_of(case: dict, wanted: dict, old: dict) -> dict:
    """found.json says from which text pluto has a conn: new, old or unknown."""
    result = {}
    for name, conn in case.items():
        source = {"new": wanted, "old": old, "unknown": {}}[conn["text"]].get(name)
        result[name] = _conns.Found(source and source.fingerprint, conn["busy"], conn["routed"])
    return result


@pytest.mark.parametrize("case", CASES)
def test_golden(case):
    """old.conf on disk, new.conf wanted, found.json in pluto: plan.json is what is done, and why."""
    wanted = _conns.wanted_conns((DATA / case / "new.conf").read_text())
    old = _conns.wanted_conns((DATA / case / "old.conf").read_text())
    found = found_of(json.loads((DATA / case / "found.json").read_text()), wanted, old)
    plan = [
        {
            "name": step.change.name,
            "action": step.change.action,
            "reasons": list(step.change.reasons),
            "load": step.load,
            "delete": step.delete,
            "then": step.then,
        }
        for step in _conns.plan(wanted, old, found)
    ]
    assert plan == json.loads((DATA / case / "plan.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_without_load_pluto_is_not_touched(case):
    wanted = _conns.wanted_conns((DATA / case / "new.conf").read_text())
    old = _conns.wanted_conns((DATA / case / "old.conf").read_text())
    for step in _conns.plan(wanted, old, {}, load=False):
        assert (step.load, step.delete, step.then) == (False, False, "")


def conn(name: str, state: str = "started", **options: object) -> dict:
    return {"name": name, "state": state, "options": options}


ENDS = {"left": "192.0.2.1", "right": "192.0.2.2"}


def test_a_list_is_rendered_in_the_words_of_libreswan():
    given = [
        conn("b", "loaded", **ENDS, mark=5, vti_interface="vti1", vti_routing=False, leftid="C=DE, CN=a b"),
        conn("a", "ondemand", **ENDS, leftsubnets=["10.0.0.0/8", "172.16.0.0/12"], dpddelay=10),
        conn("gone", "absent"),
    ]
    sections, states, absent = _conn_list.sections_of(given, (5, 2))
    assert conf.render(sections) == (
        f"{_files.HEADER}\n\nconn b\n    left=192.0.2.1\n    right=192.0.2.2\n    mark=5/0xffffffff\n"
        '    vti-interface=vti1\n    vti-routing=no\n    leftid="C=DE, CN=a b"\n    auto=add\n\n'
        "conn a\n    left=192.0.2.1\n    right=192.0.2.2\n    leftsubnets={10.0.0.0/8 172.16.0.0/12}\n"
        '    dpddelay="10"\n    auto=ondemand\n'
    )
    assert states == {"b": "loaded", "a": "ondemand"}
    assert absent == {"gone"}


@pytest.mark.parametrize(
    ("conns", "words"),
    [
        ([conn("a", **ENDS), conn("a", **ENDS)], "conns[1] (a): name='a': is already conns[0]"),
        ([conn("a;id", **ENDS)], "letters, digits"),
        ([conn("a\n", **ENDS)], "letters, digits"),
        ([conn("", **ENDS)], "letters, digits"),
        ([conn("a", **ENDS, auto="start")], "is set with the conn's state"),
        ([conn("a", **ENDS, leftid="@x\n\tleftupdown=id")], "control character"),
        ([conn("a", **ENDS, leftid="@x\r")], "control character"),
        ([conn("a", **ENDS, leftid="@x\t")], "control character"),
        ([conn("a", **ENDS, leftid='@x"')], "quote"),
        ([conn("a", **ENDS, leftid="@x'")], "quote"),
        ([conn("a", **ENDS, leftid="@\u00fc")], "ASCII"),
        ([conn("a", **ENDS, leftid="")], "empty"),
        ([conn("a", **ENDS, leftid=None)], "is no text"),
        ([conn("a", **ENDS, leftid={"a": 1})], "is no text"),
        ([conn("a", **ENDS, leftsubnets=[])], "is no text"),
        ([conn("a", **ENDS, leftsubnets=["a b"])], "is no text"),
        ([conn("a", **ENDS, leftsubnets=["a}"])], "is no text"),
        ([conn("a", **ENDS, leftsubnets=['a"'])], "quote"),
        ([conn("a", **ENDS, mark=0)], "mark 0"),
        ([conn("a", **ENDS, mark=-1)], "mark=-1"),
        ([conn("a", **ENDS, mark="5/0xf0")], "bits outside"),
        ([conn("a", **ENDS, mark_in="x")], "not a mark"),
        ([conn("a", **{**ENDS, "vti_interface": "x" * 16}, mark=5)], "device name"),
        ([conn("a", **{**ENDS, "leftid\n": "@x"})], "lower case"),
        ([conn("a", **{**ENDS, "Leftid": "@x"})], "lower case"),
        ([conn("a", **{**ENDS, "vti-routing": "no", "vti_routing": "no"})], "given twice"),
    ],
)
def test_a_list_is_refused(conns, words):
    with pytest.raises(InputErrors) as info:
        _conn_list.sections_of(conns, (5, 2))
    assert words in str(info.value)


def test_conns_that_are_not_in_the_list_stay_unless_purged():
    old = f"{_files.HEADER}\nconn %default\n  ike=x\n" + "".join(f"conn {n}\n  left=1.1.1.1\n" for n in "abc")
    sections, _states, absent = _conn_list.sections_of([conn("b", left="9.9.9.9"), conn("c", "absent")], (5, 2))
    kept = conf.parse(_conns.merged(old, sections, absent, purge=False))
    assert list(kept.sections) == ["%default", "a", "b"]
    assert conf.effective(kept, "b")["left"] == "9.9.9.9"
    purged = conf.parse(_conns.merged(old, sections, absent, purge=True))
    assert list(purged.sections) == ["b"]


def test_nothing_at_all_makes_no_file():
    assert _conns.merged(None, [], {"a"}, purge=False) is None

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Marks that somebody else has, wherever they can be seen, and what a person reads then."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _devices, _main_conf, _marks, _preflight, _status
from ansible_collections.route_based.vpn.plugins.module_utils._marks import Holder, Mark
from ansible_collections.route_based.vpn.plugins.module_utils._xfrm import Policy

FOREIGN = """
conn base
    mark=105

conn partner
    also=base
    auto=start

conn masked
    mark-in=0x1/0xf
    mark-out=0x2/0xf
    auto=add

conn nobody
    mark=7
"""
OURS = {"name": "vti105", "local": "192.0.2.1", "remote": "198.51.100.1", "ikey": 105, "okey": 105}
# As 4.10 and 5.2 write it.
LOADED = (
    '"partner": 0.0.0.0/0===192.0.2.1...203.0.113.9===0.0.0.0/0; unrouted; eroute owner: #0\n'
    '"partner":   nflog-group: unset; mark: 105/0xffffffff, 106/0xffffffff; vti-iface:unset; vti-routing:no;\n'
)
RULES = (
    '[{"priority":0,"src":"all","table":"local"},'
    '{"priority":5210,"src":"all","fwmark":"0x80000","fwmask":"0xff0000","table":"main"},'
    '{"priority":100,"src":"all","fwmark":"0x69","table":"100"},'
    '{"priority":200,"src":"all","fwmark":"0x6a","table":"100","protocol":"157"}]'
)


def around(tmp_path, text=FOREIGN):
    path = tmp_path / "foreign.conf"
    path.write_text(text)
    return _main_conf.read("", str(path))


def wanted(entry=None, **more):
    # The rest is what the module's own options are without being set.
    defaults = {"path": "/x", "now": None, "clock_skew": 300, "installs": True, "forwards": False, "none_allowed": True}
    return _preflight.wanted(
        {**defaults, "conns": ["ours"], "devices": [entry or OURS], "open_files": 0, "listen_first": False, **more}
    )


def host(**fields):
    return _preflight.Host(pyroute2="0.7.2", ipsec="Libreswan 4.10", **fields)


def refused(want, seen):
    return [x["message"] for x in _preflight.problems(want, seen) if x["check"] == "mark"]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Mark(105), Mark(105), True),
        (Mark(105), Mark(106), False),
        (Mark(5, 0xFF), Mark(0x105), True),
        (Mark(0x10, 0xF0), Mark(0x1, 0xF), True),
        (None, Mark(1), False),
    ],
)
def test_marks_meet_where_a_packet_can_have_both(one, other, expected):
    assert all(_marks.meet(*marks) is expected for marks in ((one, other), (other, one)))


def test_conns_in_files_with_what_also_brings(tmp_path):
    found = _marks.of_files(around(tmp_path))
    path = tmp_path / "foreign.conf"
    assert found == {
        "partner": Holder(f"conn partner in {path}", Mark(105), Mark(105)),
        "masked": Holder(f"conn masked in {path}", Mark(1, 15), Mark(2, 15)),
    }


def test_what_conn_default_says_is_the_last_to_count(tmp_path):
    text = "conn %default\n    mark=9\n    auto=add\n" + FOREIGN + "conn plain\n    right=192.0.2.9\n"
    found = _marks.of_files(around(tmp_path, text))
    assert (found["plain"].inbound, found["partner"].inbound, found["nobody"].inbound) == (Mark(9), Mark(105), Mark(7))


def test_an_endless_also_ends(tmp_path):
    found = around(tmp_path, "conn a\n    also=b\nconn b\n    also=a\n")
    assert found.option("a", "mark") is None


def test_conns_in_pluto():
    found = _marks.of_pluto(_status.parse_status(LOADED))
    assert found == {"partner": Holder("conn partner, which pluto has loaded", Mark(105), Mark(106))}


def test_a_conn_of_others_is_in_the_way_and_one_of_the_same_name_is_told_elsewhere():
    mark = {"partner": Holder("conn partner in /etc/ipsec.d/p.conf", Mark(105), Mark(105))}
    assert refused(wanted(), host(marks=mark)) == [
        "device vti105: its mark 105/0xffffffff meets 105/0xffffffff, the mark of conn partner in /etc/ipsec.d/p.conf: "
        "the kernel gives the packets of both to the policy that it finds first, and one of the two carries nothing; "
        "give the tunnel another mark"
    ]
    assert refused(wanted(conns=["partner"]), host(marks=mark)) == []
    assert refused(wanted({**OURS, "ikey": 5, "okey": 5}), host(marks=mark)) == []
    masked = wanted({**OURS, "ikey": "0x9/0xf", "okey": "0x9/0xf"})
    assert "meets 105/0xffffffff" in refused(masked, host(marks=mark))[0]


def test_a_device_of_others_has_a_mark_too_unless_it_is_the_one_that_is_taken_over():
    theirs = _devices.Device("theirs", "vti", "192.0.2.1", "203.0.113.9", ikey=7, okey=105, alias="")
    seen = host(devices={"theirs": theirs})
    assert "the mark of device theirs, which this collection did not make" in refused(wanted(), seen)[0]
    for same in (
        dataclasses.replace(theirs, remote=OURS["remote"]),
        dataclasses.replace(theirs, alias=_devices.ALIAS),
        dataclasses.replace(theirs, kind="gre"),
    ):
        assert refused(wanted(), host(devices={"theirs": same})) == []


def test_a_policy_that_neither_our_conns_nor_our_devices_stand_for():
    policies = [Policy("192.0.2.1", "203.0.113.9", 105, 0xFFFFFFFF), Policy("192.0.2.1", "203.0.113.9")]
    (found,) = _marks.of_policies(policies, [Holder("ours", Mark(5), Mark(5)), Holder("dummy")])
    assert (
        "the mark of an IPsec policy of the kernel from 192.0.2.1 to 203.0.113.9:"
        in refused(wanted(), host(policies=(found,)))[0]
    )
    assert _marks.of_policies(policies, [Holder("ours", None, Mark(105))]) == []


def test_rules_by_fwmark_are_a_warning_and_our_own_ones_are_not():
    rules = tuple(_marks.of_rules(RULES, ""))
    assert [rule.text for rule in rules] == ["524288/0x00ff0000", "105/0xffffffff"]
    (warning,) = _preflight.warnings(wanted(), host(rules=rules))
    assert warning == (
        "device vti105: packets that others mark with 105/0xffffffff (the policy rule with priority 100) would go into "
        "the tunnel, which has that mark; give the tunnel another mark"
    )
    assert _preflight.warnings(wanted({**OURS, "ikey": 6, "okey": 6}), host(rules=rules)) == []


@pytest.mark.parametrize("mark", _marks.KUBE_MARKS)
def test_the_marks_of_kube_proxy_where_it_runs(mark):
    want = wanted({**OURS, "ikey": mark, "okey": mark})
    assert "(kube-proxy)" in _preflight.warnings(want, host(kube=True))[0]
    assert _preflight.warnings(want, host()) == []
    assert _preflight.warnings(wanted(), host(kube=True)) == []


def test_the_mark_of_each_direction_is_said_where_they_differ():
    assert Holder("x", Mark(1), Mark(2)).text == "1/0xffffffff in, 2/0xffffffff out"
    assert Holder("x", None, Mark(2)).text == "2/0xffffffff"


def test_a_key_as_ip_writes_it():
    assert [_marks.key(text) for text in ("0.0.0.105", "1.0.0.0", None)] == [105, 2**24, 0]

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _route_plan, _rules
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from fakes.kernel import FakeKernel
from hypothesis import given
from hypothesis import strategies as st

RULE = {"priority": 1000, "from": "10.1.0.0/16", "table": "100"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"priority": 0}, "priority=0: has to be 1 to 32765"),
        ({"priority": 32766}, "has to be 1 to 32765"),
        ({"priority": -1}, "has to be 1 to 32765"),
        ({"from": "10.1.0.1/16"}, "from='10.1.0.1/16': has host bits set; the network is 10.1.0.0/16"),
        ({"from": "x"}, "is not a network"),
        ({"from": "0.0.0.0/0"}, "is every address; leave it out"),
        ({"from": None, "to": "::/0"}, "is every address; leave it out"),
        ({"to": "10.2.0.0/33"}, "to='10.2.0.0/33': is not a network"),
        ({"to": "fd01::/48"}, "is not of the family of from, 10.1.0.0/16"),
        ({"family": "ipv6"}, "family='ipv6': is not the family of from or to"),
        ({"table": None}, "a rule needs a table to look into"),
        ({"table": "local"}, "belongs to the kernel"),
        ({"table": "vpn"}, "is no routing table"),
        ({"table": "0"}, "is no routing table"),
        ({"table": "4294967296"}, "is no routing table"),
        ({"type": "blackhole"}, "table='100': a rule of type blackhole looks nowhere"),
        ({"type": "unreachable", "table": "main"}, "a rule of type unreachable looks nowhere"),
        ({"fwmark": "x"}, "fwmark='x': is not a mark"),
        ({"fwmark": "-1"}, "is not a mark"),
        ({"fwmark": "5/"}, "is not a mark"),
        ({"fwmark": "0x100000000"}, "is not a mark"),
        ({"fwmark": "4294967296"}, "is wider than 32 bits"),
        ({"fwmark": "5/4294967296"}, "is wider than 32 bits"),
        ({"fwmark": "0x12/0x3"}, "has bits outside its mask"),
        ({"fwmark": "5/0"}, "has the mask 0"),
        ({"iif": "a/b"}, "iif='a/b': is not a device name"),
        ({"oif": "x" * 16}, "oif='xxxxxxxxxxxxxxxx': is not a device name"),
        ({"oif": "ip_vti0"}, "fallback device"),
        ({"priority": 7, "from": "10.7.0.0/16"}, "rules[0] has it for the same packets"),
        ({"priority": 7, "from": "10.7.0.0/16", "table": "5"}, "rules[0] has it for the same packets"),
        ({"priority": 7, "from": "10.7.0.0/16", "state": "absent"}, "rules[0] has it for the same packets"),
    ],
    ids=str,
)
def test_bad_input(change, words):
    rules = [{"priority": 7, "from": "10.7.0.0/16", "table": "100"}, {**RULE, **change}]
    with pytest.raises(InputErrors) as caught:
        _rules.from_params(rules)
    assert words in str(caught.value)
    assert all(error.item == f"rules[1] (priority {rules[1]['priority']})" for error in caught.value.errors)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (RULE, "1000: from 10.1.0.0/16 lookup 100"),
        ({"priority": 5, "table": "main", "family": "ipv6"}, "-6 5: from all lookup main"),
        ({"priority": 5, "table": "254", "to": "fd01::/48"}, "-6 5: from all to fd01::/48 lookup main"),
        ({"priority": 5, "type": "prohibit", "fwmark": "5"}, "5: from all fwmark 0x5 prohibit"),
        ({"priority": 5, "table": "9", "fwmark": "0/0xFF"}, "5: from all fwmark 0x0/0xff lookup 9"),
        ({"priority": 5, "table": "9", "iif": "lo", "oif": "eth0.5"}, "5: from all iif lo oif eth0.5 lookup 9"),
    ],
)
def test_text(entry, text):
    assert str(_rules.from_params([entry])[0].rule) == text


RULES = st.fixed_dictionaries(
    {
        "priority": st.sampled_from([10, 20]),
        "from": st.sampled_from(["10.1.0.0/16", "fd01::/48"]),
        "iif": st.sampled_from(["", "eth0"]),
        "type": st.sampled_from(["lookup", "blackhole"]),
        "number": st.sampled_from(["100", "101"]),
    }
)


def _entry(fields):
    fields = dict(fields)
    number = fields.pop("number")
    return {**fields, "table": number if fields["type"] == "lookup" else ""}


@given(
    st.lists(st.tuples(RULES, st.sampled_from([157, 3, 0])), max_size=6),
    st.lists(st.tuples(RULES, st.booleans()), max_size=4),
    st.booleans(),
)
def test_any_plan_leaves_nothing_to_do(live, entries, purge):
    """The kernel may have one rule many times, of several makers."""
    rules = [dataclasses.replace(_rules.from_params([_entry(f)])[0].rule, protocol=number) for f, number in live]
    unique = {(f["priority"], f["from"], f["iif"]): (f, present) for f, present in entries}
    wanted = _rules.from_params(
        [{**_entry(f), "state": "present" if present else "absent"} for f, present in unique.values()]
    )
    kernel = FakeKernel(rules=rules)
    plan = _route_plan.plan(kernel.route_state((), purge, wanted), (), purge, rules=wanted)
    for _name, operation in plan.work:
        kernel.apply(operation)
    state = kernel.route_state((), purge, wanted)
    assert _route_plan.plan(state, (), purge, rules=wanted).work == ()
    for entry in wanted:
        assert (entry.rule in state.rules) or not entry.present

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.route_based.vpn.plugins.module_utils import _change
from ansible_collections.route_based.vpn.plugins.module_utils._change import Change


def test_differences_are_in_the_order_of_after():
    before, after = {"c": 1, "a": 1, "b": 2}, {"b": 3, "a": 1, "d": 4}
    assert _change.differences(before, after) == ("b: 2 -> 3", "d: None -> 4", "c: 1 -> None")


def test_report_has_every_item():
    changes = [Change("a", _change.KEPT), Change("b", _change.UPDATED, {}, {}, ("mtu: 1 -> 2",))]
    assert _change.report(changes) == [
        {"name": "a", "action": "kept", "reasons": []},
        {"name": "b", "action": "updated", "reasons": ["mtu: 1 -> 2"]},
    ]


def test_diff_has_only_what_changes():
    changes = [
        Change("kept", _change.KEPT, {"a": 1}, {"a": 1}),
        Change("new", _change.CREATED, None, {"a": 1}),
        Change("gone", _change.REMOVED, {"a": 1}),
        Change("other", _change.RECREATED, {"a": 1}, {"a": 2}),
    ]
    assert [change.changed for change in changes] == [False, True, True, True]
    assert _change.diff(changes) == {
        "before": {"gone": {"a": 1}, "other": {"a": 1}},
        "after": {"new": {"a": 1}, "other": {"a": 2}},
    }

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The plan for policy rules: from what the kernel has to what the user asked for. Pure.

The kernel changes no rule in place: another one is added before the old one goes, so that at no moment there is none.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _change, _routes
from ansible_collections.route_based.vpn.plugins.module_utils._errors import Refusals
from ansible_collections.route_based.vpn.plugins.module_utils._rules import AddRule, DelRule, Rule, Wanted

Step = tuple[_change.Change, list[t.Union[AddRule, DelRule]]]
KIND = "rule"


def steps(live: t.Sequence[Rule], wanted: t.Sequence[Wanted], purge: bool) -> list[Step]:
    """Each entry's change with its writes, then those of purged rules; raises InputErrors."""
    refused = Refusals()
    result = [_step(entry, _same(live, entry.rule), refused) for entry in wanted]
    refused.stop_if_any()
    listed = {entry.rule.identity for entry in wanted}
    if purge:
        ours = [rule for rule in live if rule.protocol == _routes.PROTOCOL and rule.identity not in listed]
        result += [_remove(str(rule), [rule], "is ours (by its protocol) and not listed") for rule in ours]
    return result


def after(live: t.Sequence[Rule], planned: t.Sequence[Step]) -> list[Rule]:
    """The rules that there will be when all is done."""
    rules = list(live)
    for _item, operations in planned:
        for operation in operations:
            if isinstance(operation, AddRule):
                rules.append(operation.rule)
            else:
                rules.remove(operation.rule)
    return rules


def _same(live: t.Sequence[Rule], rule: Rule) -> list[Rule]:
    """The live rules that stand where the entry's is to stand. One that has more to it is another rule."""
    return [found for found in live if found.plain and found.identity == rule.identity]


def _step(entry: Wanted, found: list[Rule], refused: Refusals) -> Step:
    rule = entry.rule
    foreign = [other for other in found if other.protocol not in _routes.PROTOCOLS_TO_TAKE_OVER]
    if foreign:
        owner = _routes.PROTOCOL_NAMES.get(foreign[0].protocol, "a routing daemon")
        reason = (
            f"the rule '{foreign[0]}' belongs to protocol {foreign[0].protocol} ({owner}); give yours another priority"
        )
        refused.refuse(entry.item, "priority", rule.priority, reason)
    if not entry.present:
        meant = [other for other in found if other.type == rule.type and rule.table in (0, other.table)]
        return _remove(str(meant[0]), meant, "state is absent") if meant else (_kept(str(rule)), [])
    name, as_wanted = str(rule), [other for other in found if other == rule]
    if not found:
        change = _change.Change(name, _change.CREATED, None, rule.as_dict(), ("there was no such rule",), KIND)
        return change, [AddRule(rule)]
    others = [other for other in found if other != rule and not _hides_ours(other, rule, as_wanted)] + as_wanted[1:]
    if not others:
        return _kept(name, rule), []
    reasons = _change.differences(others[0].as_dict(), rule.as_dict()) or ("it was there twice",)
    change = _change.Change(name, _change.UPDATED, others[0].as_dict(), rule.as_dict(), reasons, KIND)
    return change, [*([] if as_wanted else [AddRule(rule)]), *(DelRule(other) for other in others)]


def _hides_ours(other: Rule, rule: Rule, ours: t.Sequence[Rule]) -> bool:
    """Whether a rule cannot be deleted without ours: the kernel takes protocol 0 for any protocol, and would delete the
    first of the two. It does the same as ours, and stays."""
    return bool(ours) and other.protocol == 0 and dataclasses.replace(other, protocol=rule.protocol) == rule


def _kept(name: str, rule: t.Optional[Rule] = None) -> _change.Change:
    fields = rule.as_dict() if rule else None
    return _change.Change(name, _change.KEPT, fields, fields, (), KIND)


def _remove(name: str, rules: t.Sequence[Rule], reason: str) -> Step:
    change = _change.Change(name, _change.REMOVED, rules[0].as_dict(), None, (reason,), KIND)
    return change, [DelRule(rule) for rule in rules]

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The plan for routes and rules: from what the kernel has to what the user asked for. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _change, _route_checks, _routes, _rule_plan, _rules
from ansible_collections.route_based.vpn.plugins.module_utils._errors import Refusals
from ansible_collections.route_based.vpn.plugins.module_utils._route_checks import matches
from ansible_collections.route_based.vpn.plugins.module_utils._routes import DelRoute, PutRoute, Route, State, Wanted
from ansible_collections.route_based.vpn.plugins.module_utils._rules import AddRule, DelRule

Identity = tuple[str, int, int, int]
Operation = t.Union[PutRoute, DelRoute, AddRule, DelRule]


def _comparable(live: Route, wanted: Route) -> Route:
    """The live route, without what the entry leaves to the kernel: the device of a route that has a gateway."""
    device = live.device if wanted.device or wanted.nexthops else ""
    return dataclasses.replace(live, device=device)


def _routes_after(entries: t.Sequence[Wanted], live: dict[Identity, Route], purge: bool) -> list[Route]:
    """The routes that there will be when all is done."""
    after = dict(live)
    for entry in entries:
        found = after.get(entry.route.identity)
        if entry.present:
            after[entry.route.identity] = entry.route
        elif found is not None and matches(found, entry.route):
            del after[entry.route.identity]
    listed = {entry.route.identity for entry in entries}
    return [r for r in after.values() if not (purge and r.protocol == _routes.PROTOCOL and r.identity not in listed)]


def _change_for(entry: Wanted, found: t.Optional[Route]) -> tuple[_change.Change, t.Sequence[Operation]]:
    """One entry's change, and the writes that make it."""
    route, name = entry.route, str(entry.route)
    if not entry.present:
        if found is None or not matches(found, route):
            return _change.Change(name, _change.KEPT), []
        return _change.Change(name, _change.REMOVED, found.as_dict(), None, (entry.why,)), [DelRoute(found)]
    after = route.as_dict()
    if found is None:
        return _change.Change(name, _change.CREATED, None, after, ("there was no such route",)), [PutRoute(route)]
    before = _comparable(found, route).as_dict()
    reasons = _change.differences(before, after)
    if found.unknown:
        reasons += (f"it has {', '.join(found.unknown)}, which no route of this module has",)
    if not reasons:
        return _change.Change(name, _change.KEPT, before, after), []
    return _change.Change(name, _change.UPDATED, before, after, reasons), [PutRoute(route)]


def _with_guards(wanted: t.Sequence[Wanted], live: dict[Identity, Route]) -> list[Wanted]:
    """The entries, and one more for every guard that is asked for, and for every one of ours that no longer is."""
    listed = {entry.route.identity for entry in wanted}
    asked = {_routes.guard_of(entry.route).identity for entry in wanted if entry.guard}
    result = list(wanted)
    for entry in wanted:
        guard = _routes.guard_of(entry.route)
        found = live.get(guard.identity)
        ours = found is not None and found.protocol == _routes.PROTOCOL and found.type == "unreachable"
        if guard.identity in listed or not (guard.identity in asked or ours):
            continue
        listed.add(guard.identity)
        result.append(Wanted(f"{entry.item} guard", guard, guard.identity in asked))
    return result


def _index(routes: t.Sequence[Route]) -> dict[Identity, Route]:
    """Live routes by identity; of several with one identity the first is the one that the kernel uses."""
    live: dict[Identity, Route] = {}
    for route in routes:
        live.setdefault(route.identity, route)
    return live


def _purge(route: Route) -> tuple[_change.Change, t.Sequence[Operation]]:
    reason = "is ours (by its protocol) and not listed"
    return _change.Change(str(route), _change.REMOVED, route.as_dict(), None, (reason,)), [DelRoute(route)]


def _rank(operation: Operation, tunnels: t.Container[str]) -> int:
    """Where in the order a write stands.

    A guard is there before the route that it guards, and goes after it. A new route is there before the one goes that
    it takes the place of. The underlay's routes, by which tunnels reach their peers, come before the tunnels' and go
    after them. A rule is there as long as the routes of its table, and one that guards is there before one that leads.
    """
    if isinstance(operation, AddRule):
        return 4 if operation.rule.type == "lookup" else 3
    if isinstance(operation, DelRule):
        return 5 if operation.rule.type == "lookup" else 6
    route = operation.route
    guard = route.metric == _routes.GUARD_METRIC
    underlay = bool(route.device) and route.device not in tunnels
    if isinstance(operation, PutRoute):
        return 0 if guard else 1 if underlay else 2
    return 9 if guard else 8 if underlay else 7


def plan(
    state: State,
    wanted: t.Sequence[Wanted],
    purge: bool = False,
    foretell: bool = False,
    rules: t.Sequence[_rules.Wanted] = (),
) -> _change.Plan:
    """The way from the live routes and rules to the wanted ones. With C(foretell) (check mode) a device that does not
    exist yet or is down is taken as one that another task would have made by now."""
    live = _index(state.routes)
    named = {name for e in wanted if e.present for name in (e.route.device, *(hop.device for hop in e.route.nexthops))}
    missing = sorted(named - {""} - state.devices) if foretell else []
    down = sorted(tunnel.name for tunnel in state.tunnels if tunnel.name in named and not tunnel.enabled and foretell)
    tunnels_then = tuple(dataclasses.replace(tunnel, enabled=tunnel.enabled or foretell) for tunnel in state.tunnels)
    state = dataclasses.replace(state, devices=state.devices | frozenset(missing), tunnels=tunnels_then)
    entries = _with_guards(wanted, live)
    refused = Refusals()
    _route_checks.check_devices_and_owners(state, entries, live, refused)
    rule_steps = _rule_plan.steps(state.rules, rules, purge)
    after = (_routes_after(entries, live, purge), _rule_plan.after(state.rules, rule_steps))
    _route_checks.check_ways_out(state, (entries, rules), after, refused)
    refused.stop_if_any()
    steps: list[tuple[_change.Change, t.Sequence[Operation]]] = [
        _change_for(entry, live.get(entry.route.identity)) for entry in entries
    ]
    if purge:
        listed = {entry.route.identity for entry in entries}
        ours = [route for route in state.routes if route.protocol == _routes.PROTOCOL]
        steps += [_purge(route) for route in ours if route.identity not in listed]
    steps += rule_steps
    work = [(change.name, operation) for change, operations in steps for operation in operations]
    tunnels = {tunnel.name for tunnel in state.tunnels}
    work.sort(key=lambda step: _rank(step[1], tunnels))
    warnings = tuple(
        f"{what}; its routes are foretold as if it were there and up"
        for what in (*(f"there is no device {name} yet" for name in missing), *(f"{name} is down" for name in down))
    )
    return _change.Plan(tuple(change for change, _operations in steps), tuple(work), warnings)

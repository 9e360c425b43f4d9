# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The plan for routes: from what the kernel has to what the user asked for. Pure: nothing here reads or writes."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _change, _routes
from ansible_collections.route_based.vpn.plugins.module_utils._errors import Refusals
from ansible_collections.route_based.vpn.plugins.module_utils._routes import DelRoute, PutRoute, Route, State, Wanted

Identity = tuple[str, int, int, int]
Operation = t.Union[PutRoute, DelRoute]


def matches(live: Route, wanted: Route) -> bool:
    """Whether a live route is the one that an entry of state absent means: what is not given matches anything."""
    return (
        live.type == wanted.type
        and wanted.device in ("", live.device)
        and wanted.gateway in ("", live.gateway)
        and wanted.source in ("", live.source)
    )


def _comparable(live: Route, wanted: Route) -> Route:
    """The live route, without what the entry leaves to the kernel: the device of a route that has a gateway."""
    device = live.device if wanted.device else ""
    return dataclasses.replace(live, device=device)


def _check(state: State, entries: t.Sequence[Wanted], live: dict[Identity, Route], after: t.Sequence[Route]) -> None:
    """Refuse what the kernel would refuse later, what is not ours to change, and what would cut off a tunnel."""
    refused = Refusals()
    down = {tunnel.name for tunnel in state.tunnels if not tunnel.enabled}
    tunnels = {tunnel.name: tunnel.remote for tunnel in state.tunnels}
    for entry in entries:
        route, found = entry.route, live.get(entry.route.identity)
        if entry.present and route.device and route.device not in state.devices:
            refused.refuse(entry.item, "device", route.device, "there is no such device on this host")
        if entry.present and route.device in down:
            refused.refuse(entry.item, "device", route.device, "is down, and the kernel takes no routes into it")
        concerned = found is not None and (entry.present or matches(found, route))
        if found is not None and concerned and found.protocol not in _routes.PROTOCOLS_TO_TAKE_OVER:
            owner = _routes.PROTOCOL_NAMES.get(found.protocol, "a routing daemon")
            reason = f"the route '{found}' belongs to protocol {found.protocol} ({owner}); give yours another metric"
            refused.refuse(entry.item, "destination", route.destination, reason)
        _check_way_out(entry, tunnels, after, refused)
    refused.stop_if_any()


def _check_way_out(entry: Wanted, tunnels: dict[str, str], after: t.Sequence[Route], refused: Refusals) -> None:
    """Refuse a route that takes in the tunnel's own outer packets. Only table main is judged: which packets look into
    another table, the policy rules decide."""
    route = entry.route
    remote = tunnels.get(route.device)
    if remote is None or not entry.present or route.table != _routes.TABLE_MAIN:
        return
    network = ipaddress.ip_network(route.destination)
    if remote == "any":
        if network.prefixlen == 0:
            reason = "would take in the packets to the peers of a device whose remote is any; use another table"
            refused.refuse(entry.item, "destination", route.destination, reason)
        return
    peer = ipaddress.ip_address(remote)
    if peer not in network or any(_is_better_way_out(other, route, peer, tunnels) for other in after):
        return
    reason = (
        f"holds the tunnel's own remote address {remote}, so that the tunnel would run into itself; "
        f"list a route to {remote} over the underlay, with its device, or use another table"
    )
    refused.refuse(entry.item, "destination", route.destination, reason)


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


def _is_better_way_out(other: Route, route: Route, peer: t.Any, tunnels: dict[str, str]) -> bool:
    """Whether packets to the peer take C(other), which leads out of the host and into no tunnel, before C(route)."""
    network = ipaddress.ip_network(other.destination)
    if other.type != "unicast" or other.table != route.table or network.version != peer.version or peer not in network:
        return False
    devices = {other.device, *(hop.device for hop in other.nexthops)} - {""}
    if not devices or devices & set(tunnels):
        return False
    length, ours = network.prefixlen, ipaddress.ip_network(route.destination).prefixlen
    return length > ours or (length == ours and other.metric < route.metric)


def _change_for(entry: Wanted, found: t.Optional[Route]) -> tuple[_change.Change, list[Operation]]:
    """One entry's change, and the writes that make it."""
    route, name = entry.route, str(entry.route)
    if not entry.present:
        if found is None or not matches(found, route):
            return _change.Change(name, _change.KEPT), []
        return _change.Change(name, _change.REMOVED, found.as_dict(), None, ("state is absent",)), [DelRoute(found)]
    after = route.as_dict()
    if found is None:
        return _change.Change(name, _change.CREATED, None, after, ("there was no such route",)), [PutRoute(route)]
    before = _comparable(found, route).as_dict()
    reasons = _change.differences(before, after)
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


def _purge(route: Route) -> tuple[_change.Change, list[Operation]]:
    reason = "is ours (by its protocol) and not listed"
    return _change.Change(str(route), _change.REMOVED, route.as_dict(), None, (reason,)), [DelRoute(route)]


def _rank(operation: Operation, tunnels: t.Container[str]) -> int:
    """Where in the order a write stands.

    A guard is there before the route that it guards, and goes after it. A new route is there before the one goes that
    it takes the place of. The underlay's routes, by which tunnels reach their peers, come before the tunnels' and go
    after them.
    """
    route = operation.route
    guard = route.metric == _routes.GUARD_METRIC
    underlay = bool(route.device) and route.device not in tunnels
    if isinstance(operation, PutRoute):
        return 0 if guard else 1 if underlay else 2
    return 5 if guard else 4 if underlay else 3


def plan(state: State, wanted: t.Sequence[Wanted], purge: bool = False, foretell: bool = False) -> _change.Plan:
    """The way from the live routes to the wanted ones. With C(foretell) (check mode) a device that does not exist yet
    is taken as one that another task would have made by now."""
    live = _index(state.routes)
    missing = sorted({e.route.device for e in wanted if e.present} - {""} - state.devices) if foretell else []
    state = dataclasses.replace(state, devices=state.devices | frozenset(missing))
    entries = _with_guards(wanted, live)
    tunnels = {tunnel.name: tunnel.remote for tunnel in state.tunnels}
    _check(state, entries, live, _routes_after(entries, live, purge))
    steps = [_change_for(entry, live.get(entry.route.identity)) for entry in entries]
    if purge:
        listed = {entry.route.identity for entry in entries}
        ours = [route for route in state.routes if route.protocol == _routes.PROTOCOL]
        steps += [_purge(route) for route in ours if route.identity not in listed]
    work = [(change.name, operation) for change, operations in steps for operation in operations]
    work.sort(key=lambda step: _rank(step[1], tunnels))
    warnings = tuple(f"there is no device {name} yet; its routes are foretold as if it were there" for name in missing)
    return _change.Plan(tuple(change for change, _operations in steps), tuple(work), warnings)

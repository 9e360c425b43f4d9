# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What is refused of routes and rules before anything is written: what the kernel would refuse half-way, what is not
ours to change, and what would cut off a tunnel. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _routes, _way_out
from ansible_collections.route_based.vpn.plugins.module_utils._errors import Refusals
from ansible_collections.route_based.vpn.plugins.module_utils._routes import Route, State, Tunnel, Wanted
from ansible_collections.route_based.vpn.plugins.module_utils._rules import Rule
from ansible_collections.route_based.vpn.plugins.module_utils._rules import Wanted as WantedRule
from ansible_collections.route_based.vpn.plugins.module_utils._way_out import Decision

# The item's words by the route or rule that it lists.
Listed = t.Mapping[t.Any, str]


def matches(live: Route, wanted: Route) -> bool:
    """Whether a live route is the one that an entry of state absent means: what is not given matches anything."""
    return (
        live.type == wanted.type
        and wanted.device in ("", live.device)
        and wanted.gateway in ("", live.gateway)
        and wanted.source in ("", live.source)
        and wanted.nexthops in ((), live.nexthops)
    )


def check_devices_and_owners(
    state: State, entries: t.Sequence[Wanted], live: t.Mapping[t.Any, Route], refused: Refusals
) -> None:
    """Devices have to be there and up; routes of the kernel, of DHCP and of daemons are left alone."""
    down = {tunnel.name for tunnel in state.tunnels if not tunnel.enabled}
    for entry in entries:
        route, found = entry.route, live.get(entry.route.identity)
        named = [("device", route.device), *((f"nexthops[{hop.device}]", hop.device) for hop in route.nexthops)]
        for option, device in named if entry.present else ():
            if device and device not in state.devices:
                refused.refuse(entry.item, option, device, "there is no such device on this host")
            if device in down:
                refused.refuse(entry.item, option, device, "is down, and the kernel takes no routes into it")
        concerned = found is not None and (entry.present or matches(found, route))
        if found is not None and concerned and found.protocol not in _routes.PROTOCOLS_TO_TAKE_OVER:
            owner = _routes.PROTOCOL_NAMES.get(found.protocol, "a routing daemon")
            reason = f"the route '{found}' belongs to protocol {found.protocol} ({owner}); give yours another metric"
            refused.refuse(entry.item, "destination", route.destination, reason)


def check_ways_out(
    state: State,
    wanted: tuple[t.Sequence[Wanted], t.Sequence[WantedRule]],
    after: tuple[t.Sequence[Route], t.Sequence[Rule]],
    refused: Refusals,
) -> None:
    """Refuse what makes a tunnel run into itself, or takes its peer out of reach. What does so already, and is not
    listed, is not this call's fault."""
    entries, rules = wanted
    listed: dict[t.Any, str] = {entry.route.identity: entry.item for entry in entries if entry.present}
    listed.update((entry.rule.identity, entry.item) for entry in rules if entry.present)
    removed = {entry.route.identity: entry.item for entry in entries if not entry.present}
    if not any(listed) and not removed:
        return
    devices = {tunnel.name for tunnel in state.tunnels}
    before_tables = _way_out.Tables.of(state.rules, state.routes)
    after_tables = _way_out.Tables.of(after[1], after[0])
    for tunnel in state.tunnels:
        if tunnel.remote == _way_out.ANY:
            _check_wildcard(tunnel, after_tables, listed, refused)
            continue
        now = _way_out.decisions(tunnel, before_tables)
        then = _way_out.decisions(tunnel, after_tables)
        if all(_is_bad(decision, devices) for decision in then):
            good_before = next((d for d in now if d is not None and not _is_bad(d, devices)), None)
            _refuse(tunnel, (then[0], good_before), (listed, removed), devices, refused)


def _is_bad(decision: t.Optional[Decision], devices: t.Container[str]) -> bool:
    """Whether packets go into a tunnel or nowhere. No route at all may be a host that is not connected yet."""
    if decision is None or decision.route is None:
        return decision is not None
    return decision.route.type != "unicast" or bool(_way_out.leads_into(decision.route, devices))


def _refuse(
    tunnel: Tunnel,
    decisions: tuple[t.Optional[Decision], t.Optional[Decision]],
    items: tuple[Listed, Listed],
    devices: t.Container[str],
    refused: Refusals,
) -> None:
    """Find the item that is at fault, if one is: it is the route or the rule, or it took the good one away."""
    (decision, good_before), (listed, removed) = decisions, items
    if decision is None:
        return
    route, option = decision.route, "destination"
    value: t.Any = route.destination if route else None
    through = _way_out.leads_into(route, devices) if route else ""
    item = listed.get(route.identity) if route else None
    if item is None and listed.get(decision.rule.identity):
        item, option, value = listed[decision.rule.identity], "priority", decision.rule.priority
    if item and not through and good_before is None:
        return  # nothing led there before either
    if item is None and good_before is not None and good_before.route is not None:
        item = removed.get(good_before.route.identity)
    if item is None:
        return
    what = f"run through {through}" if through else "have no way to it"
    what = "run into itself" if through == tunnel.name else what
    reason = (
        f"holds the remote address {tunnel.remote} of {tunnel.name}, so that the tunnel would {what} "
        f"(by '{decision}'); list a route to {tunnel.remote} over the underlay, with its device, or use a table that "
        "the tunnel's own packets are not looked up in"
    )
    if not any(error.item == item and error.option == option for error in refused.errors):
        refused.refuse(item, option, value, reason)


def _check_wildcard(tunnel: Tunnel, tables: _way_out.Tables, listed: Listed, refused: Refusals) -> None:
    """The peers of a device whose remote is any are not known: what takes in all addresses takes in them."""
    if tunnel.local == _way_out.ANY:
        return
    for table in _way_out.tables_of(tunnel, tables.rules, tunnel.family):
        fib = tables.routes.get((tunnel.family, table))
        routes = [
            route
            for route in (fib.routes if fib else ())
            if route.type == "unicast" and _way_out.leads_into(route, {tunnel.name})
        ]
        if not _way_out.is_whole_space(routes):
            continue
        for route in routes:
            item = listed.get(route.identity)
            if item:
                reason = (
                    f"would take in the packets to the peers of {tunnel.name}, whose remote is any, as the routes into "
                    "it are for all addresses; use another table, and rules that lead there"
                )
                refused.refuse(item, "destination", route.destination, reason)

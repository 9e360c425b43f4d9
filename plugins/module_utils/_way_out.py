# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Which way a tunnel's outer packets take: the kernel's own decision, made on values, for a plan that is to be judged
before it is carried out. Pure.

An outer packet comes from the tunnel's local address, goes to its remote, has no mark and is made on this host. Where
it leads into a VTI device, the tunnel runs into itself or hangs on another tunnel.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _routes
from ansible_collections.route_based.vpn.plugins.module_utils._routes import Route, Tunnel
from ansible_collections.route_based.vpn.plugins.module_utils._rules import Rule

ANY = "any"


@dataclasses.dataclass(frozen=True)
class Decision:
    """What decides on a packet: a rule and the route that it leads to; without a route the rule answers by itself."""

    rule: Rule
    route: t.Optional[Route] = None

    def __str__(self) -> str:
        return str(self.route or self.rule)


class Fib:
    """The routes of one table, by prefix length: a lookup costs one look a length, however many routes there are."""

    def __init__(self) -> None:
        self._by_length: dict[int, dict[int, Route]] = {}
        self.routes: list[Route] = []

    def add(self, route: Route) -> None:
        """One more route; of those for one network the lowest metric wins."""
        self.routes.append(route)
        network = ipaddress.ip_network(route.destination)
        routes = self._by_length.setdefault(network.prefixlen, {})
        known = routes.get(int(network.network_address))
        if known is None or route.metric < known.metric:
            routes[int(network.network_address)] = route

    def lookup(self, address: t.Any, longer_than: int = -1) -> t.Optional[Route]:
        """The route with the longest prefix that holds an address; none where that is not longer than asked."""
        for length in sorted(self._by_length, reverse=True):
            shift = address.max_prefixlen - length
            found = self._by_length[length].get(int(address) >> shift << shift)
            if found:
                return found if length > longer_than else None
        return None


@dataclasses.dataclass(frozen=True)
class Tables:
    """Rules in the order in which the kernel asks them, and the routes that they lead to by family and table."""

    rules: t.Sequence[Rule]
    routes: t.Mapping[tuple[int, int], Fib]

    @classmethod
    def of(cls, rules: t.Iterable[Rule], routes: t.Iterable[Route]) -> Tables:
        """From rules and routes in any order."""
        by_table: dict[tuple[int, int], Fib] = {}
        for route in routes:
            by_table.setdefault((route.family, route.table), Fib()).add(route)
        return cls(sorted(rules, key=lambda rule: rule.priority), by_table)


def tables_of(tunnel: Tunnel, rules: t.Iterable[Rule], family: int) -> list[int]:
    """The tables that the tunnel's outer packets may be looked up in, in the order of the rules."""
    found = (_table(rule, tunnel) for rule in rules if rule.family == family and _may_match(rule, tunnel))
    return [table for table in dict.fromkeys(found) if table and table != _routes.TABLE_LOCAL]


def decisions(tunnel: Tunnel, tables: Tables) -> list[t.Optional[Decision]]:
    """What decides on the way of the tunnel's outer packets, None where no route leads there. There are two answers
    where a rule asks for what is not known here (a port, a protocol, a user): without the rule and with it."""
    sure = [rule for rule in tables.rules if not rule.unknown]
    found = [_decide(tunnel, sure, tables)]
    return found if len(sure) == len(tables.rules) else [*found, _decide(tunnel, tables.rules, tables)]


def _decide(tunnel: Tunnel, rules: t.Sequence[Rule], tables: Tables) -> t.Optional[Decision]:
    peer = ipaddress.ip_address(tunnel.remote)
    for rule in rules:
        if rule.family != peer.version or not _may_match(rule, tunnel):
            continue
        if rule.type != "lookup":
            return Decision(rule)
        fib = tables.routes.get((rule.family, _table(rule, tunnel)))
        best = fib.lookup(peer, rule.suppress_prefixlength) if fib else None
        if best:
            return Decision(rule, best)
    return None


def _table(rule: Rule, tunnel: Tunnel) -> int:
    return tunnel.vrf_table if rule.l3mdev else rule.table


def _may_match(rule: Rule, tunnel: Tunnel) -> bool:
    matches = (
        _holds(rule.source, tunnel.local)
        and _holds(rule.destination, tunnel.remote)
        and (rule.mark is None or rule.mark[0] == 0)
        and rule.iif in ("", "lo")
        and not rule.oif
    )
    return matches is not rule.inverted


def _holds(network: str, address: str) -> bool:
    """Whether a selector takes in an address; of one that is not known only the selector for all does."""
    if not network:
        return True
    return address != ANY and ipaddress.ip_address(address) in ipaddress.ip_network(network)


def leads_into(route: Route, devices: t.Container[str]) -> str:
    """The first of the devices that a route leads into, or nothing."""
    return next((name for name in (route.device, *(hop.device for hop in route.nexthops)) if name in devices), "")


def is_whole_space(routes: t.Iterable[Route]) -> bool:
    """Whether destinations of one family, taken together, are all addresses: C(0.0.0.0/1) and C(128.0.0.0/1) are."""
    found: t.Any = (ipaddress.ip_network(route.destination) for route in routes)
    networks = list(ipaddress.collapse_addresses(found))
    return len(networks) == 1 and networks[0].prefixlen == 0

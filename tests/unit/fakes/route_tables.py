# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fake kernel's routing tables and policy rules."""

from __future__ import annotations

import dataclasses

from ansible_collections.route_based.vpn.plugins.module_utils import _routes, _way_out
from ansible_collections.route_based.vpn.plugins.module_utils._rules import Rule

RULES_AT_FIRST = tuple(
    Rule(priority, family, table=table, protocol=_routes.PROTOCOL_KERNEL)
    for family, tables in ((4, ((0, 255), (32766, 254), (32767, 253))), (6, ((0, 255), (32766, 254))))
    for priority, table in tables
)


class RouteTables:
    """Routes and rules in the order in which they came."""

    def __init__(self, routes, rules):
        self.routes = list(routes)
        self.rules = [*RULES_AT_FIRST, *rules]

    def state(self, wanted, purge, rules, tunnels, devices):
        tables = {(entry.route.family, entry.route.table) for entry in wanted}
        if wanted or rules:
            asked = [*self.rules, *(entry.rule for entry in rules)]
            for tunnel in tunnels:
                tables.update((tunnel.family, t) for t in _way_out.tables_of(tunnel, asked, tunnel.family))
        routes = [
            route
            for route in self.routes
            if (route.family, route.table) in tables or (purge and route.protocol == _routes.PROTOCOL)
        ]
        return _routes.State(tuple(routes), tunnels, devices, tuple(self.rules))

    def put(self, route):
        """Replaces the route of the same identity; what it had beyond our words goes."""
        for position, live in enumerate(self.routes):
            if live.identity == route.identity:
                self.routes[position] = route
                return
        self.routes.append(route)

    def remove(self, route):
        self.routes = [live for live in self.routes if live != route]

    def remove_rule(self, rule):
        """The first that fits; the protocol tells two apart that are alike otherwise, but for protocol 0."""
        for live in self.rules:
            same = dataclasses.replace(live, protocol=rule.protocol) == rule
            if same and rule.protocol in (0, live.protocol):
                self.rules.remove(live)
                return

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Which tunnels have to be up when a wave of a rollout is done, and what is wrong with those that are not. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _values
from ansible_collections.route_based.vpn.plugins.plugin_utils import _links, _sites

Entry = t.Mapping[str, t.Any]


def peers_of(plan: _sites.Plan, host: str) -> dict[str, str]:
    """Of each tunnel of a host to another host of the inventory: its name, and that host."""
    links = _links.Links(plan)
    site = links.by_name.get(host)
    found = {link.name: link.other(site).name for link in links.of(site)} if site else {}
    for one, name, two, far_name in plan.by_hand:
        if one == host:
            found[name] = two
        elif two == host:
            found[far_name] = one
    return found


def due(
    plan: _sites.Plan, host: str, conns: t.Sequence[Entry], done: t.Collection[str], before: t.Collection[str]
) -> list[str]:
    """The names of the conns that have to be up: those whose other end is done too, those that were up before, and
    those to peers that are not ours to wait for and that this host calls. C(conns) are those of tunnel_parts."""
    peers = peers_of(plan, host)
    ready = set(done)
    result = []
    for conn in conns:
        name, auto = conn["name"], conn["keywords"]["auto"]
        if auto == "ignore" or conn["keywords"]["right"] == "%any":
            continue
        if name in before or (peers[name] in ready if name in peers else auto == "start"):
            result.append(name)
    return result


def problems(conns: t.Sequence[Entry], routes: t.Sequence[Entry]) -> list[str]:
    """What is wrong with tunnels that ought to carry traffic, for people: no SA, no device, a route that is missing,
    no answer from the other end. C(conns) are those of vpn_info, C(routes) those that vti_route was given."""
    wanted: dict[str, set[str]] = {}
    for route in routes:
        if route.get("device") and not route.get("table") and route.get("state") != "absent":
            wanted.setdefault(route["device"], set()).add(_destination(str(route["destination"])))
    found = []
    for conn in conns:
        found += [f"{conn['name']}: {problem}" for problem in _of_one(conn, wanted)]
    return found


def _destination(text: str) -> str:
    """As vpn_info shows it, however it was written."""
    try:
        return _values.network(text)
    except ValueError:
        return text


def _of_one(conn: Entry, wanted: t.Mapping[str, t.Collection[str]]) -> t.Iterator[str]:
    error = f"; pluto says: {conn['last_error']}" if conn.get("last_error") else ""
    if not conn["loaded"]:
        yield "is not loaded in pluto"
        return
    if not conn["established"]:
        yield f"is not established{error}"
    device = conn["device"]
    if not device:
        yield f"its device {conn['interface'] or ''} is not there"
        return
    if not device["enabled"]:
        yield f"its device {device['name']} is down"
    there = {route["destination"] for route in conn["routes"]}
    missing = sorted(set(wanted.get(device["name"], ())) - there)
    if missing:
        yield f"no route into {device['name']} for {', '.join(missing)}"
    ping = conn.get("ping")
    if ping and not ping["answered"] and conn["established"]:
        yield f"{ping['address']}, the other end of {device['name']}, does not answer a ping"

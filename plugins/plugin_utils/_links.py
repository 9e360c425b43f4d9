# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""From a plan of sites to links, one object for each pair of ends, and from the links of a site to its tunnels. Both
ends are rendered from the same link. Pure functions; the cost for a host grows with its own links."""

from __future__ import annotations

import collections
import dataclasses
import functools
import ipaddress
import typing as t

from ansible_collections.route_based.vpn.plugins.plugin_utils import _auth
from ansible_collections.route_based.vpn.plugins.plugin_utils._sites import HUB_AND_SPOKE, MESH, Plan, Site

Tunnel = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Link:
    """Two sites, C(one) with the lower id. C(caller) is the id of the end that calls; the other one answers."""

    one: Site
    two: Site
    caller: int

    @property
    def name(self) -> str:
        """Name of the conn at both ends, C(link-3-7)."""
        return f"link-{self.one.id}-{self.two.id}"

    def other(self, own: Site) -> Site:
        """The far end, seen from one of the two."""
        return self.two if own.id == self.one.id else self.one


class Links:
    """The links of a plan, found by the site that one asks for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.by_name = {site.name: site for site in plan.sites}
        self.hubs = [site for site in plan.sites if site.hub]
        self._meshes: dict[str, list[Site]] = collections.defaultdict(list)
        self._extra: dict[str, list[Site]] = collections.defaultdict(list)
        for site in plan.sites:
            for mesh in site.meshes:
                self._meshes[mesh].append(site)
            for name in self.by_name.keys() & set(site.links):
                self._extra[name].append(site)
                self._extra[site.name].append(self.by_name[name])

    @functools.cached_property
    def inner(self) -> t.Any:
        """The network of inner addresses."""
        return ipaddress.ip_network(self.plan.inner)

    def peers(self, site: Site) -> list[Site]:
        """The sites that a site has links to, in the order of their ids."""
        if self.plan.topology == MESH or (self.plan.topology == HUB_AND_SPOKE and site.hub):
            return [other for other in self.plan.sites if other.id != site.id]
        found = {other.id: other for other in self._extra[site.name]}
        if self.plan.topology == HUB_AND_SPOKE:
            found.update((hub.id, hub) for hub in self.hubs)
        for mesh in site.meshes:
            found.update((other.id, other) for other in self._meshes[mesh])
        found.pop(site.id, None)
        return [found[number] for number in sorted(found)]

    def of(self, site: Site) -> list[Link]:
        """The links of a site."""
        return [link(site, peer) for peer in self.peers(site)]

    def all(self) -> list[Link]:
        """Every link once."""
        return [found for site in self.plan.sites for found in self.of(site) if found.one.id == site.id]

    def tunnels(self, name: str) -> list[Tunnel]:
        """The tunnels of a host, as the role takes them in C(gateway_tunnels); none where it is no site."""
        site = self.by_name.get(name)
        if not site:
            return []
        links = self.of(site)
        through = self._transit(site, {site.id, *(found.other(site).id for found in links)})
        return [self.tunnel(found, site, through.get(found.other(site).id, ())) for found in links]

    def tunnel(self, found: Link, own: Site, more: t.Sequence[str] = ()) -> Tunnel:
        """One end of a link. C(more) are networks beyond the peer that are reached through it, in CIDR form."""
        peer = found.other(own)
        tunnel = {
            "name": found.name,
            "local": own.local,
            "remote": peer.address,
            "local_id": own.identity,
            "remote_id": peer.identity,
            "mark": peer.id,
            "interface": f"vti{peer.id}",
            "unnumbered": {"address": self.address(own), "peer": self.address(peer)},
            "mtu": self.plan.mtu,
            "routes": [*peer.networks, *more],
            "auth": self.plan.auth,
            "auto": "start" if found.caller == own.id else self.plan.answer,
        }
        if self.plan.auth == _auth.KEY:
            tunnel["peer"] = peer.name
        return tunnel

    def ways(self, site: Site) -> dict[str, Site]:
        """The networks that a site has a route to by its links, and the peer that each is reached through."""
        peers = {peer.id: peer for peer in self.peers(site)}
        found = {network: peer for peer in peers.values() for network in peer.networks}
        for number, networks in self._transit(site, {site.id, *peers}).items():
            found.update((network, peers[number]) for network in networks)
        return found

    def address(self, site: Site) -> str:
        """The one inner address of a site, which all of its devices use."""
        return str(self.inner[site.id])

    def _transit(self, site: Site, known: t.Collection[int]) -> dict[int, list[str]]:
        """By the id of the hub that leads there: the networks of the sites that a spoke has no link to, or what the
        plan says instead, and the inner addresses."""
        if self.plan.topology != HUB_AND_SPOKE or site.hub or not self.hubs:
            return {}
        hub = next((hub for hub in self.hubs if hub.name == site.transit_hub), self.hubs[0])
        networks: t.Iterable[str] = self.plan.transit
        if not self.plan.transit:
            networks = (network for other in self.plan.sites if other.id not in known for network in other.networks)
        own = {network for other in self.peers(site) for network in other.networks} | set(site.networks)
        # A network that two sites have leads to the one that there is a link to.
        return {hub.id: [network for network in dict.fromkeys([*networks, self.plan.inner]) if network not in own]}


def link(one: Site, two: Site) -> Link:
    """The link of two sites, whichever of them asks."""
    low, high = (one, two) if one.id < two.id else (two, one)
    return Link(low, high, _caller(low, high).id)


def _caller(low: Site, high: Site) -> Site:
    """Who calls. One end alone, as calls that cross leave two pairs of SAs behind. A site behind NAT has to; a hub need
    not know that a spoke is there; else it is the lower id."""
    if low.behind_nat != high.behind_nat:
        return low if low.behind_nat else high
    if low.hub != high.hub:
        return high if low.hub else low
    return low

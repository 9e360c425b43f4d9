# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The sites of an inventory: from the variables of its hosts to one checked plan, from which every host's links are
drawn. Pure functions over values. All numbers come from the sites' ids, never from their order or their names."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _values
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, Refusals
from ansible_collections.route_based.vpn.plugins.plugin_utils import _auth, _shapes

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Variables = t.Mapping[str, t.Any]

MESH, HUB_AND_SPOKE, NONE = "mesh", "hub_and_spoke", "none"
TOPOLOGIES = (MESH, HUB_AND_SPOKE, NONE)
AUTHS = (_auth.KEY, _auth.PSK)
ANSWERS = ("start", "ondemand", "add")
INNER_NETWORK = "10.255.0.0/16"

# Of one host, and their types.
OF_A_SITE: dict[str, t.Any] = {
    "vpn_site_id": int,
    "vpn_address": str,
    "vpn_local_address": str,
    "vpn_networks": list,
    "vpn_hub": bool,
    "vpn_transit_hub": str,
    "vpn_meshes": list,
    "vpn_links": list,
}
# What all sites have to say alike, with the defaults.
OF_ALL: dict[str, t.Any] = {
    "vpn_topology": MESH,
    "vpn_inner_network": INNER_NETWORK,
    "vpn_transit_networks": (),
    "vpn_auth": _auth.KEY,
    "vpn_answer": "add",
    "vpn_mtu": 1400,
    "vpn_networks_overlap": False,
}
VARIABLES = (*OF_A_SITE, *OF_ALL)
# How a text says it; those of Ansible that nobody takes for something else.
TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

_WORD = "plan "


@dataclasses.dataclass(frozen=True)
class Site:
    """A gateway: its stable number, inventory name, outer address as its peers see it, its own one behind NAT (the same
    without NAT), and the networks behind it in CIDR form."""

    id: int
    name: str
    address: str
    local: str
    networks: tuple[str, ...] = ()
    hub: bool = False
    transit_hub: str = ""
    meshes: tuple[str, ...] = ()
    links: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What it calls itself to its peers, whatever its name in the inventory is."""
        return f"@site{self.id}"

    @property
    def behind_nat(self) -> bool:
        """Whether nobody can call it at the address that it has."""
        return self.local != self.address


@dataclasses.dataclass(frozen=True)
class Plan:
    """All sites, in the order of their ids, and what holds for all of them."""

    sites: tuple[Site, ...] = ()
    topology: str = MESH
    inner: str = INNER_NETWORK
    transit: tuple[str, ...] = ()
    auth: str = _auth.KEY
    answer: str = "add"
    mtu: int = 1400
    overlap: bool = False
    # Hand-written tunnels between two hosts of the inventory: host, its tunnel, the other host, its tunnel.
    by_hand: tuple[tuple[str, str, str, str], ...] = ()

    def to_json(self) -> str:
        """The plan as one text: Ansible hands a text on as it is, but would look through a value of a thousand sites
        for templates each time that a host uses it. It begins with a word, as ansible-core before 2.19 makes a value of
        a text that begins like one."""
        data = dataclasses.asdict(self)
        data["sites"] = [list(dataclasses.astuple(site)) for site in self.sites]
        return _WORD + json.dumps(data)


def from_json(text: str) -> Plan:
    """The plan that to_json() wrote; ValueError where the text is something else."""
    try:
        if not text.startswith(_WORD):
            raise TypeError("begins otherwise")
        data: dict[str, t.Any] = json.loads(text[len(_WORD) :])
        sites = tuple(_site_of(row) for row in data.pop("sites"))
        return Plan(sites=sites, **{k: _frozen(v) for k, v in data.items()})
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as exc:
        raise ValueError(f"is not a plan of the lookup route_based.vpn.sites: {exc}") from None


def _site_of(row: t.Sequence[t.Any]) -> Site:
    fields: t.Any = [tuple(value) if isinstance(value, list) else value for value in row]
    return Site(*fields)


def _frozen(value: t.Any) -> t.Any:
    return tuple(_frozen(entry) for entry in value) if isinstance(value, (list, tuple)) else value


def plan(hosts: t.Mapping[str, Variables]) -> tuple[Plan, list[InputError]]:
    """The plan of those hosts that have a C(vpn_site_id), from their variables by inventory name, and every problem of
    every host, each with host and variable. With problems the plan holds what is right, for further checks."""
    refusals = Refusals()
    members = {name: raw for name, raw in hosts.items() if raw.get("vpn_site_id") is not None}
    common = _common(members, refusals)
    sites = [site for name, raw in members.items() for site in [_site(name, raw, refusals)] if site]
    _one_each(members, refusals)
    found = Plan(sites=tuple(sorted(sites, key=lambda site: site.id)), **common)
    _check_topology(found, refusals)
    return found, refusals.errors


def _common(members: t.Mapping[str, Variables], refusals: Refusals) -> dict[str, t.Any]:
    """What all sites say alike. A site that says something else than the first one is named."""
    found: dict[str, t.Any] = {}
    for option, default in OF_ALL.items():
        first: t.Optional[str] = None
        for name, raw in members.items():
            value = _meant(raw.get(option, default), type(default))
            if first is None:
                first, found[option] = name, value
            elif value != found[option]:
                refusals.refuse(
                    name, option, value, f"is {found[option]!r} for {first}; it has to be the same for all sites"
                )
        found.setdefault(option, default)
    where = next(iter(members), "")
    for option, choices in (("vpn_topology", TOPOLOGIES), ("vpn_auth", AUTHS), ("vpn_answer", ANSWERS)):
        if found[option] not in choices:
            refusals.refuse(where, option, found[option], f"is none of {', '.join(choices)}")
    mtu, overlap = found["vpn_mtu"], found["vpn_networks_overlap"]
    if isinstance(mtu, bool) or not isinstance(mtu, int) or not 68 <= mtu <= 65515:
        refusals.refuse(where, "vpn_mtu", mtu, "is no number of bytes from 68 to 65515")
    if not isinstance(overlap, bool):
        refusals.refuse(where, "vpn_networks_overlap", overlap, _shapes.reason(overlap, bool))
    return {
        "topology": found["vpn_topology"],
        "inner": refusals.check(where, "vpn_inner_network", str(found["vpn_inner_network"]), _values.network, ""),
        "transit": _networks(where, "vpn_transit_networks", found["vpn_transit_networks"], refusals),
        "auth": found["vpn_auth"],
        "answer": found["vpn_answer"],
        "mtu": mtu if isinstance(mtu, int) else 1400,
        "overlap": overlap is True,
    }


def _site(name: str, raw: Variables, refusals: Refusals) -> t.Optional[Site]:
    """One site; None, and a refusal for each thing that is wrong, where it cannot be one."""
    before = len(refusals.errors)
    raw = {option: _meant(raw.get(option), kind) for option, kind in OF_A_SITE.items()}
    for option, kind in OF_A_SITE.items():
        value = raw[option]
        if value is not None and not _shapes.is_a(value, kind):
            refusals.refuse(name, option, value, _shapes.reason(value, kind))
    if len(refusals.errors) > before:
        return None
    number = raw["vpn_site_id"]
    if number < 1:
        refusals.refuse(name, "vpn_site_id", number, "is not a number from 1")
    if not _auth.NAME.fullmatch(name):
        refusals.refuse(name, "", name, "is no name that a file could have: letters, digits, '.', '_' or '-'")
    address = raw.get("vpn_address")
    if address is None:
        refusals.refuse(name, "vpn_address", None, "is missing: the address that the other sites reach it at")
        return None
    outer = refusals.check(name, "vpn_address", address, _address, "")
    local = raw.get("vpn_local_address")
    own = outer if local is None else refusals.check(name, "vpn_local_address", local, _address, "")
    if outer and own and _values.family(outer) != _values.family(own):
        refusals.refuse(name, "vpn_local_address", own, f"is not of the same address family as vpn_address={outer}")
    networks = _networks(name, "vpn_networks", raw.get("vpn_networks") or (), refusals)
    if len(refusals.errors) > before:
        return None
    return Site(
        id=number,
        name=name,
        address=outer,
        local=own,
        networks=networks,
        hub=raw.get("vpn_hub") or False,
        transit_hub=raw.get("vpn_transit_hub") or "",
        meshes=tuple(str(value) for value in raw.get("vpn_meshes") or ()),
        links=tuple(str(value) for value in raw.get("vpn_links") or ()),
    )


def _address(value: str) -> str:
    """The address of a site, canonical."""
    parsed = _values.address(value)
    if parsed.is_loopback or parsed.is_link_local:
        raise ValueError("is loopback or link-local: no packet of another site comes to it")
    return str(parsed)


def _meant(value: t.Any, kind: t.Any) -> t.Any:
    """The value, or what a text means where INI inventories and -e have nothing but text."""
    if kind is int and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return TRUTH.get(value.lower(), value) if kind is bool and isinstance(value, str) else value


def _networks(name: str, option: str, values: t.Any, refusals: Refusals) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, (list, tuple)):
        refusals.refuse(name, option, values, _shapes.reason(values, list))
        return ()
    found = []
    for number, value in enumerate(values):
        network = refusals.check(name, f"{option}[{number}]", str(value), _values.network, "")
        if network.endswith("/0"):
            refusals.refuse(name, f"{option}[{number}]", network, "would take in the outer addresses of all sites")
        elif network and not _is_routed(network):
            refusals.refuse(name, f"{option}[{number}]", network, "is multicast, loopback or link-local")
        elif network:
            found.append(network)
    return tuple(dict.fromkeys(found))


def _is_routed(network: str) -> bool:
    """Whether packets to its addresses go from one network to another."""
    parsed = ipaddress.ip_network(network)
    return not (parsed.is_multicast or parsed.is_loopback or parsed.is_link_local)


def _one_each(members: t.Mapping[str, Variables], refusals: Refusals) -> None:
    """Ids and outer addresses that two hosts have, whatever else is wrong with them and however they are written."""
    for option, why in (
        ("vpn_site_id", "marks, names and addresses come from it"),
        ("vpn_address", "the kernel keeps one VTI for a pair of addresses"),
    ):
        seen: dict[str, str] = {}
        for name, raw in members.items():
            value = raw.get(option)
            said = str(_meant(value, int)) if option == "vpn_site_id" else _canonical(value)
            first = name if value is None else seen.setdefault(said, name)
            if first != name:
                refusals.refuse(name, option, value, f"{first} has it already; {why}")


def _canonical(value: t.Any) -> str:
    """An address in its one spelling, what is none as it is."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return str(value)


def _check_topology(found: Plan, refusals: Refusals) -> None:
    """What the sites say of each other, and whether each has an inner address."""
    by_name = {site.name: site for site in found.sites}
    hubs = {site.name for site in found.sites if site.hub}
    for site in found.sites:
        for name in site.links:
            if name not in by_name:
                refusals.refuse(site.name, "vpn_links", name, "is no site: no host of that name has a vpn_site_id")
            elif name == site.name:
                refusals.refuse(site.name, "vpn_links", name, "is the site itself")
        if site.transit_hub and site.transit_hub not in hubs:
            refusals.refuse(site.name, "vpn_transit_hub", site.transit_hub, "is no site with vpn_hub=true")
    if found.topology == HUB_AND_SPOKE and found.sites and not hubs:
        refusals.refuse(found.sites[0].name, "vpn_topology", HUB_AND_SPOKE, "needs a site with vpn_hub=true")
    if found.inner:
        inner = ipaddress.ip_network(found.inner)
        last = max(inner.num_addresses - (2 if inner.version == 4 else 1), 0)
        for site in found.sites:
            if site.id > last:
                reason = f"has no address in vpn_inner_network={found.inner}, which has room for ids up to {last}"
                refusals.refuse(site.name, "vpn_site_id", site.id, reason)

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What can be wrong between the hosts of an inventory although each of them is right by itself. Pure; every function
gives all the problems that it finds, each with host and variable, and none with a secret."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _routes, _rules, _secrets, _values
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, InputErrors
from ansible_collections.route_based.vpn.plugins.plugin_utils import (
    _auth,
    _links,
    _roadwarriors,
    _shapes,
    _sites,
    _tunnels,
)

Variables = t.Mapping[str, t.Any]
Hosts = t.Mapping[str, Variables]
# Family, first and last address as numbers, host and variable.
Entry = tuple[int, int, int, str, str]

#: What two hosts with a tunnel to each other have to have alike, with the role's defaults.
AGREED = {
    "gateway_ike": "aes_gcm256-sha2_512;dh19",
    "gateway_esp": "aes_gcm256",
    "gateway_psk_epoch": 1,
    "gateway_key_type": "ecdsa",
}
# What a host has beside tunnels, and what reads it as the module does.
WAYS: dict[str, t.Callable[[t.Any], t.Sequence[t.Any]]] = {
    "gateway_routes": _routes.from_params,
    "gateway_rules": _rules.from_params,
}
TUNNELS = ("gateway_tunnels", "gateway_roadwarriors")
#: What is read of each host beside its site's variables. The last two only where something needs them.
VARIABLES = (*AGREED, *TUNNELS, *WAYS, "gateway_psk_master", "gateway_certificates")

ASTRAY = "whose own packets would go astray"
# Variables with an outer address.
OUTER = ("vpn_address", "vpn_local_address")
# What tells that two tunnels are the two ends of one.
ENDS = (("address", "local", "remote"), ("id", "local_id", "remote_id"))

# The names that libreswan 4.10 and 5.2 both take, as "ipsec algparse" of both says.
CIPHERS = (
    r"aes_gcm(_(a|b|c|8|12|16))?|aes(_cbc|_ctr|_ccm(_(a|b|c|8|12|16))?)?|chacha20_poly1305|camellia(_cbc)?|null|3des"
)
HASHES = "sha1|sha2|sha2_256|sha2_384|sha2_512|sha256|sha384|sha512|aes_xcbc|aes_cmac|null|none"
GROUPS = "dh(5|14|15|16|17|18|19|20|21|31)|modp(1536|2048|3072|4096|6144|8192)|ecp_?(256|384|521)|curve25519|none|dh0"
_CIPHER = re.compile(rf"(?:{CIPHERS})[-_]?(?:128|192|256)?")
_HASH = re.compile(HASHES)
_GROUP = re.compile(GROUPS)


def check(
    hosts: Hosts, plan: _sites.Plan, everybody: t.Optional[t.Collection[str]] = None
) -> tuple[_sites.Plan, list[InputError]]:
    """Everything that this module looks for, and the plan with the tunnels that were written by hand at both ends.
    C(everybody) are the hosts of the whole inventory, where C(hosts) are not."""
    links = _links.Links(plan)
    tunnels, errors = _by_hand(hosts)
    pairs, crooked = _pairs(hosts, tunnels)
    errors += [
        *overlaps(plan),
        *_transit(links),
        *_families(links),
        *_agreements(hosts, plan),
        *(error for name, raw in hosts.items() for error in proposals(name, raw)),
        *(error for name, own in tunnels.items() for error in _beside_links(links, name, own)),
        *(error for name, raw in hosts.items() for error in _ways(links, name, raw, tunnels.get(name, ()))),
        *crooked,
        *(error for name, raw in hosts.items() for error in _strangers(name, raw, everybody or hosts)),
    ]
    return dataclasses.replace(plan, by_hand=tuple(pairs)), errors


def overlaps(plan: _sites.Plan) -> list[InputError]:
    """Networks of two sites that have addresses in common, and outer addresses inside a network. One pass over all in
    the order of their addresses, so that a thousand sites take a moment."""
    entries: list[Entry] = []
    for site in plan.sites:
        if not plan.overlap:
            entries += [_entry(network, site.name, "vpn_networks") for network in site.networks]
        entries.append(_entry(site.address, site.name, "vpn_address"))
        if site.behind_nat:
            entries.append(_entry(site.local, site.name, "vpn_local_address"))
    if plan.inner:
        entries.append(_entry(plan.inner, "", "vpn_inner_network"))
    errors: list[InputError] = []
    around: list[Entry] = []
    # Of the same addresses, networks come before the addresses in them.
    for entry in sorted(entries, key=lambda x: (x[0], x[1], -x[2], x[4] in OUTER, x[3])):
        family, first = entry[:2]
        around = [other for other in around if other[0] == family and other[2] >= first]
        error = next((error for other in reversed(around) for error in [_overlap(other, entry)] if error), None)
        if error:
            errors.append(error)
        around.append(entry)
    return errors


def _entry(text: str, name: str, what: str) -> Entry:
    network = ipaddress.ip_network(text)
    return network.version, int(network[0]), int(network[-1]), name, what


def _overlap(outer: Entry, inner: Entry) -> t.Optional[InputError]:
    """C(inner) begins inside of C(outer)."""
    shown, around = _cidr(inner), _cidr(outer)
    if "vpn_inner_network" in (outer[4], inner[4]):
        site, own = (inner, shown) if outer[4] == "vpn_inner_network" else (outer, around)
        other = around if site is inner else shown
        return InputError(site[3], site[4], own, f"shares addresses with vpn_inner_network={other}; choose another one")
    if outer[4] in OUTER or (outer[3] == inner[3] and inner[4] != "vpn_address"):
        return None
    if inner[4] == "vpn_local_address":
        reason = f"is in {around} of {outer[3]}, to which the host would send what is for its own network"
        return InputError(inner[3], inner[4], shown.partition("/")[0], reason)
    if inner[4] == "vpn_address":
        reason = f"has the outer address {shown.partition('/')[0]} of {inner[3]} in it, {ASTRAY}"
        return InputError(outer[3], outer[4], around, reason)
    reason = f"shares addresses with {around} of {outer[3]}; where that is meant, say vpn_networks_overlap: true"
    return InputError(inner[3], inner[4], shown, reason)


def _cidr(entry: Entry) -> str:
    kind = ipaddress.IPv4Address if entry[0] == 4 else ipaddress.IPv6Address
    return str(next(ipaddress.summarize_address_range(kind(entry[1]), kind(entry[2]))))


def _transit(links: _links.Links) -> list[InputError]:
    """Networks that spokes reach through their hub, with the outer address of a hub in them."""
    errors = []
    for text in links.plan.transit if links.plan.topology == _sites.HUB_AND_SPOKE else ():
        network = ipaddress.ip_network(text)
        for hub in links.hubs:
            if ipaddress.ip_address(hub.address) in network:
                reason = f"has the outer address {hub.address} of the hub {hub.name} in it, {ASTRAY}"
                errors.append(InputError(links.plan.sites[0].name, "vpn_transit_networks", text, reason))
    return errors


def _families(links: _links.Links) -> list[InputError]:
    """Linked sites of which one has an IPv4 address and the other an IPv6 address."""
    if len({_values.family(site.address) for site in links.plan.sites}) < 2:
        return []
    errors = []
    for link in links.all():
        if _values.family(link.one.address) != _values.family(link.two.address):
            reason = f"is not of the address family of {link.one.name} ({link.one.address}), which it has a link to"
            errors.append(InputError(link.two.name, "vpn_address", link.two.address, reason))
    return errors


def _agreements(hosts: Hosts, plan: _sites.Plan) -> list[InputError]:
    """What all sites have to say alike in the role's own variables."""
    errors: list[InputError] = []
    names = [site.name for site in plan.sites]
    for option, default in AGREED.items():
        if names:
            first = str(hosts[names[0]].get(option, default))
            for name in names[1:]:
                value = str(hosts[name].get(option, default))
                if value != first:
                    errors.append(InputError(name, option, value, f"is {first!r} for {names[0]}; sites need the same"))
    if plan.auth == _auth.PSK and len(names) > 1:
        errors += _masters(hosts, names)
    return errors


def _masters(hosts: Hosts, names: t.Sequence[str]) -> list[InputError]:
    errors, first = [], ""
    for name in names:
        master = str(hosts[name].get("gateway_psk_master") or "")
        if len(master.encode()) < _secrets.MASTER_MIN:
            reason = f"has less than {_secrets.MASTER_MIN} bytes; with vpn_auth=psk all secrets are derived from it"
            errors.append(InputError(name, "gateway_psk_master", "...", reason))
        elif master != (first or master):
            reason = f"is not that of {names[0]}; both ends of a link derive its secret from the same one"
            errors.append(InputError(name, "gateway_psk_master", "...", reason))
        first = first or master
    return errors


def proposals(name: str, raw: Variables) -> list[InputError]:
    """Proposals with an algorithm that one of the supported libreswan versions does not know."""
    errors = []
    found = [(option, raw.get(option)) for option in ("gateway_ike", "gateway_esp")]
    for index, tunnel in enumerate(raw.get("gateway_tunnels") or ()):
        if isinstance(tunnel, dict):
            found += [(f"gateway_tunnels[{index}].{word}", tunnel.get(word)) for word in ("ike", "esp")]
    for option, value in found:
        unknown = _unknown(str(value)) if value else ""
        if unknown:
            reason = f"has {unknown!r}, which libreswan 4.10 and 5.2 do not both know"
            errors.append(InputError(name, option, value, reason))
    return errors


def _unknown(proposal: str) -> str:
    """The first word of a proposal like C(aes_gcm256-sha2_512;dh19) that is no known algorithm; empty without one."""
    for part in re.split(r"[,\s]+", proposal.strip().lower()):
        algorithms, semicolon, group = part.partition(";")
        first, *hashes = algorithms.split("-")
        # Key lengths may stand apart: aes-256, and several of a kind are joined by +.
        for cipher in first.split("+"):
            if not _CIPHER.fullmatch(cipher):
                return cipher or part or proposal
        for word in (x for words in hashes for x in words.split("+")):
            if not _HASH.fullmatch(word) and not _GROUP.fullmatch(word) and word not in ("128", "192", "256"):
                return word or part
        for word in group.split("+") if semicolon else ():
            if not _GROUP.fullmatch(word):
                return word or part
    return ""


def _by_hand(hosts: Hosts) -> tuple[dict[str, list[_tunnels.Tunnel]], list[InputError]]:
    """The hand-written tunnels of each host, checked by themselves, with the host's servers of roadwarriors."""
    found, errors = {}, []
    for name, raw in hosts.items():
        if not raw.get("gateway_tunnels") and not raw.get("gateway_roadwarriors"):
            continue
        try:
            found[name] = tunnels = _tunnels.normalise(raw.get("gateway_tunnels") or [])
            own = _credentials(raw)
            servers = _roadwarriors.normalise(raw.get("gateway_roadwarriors") or [], own)
            wrong = [*_auth.missing(tunnels, own), *_roadwarriors.clashes(tunnels, servers)]
        except InputErrors as exc:
            wrong = exc.errors
        errors += [_of_host(f"{name}: ", error) for error in wrong]
    return found, errors


def _strangers(name: str, raw: Variables, everybody: t.Collection[str]) -> t.Iterator[InputError]:
    """Tunnels to a peer that is no host of the inventory: its public key would never come, and they never load."""
    tunnels = raw.get("gateway_tunnels")
    for index, tunnel in enumerate(tunnels if isinstance(tunnels, list) else ()):
        peer = tunnel.get("peer") if isinstance(tunnel, dict) else None
        if isinstance(peer, str) and peer not in everybody:
            item = f"{name}: gateway_tunnels[{index}] ({tunnel.get('name')})"
            meant = _shapes.did_you_mean(peer, everybody, 0.6)
            reason = f"is no host of the inventory; {meant}For a peer that Ansible does not manage give its remote_key"
            yield InputError(item, "peer", peer, reason)


def _credentials(raw: Variables) -> _auth.Credentials:
    own = raw.get("gateway_certificates")
    alone = own[0] if isinstance(own, list) and len(own) == 1 else None
    nickname = str(alone.get("name", "")) if isinstance(alone, dict) else ""
    master, epoch = str(raw.get("gateway_psk_master") or ""), str(raw.get("gateway_psk_epoch", 1))
    return _auth.Credentials(psk_master=master, psk_epoch=epoch, certificate=nickname)


def _of_host(before: str, error: InputError) -> InputError:
    """The same with the host in front."""
    result = InputError(f"{before}{error.item}", error.option, "", error.reason)
    result.args = (f"{before}{error}",)
    return result


def _beside_links(links: _links.Links, name: str, tunnels: t.Sequence[_tunnels.Tunnel]) -> list[InputError]:
    """What a hand-written tunnel of a site has that one of its links needs."""
    site = links.by_name.get(name)
    if not site:
        return []
    peers = {peer.id: peer for peer in links.peers(site)}
    devices = {f"vti{number}": peer for number, peer in peers.items()}
    names = {_links.link(site, peer).name: peer for peer in peers.values()}
    ends = {(site.local, peer.address): peer for peer in peers.values()}
    errors = []
    for index, tunnel in enumerate(tunnels):
        marks = {tunnel[side].value & tunnel[side].mask for side in ("mark_in", "mark_out")}
        mark = next((number for number in sorted(marks) if number in peers), 0)
        clashes = (
            ("mark", mark, peers.get(mark)),
            ("interface", tunnel["interface"], devices.get(tunnel["interface"])),
            ("name", tunnel["name"], names.get(tunnel["name"])),
            ("remote", str(tunnel["remote"]), ends.get((str(tunnel["local"]), str(tunnel["remote"])))),
        )
        label = f"{name}: gateway_tunnels[{index}] ({tunnel['name']!r})"
        for option, value, peer in clashes:
            if peer:
                reason = f"is that of the link to site {peer.id} ({peer.name}); choose one that no site id gives"
                errors.append(InputError(label, option, value, reason))
    return errors


def _ways(links: _links.Links, name: str, raw: Variables, tunnels: t.Sequence[_tunnels.Tunnel]) -> list[InputError]:
    """What is wrong with the routes and rules that a host has beside its tunnels, and which of its routes one of its
    links has, too."""
    errors: list[InputError] = []
    read: dict[str, t.Sequence[t.Any]] = {}
    for option, parse in WAYS.items():
        try:
            read[option] = parse(raw.get(option) or ())
        except InputErrors as exc:
            errors += [_of_host(f"{name}: gateway_", error) for error in exc.errors]
        except (AttributeError, KeyError, TypeError) as exc:
            errors.append(InputError(name, option, raw[option], f"is no list that vti_route takes: {exc!r}"))
    found = [
        (f"gateway_tunnels[{index}] ({tunnel['name']!r})", f"routes[{number}]", route)
        for index, tunnel in enumerate(tunnels)
        for number, route in enumerate(tunnel["routes"])
        if not tunnel.get("metric")
    ]
    for entry in read.get("gateway_routes", ()):
        if entry.present and (entry.route.table, entry.route.metric) == (_routes.TABLE_MAIN, 0):
            found.append((f"gateway_{entry.item}", "destination", entry.route.destination))
    site = links.by_name.get(name)
    led = links.ways(site) if site and found else {}
    for item, option, route in found:
        if route in led:
            reason = f"is where the link to site {led[route].id} ({led[route].name}) leads already"
            errors.append(InputError(f"{name}: {item}", option, route, reason))
    return errors


def _pairs(
    hosts: Hosts, tunnels: t.Mapping[str, t.Sequence[_tunnels.Tunnel]]
) -> tuple[list[tuple[str, str, str, str]], list[InputError]]:
    """Two hosts of the inventory with hand-written tunnels to each other: which ones, and what of them does not fit
    together. They are told by their outer addresses or, as those differ behind NAT, by their ids."""
    found: list[tuple[str, str, str, str]] = []
    errors: list[InputError] = []
    seen: dict[tuple[str, str, str], tuple[str, int, _tunnels.Tunnel]] = {}
    for name, own in tunnels.items():
        for index, tunnel in enumerate(own):
            ends = {(kind, str(tunnel[a]), str(tunnel[b])) for kind, a, b in ENDS}
            peer = next((seen[kind, b, a] for kind, a, b in sorted(ends) if (kind, b, a) in seen), None)
            if peer and peer[0] != name:
                found.append((name, tunnel["name"], peer[0], peer[2]["name"]))
                label = f"{name}: gateway_tunnels[{index}] ({tunnel['name']!r})"
                where = f"gateway_tunnels[{peer[1]}] of {peer[0]}, the other end,"
                wrong = _differences(_end(hosts[name], tunnel), _end(hosts[peer[0]], peer[2]))
                errors += [InputError(label, option, value, f"{where} {why}") for option, value, why in wrong]
            for key in ends:
                seen.setdefault(key, (name, index, tunnel))
    return found, errors


def _end(raw: Variables, tunnel: _tunnels.Tunnel) -> dict[str, t.Any]:
    """One end of a tunnel with all that its host says; of secrets a digest."""
    end = dict(tunnel)
    for word in ("ike", "esp"):
        end[word] = tunnel[word] or str(raw.get(f"gateway_{word}", AGREED[f"gateway_{word}"]))
    secret = tunnel.get("psk") or f"{raw.get('gateway_psk_master')} {raw.get('gateway_psk_epoch', 1)}"
    end["secret"] = hashlib.sha256(str(secret).encode()).hexdigest() if tunnel["auth"] == _auth.PSK else ""
    return end


def _differences(own: _tunnels.Tunnel, peer: _tunnels.Tunnel) -> list[tuple[str, t.Any, str]]:
    found: list[tuple[str, t.Any, str]] = []
    for option, other in (("local_id", "remote_id"), ("remote_id", "local_id")):
        if own["auth"] != _auth.CERTIFICATE and own[option] != peer[other]:
            found.append((option, own[option], f"has {other}={peer[other]!r}"))
    for option in ("auth", "ike", "esp"):
        if own[option] != peer[option]:
            found.append((option, own[option], f"has {option}={peer[option]!r}"))
    if own["secret"] != peer["secret"]:
        found.append(("psk", "...", "has another one"))
    found += _inner_differences(own, peer)
    if {own["auto"], peer["auto"]} <= {"add", "ignore"}:
        found.append(("auto", own["auto"], f"has auto={peer['auto']!r}: neither of them calls"))
    return found


def _inner_differences(own: _tunnels.Tunnel, peer: _tunnels.Tunnel) -> list[tuple[str, t.Any, str]]:
    """What of the inner addresses of two ends does not fit: the same one at both, a peer that the other end has not, or
    networks that have nothing in common."""
    found: list[tuple[str, t.Any, str]] = []
    mine, theirs = (
        [(ipaddress.ip_interface(x["address"]), x.get("peer")) for x in _tunnels.inner_addresses(end)]
        for end in (own, peer)
    )
    addresses = {str(entry.ip) for entry, _peer in theirs}
    networks = {entry.network for entry, far in theirs if not far}
    for entry, far in mine:
        if str(entry.ip) in addresses:
            found.append(("addresses", str(entry), "has the same inner address; give each end one of its own"))
        elif far and addresses and far not in addresses:
            found.append(("addresses", str(entry), f"has not its peer={far}, but {', '.join(sorted(addresses))}"))
        elif not far and networks and entry.network not in networks and entry.version in {n.version for n in networks}:
            shown = ", ".join(sorted(map(str, networks)))
            found.append(("addresses", str(entry), f"has no address in {entry.network}, but in {shown}"))
    return found

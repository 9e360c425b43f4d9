# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""BGP sessions over tunnels: what a user may ask for, and what the template of FRR's configuration takes. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _values
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, InputErrors
from ansible_collections.route_based.vpn.plugins.plugin_utils import _shapes, _text

if t.TYPE_CHECKING:
    from ansible_collections.route_based.vpn.plugins.plugin_utils._tunnels import Item, Tunnel

# What says nothing of routing.
STOCK = re.compile(
    r"(log syslog|hostname|frr version|frr defaults|service integrated-vtysh-config|no ipv6 forw)\b.*|end|exit"
)
AS_MAX = 4294967295
# More than a site or a company network has, and few enough that neither memory nor the kernel's tables suffer.
PREFIX_MAX_DEFAULT = 1000
# What FRR writes and reads back unchanged. The kernel takes 80 bytes (TCP_MD5SIG_MAXKEYLEN).
PASSWORD = re.compile(r"[!-~]{8,80}")
# Each option of a tunnel's bgp: its type, its default, and for numbers what they may be.
OPTIONS: dict[str, tuple[type, t.Any, t.Optional[tuple[int, int]]]] = {
    "remote_as": (int, None, (1, AS_MAX)),
    "neighbor": (str, None, None),
    "local_as": (int, None, (1, AS_MAX)),
    "hold_time": (int, 30, (3, 65535)),
    "keepalive": (int, None, (1, 65535)),
    "bfd": (bool, False, None),
    "bfd_interval": (int, 300, (10, 60000)),
    "bfd_multiplier": (int, 3, (2, 255)),
    "local_preference": (int, 100, (0, _values.U32_MAX)),
    "med": (int, None, (0, _values.U32_MAX)),
    "prepend": (int, 0, (0, 10)),
    "advertise": (list, None, None),
    "maximum_prefix": (int, PREFIX_MAX_DEFAULT, (1, _values.U32_MAX)),
    "password": (str, "", None),
    "ttl_security": (bool, False, None),
}


def checked(item: Item, raw: Tunnel, tunnel: Tunnel) -> t.Optional[dict[str, t.Any]]:
    """The C(bgp) of a tunnel with its defaults, None where it has none. What is refused goes to the item."""
    if "bgp" not in raw:
        return None
    before = len(item.errors)
    session = {option: _value(item, option, raw["bgp"]) for option in OPTIONS}
    for option in raw["bgp"]:
        if option not in OPTIONS:
            item.refuse(f"bgp.{option}", "...", f"is not an option here; these are: {', '.join(OPTIONS)}")
    if session["remote_as"] is None and len(item.errors) == before:
        item.refuse("bgp.remote_as", None, "is required: the AS number of the peer")
    for option in ("failover", "metric"):
        if raw.get(option):
            item.refuse(option, raw[option], "is for static routes; with bgp the routes come and go with the session")
    if not tunnel["routes"]:
        item.refuse(
            "routes",
            tunnel["routes"],
            "is empty: with bgp it says what is accepted from the peer, and what never leaves in the clear",
        )
    # Of the tunnel, too: its addresses may be none.
    if item.errors:
        return None
    session["neighbor"] = _neighbor(item, session["neighbor"], tunnel["addresses"])
    session["keepalive"] = session["keepalive"] or max(1, session["hold_time"] // 3)
    if session["keepalive"] * 2 > session["hold_time"]:
        item.refuse("bgp.keepalive", session["keepalive"], f"leaves no time in hold_time={session['hold_time']}")
    _check_families(item, session, tunnel)
    return session


def _value(item: Item, option: str, raw: dict[str, t.Any]) -> t.Any:
    kind, default, limits = OPTIONS[option]
    value = raw.get(option)
    if value is None:
        return default
    if not _shapes.is_a(value, kind):
        secret = option == "password"
        item.refuse(f"bgp.{option}", _shapes.shown(value, secret), _shapes.reason(value, kind, secret))
    elif limits and not limits[0] <= value <= limits[1]:
        item.refuse(f"bgp.{option}", value, f"is out of range: {limits[0]} to {limits[1]}")
    elif option == "password" and not PASSWORD.fullmatch(value):
        item.refuse(
            "bgp.password", "...", "must be 8 to 80 printable ASCII characters without blanks; choose another one"
        )
    elif option == "advertise":
        where = f"bgp.{option}"
        return [item.check(f"{where}[{number}]", str(entry), _values.network) for number, entry in enumerate(value)]
    return value


def _neighbor(item: Item, value: t.Optional[str], addresses: t.Sequence[dict[str, str]]) -> str:
    """The inner address of the other end: as it is given, or the one that the device's address leaves no doubt of."""
    if value is not None:
        return str(item.check("bgp.neighbor", value, _values.address) or "")
    for entry in addresses:
        if "peer" in entry:
            return entry["peer"]
        own = ipaddress.ip_interface(entry["address"])
        others = [host for host in _hosts(own.network) if host != own.ip]
        if len(others) == 1:
            return str(others[0])
    item.refuse("bgp.neighbor", None, "is required, as no entry of addresses is a /30, a /31 or has a peer")
    return ""


def _hosts(network: t.Any) -> list[t.Any]:
    return list(network.hosts()) if network.num_addresses <= 4 else []


def _check_families(item: Item, session: dict[str, t.Any], tunnel: Tunnel) -> None:
    if not session["neighbor"]:
        return
    family = _values.family(session["neighbor"])
    lists = [("routes", tunnel["routes"]), ("bgp.advertise", session["advertise"] or [])]
    for option, networks in lists:
        for number, network in enumerate(networks):
            if network and _values.family(network) != family:
                reason = f"is not of the family of bgp.neighbor={session['neighbor']}, whose session carries no other"
                item.refuse(f"{option}[{number}]", network, reason)


def parts(tunnels: t.Sequence[Tunnel], settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the template of frr.conf takes, empty where no tunnel has BGP. C(settings) are the host's C(asn),
    C(router_id), C(networks), C(maximum_paths) and C(config). Raises InputErrors."""
    found = [tunnel for tunnel in tunnels if tunnel["bgp"]]
    if not found:
        return {}
    errors: list[InputError] = []
    asn = _own_as(found, _number(settings.get("asn")), errors)
    networks = _networks(settings.get("networks") or [], errors)
    paths = _number(settings.get("maximum_paths", 1))
    if not _shapes.is_a(paths, int) or not 1 <= paths <= 64:
        errors.append(InputError("bgp", "gateway_bgp_maximum_paths", paths, "is out of range: 1 to 64"))
    router_id = settings.get("router_id") or _router_id(found)
    try:
        ipaddress.IPv4Address(router_id)
    except ValueError:
        reason = "is no IPv4 address: say gateway_bgp_router_id, an IPv4 address that no other router has"
        errors.append(InputError("bgp", "gateway_bgp_router_id", router_id, reason))
    neighbors = [_session(tunnel, asn, networks) for tunnel in found]
    config = [str(line) for line in settings.get("config") or []]
    errors += [*_twice(neighbors), *_ttl_problems(neighbors, config)]
    if errors:
        raise InputErrors(errors)
    return {
        "asn": asn,
        "router_id": router_id,
        "maximum_paths": paths,
        "config": config,
        "neighbors": neighbors,
        "networks": _merged([neighbor["advertise"] for neighbor in neighbors]),
    }


def _number(value: t.Any) -> t.Any:
    """A number also where a template of ansible-core 2.17 made a text of it, and None where it made an empty one."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() else value or None
    return value


def _router_id(tunnels: t.Sequence[Tunnel]) -> str:
    """The first IPv4 address that the host has of its own in these tunnels; empty where it has none."""
    for tunnel in tunnels:
        inner = [entry["address"].partition("/")[0] for entry in tunnel["addresses"]]
        for address in map(str, [tunnel["local"], *inner]):
            if _values.family(address) == 4:
                return address
    return ""


def _own_as(tunnels: t.Sequence[Tunnel], asn: t.Any, errors: list[InputError]) -> int:
    if asn is not None:
        if not _shapes.is_a(asn, int) or not 1 <= asn <= AS_MAX:
            errors.append(InputError("bgp", "gateway_bgp_asn", asn, f"is no AS number: 1 to {AS_MAX}"))
            return 0
        return int(asn)
    own = sorted({tunnel["bgp"]["local_as"] for tunnel in tunnels if tunnel["bgp"]["local_as"]})
    if len(own) == 1:
        return int(own[0])
    known = f"the tunnels name {', '.join(map(str, own))}" if own else "no tunnel names a local_as"
    errors.append(InputError("bgp", "gateway_bgp_asn", None, f"is required, as {known}: the AS number of this host"))
    return 0


def _networks(values: t.Sequence[t.Any], errors: list[InputError]) -> list[str]:
    networks = []
    for number, value in enumerate(values):
        try:
            networks.append(_values.network(str(value)))
        except ValueError as exc:
            errors.append(InputError("bgp", f"gateway_bgp_networks[{number}]", value, str(exc)))
    return networks


def _session(tunnel: Tunnel, asn: int, networks: t.Sequence[str]) -> dict[str, t.Any]:
    """One neighbour, as the template writes it: with what it may tell, and what is taken from it."""
    session = dict(tunnel["bgp"])
    family = _values.family(session["neighbor"])
    advertise = session["advertise"] if session["advertise"] is not None else networks
    session.update(
        name=tunnel["name"],
        interface=tunnel["interface"],
        family=family,
        local_as=session["local_as"] if session["local_as"] not in (None, asn) else 0,
        own_as=session["local_as"] or asn,
        accept=tunnel["routes"],
        advertise=[network for network in advertise if _values.family(network) == family],
    )
    return session


def _twice(neighbors: t.Sequence[dict[str, t.Any]]) -> t.Iterator[InputError]:
    seen: dict[str, str] = {}
    for neighbor in neighbors:
        first = seen.setdefault(neighbor["neighbor"], neighbor["name"])
        if first != neighbor["name"]:
            reason = f"is the neighbor of tunnel {first!r} already; a BGP session is known by this address"
            yield InputError(f"tunnel {neighbor['name']!r}", "bgp.neighbor", neighbor["neighbor"], reason)


def _ttl_problems(neighbors: t.Sequence[dict[str, t.Any]], config: t.Sequence[str]) -> t.Iterator[InputError]:
    """FRR takes ttl-security for a peer in another AS that is one hop away."""
    for neighbor in neighbors:
        if not neighbor["ttl_security"]:
            continue
        label, option = f"tunnel {neighbor['name']!r}", "bgp.ttl_security"
        if neighbor["remote_as"] == neighbor["own_as"]:
            reason = f"must not be set for a peer of the same AS ({neighbor['own_as']}); leave it out"
            yield InputError(label, option, True, reason)
        words = ["neighbor", neighbor["neighbor"], "ebgp-multihop"]
        if any(line.split()[:3] == words for line in config):
            reason = "contradicts ebgp-multihop in gateway_bgp_config; remove one of the two"
            yield InputError(label, option, True, reason)


def _merged(lists: t.Iterable[t.Sequence[str]]) -> dict[str, list[str]]:
    """All that any neighbour is told, in the order of the lists, by family."""
    every = dict.fromkeys(network for networks in lists for network in networks)
    return {f"ipv{family}": [network for network in every if _values.family(network) == family] for family in (4, 6)}


def problems(summary: str, sessions: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """What is wrong with sessions that ought to be established, for people. C(summary) is what C(vtysh -c 'show bgp
    summary json') printed, C(sessions) the C(neighbors) of parts(). The host may print anything."""
    try:
        told = json.loads(summary or "{}")
        families = [family or {} for family in told.values()]
        peers = {address: peer for family in families for address, peer in family.get("peers", {}).items()}
        states = {address: str(peer.get("state")) for address, peer in peers.items()}
    except (AttributeError, ValueError, RecursionError):
        return [f"FRR does not tell its sessions: {_text.one_line(summary, 200)}"]
    found = []
    for session in sessions:
        label = f"{session['name']}: BGP session with {session['neighbor']}"
        if session["neighbor"] not in states:
            found.append(f"{label} is not known to FRR; is bgpd running?")
        elif "PfxCt" in states[session["neighbor"]]:
            limit = f"bgp.maximum_prefix={session.get('maximum_prefix')}"
            found.append(f"{label} is closed, as the peer sent more prefixes than {limit}; raise it, or ask the peer")
        elif states[session["neighbor"]] != "Established":
            found.append(f"{label} is {_text.one_line(states[session['neighbor']], 40)}, not established")
    return found


def foreign(conf: str, mark: str) -> list[str]:
    """The lines of an frr.conf that somebody else wrote: none where the file is the role's own (it has C(mark)), or
    what Debian's package brings."""
    lines = [line.strip() for line in conf.splitlines()]
    if any(mark in line for line in lines):
        return []
    found = [line for line in lines if line and not line.startswith(("!", "#")) and not STOCK.fullmatch(line)]
    # The lines are shown to people.
    return [_text.one_line(re.sub(r"\b(password|key|key-string|md5)(( \d)? )\S.*", r"\1\2...", line)) for line in found]

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""From the tunnels of a host, as a user writes them, to what the modules and templates take. Pure functions over
values; only the standard library is used."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _ipsec_conf, _routes, _values, _versions
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, InputErrors
from ansible_collections.route_based.vpn.plugins.plugin_utils import (
    _auth,
    _bgp,
    _conn_words,
    _firewall,
    _presets,
    _shapes,
)

Tunnel = dict[str, t.Any]

# Each option of a tunnel and its type.
OPTIONS: dict[str, t.Any] = {
    "name": str,
    "preset": str,
    "local": str,
    "remote": str,
    "local_id": str,
    "remote_id": str,
    "mark": (str, int),
    "mark_in": (str, int),
    "mark_out": (str, int),
    "interface": str,
    "addresses": list,
    "unnumbered": dict,
    "mtu": int,
    "routes": list,
    "metric": int,
    "failover": bool,
    "guard": bool,
    "bgp": dict,
    "auth": str,
    "psk": str,
    "peer": str,
    "remote_key": dict,
    "certificate": str,
    "auto": str,
    "ike": str,
    "esp": str,
    "dpd_delay": int,
    "dpd_timeout": int,
    "firewall": list,
    "options": dict,
}
REQUIRED = ("name", "local", "remote")
# Whose values are in no message.
SECRET = ("psk",)
# Holds the addresses that unnumbered tunnels use.
INNER_DEVICE = "vpn-inner"
AUTO = ("start", "ondemand", "add", "ignore")
# Keywords that the tunnel's own options decide; a second way to say them would only hide a contradiction.
MANAGED = frozenset(
    "left right leftid rightid leftsubnet rightsubnet leftcert leftckaid leftrsasigkey leftecdsakey rightrsasigkey "
    "rightecdsakey authby leftauth rightauth auto ike esp ikev2 keyexchange type mark mark-in mark-out "
    "vti-interface vti-routing vti-shared leftvti rightvti leftupdown ipsec-interface also alsoflip".split()
)
# What says it instead, and why nothing does.
INSTEAD = {
    **{"left": "local", "right": "remote", "leftid": "local_id", "rightid": "remote_id", "auto": "auto", "ike": "ike"},
    **{"esp": "esp", "mark": "mark", "mark-in": "mark_in", "mark-out": "mark_out", "vti-interface": "interface"},
    **{"leftvti": "addresses", "leftcert": "certificate", "authby": "auth", "leftauth": "auth", "rightauth": "auth"},
    **{"rightrsasigkey": "remote_key", "rightecdsakey": "remote_key"},
}
WHY_NOT = {
    **dict.fromkeys(
        ("leftsubnet", "rightsubnet"),
        "both selectors are all addresses, as a peer for a route-based tunnel has them; what goes through the tunnel "
        "is said by routes, and what may by firewall",
    ),
    **dict.fromkeys(
        ("leftupdown", "vti-routing", "vti-shared"),
        "the hook of this collection has that part; commands of your own go into /etc/route_based_vpn/updown.d",
    ),
}
KEYWORD = re.compile(r"[a-z][a-z0-9-]{1,30}")
BLANK = re.compile(r"\s|#")
PROPOSAL = re.compile(r"[A-Za-z0-9_;,+=-]{1,200}")


@dataclasses.dataclass(frozen=True)
class Host:
    """What holds for all conns of a host: version of its libreswan, path of the hook, proposals of tunnels that name
    none, dead peer detection (seconds between two probes, and until the peer counts as gone), and what it proves
    itself with."""

    version: _versions.Version
    updown: str
    ike: str
    esp: str
    dpd_delay: int = 0
    dpd_timeout: int = 60
    credentials: _auth.Credentials = dataclasses.field(default_factory=_auth.Credentials)


class Item:
    """Collects the errors of one tunnel, so that a user sees them all at once."""

    def __init__(self, variable: str, index: int, raw: t.Any) -> None:
        name = raw.get("name") if isinstance(raw, dict) else None
        self.label = f"{variable}[{index}]" + (f" ({name!r})" if name else "")
        self.errors: list[InputError] = []

    def refuse(self, option: str, value: object, reason: str) -> None:
        """Notes one more refused value."""
        self.errors.append(InputError(self.label, option, value, reason))

    def check(self, option: str, value: t.Any, function: t.Callable[[t.Any], t.Any]) -> t.Any:
        """The canonical value, or None when it was refused."""
        try:
            return function(value)
        except ValueError as exc:
            self.refuse(option, value, str(exc))
            return None


def normalise(raw_tunnels: t.Any) -> list[Tunnel]:
    """Every option of every tunnel checked, canonical and with its default. Raises InputErrors with all that is wrong;
    no message holds a secret."""
    if not isinstance(raw_tunnels, list):
        raise InputErrors([InputError("gateway_tunnels", "", raw_tunnels, "is not a list of tunnels")])
    tunnels, errors = [], []
    for index, raw in enumerate(raw_tunnels):
        item = Item("gateway_tunnels", index, raw)
        tunnels.append(_normalise_one(item, raw))
        errors += item.errors
    errors = errors or _duplicates(t.cast("list[Tunnel]", tunnels))
    if errors:
        raise InputErrors(errors)
    return t.cast("list[Tunnel]", tunnels)


def _normalise_one(item: Item, raw: t.Any) -> t.Optional[Tunnel]:
    if not well_formed(item, raw, OPTIONS, REQUIRED):
        return None
    raw = _with_preset(item, raw)
    tunnel: Tunnel = {
        "name": item.check("name", raw["name"], _values.conn_name),
        "local": item.check("local", raw["local"], _values.address),
        "remote": item.check("remote", raw["remote"], _remote),
        "addresses": addresses(item, raw.get("addresses", [])),
        "unnumbered": _unnumbered(item, raw),
        "routes": [
            item.check(f"routes[{n}]", str(value), _values.network) for n, value in enumerate(raw.get("routes", []))
        ],
        "metric": raw.get("metric", 0),
        "failover": raw.get("failover", False),
        "guard": raw.get("guard", True),
        "dpd_delay": raw.get("dpd_delay"),
        "dpd_timeout": raw.get("dpd_timeout"),
        "auto": raw.get("auto", "start"),
        "ike": raw.get("ike"),
        "esp": raw.get("esp"),
        "mtu": raw.get("mtu", 1400),
        "firewall": raw.get("firewall", []),
        "options": options(item, raw.get("options", {}), MANAGED),
    }
    tunnel.update(_marks(item, raw))
    default_name = f"vti{tunnel['mark_out'].value}" if tunnel["mark_out"] else "vti"
    tunnel["interface"] = item.check("interface", raw.get("interface", default_name), _values.interface_name)
    for side in ("local", "remote"):
        identity = raw[f"{side}_id"] if f"{side}_id" in raw else str(tunnel[side] or "")
        tunnel[f"{side}_id"] = item.check(f"{side}_id", identity, _auth.identity) if tunnel[side] else None
    tunnel.update(_auth.checked(item, raw, tunnel))
    if tunnel["auto"] not in AUTO:
        item.refuse("auto", tunnel["auto"], f"is none of {', '.join(AUTO)}")
    check_words(item, tunnel)
    _check_ends(item, tunnel)
    _check_numbers(item, tunnel)
    tunnel["bgp"] = _bgp.checked(item, raw, tunnel)
    return tunnel


def _remote(value: str) -> t.Any:
    """The peer's address; ValueError with what is there for peers that have none of their own."""
    if str(value).lower() in ("%any", "%any6", "any", "0.0.0.0", "::", "0.0.0.0/0", "::/0"):
        raise ValueError(
            "is no address of a peer; for clients that come from anywhere, with certificates, there is "
            "gateway_roadwarriors"
        )
    return _values.address(value)


def _with_preset(item: Item, raw: Tunnel) -> Tunnel:
    """The tunnel, with what its preset says where the user says nothing."""
    if "preset" not in raw:
        return raw
    try:
        filled = _presets.filled(raw)
    except ValueError as exc:
        item.refuse("preset", raw["preset"], str(exc))
        return raw
    for option, value, reason in _presets.problems(filled, raw["preset"]):
        item.refuse(option, value, reason)
    return filled


def _check_numbers(item: Item, tunnel: Tunnel) -> None:
    limits = (("metric", 0, _routes.GUARD_METRIC - 1), ("dpd_delay", 0, 3600), ("dpd_timeout", 1, 3600))
    for option, low, high in limits:
        if tunnel[option] is not None and not low <= tunnel[option] <= high:
            item.refuse(option, tunnel[option], f"is out of range: {low} to {high}")
    if tunnel["failover"] and not tunnel["routes"]:
        item.refuse("failover", True, "has no routes that could come and go with the tunnel")


def well_formed(item: Item, raw: t.Any, options: t.Mapping[str, t.Any], required: t.Sequence[str]) -> bool:
    """Whether an entry has what is required, nothing unknown, and the right types; what it has not goes to the item."""
    if not isinstance(raw, dict):
        item.refuse("", raw, f"is not a dict: write {', '.join(required)} and so on")
        return False
    for option, value in raw.items():
        if option not in options:
            item.refuse(str(option), "...", f"is not an option here; these are: {', '.join(options)}")
        elif not _shapes.is_a(value, options[option]):
            secret = option in SECRET
            item.refuse(option, _shapes.shown(value, secret), _shapes.reason(value, options[option], secret))
    for option in required:
        if option not in raw:
            item.refuse(option, None, "is required")
    return not item.errors


def _marks(item: Item, raw: Tunnel) -> Tunnel:
    # mark= serves both directions: checked once, so that a bad one is one message.
    shared = item.check("mark", raw["mark"], _values.mark) if "mark" in raw else None
    marks: Tunnel = {}
    for option in ("mark_in", "mark_out"):
        if option in raw:
            marks[option] = item.check(option, raw[option], _values.mark)
        else:
            marks[option] = shared
            if "mark" not in raw:
                item.refuse(option, None, "is missing: write mark=, or both mark_in= and mark_out=")
    return marks


def addresses(item: Item, values: list[t.Any]) -> list[dict[str, str]]:
    """Inner addresses, each C(address) and, where it has one, C(peer)."""
    found = []
    for number, value in enumerate(values):
        where = f"addresses[{number}]"
        entry = {"address": value} if isinstance(value, str) else value
        if not isinstance(entry, dict) or not {"address"} <= set(entry) <= {"address", "peer"}:
            item.refuse(where, value, "is neither an address like 10.0.1.1/24 nor a dict of address and peer")
            continue
        good = {"address": item.check(where, str(entry["address"]), _values.interface_address)}
        if "peer" in entry:
            good["peer"] = str(item.check(where, entry["peer"], _values.address))
        found.append(good)
    return found


def _unnumbered(item: Item, raw: Tunnel) -> t.Optional[dict[str, str]]:
    """The address that the tunnel uses, which stands once on the host, and its peer's; None for a tunnel with addresses
    of its own, or none at all."""
    given = raw.get("unnumbered")
    if given is None:
        return None
    if set(given) != {"address", "peer"}:
        item.refuse("unnumbered", given, "is no dict of address and peer")
        return None
    parsed = [item.check(f"unnumbered.{option}", str(given[option]), _values.address) for option in ("address", "peer")]
    if raw.get("addresses"):
        item.refuse("addresses", raw["addresses"], "has no place at a tunnel that is unnumbered")
    if raw.get("bgp"):
        item.refuse("bgp", "...", "needs an address on the device: give addresses instead of unnumbered")
    if None in parsed:
        return None
    if parsed[0].version != parsed[1].version or parsed[0] == parsed[1]:
        item.refuse("unnumbered.peer", given["peer"], f"is no other address of the family of {parsed[0]}")
    return {"address": str(parsed[0]), "peer": str(parsed[1])}


def inner_addresses(tunnel: Tunnel) -> list[dict[str, str]]:
    """The addresses that a tunnel has or uses, each C(address) with a prefix length and, where it has one, C(peer)."""
    loan = tunnel["unnumbered"]
    return [{"address": _alone(loan["address"]), "peer": loan["peer"]}] if loan else tunnel["addresses"]


def options(
    item: Item, more: dict[t.Any, t.Any], managed: t.Collection[str], instead: t.Optional[str] = None
) -> dict[str, str]:
    """Further keywords of libreswan and their values; those that are managed have options of their own."""
    good = {}
    for key, value in more.items():
        keyword = str(key).replace("_", "-")
        text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        where = f"options.{keyword}"
        if not KEYWORD.fullmatch(keyword):
            item.refuse(where, text, "is not the name of a libreswan keyword")
        elif keyword in managed:
            item.refuse(where, text, f"is no option here: {instead or _instead(keyword)}")
        elif mistake := _conn_words.reason(keyword):
            item.refuse(where, text, mistake)
        elif '"' in text or not text or not text.isascii():
            item.refuse(where, text, "a value of ipsec.conf is ASCII text without a double quote, and not empty")
        else:
            good[keyword] = item.check(where, text, _values.plain_text)
    return good


def _instead(keyword: str) -> str:
    """What to write in the place of a keyword that is managed."""
    own = INSTEAD.get(keyword)
    if own:
        return f"write {own}, an option of the tunnel itself"
    return WHY_NOT.get(keyword, "this collection sets it to what a tunnel with a device of its own needs")


def check_words(item: Item, tunnel: Tunnel) -> None:
    """Proposals, MTU and firewall rules, which tunnels and servers of roadwarriors have alike."""
    for option in ("ike", "esp"):
        if tunnel[option] is not None and not PROPOSAL.fullmatch(tunnel[option]):
            item.refuse(option, tunnel[option], "is not a libreswan proposal like aes_gcm256-sha2_512;dh19")
    if not 68 <= tunnel["mtu"] <= 65515:
        item.refuse("mtu", tunnel["mtu"], "is out of range: 68 to 65515 bytes")
    for number, rule in enumerate(tunnel["firewall"]):
        item.check(f"firewall[{number}]", rule, _firewall.rule)


def _check_ends(item: Item, tunnel: Tunnel) -> None:
    local, remote = tunnel["local"], tunnel["remote"]
    if local is None or remote is None:
        return
    if local.version != remote.version:
        item.refuse("remote", str(remote), f"is not of the same address family as local={local}")
    if local == remote:
        item.refuse("remote", str(remote), "is the local address too")
    for number, route in enumerate(tunnel["routes"]):
        if route is None:
            continue
        if route.endswith("/0"):
            item.refuse(
                f"routes[{number}]",
                route,
                "would send the tunnel's own packets into the tunnel; name the networks, or write this one to "
                "gateway_routes, with a table of its own, and to gateway_rules what is to be looked up in that table",
            )


# What no two tunnels of a host may share: the option that is named, its value, and why.
UNIQUE: tuple[tuple[str, t.Callable[[Tunnel], str], str], ...] = (
    ("name", lambda x: x["name"], ""),
    ("interface", lambda x: x["interface"], ""),
    ("unnumbered.peer", lambda x: (x["unnumbered"] or {}).get("peer") or x["name"], ""),
    (
        "remote",
        lambda x: f"{x['remote']} (from {x['local']})",
        "; the kernel keeps one VTI for a pair of addresses, whatever its key. Write the routes of both to one of "
        "them, or give one another local address",
    ),
    (
        "mark",
        lambda x: f"{x['mark_in'].value & x['mark_in'].mask} in, {x['mark_out'].value & x['mark_out'].mask} out",
        "; only the mark tells apart tunnels that each carry everything",
    ),
)


def _duplicates(tunnels: t.Sequence[Tunnel]) -> list[InputError]:
    errors = []
    for option, value_of, why in UNIQUE:
        seen: dict[str, int] = {}
        for index, tunnel in enumerate(tunnels):
            value = value_of(tunnel)
            first = seen.setdefault(value, index)
            if first != index:
                label = f"gateway_tunnels[{index}] ({tunnel['name']!r})"
                errors.append(InputError(label, option, value, f"gateway_tunnels[{first}] has it already{why}"))
    return [*errors, *_same_routes(tunnels), *_overlaps(tunnels), *_auth.different_secrets(tunnels)]


def _same_routes(tunnels: t.Sequence[Tunnel]) -> t.Iterator[InputError]:
    """Two tunnels may lead to one network, where the kernel can tell their routes apart."""
    seen: dict[tuple[str, int], int] = {}
    for index, tunnel in enumerate(tunnels):
        for number, route in enumerate(tunnel["routes"] if not tunnel["bgp"] else []):
            first = seen.setdefault((route, tunnel["metric"]), index)
            if first != index:
                label = f"gateway_tunnels[{index}] ({tunnel['name']!r})"
                reason = (
                    f"gateway_tunnels[{first}] has it already with the same metric; for one that takes over from the "
                    "other, say failover: true at both, and a higher metric at this one"
                )
                yield InputError(label, f"routes[{number}]", route, reason)


def _overlaps(tunnels: t.Sequence[Tunnel]) -> t.Iterator[InputError]:
    """The kernel has one route to the peers of two devices whose inner networks overlap."""
    inner = sorted(
        (network.version, int(network.network_address), index, number, network)
        for index, tunnel in enumerate(tunnels)
        for number, entry in enumerate(tunnel["addresses"])
        if "peer" not in entry
        for network in [ipaddress.ip_interface(entry["address"]).network]
        if network.num_addresses > 1
    )
    widest: tuple[t.Any, int] = (None, -1)
    for version, _start, index, number, network in inner:
        wide, first = widest
        if wide is not None and wide.version == version and wide.overlaps(network) and first != index:
            label = f"gateway_tunnels[{index}] ({tunnels[index]['name']!r})"
            address = tunnels[index]["addresses"][number]["address"]
            reason = f"overlaps with {wide} of gateway_tunnels[{first}]; each device needs a network of its own"
            yield InputError(label, f"addresses[{number}]", address, reason)
        if wide is None or wide.version != version or network.broadcast_address > wide.broadcast_address:
            widest = (network, index)


def devices(tunnels: t.Sequence[Tunnel]) -> list[dict[str, t.Any]]:
    """The C(tunnels) of vti_tunnel. The addresses that unnumbered tunnels use stand on a device of their own."""
    lent = dict.fromkeys(tunnel["unnumbered"]["address"] for tunnel in tunnels if tunnel["unnumbered"])
    holders = (
        [{"name": INNER_DEVICE, "kind": "dummy", "addresses": [{"address": _alone(a)} for a in lent]}] if lent else []
    )
    return holders + [
        {
            "name": tunnel["interface"],
            "local": str(tunnel["local"]),
            "remote": str(tunnel["remote"]),
            "ikey": device_key(tunnel["mark_in"]),
            "okey": device_key(tunnel["mark_out"]),
            "mtu": tunnel["mtu"],
            "addresses": tunnel["addresses"],
            **({"unnumbered": tunnel["unnumbered"]} if tunnel["unnumbered"] else {}),
        }
        for tunnel in tunnels
    ]


def device_key(mark: _values.Mark) -> t.Union[int, str]:
    """With its mask where that is not the usual one: vti_tunnel leaves it off, vpn_preflight compares it."""
    return mark.value if mark.mask == _values.U32_MAX else str(mark)


def _alone(address: str) -> str:
    """With the prefix length of one host."""
    return f"{address}/{128 if ':' in address else 32}"


def routes(tunnels: t.Sequence[Tunnel]) -> list[dict[str, t.Any]]:
    """The C(routes) of vti_route. Of tunnels with BGP, whose routes FRR has from the peer, the guards alone."""
    found: list[dict[str, t.Any]] = []
    guards: dict[str, None] = {}
    for tunnel in tunnels:
        if tunnel["bgp"]:
            guards.update(dict.fromkeys(tunnel["routes"] if tunnel["guard"] else []))
            continue
        more: dict[str, t.Any] = {"metric": tunnel["metric"]} if tunnel["metric"] else {}
        if tunnel["failover"]:
            more["conn"] = tunnel["name"]
        for route in tunnel["routes"]:
            entry = {"destination": route, "device": tunnel["interface"], "guard": tunnel["guard"], **more}
            found.append({**entry, **_source(tunnel, route)})
    there = {route["destination"] for route in found if route["guard"]}
    return found + [
        {"destination": route, "type": "unreachable", "metric": _routes.GUARD_METRIC}
        for route in guards
        if route not in there
    ]


def _source(tunnel: Tunnel, route: str) -> dict[str, str]:
    """What the kernel takes from the device where that has an address."""
    address = tunnel["unnumbered"]["address"] if tunnel["unnumbered"] else ""
    return {"source": address} if address and (":" in address) == (":" in route) else {}


def ways(tunnels: t.Sequence[Tunnel]) -> list[tuple[str, str]]:
    """Networks that are guarded and that BGP may lead into a device, and that device."""
    return [
        (route, tunnel["interface"])
        for tunnel in tunnels
        if tunnel["bgp"] and tunnel["guard"]
        for route in tunnel["routes"]
    ]


def conns(tunnels: t.Sequence[Tunnel], host: Host) -> list[dict[str, t.Any]]:
    """The conn blocks of ipsec.conf: name and keywords in the order in which they are written. left is this host."""
    return [{"name": tunnel["name"], "keywords": _keywords(tunnel, host)} for tunnel in tunnels]


def _keywords(tunnel: Tunnel, host: Host) -> dict[str, str]:
    any_network = "::/0" if tunnel["local"].version == 6 else "0.0.0.0/0"
    words = {"left": str(tunnel["local"]), "leftsubnet": any_network}
    words.update({"right": str(tunnel["remote"]), "rightsubnet": any_network})
    words.update(_auth.words(tunnel, host.credentials))
    words.update({"keyexchange": "ikev2", "ike": tunnel["ike"] or host.ike, "esp": tunnel["esp"] or host.esp})
    if tunnel["mark_in"] == tunnel["mark_out"]:
        words["mark"] = str(tunnel["mark_in"])
    else:
        words.update({"mark-in": str(tunnel["mark_in"]), "mark-out": str(tunnel["mark_out"])})
    words.update({"vti-interface": tunnel["interface"], "vti-routing": "no", "vti-shared": "no"})
    # The hook puts it back; with a peer it is another address to the kernel than without one.
    if tunnel["addresses"] and "peer" not in tunnel["addresses"][0]:
        words["leftvti"] = tunnel["addresses"][0]["address"]
    delay = host.dpd_delay if tunnel["dpd_delay"] is None else tunnel["dpd_delay"]
    if delay:
        # 4.10 asks for the action, too; later ones bring up again what auto= says.
        words.update({"dpddelay": str(delay), "retransmit-timeout": str(tunnel["dpd_timeout"] or host.dpd_timeout)})
        words["dpdaction"] = "restart" if tunnel["auto"] == "start" else "hold"
    auto = tunnel["auto"] if _auth.ready(tunnel, host.credentials) else "ignore"
    words.update({"leftupdown": host.updown, "auto": auto, **tunnel["options"]})
    words["connalias"] = " ".join([*words.get("connalias", "").split(), _ipsec_conf.ALIAS])
    return quoted(_versions.for_version(words, host.version))


def quoted(words: t.Mapping[str, str]) -> dict[str, str]:
    """As ipsec.conf takes them: in double quotes where a blank or # would end the value."""
    if not BLANK.search("\0".join(words.values())):
        return dict(words)
    return {key: f'"{value}"' if BLANK.search(value) else value for key, value in words.items()}

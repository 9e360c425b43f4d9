# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the role's nftables table is made of. Pure functions over values."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _routes, _values
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, InputErrors

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
#: As vti_route takes them, or as they are when they were checked.
Routes = t.Sequence[t.Union[dict[str, t.Any], _routes.Wanted]]
#: A network, and a device by which its packets may leave.
Way = tuple[Network, str]

DIRECTIONS = ("in", "out")
# Bytes of an IP and a TCP header without options.
HEADERS = {4: 40, 6: 60}
BGP_PORT = 179
#: Verdicts of other firewalls, and nftables' own.
OTHER_VERDICTS = {"allow": "accept", "permit": "accept", "pass": "accept", "deny": "drop", "block": "drop"}
#: Protocols that have ports.
PORTED = ("tcp", "udp", "sctp", "dccp")
# BFD to a neighbour on the same link, and to one that FRR takes for several hops away.
BFD_PORTS = (3784, 4784)


def rule(value: t.Any) -> dict[str, str]:
    """A rule of a device: nftables' words from the match to the verdict, for what comes in by it, or a dict of C(rule)
    and C(direction), C(in) or C(out). ValueError where it is neither."""
    entry = {"rule": value} if isinstance(value, str) else value
    if not isinstance(entry, dict) or not {"rule"} <= set(entry) <= {"rule", "direction"}:
        raise ValueError("is neither an nftables rule like 'tcp dport 6666 drop' nor a dict of rule and direction")
    direction = entry.get("direction", "in")
    if direction not in DIRECTIONS:
        raise ValueError(f"has direction {direction!r}, which is neither in nor out")
    return {"rule": statement(entry["rule"]), "direction": direction}


def statement(value: t.Any) -> str:
    """One nftables rule on one line; ValueError where it could end the rule, or the chain that it stands in."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is no nftables rule like 'tcp dport 6666 drop'")
    _values.plain_text(value)
    quoted = value.split('"')[1::2]
    bare = "".join(value.split('"')[::2])
    if ";" in bare or "#" in bare or value.count('"') % 2 or any("\\" in x for x in quoted):
        raise ValueError("is more than one rule: write each as an entry of its own, without ';' or '#'")
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            break
    if depth:
        raise ValueError("has braces that do not match")
    if mistake := _not_nftables(bare.split()):
        raise ValueError(mistake)
    return value.strip()


def _not_nftables(words: t.Sequence[str]) -> str:
    """What is of another firewall's language, and how nftables says it; nftables itself decides about all else."""
    if words and words[-1] in OTHER_VERDICTS and not {"jump", "goto"} & set(words):
        return f"ends with '{words[-1]}', which nftables does not know: write {OTHER_VERDICTS[words[-1]]}"
    for word, following in zip(words, words[1:]):
        if word in PORTED and following in ("port", "dst-port", "destination-port"):
            return f"has '{word} {following}', which nftables does not know: write '{word} dport'"
    return ""


def parts(
    tunnels: t.Sequence[dict[str, t.Any]],
    routes: Routes,
    pools: t.Sequence[tuple[str, str]] = (),
) -> dict[str, t.Any]:
    """From checked tunnels (and servers of roadwarriors), the routes of vti_route and pairs of a pool's network and its
    device, a dict of C(rules) (C(device), C(direction), C(rule)), C(sessions) (rules that let in what tunnels need),
    C(mss) (C(devices) of one C(mtu), and the segment sizes C(4) and C(6)), and C(ways): what is guarded, as C(network)
    and C(device)."""
    by_mtu: dict[int, list[str]] = {}
    for tunnel in tunnels:
        by_mtu.setdefault(tunnel["mtu"], []).append(tunnel["interface"])
    return {
        "rules": [{"device": tunnel["interface"], **rule(value)} for tunnel in tunnels for value in tunnel["firewall"]],
        "sessions": [rule for tunnel in tunnels for rule in _sessions(tunnel)],
        "mss": [
            {"mtu": mtu, "devices": devices, "size4": mtu - HEADERS[4], "size6": mtu - HEADERS[6]}
            for mtu, devices in sorted(by_mtu.items())
        ],
        "ways": [{"network": str(network), "device": device} for network, device in _guarded(routes, pools)],
    }


def _sessions(tunnel: dict[str, t.Any]) -> t.Iterator[str]:
    """What has to be let in for a tunnel beside IKE and ESP on their usual ports, each from its one sender."""
    port = str(tunnel.get("options", {}).get("leftikeport", ""))
    if re.fullmatch(r"[1-9][0-9]{0,4}", port) and int(port) < 65536:
        sender = f"{_from(tunnel['remote'])} " if "remote" in tunnel else ""
        yield f'{sender}udp dport {port} counter accept comment "IKE"'
    session = tunnel.get("bgp")
    if session:
        sender = f'iifname "{tunnel["interface"]}" {_from(session["neighbor"])}'
        yield f'{sender} tcp dport {BGP_PORT} counter accept comment "BGP"'
        if session["bfd"]:
            ports = ", ".join(map(str, BFD_PORTS))
            yield f'{sender} udp dport {{ {ports} }} counter accept comment "BFD"'


def _from(address: t.Any) -> str:
    return f"{'ip6' if _values.family(str(address)) == 6 else 'ip'} saddr {address}"


def _guarded(routes: Routes, pools: t.Sequence[tuple[str, str]]) -> list[Way]:
    """Networks with a guard, and the devices that lead there. Those of table main alone: a route of another table is
    for the packets that a rule sends there, which cannot be told by where they go; all else would be cut off."""
    found: dict[Way, None] = {}
    for wanted in _routes.from_params(routes):
        if wanted.present and wanted.guard and wanted.route.table == _routes.TABLE_MAIN:
            for device in (wanted.route.device, *(hop.device for hop in wanted.route.nexthops)):
                if device:
                    found[ipaddress.ip_network(wanted.route.destination), device] = None
    for pool, device in pools:
        found[ipaddress.ip_network(pool), device] = None
    return list(found)


def sets(
    ways: t.Sequence[dict[str, str]], live: t.Sequence[dict[str, t.Any]], local: t.Sequence[str] = ()
) -> dict[str, list[str]]:
    """What the sets of the table hold: C(guarded4), C(guarded6): networks; C(ways4), C(ways6): pairs of network and
    device as nftables writes them; C(local4), C(local6): networks of the host's own. live are routes as C(ip -j route)
    tells them: a part of a guarded network that the host has a route of its own for is left alone there. Raises
    InputErrors for a local network that is none."""
    guarded = [(ipaddress.ip_network(way["network"]), way["device"]) for way in ways]
    own = {device for _network, device in guarded}
    pairs = [*guarded, *_elsewhere([network for network, _device in guarded], live, own)]
    locals_, errors = [], []
    for index, value in enumerate(local):
        try:
            locals_.append(ipaddress.ip_network(_values.network(str(value))))
        except ValueError as exc:
            errors.append(InputError("firewall", f"gateway_firewall_local[{index}]", value, str(exc)))
    if errors:
        raise InputErrors(errors)
    result: dict[str, list[str]] = {}
    for family in (4, 6):
        result[f"guarded{family}"] = _collapsed(x for x, _device in guarded if x.version == family)
        result[f"local{family}"] = _collapsed(x for x in locals_ if x.version == family)
        by_device: dict[str, list[Network]] = {}
        for network, device in pairs:
            if network.version == family:
                by_device.setdefault(device, []).append(network)
        result[f"ways{family}"] = [
            f'{network} . "{device}"' for device, its in by_device.items() for network in _collapsed(its)
        ]
    return result


def _collapsed(networks: t.Iterable[t.Any]) -> list[str]:
    """Without overlaps, which a set of intervals does not take."""
    return [str(network) for network in ipaddress.collapse_addresses(networks)]


def _elsewhere(guarded: t.Sequence[Network], live: t.Sequence[dict[str, t.Any]], own: t.Collection[str]) -> list[Way]:
    found = []
    for route in live:
        if route.get("type", "unicast") != "unicast" or route.get("dst", "default") == "default":
            continue
        network = ipaddress.ip_network(route["dst"])
        if not any(_inside(network, whole) for whole in guarded):
            continue
        devices = [route["dev"]] if "dev" in route else [hop.get("dev") for hop in route.get("nexthops", [])]
        found += [(network, device) for device in devices if device and device not in own]
    return found


def _inside(network: t.Any, whole: t.Any) -> bool:
    return bool(network.version == whole.version and network != whole and network.subnet_of(whole))

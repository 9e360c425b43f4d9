# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Routes and rules as rtnetlink messages: operations of _routes.py and _rules.py into requests, dumps into their
dataclasses. No socket is touched."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import socket
import struct
import sys
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _routes, _rtnl, _rules
from ansible_collections.route_based.vpn.plugins.module_utils._link_messages import FAMILIES, IndexOf, canonical
from ansible_collections.route_based.vpn.plugins.module_utils._pyroute2 import rtmsg
from ansible_collections.route_based.vpn.plugins.module_utils._rtnl import (
    Request,
    attribute,
    attributes,
    nested,
    text,
    u32,
)

NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWRULE, DELRULE, GETRULE = 32, 33, 34
# struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
HEAD = struct.Struct("=BBBBBBBBI")
HOP = struct.Struct("=HBBi")
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_METRICS = 1, 4, 5, 6, 7, 8
RTA_MULTIPATH, RTA_CACHEINFO, RTA_TABLE, RTA_PREF = 9, 12, 15, 20
# linux/rtnetlink.h numbers them from 1 on
METRICS = (
    "LOCK MTU WINDOW RTT RTTVAR SSTHRESH CWND ADVMSS REORDERING HOPLIMIT INITCWND FEATURES RTO_MIN INITRWND QUICKACK"
)
RTAX = {f"RTAX_{name}": number for number, name in enumerate(METRICS.split(), 1)}
RTM_F_CLONED = 0x200  # an entry of the cache, no route
RTNH_F_ONLINK = 4
SCOPE_GLOBAL, SCOPE_LINK, SCOPE_NOWHERE = 0, 253, 255
TYPES = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
# struct fib_rule_hdr: family, dst_len, src_len, tos, table, 2 reserved, action, flags
RULE_HEAD = struct.Struct("=BBBBBxxBI")
FRA_DST, FRA_SRC, FRA_IIFNAME, FRA_PRIORITY, FRA_FWMARK = 1, 2, 3, 6, 10
FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, FRA_FWMASK, FRA_OIFNAME, FRA_L3MDEV, FRA_PROTOCOL = 14, 15, 16, 17, 19, 21
FRA_SUPPRESS_IFGROUP = 13
# What a rule may have beside those: padding, and a group of devices that is not to be used, all ones for none.
FRA_WITHOUT_MEANING = (18,)
ACTIONS = {"lookup": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}
ACTION_NAMES = {number: name for name, number in ACTIONS.items()}
FIB_RULE_INVERT = 2
NOTHING = 0xFFFFFFFF
# Attributes of a route that this file reads and writes, or that are the kernel's own doing (cache info, preference),
# and the names of others; pyroute2's names of them differ by version.
KNOWN = frozenset((RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_METRICS, RTA_MULTIPATH, RTA_TABLE))
KNOWN |= {RTA_CACHEINFO, RTA_PREF}
OTHERS = {11: "RTA_FLOW", 16: "RTA_MARK", 18: "RTA_VIA", 19: "RTA_NEWDST", 21: "RTA_ENCAP_TYPE", 22: "RTA_ENCAP"}
OTHERS.update({23: "RTA_EXPIRES", 26: "RTA_TTL_PROPAGATE", 30: "RTA_NH_ID"})


# --- what is asked ---


def routes(family: int, table: int = 0, protocol: int = 0, oif: int = 0) -> bytes:
    """A dump of routes. The kernel filters by what is not 0, where the socket asks for strict checking."""
    filters = (u32(kind, value) for kind, value in ((RTA_TABLE, table), (RTA_OIF, oif)) if value)
    return HEAD.pack(FAMILIES[family], 0, 0, 0, 0, protocol, 0, 0, 0) + b"".join(filters)


def way_to(address: str) -> bytes:
    """The question which way a packet to an address takes."""
    packed = ipaddress.ip_address(address).packed
    head = HEAD.pack(FAMILIES[4 if len(packed) == 4 else 6], 8 * len(packed), 0, 0, 0, 0, 0, 0, 0)
    return head + attribute(RTA_DST, packed)


# --- what is answered ---


def way(message: bytes) -> tuple[int, str, int]:
    """The answer: index of the device, gateway or nothing, MTU of the route or 0."""
    found = dict(attributes(message, _rtnl.HEADER.size + HEAD.size))
    metrics = dict(attributes(found.get(RTA_METRICS, b""), 0))
    gateway = found.get(RTA_GATEWAY)
    mtu = int.from_bytes(metrics.get(RTAX["RTAX_MTU"], b""), sys.byteorder)
    index = int.from_bytes(found.get(RTA_OIF, b""), sys.byteorder)
    return index, str(ipaddress.ip_address(gateway)) if gateway else "", mtu


def route(message: bytes, names: t.Mapping[int, str]) -> t.Optional[_routes.Route]:
    """A route, or None for what is none that anybody made: entries of the cache, broadcast and multicast."""
    parsed = rtmsg(message)
    parsed.decode()
    if parsed["flags"] & RTM_F_CLONED or parsed["type"] not in TYPE_NAMES:
        return None
    prefix = parsed.get_attr("RTA_DST") or ("::" if parsed["family"] == socket.AF_INET6 else "0.0.0.0")
    metrics = parsed.get_attr("RTA_METRICS")
    metrics = dict(metrics["attrs"]) if metrics is not None else {}
    kind = TYPE_NAMES[parsed["type"]]
    hops = parsed.get_attr("RTA_MULTIPATH") or ()
    unknown = _unknown(message)
    return _routes.Route(
        destination=f"{canonical(prefix)}/{parsed['dst_len']}",
        type=kind,
        # An IPv6 route that leads nowhere is shown on lo.
        device=_name(names, parsed.get_attr("RTA_OIF")) if kind == "unicast" else "",
        gateway=_address(parsed.get_attr("RTA_GATEWAY")),
        table=parsed.get_attr("RTA_TABLE") or parsed["table"],
        metric=parsed.get_attr("RTA_PRIORITY") or 0,
        source=_address(parsed.get_attr("RTA_PREFSRC")),
        mtu=metrics.pop("RTAX_MTU", 0),
        advmss=metrics.pop("RTAX_ADVMSS", 0),
        protocol=parsed["proto"],
        scope=parsed["scope"],
        tos=parsed["tos"],
        onlink=bool(parsed["flags"] & RTNH_F_ONLINK),
        metrics=tuple((name, value) for name, value in metrics.items() if name in RTAX),
        nexthops=tuple(sorted((_nexthop(names, hop) for hop in hops), key=str)),
        unknown=unknown,
        raw=message[_rtnl.HEADER.size :] if unknown else b"",
    )


def _unknown(message: bytes) -> tuple[str, ...]:
    """What a route has, it or one of its ways, that Route cannot hold."""
    kinds = set()
    for kind, payload in attributes(message, _rtnl.HEADER.size + HEAD.size):
        kinds.add(kind)
        if kind == RTA_MULTIPATH:
            kinds.update(kind for hop in _hops(payload) for kind, _value in attributes(hop, HOP.size))
    return tuple(sorted(OTHERS.get(kind, f"attribute {kind}") for kind in kinds - KNOWN))


def _hops(payload: bytes) -> t.Iterator[bytes]:
    offset = 0
    while offset + HOP.size <= len(payload):
        length = HOP.unpack_from(payload, offset)[0]
        if length < HOP.size:
            return
        yield payload[offset : offset + length]
        offset += length + (-length % 4)


def _nexthop(names: t.Mapping[int, str], hop: t.Any) -> _routes.Nexthop:
    return _routes.Nexthop(_name(names, hop["oif"]), _address(hop.get_attr("RTA_GATEWAY")), hop["hops"] + 1)


def _name(names: t.Mapping[int, str], index: t.Optional[int]) -> str:
    return names.get(index, f"#{index}") if index else ""


def _address(value: t.Optional[str]) -> str:
    return canonical(value) if value else ""


def all_rules(family: int) -> bytes:
    """A dump of one family's policy rules."""
    return RULE_HEAD.pack(FAMILIES[family], 0, 0, 0, 0, 0, 0)


def rule(message: bytes) -> _rules.Rule:
    """A policy rule. What cannot be told of it in our words is in C(unknown), by the attribute's number."""
    family, dst_len, src_len, tos, table, action, flags = RULE_HEAD.unpack_from(message, _rtnl.HEADER.size)
    found = dict(attributes(message, _rtnl.HEADER.size + RULE_HEAD.size))
    numbers = {kind: int.from_bytes(value, sys.byteorder) for kind, value in found.items() if len(value) in (1, 4)}
    known = {FRA_DST, FRA_SRC, FRA_IIFNAME, FRA_PRIORITY, FRA_FWMARK, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, FRA_FWMASK}
    known |= {FRA_OIFNAME, FRA_L3MDEV, FRA_PROTOCOL, *FRA_WITHOUT_MEANING}
    if numbers.get(FRA_SUPPRESS_IFGROUP) == NOTHING:
        known.add(FRA_SUPPRESS_IFGROUP)
    unknown = tuple(sorted(set(found) - known)) + ((0,) if tos or action not in ACTION_NAMES else ())
    suppress = numbers.get(FRA_SUPPRESS_PREFIXLEN, NOTHING)
    mark = (numbers.get(FRA_FWMARK, 0), numbers.get(FRA_FWMASK, 0))
    return _rules.Rule(
        priority=numbers.get(FRA_PRIORITY, 0),
        family=6 if family == socket.AF_INET6 else 4,
        source=_prefix(found.get(FRA_SRC), src_len),
        destination=_prefix(found.get(FRA_DST), dst_len),
        mark=mark if mark != (0, 0) else None,
        iif=_string(found.get(FRA_IIFNAME)),
        oif=_string(found.get(FRA_OIFNAME)),
        table=numbers.get(FRA_TABLE, table) if action == ACTIONS["lookup"] else 0,
        type=ACTION_NAMES.get(action, "lookup"),
        protocol=numbers.get(FRA_PROTOCOL, 0),
        l3mdev=bool(numbers.get(FRA_L3MDEV)),
        inverted=bool(flags & FIB_RULE_INVERT),
        suppress_prefixlength=-1 if suppress == NOTHING else suppress,
        unknown=unknown,
    )


def _prefix(address: t.Optional[bytes], length: int) -> str:
    return f"{ipaddress.ip_address(address)}/{length}" if address else ""


def _string(value: t.Optional[bytes]) -> str:
    return value.rstrip(b"\0").decode() if value else ""


# --- what is written ---


def request(operation: t.Any, index_of: IndexOf) -> t.Optional[Request]:
    """The request that carries out an operation on a route, or None for any other operation."""
    if isinstance(operation, _routes.PutRoute):
        return Request(NEWROUTE, _rtnl.F_CREATE | _rtnl.F_REPLACE, _route(operation.route, index_of))
    if isinstance(operation, _routes.DelRoute):
        # Without its ways, whose order the kernel would compare: it means all of them then. Nowhere: of any scope.
        gone = dataclasses.replace(operation.route, nexthops=(), raw=b"")
        return Request(DELROUTE, 0, _route(gone, index_of, SCOPE_NOWHERE))
    if isinstance(operation, _rules.AddRule):
        return Request(NEWRULE, _rtnl.F_CREATE, _rule(operation.rule))
    if isinstance(operation, _rules.DelRule):
        return Request(DELRULE, 0, _rule(operation.rule))
    return None


def _route(wanted: _routes.Route, index_of: IndexOf, scope: t.Optional[int] = None) -> bytes:
    if wanted.raw:
        return _as_it_was(wanted.raw)
    prefix, _slash, length = wanted.destination.partition("/")
    head = HEAD.pack(
        FAMILIES[wanted.family],
        int(length),
        0,
        wanted.tos,
        # There is room for 8 bits; RTA_TABLE holds the number.
        wanted.table if wanted.table < 256 else 0,
        wanted.protocol,
        _scope(wanted) if scope is None else scope,
        TYPES[wanted.type],
        RTNH_F_ONLINK if wanted.onlink else 0,
    )
    return head + b"".join(_route_attributes(wanted, prefix, index_of))


def _route_attributes(wanted: _routes.Route, prefix: str, index_of: IndexOf) -> t.Iterator[bytes]:
    yield attribute(RTA_DST, _packed(prefix))
    yield u32(RTA_TABLE, wanted.table)
    if wanted.metric:
        yield u32(RTA_PRIORITY, wanted.metric)
    if wanted.device:
        yield u32(RTA_OIF, index_of(wanted.device))
    if wanted.gateway:
        yield attribute(RTA_GATEWAY, _packed(wanted.gateway))
    if wanted.source:
        yield attribute(RTA_PREFSRC, _packed(wanted.source))
    metrics = [("RTAX_MTU", wanted.mtu), ("RTAX_ADVMSS", wanted.advmss), *wanted.metrics]
    values = [u32(RTAX[name], value) for name, value in metrics if value]
    if values:
        yield nested(RTA_METRICS, *values)
    if wanted.nexthops:
        yield attribute(RTA_MULTIPATH, b"".join(_hop(hop, index_of) for hop in wanted.nexthops))


def _scope(wanted: _routes.Route) -> int:
    if wanted.scope is not None:
        return wanted.scope
    gateways = wanted.gateway or any(hop.gateway for hop in wanted.nexthops)
    return SCOPE_LINK if wanted.type == "unicast" and wanted.family == 4 and not gateways else SCOPE_GLOBAL


def _hop(hop: _routes.Nexthop, index_of: IndexOf) -> bytes:
    gateway = attribute(RTA_GATEWAY, _packed(hop.gateway)) if hop.gateway else b""
    return HOP.pack(HOP.size + len(gateway), 0, hop.weight - 1, index_of(hop.device)) + gateway


@functools.cache
def _packed(value: str) -> bytes:
    return ipaddress.ip_address(value).packed


def _as_it_was(raw: bytes) -> bytes:
    """A live route of a shape that Route cannot hold (a gateway of the other family, an encapsulation), for writing it
    again: all its attributes but the kernel's own notes, without the flags that say how it is at the moment."""
    fields = list(HEAD.unpack_from(raw))
    fields[-1] &= RTNH_F_ONLINK
    kept = [(kind, payload) for kind, payload in attributes(raw, HEAD.size) if kind != RTA_CACHEINFO]
    return HEAD.pack(*fields) + b"".join(
        attribute(kind, _hops_as_they_were(payload) if kind == RTA_MULTIPATH else payload) for kind, payload in kept
    )


def _hops_as_they_were(payload: bytes) -> bytes:
    result = b""
    for hop in _hops(payload):
        length, flags, weight, index = HOP.unpack_from(hop)
        result += HOP.pack(length, flags & RTNH_F_ONLINK, weight, index) + hop[HOP.size :] + bytes(-length % 4)
    return result


def _rule(wanted: _rules.Rule) -> bytes:
    """Adding and deleting take the same words; C(protocol) tells two rules apart that are alike otherwise."""
    source, src_len = _split(wanted.source)
    destination, dst_len = _split(wanted.destination)
    table = wanted.table if wanted.table < 256 else 0
    head = RULE_HEAD.pack(FAMILIES[wanted.family], dst_len, src_len, 0, table, ACTIONS[wanted.type], 0)
    parts = [u32(FRA_PRIORITY, wanted.priority), attribute(FRA_PROTOCOL, bytes([wanted.protocol]))]
    parts += [attribute(kind, value) for kind, value in ((FRA_SRC, source), (FRA_DST, destination)) if value]
    parts += [u32(FRA_TABLE, wanted.table)] if wanted.table else []
    if wanted.mark:
        parts += [u32(FRA_FWMARK, wanted.mark[0]), u32(FRA_FWMASK, wanted.mark[1])]
    parts += [text(FRA_IIFNAME, wanted.iif)] if wanted.iif else []
    parts += [text(FRA_OIFNAME, wanted.oif)] if wanted.oif else []
    return head + b"".join(parts)


def _split(network: str) -> tuple[bytes, int]:
    address, _slash, length = network.partition("/")
    return (_packed(address), int(length)) if network else (b"", 0)

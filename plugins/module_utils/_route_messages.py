# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Routes as rtnetlink messages: operations of _routes.py into requests, dumps into its dataclasses. No socket is
touched."""

from __future__ import annotations

import functools
import ipaddress
import socket
import struct
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _routes, _rtnl
from ansible_collections.route_based.vpn.plugins.module_utils._link_messages import FAMILIES, IndexOf, canonical
from ansible_collections.route_based.vpn.plugins.module_utils._pyroute2 import rtmsg
from ansible_collections.route_based.vpn.plugins.module_utils._rtnl import Request, attribute, attributes, nested, u32

NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
# struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
HEAD = struct.Struct("=BBBBBBBBI")
HOP = struct.Struct("=HBBi")
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_METRICS = 1, 4, 5, 6, 7, 8
RTA_MULTIPATH, RTA_CACHEINFO, RTA_TABLE = 9, 12, 15
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
# Attributes of a route that this file reads and writes; RTA_CACHEINFO and RTA_PREF are the kernel's own doing.
KNOWN = frozenset(
    f"RTA_{name}" for name in "DST OIF GATEWAY PRIORITY PREFSRC METRICS MULTIPATH TABLE CACHEINFO PREF".split()
)


# --- what is asked ---


def routes(family: int, table: int = 0, protocol: int = 0, oif: int = 0) -> bytes:
    """A dump of routes. The kernel filters by what is not 0, where the socket asks for strict checking."""
    filters = (u32(kind, value) for kind, value in ((RTA_TABLE, table), (RTA_OIF, oif)) if value)
    return HEAD.pack(FAMILIES[family], 0, 0, 0, 0, protocol, 0, 0, 0) + b"".join(filters)


# --- what is answered ---


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
    unknown = tuple(sorted({str(name) for part in (parsed, *hops) for name, _value in part["attrs"]} - KNOWN))
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
        nexthops=tuple(_nexthop(names, hop) for hop in hops),
        unknown=unknown,
        raw=message[_rtnl.HEADER.size :] if unknown else b"",
    )


def _nexthop(names: t.Mapping[int, str], hop: t.Any) -> _routes.Nexthop:
    return _routes.Nexthop(_name(names, hop["oif"]), _address(hop.get_attr("RTA_GATEWAY")), hop["hops"] + 1)


def _name(names: t.Mapping[int, str], index: t.Optional[int]) -> str:
    return names.get(index, f"#{index}") if index else ""


def _address(value: t.Optional[str]) -> str:
    return canonical(value) if value else ""


# --- what is written ---


def request(operation: t.Any, index_of: IndexOf) -> t.Optional[Request]:
    """The request that carries out an operation on a route, or None for any other operation."""
    if isinstance(operation, _routes.PutRoute):
        return Request(NEWROUTE, _rtnl.F_CREATE | _rtnl.F_REPLACE, _route(operation.route, index_of))
    if isinstance(operation, _routes.DelRoute):
        return Request(DELROUTE, 0, _route(operation.route, index_of, SCOPE_NOWHERE))  # nowhere: of any scope
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
    hops, offset = bytearray(payload), 0
    while offset + HOP.size <= len(hops):
        length, flags, weight, index = HOP.unpack_from(hops, offset)
        if length < HOP.size:
            break
        HOP.pack_into(hops, offset, length, flags & RTNH_F_ONLINK, weight, index)
        offset += length + (-length % 4)
    return bytes(hops)

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Everything between this collection and the kernel's rtnetlink; the only file that imports pyroute2.

Requests are built here attribute by attribute, not by IPRoute.link() and its like: those drop silently what they do
not know, and what they know differs from pyroute2 0.7 to 0.9. What is read becomes the dataclasses of _devices and
_routes.
"""

from __future__ import annotations

import errno
import importlib.metadata
import ipaddress
import os
import socket
import traceback
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _devices, _routes
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

IMPORT_ERROR: t.Optional[str] = None
try:
    import pyroute2
    from pyroute2.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, nla
    from pyroute2.netlink.exceptions import NetlinkError
    from pyroute2.netlink.rtnl import (
        RTM_DELADDR,
        RTM_DELLINK,
        RTM_DELROUTE,
        RTM_GETADDR,
        RTM_GETLINK,
        RTM_GETROUTE,
        RTM_NEWADDR,
        RTM_NEWLINK,
        RTM_NEWROUTE,
    )
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
    from pyroute2.netlink.rtnl.rtmsg import rtmsg
except ImportError:
    IMPORT_ERROR = traceback.format_exc()
    # So that the classes below can be written down; _deps.py ends the module before they are used.
    nla = ifinfmsg = object

# What a dump's filter and options are called in rtnetlink.h, and pyroute2 has no name for.
RTEXT_FILTER_SKIP_STATS = 8
NLA_F_NESTED = 0x8000  # kernel 7.2 takes no IFLA_INET_CONF without it
IFF_UP = 1
RTNH_F_ONLINK = 4
SCOPE_GLOBAL, SCOPE_LINK, SCOPE_NOWHERE = 0, 253, 255
ROUTE_TYPES = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}
ROUTE_TYPE_NAMES = {number: name for name, number in ROUTE_TYPES.items()}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
KINDS = ("vti", "vti6")
# pyroute2's names of struct ipv4_devconf, where they are not the sysctls' names.
DEVCONF_NAMES = {"disable_policy": "nopolicy", "src_valid_mark": "src_vmark"}
# Attributes of a route that this file reads and writes; RTA_CACHEINFO and RTA_PREF are the kernel's own doing.
ROUTE_ATTRIBUTES = frozenset(
    f"RTA_{name}" for name in "DST OIF GATEWAY PRIORITY PREFSRC METRICS MULTIPATH TABLE CACHEINFO PREF".split()
)
# Errors that mean that what is to be deleted is gone already: of the device, the address, the route.
GONE = {_devices.DelDevice: errno.ENODEV, _devices.DelAddress: errno.EADDRNOTAVAIL, _routes.DelRoute: errno.ESRCH}
HINTS = {
    errno.EPERM: "it takes root (CAP_NET_ADMIN) in the host's network namespace",
    errno.EOPNOTSUPP: "the kernel has no VTI devices: load the modules ip_vti and ip6_vti, "
    "or install the package with the kernel's extra modules",
    errno.EEXIST: "another device has the same name, or the same local, remote and link, perhaps one that was moved to "
    "another network namespace",
    errno.ENETUNREACH: "the gateway is not reachable over the device",
    errno.ENETDOWN: "the device is down",
    errno.ENODEV: "the device is gone since the run began, or has IPv6 switched off",
    errno.EACCES: "IPv6 may be switched off on the device (net.ipv6.conf.<device>.disable_ipv6)",
}


class _Devconf(nla):  # type: ignore[misc]
    nla_map = tuple((number, name, "uint32") for name, (number, _high) in _devices.SYSCTLS.items())


class _Inet(nla):  # type: ignore[misc]
    nla_map = ((1, "IFLA_INET_CONF", "devconf", NLA_F_NESTED),)
    devconf = _Devconf


class _AfSpec(nla):  # type: ignore[misc]
    nla_map = ((2, "AF_INET", "inet", NLA_F_NESTED),)
    inet = _Inet


class _VtiData(nla):  # type: ignore[misc]
    nla_map = (
        (1, "IFLA_VTI_LINK", "uint32"),
        (2, "IFLA_VTI_IKEY", "be32"),
        (3, "IFLA_VTI_OKEY", "be32"),
        (4, "IFLA_VTI_LOCAL", "cdata"),
        (5, "IFLA_VTI_REMOTE", "cdata"),
    )


class _LinkInfo(nla):  # type: ignore[misc]
    nla_map = ((1, "IFLA_INFO_KIND", "asciiz"), (2, "IFLA_INFO_DATA", "vti_data", NLA_F_NESTED))
    vti_data = _VtiData


class _Link(ifinfmsg):  # type: ignore[misc]
    """A link request with just the attributes that we send, encoded as the kernel wants them: pyroute2's own classes
    follow its dumps, in which a sysctl list looks otherwise, and differ by version."""

    nla_map = (
        (3, "IFLA_IFNAME", "asciiz"),
        (4, "IFLA_MTU", "uint32"),
        (10, "IFLA_MASTER", "uint32"),
        (18, "IFLA_LINKINFO", "info", NLA_F_NESTED),
        (20, "IFLA_IFALIAS", "asciiz"),
        (26, "IFLA_AF_SPEC", "af_spec", NLA_F_NESTED),
        (27, "IFLA_GROUP", "uint32"),
        (29, "IFLA_EXT_MASK", "uint32"),
    )
    info = _LinkInfo
    af_spec = _AfSpec


def installed() -> tuple[str, str]:
    """The version of pyroute2 and the file that it was loaded from."""
    try:
        # Debian 12's package calls itself "unknown" in pyroute2.__version__.
        found = importlib.metadata.version("pyroute2")
    except importlib.metadata.PackageNotFoundError:
        found = str(getattr(pyroute2, "__version__", ""))
    return found, str(pyroute2.__file__)


class Netlink:
    """The kernel, by one rtnetlink socket: dumps in, single writes out."""

    def __init__(self) -> None:
        try:
            self._ip = pyroute2.IPRoute(ext_ack=True, strict_check=True)
        except OSError as exc:
            raise StoreError(f"cannot open a netlink socket: {exc}") from exc
        if hasattr(self._ip, "status"):  # 0.9: nlm_request() looks it up and nobody has set it
            self._ip.status["nlm_generator"] = False
        self._names: dict[int, str] = {}

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ip.close()

    # --- reading ---

    def device_state(self, names: t.Iterable[str]) -> _devices.State:
        """All VTI devices with their addresses, and what else the plan for devices has to know."""
        self._read_names()
        devices = self._vti_devices()
        known = {device.name for device in devices}
        existing = frozenset(self._names.values())
        others = {name: self._kind_of(name) for name in names if name in existing and name not in known}
        return _devices.State(devices, others, existing, _rp_filter_all())

    def route_state(self, wanted: t.Sequence[_routes.Wanted], purge: bool) -> _routes.State:
        """The routes of the tables that the entries name (with C(purge) also all of ours), and the VTI devices."""
        self._read_names()
        tunnels = tuple(_routes.Tunnel(d.name, d.remote, d.enabled) for d in self._vti_devices(with_addresses=False))
        tables = dict.fromkeys((entry.route.family, entry.route.table) for entry in wanted)
        routes = [route for family, table in tables for route in self._dump_routes(family, table=table)]
        if purge:
            ours = [route for family in FAMILIES for route in self._dump_routes(family, protocol=_routes.PROTOCOL)]
            routes += [route for route in ours if (route.family, route.table) not in tables]
        return _routes.State(tuple(routes), tunnels, frozenset(self._names.values()))

    def routes_of(self, name: str) -> tuple[_routes.Route, ...]:
        """The routes that lead into one device."""
        index = self._index(name)
        return tuple(route for family in FAMILIES for route in self._dump_routes(family, oif=index))

    def _read_names(self) -> None:
        self._names = dict(socket.if_nameindex())

    def _index(self, name: str) -> int:
        try:
            return socket.if_nametoindex(name)
        except OSError as exc:
            raise StoreError(f"there is no device {name} (any more)") from exc

    def _dump(self, message: t.Any, kind: int) -> tuple[t.Any, ...]:
        try:
            return tuple(self._ip.nlm_request(message, msg_type=kind, msg_flags=NLM_F_REQUEST | NLM_F_DUMP))
        except NetlinkError as exc:
            if exc.code == errno.ENOENT:  # a table without routes is no table for the kernel
                return ()
            raise StoreError(f"cannot read from the kernel: {_text(exc)}") from exc

    def _links(self, kind: str) -> t.Iterator[t.Any]:
        """The links of one kind. The kernel leaves out the others, but only where it knows the kind."""
        message = _Link()
        info = {"attrs": [("IFLA_INFO_KIND", kind)]}
        message["attrs"] = [("IFLA_LINKINFO", info), ("IFLA_EXT_MASK", RTEXT_FILTER_SKIP_STATS)]
        for link in self._dump(message, RTM_GETLINK):
            info = link.get_attr("IFLA_LINKINFO")
            if info is not None and info.get_attr("IFLA_INFO_KIND") == kind:
                yield link

    def _kind_of(self, name: str) -> str:
        message = _Link()
        message["attrs"] = [("IFLA_IFNAME", name), ("IFLA_EXT_MASK", RTEXT_FILTER_SKIP_STATS)]
        try:
            for link in self._ip.nlm_request(message, msg_type=RTM_GETLINK, msg_flags=NLM_F_REQUEST):
                info = link.get_attr("IFLA_LINKINFO")
                return str(info.get_attr("IFLA_INFO_KIND")) if info is not None else "a hardware device or the like"
        except NetlinkError as exc:
            raise StoreError(f"cannot read the device {name}: {_text(exc)}") from exc
        return "unknown"

    def _vti_devices(self, with_addresses: bool = True) -> tuple[_devices.Device, ...]:
        links = [(kind, link) for kind in KINDS for link in self._links(kind)]
        addresses = self._addresses({link["index"] for _kind, link in links}) if with_addresses and links else {}
        return tuple(self._device(kind, link, addresses.get(link["index"], ())) for kind, link in links)

    def _device(self, kind: str, link: t.Any, addresses: t.Sequence[_devices.Inner]) -> _devices.Device:
        data = link.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
        parent = data.get_attr("IFLA_VTI_LINK") or 0
        return _devices.Device(
            name=link.get_attr("IFLA_IFNAME"),
            kind=kind,
            local=_end(data.get_attr("IFLA_VTI_LOCAL")),
            remote=_end(data.get_attr("IFLA_VTI_REMOTE")),
            ikey=data.get_attr("IFLA_VTI_IKEY") or 0,
            okey=data.get_attr("IFLA_VTI_OKEY") or 0,
            link=self._names.get(parent, f"#{parent}") if parent else "",
            mtu=link.get_attr("IFLA_MTU"),
            enabled=bool(link["flags"] & IFF_UP),
            addresses=tuple(addresses),
            sysctls=_sysctls(link),
            alias=link.get_attr("IFLA_IFALIAS") or "",
            group=link.get_attr("IFLA_GROUP") or 0,
            index=link["index"],
            master=link.get_attr("IFLA_MASTER") or 0,
            from_other_netns=link.get_attr("IFLA_LINK_NETNSID") is not None,
        )

    def _addresses(self, indexes: t.Container[int]) -> dict[int, list[_devices.Inner]]:
        """Addresses by device index: one dump for all devices."""
        result: dict[int, list[_devices.Inner]] = {}
        for message in self._dump(ifaddrmsg(), RTM_GETADDR):
            if message["index"] in indexes:
                address, local = message.get_attr("IFA_ADDRESS"), message.get_attr("IFA_LOCAL")
                local, peer = (local, address) if local and local != address else (address, "")
                text = f"{ipaddress.ip_address(local)}/{message['prefixlen']}"
                inner = _devices.Inner(text, str(ipaddress.ip_address(peer)) if peer else "")
                result.setdefault(message["index"], []).append(inner)
        return result

    def _dump_routes(self, family: int, table: int = 0, protocol: int = 0, oif: int = 0) -> t.Iterator[_routes.Route]:
        """Routes, filtered by the kernel (which it does as the socket asks for strict checking) and once more here."""
        message = rtmsg()
        message["family"], message["table"], message["proto"] = FAMILIES[family], 0, protocol
        filters = (("RTA_TABLE", table), ("RTA_OIF", oif))
        message["attrs"] = [(name, value) for name, value in filters if value]
        cloned = 0x200  # RTM_F_CLONED: an entry of the cache, no route
        for answer in self._dump(message, RTM_GETROUTE):
            if answer["flags"] & cloned or answer["type"] not in ROUTE_TYPE_NAMES:
                continue
            route = self._route(answer)
            if table in (0, route.table) and protocol in (0, route.protocol):
                yield route

    def _route(self, message: t.Any) -> _routes.Route:
        family = 6 if message["family"] == socket.AF_INET6 else 4
        prefix = message.get_attr("RTA_DST") or ("::" if family == 6 else "0.0.0.0")
        metrics = message.get_attr("RTA_METRICS")
        metrics = dict(metrics["attrs"]) if metrics is not None else {}
        kind = ROUTE_TYPE_NAMES[message["type"]]
        return _routes.Route(
            destination=f"{ipaddress.ip_address(prefix)}/{message['dst_len']}",
            type=kind,
            # An IPv6 route that leads nowhere is shown on lo.
            device=self._name(message.get_attr("RTA_OIF")) if kind == "unicast" else "",
            gateway=_address(message.get_attr("RTA_GATEWAY")),
            table=message.get_attr("RTA_TABLE") or message["table"],
            metric=message.get_attr("RTA_PRIORITY") or 0,
            source=_address(message.get_attr("RTA_PREFSRC")),
            mtu=metrics.pop("RTAX_MTU", 0),
            advmss=metrics.pop("RTAX_ADVMSS", 0),
            protocol=message["proto"],
            scope=message["scope"],
            tos=message["tos"],
            onlink=bool(message["flags"] & RTNH_F_ONLINK),
            metrics=tuple((name, value) for name, value in metrics.items() if isinstance(value, int)),
            nexthops=tuple(self._nexthop(hop) for hop in message.get_attr("RTA_MULTIPATH") or ()),
            unknown=tuple(sorted({str(name) for name, _value in message["attrs"]} - ROUTE_ATTRIBUTES)),
        )

    def _nexthop(self, hop: t.Any) -> _routes.Nexthop:
        return _routes.Nexthop(self._name(hop["oif"]), _address(hop.get_attr("RTA_GATEWAY")), hop["hops"] + 1)

    def _name(self, index: t.Optional[int]) -> str:
        return self._names.get(index, f"#{index}") if index else ""

    # --- writing ---

    def apply(self, operation: t.Any) -> None:
        """Carry out one operation of a plan; StoreError where the kernel refuses."""
        try:
            message, kind, flags = self._request_for(operation)
            self._ip.nlm_request(message, msg_type=kind, msg_flags=NLM_F_REQUEST | NLM_F_ACK | flags)
        except NetlinkError as exc:
            if GONE.get(type(operation)) == exc.code:
                return
            raise StoreError(f"'{operation.describe()}' failed: {_text(exc)}") from exc

    def _request_for(self, operation: t.Any) -> tuple[t.Any, int, int]:
        """The message, its type and its flags."""
        if isinstance(operation, _devices.AddDevice):
            return self._add_device(operation), RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL
        if isinstance(operation, _devices.ChangeEnds):
            return self._change_ends(operation), RTM_NEWLINK, 0
        if isinstance(operation, _devices.SetDevice):
            return _set_device(operation), RTM_NEWLINK, 0
        if isinstance(operation, _devices.DelDevice):
            message = _Link()
            message["index"] = operation.index
            return message, RTM_DELLINK, 0
        if isinstance(operation, _devices.AddAddress):
            return self._address_message(operation), RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE
        if isinstance(operation, _devices.DelAddress):
            return self._address_message(operation), RTM_DELADDR, 0
        if isinstance(operation, _routes.PutRoute):
            return self._route_message(operation.route), RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE
        if isinstance(operation, _routes.DelRoute):
            message = self._route_message(operation.route)
            message["scope"] = SCOPE_NOWHERE  # any
            return message, RTM_DELROUTE, 0
        raise TypeError(f"no request for {operation!r}")

    def _link_info(self, device: _devices.Device) -> dict[str, t.Any]:
        """All five attributes, always: the kernel takes a missing one for 0."""
        width = 16 if device.kind == "vti6" else 4
        data = [
            ("IFLA_VTI_LINK", self._index(device.link) if device.link else 0),
            ("IFLA_VTI_IKEY", device.ikey),
            ("IFLA_VTI_OKEY", device.okey),
            ("IFLA_VTI_LOCAL", _packed(device.local, width)),
            ("IFLA_VTI_REMOTE", _packed(device.remote, width)),
        ]
        return {"attrs": [("IFLA_INFO_KIND", device.kind), ("IFLA_INFO_DATA", {"attrs": data})]}

    def _add_device(self, operation: _devices.AddDevice) -> t.Any:
        device, message = operation.device, _Link()
        message["index"] = operation.index
        message["attrs"] = [
            ("IFLA_IFNAME", device.name),
            ("IFLA_MTU", device.mtu),
            ("IFLA_GROUP", device.group),
            ("IFLA_LINKINFO", self._link_info(device)),
        ]
        return message

    def _change_ends(self, operation: _devices.ChangeEnds) -> t.Any:
        device, message = operation.device, _Link()
        message["attrs"] = [
            ("IFLA_IFNAME", device.name),
            ("IFLA_MTU", device.mtu),
            ("IFLA_LINKINFO", self._link_info(device)),
        ]
        return message

    def _address_message(self, operation: t.Union[_devices.AddAddress, _devices.DelAddress]) -> t.Any:
        inner, message = operation.inner, ifaddrmsg()
        message["index"] = self._index(operation.name)
        message["family"] = FAMILIES[6 if ":" in inner.address else 4]
        message["prefixlen"] = int(inner.address.partition("/")[2])
        message["attrs"] = [("IFA_LOCAL", inner.local), ("IFA_ADDRESS", inner.peer or inner.local)]
        return message

    def _route_message(self, route: _routes.Route) -> t.Any:
        message = rtmsg()
        prefix, _slash, length = route.destination.partition("/")
        gateways = route.gateway or any(hop.gateway for hop in route.nexthops)
        link_scope = route.type == "unicast" and route.family == 4 and not gateways
        message["family"], message["dst_len"], message["tos"] = FAMILIES[route.family], int(length), route.tos
        message["type"], message["proto"] = ROUTE_TYPES[route.type], route.protocol
        message["scope"] = (SCOPE_LINK if link_scope else SCOPE_GLOBAL) if route.scope is None else route.scope
        message["flags"] = RTNH_F_ONLINK if route.onlink else 0
        # The header has room for 8 bits; RTA_TABLE holds the number.
        message["table"] = route.table if route.table < 256 else 0
        metrics = [("RTAX_MTU", route.mtu), ("RTAX_ADVMSS", route.advmss), *route.metrics]
        attributes = [
            ("RTA_DST", prefix),
            ("RTA_TABLE", route.table),
            ("RTA_PRIORITY", route.metric),
            ("RTA_OIF", self._index(route.device) if route.device else 0),
            ("RTA_GATEWAY", route.gateway),
            ("RTA_PREFSRC", route.source),
            ("RTA_METRICS", {"attrs": [pair for pair in metrics if pair[1]]} if any(v for _n, v in metrics) else None),
            ("RTA_MULTIPATH", [self._nexthop_message(hop) for hop in route.nexthops]),
        ]
        message["attrs"] = [pair for pair in attributes if pair[1]]
        return message

    def _nexthop_message(self, hop: _routes.Nexthop) -> dict[str, t.Any]:
        gateway = [("RTA_GATEWAY", hop.gateway)] if hop.gateway else []
        return {"oif": self._index(hop.device), "hops": hop.weight - 1, "attrs": gateway}


def _set_device(operation: _devices.SetDevice) -> t.Any:
    message = _Link()
    if operation.enabled is not None:
        message["flags"], message["change"] = (IFF_UP if operation.enabled else 0), IFF_UP
    sysctls = {"attrs": [("AF_INET", {"attrs": [("IFLA_INET_CONF", {"attrs": list(operation.sysctls)})]})]}
    attributes = [
        ("IFLA_IFNAME", operation.name),
        ("IFLA_MTU", operation.mtu),
        ("IFLA_IFALIAS", operation.alias or None),
        ("IFLA_GROUP", operation.group),
        ("IFLA_MASTER", operation.master),
        ("IFLA_AF_SPEC", sysctls if operation.sysctls else None),
    ]
    message["attrs"] = [pair for pair in attributes if pair[1] is not None]
    return message


def _sysctls(link: t.Any) -> tuple[tuple[str, int], ...]:
    """The IPv4 sysctls of a device, which every link dump carries."""
    spec = link.get_attr("IFLA_AF_SPEC")
    conf = spec.get_attr("AF_INET") if spec is not None else None
    if conf is None:
        return ()
    values = ((name, conf.get(DEVCONF_NAMES.get(name, name))) for name in _devices.SYSCTLS)
    return tuple(sorted((name, value) for name, value in values if value is not None))


def _end(value: t.Optional[str]) -> str:
    parsed = ipaddress.ip_address(value) if value else None
    return _devices.ANY if parsed is None or parsed.is_unspecified else str(parsed)


def _address(value: t.Optional[str]) -> str:
    return str(ipaddress.ip_address(value)) if value else ""


def _packed(end: str, width: int) -> bytes:
    return bytes(width) if end == _devices.ANY else ipaddress.ip_address(end).packed


def _rp_filter_all() -> int:
    try:
        with open("/proc/sys/net/ipv4/conf/all/rp_filter", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _text(exc: t.Any) -> str:
    """The kernel's own words, the error's name, and what to do about it."""
    code = exc.code or 0
    words = exc.args[1] if len(exc.args) > 1 and exc.args[1] else os.strerror(code)
    hint = f"; {HINTS[code]}" if code in HINTS else ""
    return f"{words} ({errno.errorcode.get(code, code)}){hint}"

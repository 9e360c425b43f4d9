# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Devices and addresses as rtnetlink messages: operations of _devices.py into requests, dumps into its dataclasses. No
socket is touched.

What is sent is packed here: pyroute2's classes follow the kernel's dumps, in which a list of sysctls looks otherwise
than in a request, and drop silently what they do not know. What is read is parsed by them.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import struct
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _devices, _rtnl
from ansible_collections.route_based.vpn.plugins.module_utils._pyroute2 import ifaddrmsg, ifinfmsg
from ansible_collections.route_based.vpn.plugins.module_utils._rtnl import Request, attribute, nested, text, u32

IndexOf = t.Callable[[str], int]
NEWLINK, DELLINK, GETLINK = 16, 17, 18
NEWADDR, DELADDR, GETADDR = 20, 21, 22
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
KINDS = ("vti", "vti6")
MORE_KINDS = (*KINDS, _devices.DUMMY)
IFF_UP = 1
# linux/if_link.h, linux/if_tunnel.h, linux/if_addr.h
IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO, IFLA_IFALIAS = 3, 4, 10, 18, 20
IFLA_AF_SPEC, IFLA_GROUP, IFLA_EXT_MASK = 26, 27, 29
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INET_CONF = 1, 2, 1
IFLA_VTI_LINK, IFLA_VTI_IKEY, IFLA_VTI_OKEY, IFLA_VTI_LOCAL, IFLA_VTI_REMOTE = 1, 2, 3, 4, 5
IFLA_VRF_TABLE, IFLA_STATS64 = 1, 23
# struct rtnl_link_stats64
STATS64 = {"rx_packets": 0, "tx_packets": 1, "rx_bytes": 2, "tx_bytes": 3, "rx_errors": 4, "tx_errors": 5}
STATS64.update(rx_dropped=6, tx_dropped=7, tx_collisions=9, tx_carrier_errors=17)
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFA_F_NODAD = 2
RTEXT_FILTER_SKIP_STATS = 8
# pyroute2's names of struct ipv4_devconf, where they are not the sysctls' names.
DEVCONF_NAMES = {"disable_policy": "nopolicy", "src_valid_mark": "src_vmark"}


def _link(*attributes: bytes, index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    """struct ifinfomsg and attributes."""
    return struct.pack("=BxHiII", 0, 0, index, flags, change) + b"".join(attributes)


# --- what is asked ---


def all_of_kind(kind: str, counters: bool = False) -> bytes:
    """A dump of the links of one kind. The kernel leaves out the others, but only where it knows the kind."""
    mask = 0 if counters else RTEXT_FILTER_SKIP_STATS
    return _link(nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, kind)), u32(IFLA_EXT_MASK, mask))


def one_link(name: str) -> bytes:
    """The link of a name."""
    return _link(text(IFLA_IFNAME, name), u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS))


def all_addresses() -> bytes:
    """A dump of all addresses."""
    return struct.pack("=BBBBi", 0, 0, 0, 0, 0)


# --- what is answered ---


def kind_of(message: bytes) -> str:
    """The kind of any link."""
    link = _parsed(ifinfmsg, message)
    info = link.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_KIND") if info is not None else None
    return str(kind or "a hardware device or the like")


def vrf_table(message: bytes) -> tuple[int, int]:
    """The index of a VRF device and its routing table; (0, 0) for any other device."""
    index = struct.unpack_from("=i", message, _rtnl.HEADER.size + 4)[0]
    found = dict(_rtnl.attributes(message, _rtnl.HEADER.size + 16))
    info = dict(_rtnl.attributes(found.get(IFLA_LINKINFO, b""), 0))
    if info.get(IFLA_INFO_KIND, b"").rstrip(b"\0") != b"vrf":
        return 0, 0
    data = dict(_rtnl.attributes(info.get(IFLA_INFO_DATA, b""), 0))
    return index, struct.unpack("=I", data[IFLA_VRF_TABLE])[0]


def index_and_mtu(message: bytes) -> tuple[int, int]:
    """The index and the MTU of any link."""
    found = dict(_rtnl.attributes(message, _rtnl.HEADER.size + 16))
    index = struct.unpack_from("=i", message, _rtnl.HEADER.size + 4)[0]
    return index, struct.unpack("=I", found[IFLA_MTU])[0]


def device(message: bytes, names: t.Mapping[int, str]) -> t.Optional[_devices.Device]:
    """A VTI device or a dummy, without its addresses, or None for any other link: a kernel that does not know a kind
    ignores the filter."""
    link = _parsed(ifinfmsg, message)
    info = link.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_KIND") if info is not None else None
    if kind not in MORE_KINDS:
        return None
    return _devices.Device(
        name=link.get_attr("IFLA_IFNAME"),
        kind=kind,
        **(_tunnel(info.get_attr("IFLA_INFO_DATA"), names) if kind in KINDS else {}),
        mtu=link.get_attr("IFLA_MTU"),
        enabled=bool(link["flags"] & IFF_UP),
        sysctls=_sysctls(link),
        alias=link.get_attr("IFLA_IFALIAS") or "",
        group=link.get_attr("IFLA_GROUP") or 0,
        index=link["index"],
        master=link.get_attr("IFLA_MASTER") or 0,
        from_other_netns=link.get_attr("IFLA_LINK_NETNSID") is not None,
        vrf=names.get(link.get_attr("IFLA_MASTER") or 0, ""),
    )


def _tunnel(data: t.Any, names: t.Mapping[int, str]) -> dict[str, t.Any]:
    parent = data.get_attr("IFLA_VTI_LINK") or 0
    return {
        "local": _end(data.get_attr("IFLA_VTI_LOCAL")),
        "remote": _end(data.get_attr("IFLA_VTI_REMOTE")),
        "ikey": data.get_attr("IFLA_VTI_IKEY") or 0,
        "okey": data.get_attr("IFLA_VTI_OKEY") or 0,
        "link": names.get(parent, f"#{parent}") if parent else "",
    }


def counters(message: bytes) -> dict[str, int]:
    """What a link's dump counts, since the device was made: packets, bytes, errors."""
    found = dict(_rtnl.attributes(message, _rtnl.HEADER.size + 16)).get(IFLA_STATS64, b"")
    return {name: struct.unpack_from("=Q", found, 8 * number)[0] for name, number in STATS64.items() if found}


def address(message: bytes) -> tuple[int, _devices.Inner]:
    """An address and the index of its device."""
    parsed = _parsed(ifaddrmsg, message)
    peer, local = parsed.get_attr("IFA_ADDRESS"), parsed.get_attr("IFA_LOCAL")
    local, peer = (local, peer) if local and local != peer else (peer, "")
    inner = _devices.Inner(f"{canonical(local)}/{parsed['prefixlen']}", canonical(peer) if peer else "")
    return parsed["index"], inner


def _parsed(kind: t.Any, message: bytes) -> t.Any:
    parsed = kind(message)
    parsed.decode()
    return parsed


def _sysctls(link: t.Any) -> tuple[tuple[str, int], ...]:
    """The IPv4 sysctls of a device, which every link dump carries."""
    spec = link.get_attr("IFLA_AF_SPEC")
    conf = spec.get_attr("AF_INET") if spec is not None else None
    if conf is None:
        return ()
    values = ((name, conf.get(DEVCONF_NAMES.get(name, name))) for name in _devices.SYSCTLS)
    return tuple(sorted((name, value) for name, value in values if value is not None))


@functools.cache
def canonical(value: str) -> str:
    """An address in its one spelling; a thousand devices mention the same few over and over."""
    return str(ipaddress.ip_address(value))


def _end(value: t.Optional[str]) -> str:
    return _devices.ANY if not value or value in ("0.0.0.0", "::") else canonical(value)


# --- what is written ---


def request(operation: t.Any, index_of: IndexOf) -> t.Optional[Request]:
    """The request that carries out an operation on a device, or None for any other operation."""
    encode = _ENCODERS.get(type(operation))
    return encode(operation, index_of) if encode else None


def _add_device(operation: _devices.AddDevice, index_of: IndexOf) -> Request:
    wanted = operation.device
    body = _link(
        text(IFLA_IFNAME, wanted.name),
        u32(IFLA_MTU, wanted.mtu),
        u32(IFLA_GROUP, wanted.group),
        _link_info(wanted, index_of),
        index=operation.index,
    )
    return Request(NEWLINK, _rtnl.F_CREATE | _rtnl.F_EXCL, body)


def _change_ends(operation: _devices.ChangeEnds, index_of: IndexOf) -> Request:
    wanted = operation.device
    return Request(
        NEWLINK,
        0,
        _link(text(IFLA_IFNAME, wanted.name), u32(IFLA_MTU, wanted.mtu), _link_info(wanted, index_of)),
    )


def _link_info(wanted: _devices.Device, index_of: IndexOf) -> bytes:
    """All five attributes, always: the kernel takes a missing one for 0."""
    if wanted.kind == _devices.DUMMY:
        return nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, wanted.kind))
    width = 16 if wanted.kind == "vti6" else 4
    data = nested(
        IFLA_INFO_DATA,
        u32(IFLA_VTI_LINK, index_of(wanted.link) if wanted.link else 0),
        attribute(IFLA_VTI_IKEY, struct.pack(">I", wanted.ikey)),
        attribute(IFLA_VTI_OKEY, struct.pack(">I", wanted.okey)),
        attribute(IFLA_VTI_LOCAL, packed(wanted.local, width)),
        attribute(IFLA_VTI_REMOTE, packed(wanted.remote, width)),
    )
    return nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, wanted.kind), data)


def packed(end: str, width: int) -> bytes:
    """An outer address as the kernel takes it; zeros stand for any."""
    return bytes(width) if end == _devices.ANY else ipaddress.ip_address(end).packed


def _set_device(operation: _devices.SetDevice, _index_of: IndexOf) -> Request:
    change = 0 if operation.enabled is None else IFF_UP
    parts = [text(IFLA_IFNAME, operation.name)]
    for kind, value in ((IFLA_MTU, operation.mtu), (IFLA_GROUP, operation.group), (IFLA_MASTER, operation.master)):
        parts += [u32(kind, value)] if value is not None else []
    parts += [text(IFLA_IFALIAS, operation.alias)] if operation.alias else []
    if operation.sysctls:
        values = [u32(_devices.SYSCTLS[name][0], value) for name, value in operation.sysctls]
        inet = nested(int(socket.AF_INET), nested(IFLA_INET_CONF, *values))
        parts.append(nested(IFLA_AF_SPEC, inet))
    return Request(NEWLINK, 0, _link(*parts, flags=IFF_UP if operation.enabled else 0, change=change))


def _del_device(operation: _devices.DelDevice, _index_of: IndexOf) -> Request:
    return Request(DELLINK, 0, _link(index=operation.index))


def _del_group(operation: _devices.DelGroup, _index_of: IndexOf) -> Request:
    return Request(DELLINK, 0, _link(u32(IFLA_GROUP, operation.group)))


def _add_address(operation: _devices.AddAddress, index_of: IndexOf) -> Request:
    flags = IFA_F_NODAD if operation.at_once else 0
    return Request(NEWADDR, _rtnl.F_CREATE | _rtnl.F_REPLACE, _address(operation, index_of, flags))


def _del_address(operation: _devices.DelAddress, index_of: IndexOf) -> Request:
    return Request(DELADDR, 0, _address(operation, index_of))


def _address(operation: t.Union[_devices.AddAddress, _devices.DelAddress], index_of: IndexOf, flags: int = 0) -> bytes:
    inner = operation.inner
    family = FAMILIES[6 if ":" in inner.address else 4]
    head = struct.pack("=BBBBi", family, int(inner.address.partition("/")[2]), flags, 0, index_of(operation.name))
    local, peer = (ipaddress.ip_address(end).packed for end in (inner.local, inner.peer or inner.local))
    return head + attribute(IFA_LOCAL, local) + attribute(IFA_ADDRESS, peer)


_ENCODERS: dict[type, t.Callable[[t.Any, IndexOf], Request]] = {
    _devices.AddDevice: _add_device,
    _devices.ChangeEnds: _change_ends,
    _devices.SetDevice: _set_device,
    _devices.DelDevice: _del_device,
    _devices.DelGroup: _del_group,
    _devices.AddAddress: _add_address,
    _devices.DelAddress: _del_address,
}

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Checks of single values, shared by the modules and by the filters: text in, canonical value out, ValueError with a
reason that a person understands. Only the standard library is used."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import re
import typing as t

if t.TYPE_CHECKING:
    IPAddress = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

INTERFACE_NAME = re.compile(r"[A-Za-z0-9_-]{1,15}")
CONN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FALLBACK_DEVICES = ("ip_vti0", "ip6_vti0")
U32_MAX = 0xFFFFFFFF
# Addresses that the Internet does not know, so that there is NAT between them and a public one.
PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


@dataclasses.dataclass(frozen=True)
class Mark:
    """A libreswan mark: value and mask, both 32 bits wide. The VTI device's key is the value."""

    value: int
    mask: int = U32_MAX

    def __str__(self) -> str:
        """The spelling that every libreswan reads alike: C(5/0xffffffff); a plain C(mark=5) is dead on 4.10."""
        return f"{self.value}/0x{self.mask:08x}"


def interface_name(value: str) -> str:
    """A device name that kernel, shell and libreswan all take: letters, digits, C(_) and C(-), 1 to 15 of them."""
    if value in FALLBACK_DEVICES:
        raise ValueError("is the kernel's fallback device, which takes the packets of every tunnel when it is up")
    if not INTERFACE_NAME.fullmatch(value):
        raise ValueError("a device name is 1 to 15 letters, digits, '_' or '-'")
    return value


def conn_name(value: str) -> str:
    """A conn name that is safe everywhere: libreswan up to 5.3 hands it unescaped to a root shell."""
    if not CONN_NAME.fullmatch(value) or value == "default":
        raise ValueError("a conn name is 1 to 64 letters, digits, '.', '_' or '-', begins with a letter or digit")
    if value.isdigit():
        raise ValueError("is a number to libreswan 4.10, which fails then: put a letter into the name")
    return value


def identity_is_literal(value: str) -> None:
    """Refuse an id that libreswan would look up: 5.x fails when there is no such name, and 4.10 takes another id
    without a word."""
    if "@" in value or "=" in value or value.startswith("%"):
        return
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError(f"is looked up in DNS, as no '@' is in it: write @{value} for the name itself") from None


def plain_text(value: str) -> str:
    """Text without control characters; a newline in ipsec.conf would start a keyword of its own."""
    if not value.isprintable():
        raise ValueError("holds a control character (newline, tab, carriage return or the like)")
    return value


def address(value: str) -> IPAddress:
    """One IPv4 or IPv6 address of a host: not a network, not 0.0.0.0, not multicast."""
    # Whatever else a user wrote there may be nothing that a cache can hold.
    return _address(str(value))


@functools.lru_cache(maxsize=1 << 15)
def _address(value: str) -> IPAddress:
    try:
        parsed = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("is not an IPv4 or IPv6 address") from None
    if parsed.is_unspecified:
        raise ValueError("is the unspecified address; leave the option out or write 'any' for a wildcard")
    if parsed.is_multicast or str(parsed) == "255.255.255.255":
        raise ValueError("is a multicast or broadcast address")
    return parsed


def is_private(address: t.Optional[IPAddress]) -> bool:
    """Whether an address is none of the Internet's; C(False) for none."""
    return address is not None and any(address in network for network in PRIVATE)


# A hub's thousands of networks go through several steps, each of which checks what it is given.
@functools.lru_cache(maxsize=1 << 15)
def network(value: str) -> str:
    """A network in CIDR form without host bits (C(10.0.0.0/8)); a bare address is a host route. Canonical text."""
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as exc:
        if "host bits" in str(exc):
            meant = ipaddress.ip_network(value, strict=False)
            raise ValueError(f"has host bits set; the network is {meant}") from None
        raise ValueError("is not a network like 10.0.0.0/8 or 2001:db8::/32") from None


# A site has one address on all its devices.
@functools.lru_cache(maxsize=1 << 10)
def interface_address(value: str) -> str:
    """A device's address with its prefix length (C(10.0.1.1/24)). Canonical text."""
    if "/" not in value:
        raise ValueError("needs a prefix length, like 10.0.1.1/24")
    try:
        parsed = ipaddress.ip_interface(value)
    except ValueError:
        raise ValueError("is not an address with a prefix length, like 10.0.1.1/24") from None
    if not re.fullmatch(r"[0-9]+", value.rpartition("/")[2]):
        raise ValueError("write the prefix length as a number, like /24; libreswan takes no netmask")
    address(str(parsed.ip))
    return str(parsed)


def family(value: str) -> int:
    """4 or 6 for an address or network that was checked before."""
    return 6 if ":" in value else 4


def _u32(text: str) -> int:
    if not re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}", text):
        raise ValueError("is not a mark: write a number like 5 or 0x5, with a mask 5/0xffffffff")
    number = int(text, 16 if text[:2] in ("0x", "0X") else 10)
    if number > U32_MAX:
        raise ValueError("is wider than 32 bits")
    return number


def mark(value: t.Union[str, int]) -> Mark:
    """A mark as V or V/M, decimal or hexadecimal. 0 and -1 are refused, as are value bits outside the mask."""
    text = str(value).strip()
    if text.partition("/")[0] == "-1":
        raise ValueError("mark=-1 gives every tunnel the same mark on libreswan 5.3 and newer; choose a number")
    number, slash, mask_text = text.partition("/")
    parsed = Mark(_u32(number), _u32(mask_text) if slash else U32_MAX)
    if parsed.value == 0:
        raise ValueError("mark 0 means no mark, and the tunnel would take all the traffic of the host")
    if parsed.value & ~parsed.mask:
        raise ValueError("has bits outside its mask")
    return parsed


def key(value: t.Union[str, int]) -> int:
    """A VTI device's key, 1 to 0xffffffff: a number, or a conn's mark, whose mask is left off."""
    return mark(value).value

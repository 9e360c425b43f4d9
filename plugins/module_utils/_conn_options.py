# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Checks of single keywords of a conn: why libreswan must not see a value. Pure.

All of libreswan's keywords pass; what is checked is the shape of those whose mistakes it takes silently, loads half, or
reads as something else. A keyword that it does not know it refuses itself, before anything is installed.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _values
from ansible_collections.route_based.vpn.plugins.module_utils._versions import MARKS, VTI_ADDRESSES

VALUE_MAX = 4000
#: What auto= may say; see AUTO_STATES in _ipsec_conf.py.
AUTOS = ("ignore", "add", "start", "ondemand", "route")
BOOLEANS = ("yes", "no", "y", "n", "true", "false", "on", "off")
_KEYWORD = re.compile(r"[a-z][a-z0-9_-]*")
_TIME = re.compile(r"\d{1,9}(?:us|ms|s|m|h|d|w)?")
_PROPOSAL = re.compile(r"[A-Za-z0-9_;,+-]+")
_HOST = re.compile(r"%[a-z][A-Za-z0-9_-]*|[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_ID = re.compile(
    r"%[a-z]+|@#[0-9A-Fa-f]+|@\[[A-Za-z0-9._@:/-]+\]|@{0,2}[A-Za-z0-9_*][A-Za-z0-9._@:/*#+~-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
)
_DN = re.compile(r"(?:[A-Za-z][A-Za-z0-9.]*|[0-9.]+)\s*=.+")
_LIFETIMES = ("ikelifetime", "salifetime", "lifetime", "keylife")
_TIMES = (*_LIFETIMES, "rekeymargin", "dpddelay", "dpdtimeout", "retransmit-timeout", "retransmit-interval")


def plain(text: str, comment: bool = False) -> bool:
    """Whether a text is printable and, outside comments, ASCII."""
    return text.isprintable() and (comment or text.isascii())


def option_reason(key: str, value: str) -> str:
    """Why a single keyword is refused, whatever stands beside it; empty when it is not."""
    if not _KEYWORD.fullmatch(key):
        return "a keyword is lower case letters, digits, '-' or '_', and begins with a letter"
    if not plain(value):
        return "holds a control character or one that is not ASCII"
    if "'" in value or '"' in value:
        return "holds a quote; libreswan has no way to escape one"
    if not value and key not in ("leftupdown", "rightupdown"):
        return "is empty; leave the keyword out"
    if len(value) > VALUE_MAX:
        return f"is longer than {VALUE_MAX} characters"
    check = _CHECKS.get(key)
    try:
        if check and value:
            check(value)
    except ValueError as exc:
        return str(exc)
    return ""


def _auto(value: str) -> None:
    if value not in AUTOS:
        raise ValueError(f"is none of {', '.join(AUTOS)}")


def _text(value: str) -> None:
    # Only a file shows whether it stands in quotes, and the parser takes them off: none is needed for anything else.
    if value.isdigit():
        raise ValueError("is a bare number, which 4.10 drops without a word: put a letter into it")


def _boolean(value: str) -> None:
    if value not in BOOLEANS:
        raise ValueError("is neither yes nor no; 4.10 wants it in lower case")


def _time(value: str) -> None:
    if not _TIME.fullmatch(value):
        raise ValueError("is no time: write a number of seconds, or 90s, 30m, 8h, 1d")


def _lifetime(value: str) -> None:
    _time(value)
    if not int(re.match(r"\d+", value).group()):  # type: ignore[union-attr]
        raise ValueError("is no time: an SA that lives for 0 seconds carries nothing")


def _proposal(value: str) -> None:
    if not _PROPOSAL.fullmatch(value):
        raise ValueError("is no proposal like aes_gcm256-sha2_512;dh19, with no blank in it")


def _host(value: str) -> None:
    if not _HOST.fullmatch(value):
        raise ValueError("is neither an address nor a host name nor a word like %any or %defaultroute")


def _identity(value: str) -> None:
    if _DN.fullmatch(value):
        return
    if not _ID.fullmatch(value):
        raise ValueError("is no id: write an address, @name, user@name, %fromcert, or a DN like C=DE, CN=west")
    _values.identity_is_literal(value)


def _selectors(value: str) -> None:
    for part in re.split(r"[,\s]+", value.strip("{} ")):
        _selector(part)


def _selector(value: str) -> None:
    if re.fullmatch(r"%[a-z]+|v(?:host|net):\S+|0/0", value):
        return
    # Behind the network there may be /protocol/port.
    address, _slash, rest = value.partition("/")
    length = rest.split("/")[0]
    if rest and not re.fullmatch(r"\d{1,3}", length):
        raise ValueError("write the prefix length as a number, like 10.0.0.0/8")
    _values.network(f"{address}/{length}" if rest else address)


def _vti_address(value: str) -> None:
    family = 128 if ":" in value else 32
    text = _values.interface_address(value if "/" in value else f"{value}/{family}")
    ipaddress.ip_interface(text)


def _mtu(value: str) -> None:
    if not re.fullmatch(r"\d{2,5}", value) or not 68 <= int(value) <= 65535:
        raise ValueError("is out of range: 68 to 65535 bytes")


Check = t.Callable[[str], object]
_CHECKS: dict[str, Check] = {
    **dict.fromkeys(MARKS, _values.mark),
    **dict.fromkeys(_TIMES, _time),
    **dict.fromkeys(_LIFETIMES, _lifetime),
    **dict.fromkeys(("ike", "esp", "ah", "phase2alg"), _proposal),
    **dict.fromkeys(VTI_ADDRESSES, _vti_address),
    **{f"{end}{word}": _selectors for end in ("left", "right") for word in ("subnet", "subnets")},
    **{f"{end}id": _identity for end in ("left", "right")},
    **dict.fromkeys(("vti-routing", "vti-shared"), _boolean),
    "left": _host,
    "right": _host,
    "vti-interface": _values.interface_name,
    "also": _values.conn_name,
    "auto": _auto,
    "connalias": _text,
    **{f"{end}{word}": _text for end in ("left", "right") for word in ("cert", "ca", "updown")},
    "mtu": _mtu,
}

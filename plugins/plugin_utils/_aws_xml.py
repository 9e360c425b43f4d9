# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The CustomerGatewayConfiguration of an AWS Site-to-Site VPN connection, read and checked: XML text in, the connection
out. Pure, only the standard library is used, and no message holds a pre-shared key."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t
from xml.etree import ElementTree
from xml.parsers import expat

from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, InputErrors, Refusals
from ansible_collections.route_based.vpn.plugins.plugin_utils import _presets

SIZE_MAX = 1 << 20
DEPTH_MAX = 16
HOW = "save the CustomerGatewayConfiguration of 'aws ec2 describe-vpn-connections' as text"
# A pre-shared key as AWS has them.
PSK = re.compile(r"(?!0)[A-Za-z0-9._]{8,64}")
# Of each number of a tunnel: where it stands, and what it may be. libreswan takes lifetimes up to a day.
NUMBERS = {
    "ikelifetime": ("ike/lifetime", 60, 86400),
    "salifetime": ("ipsec/lifetime", 60, 86400),
    "interval": ("ipsec/dead_peer_detection/interval", 1, 3600),
    "retries": ("ipsec/dead_peer_detection/retries", 1, 100),
}
BGP_NUMBERS = {
    "local_as": ("customer_gateway/bgp/asn", 1, 4294967295),
    "remote_as": ("vpn_gateway/bgp/asn", 1, 4294967295),
    "hold_time": ("vpn_gateway/bgp/hold_time", 3, 65535),
}
# What expat says of the beginning of a file.
CUT_OFF = {
    expat.errors.codes[message]
    for message in (expat.errors.XML_ERROR_NO_ELEMENTS, expat.errors.XML_ERROR_UNCLOSED_TOKEN)
}
OURS, THEIRS = "customer_gateway", "vpn_gateway"


@dataclasses.dataclass(frozen=True)
class Tunnel:
    """One of the two tunnels. Outer addresses as text, the inner one of the customer with its prefix and that of AWS
    without, times in seconds; C(bgp) has C(local_as), C(remote_as) and C(hold_time), and is empty for static routes."""

    outer: str
    remote: str
    inner: str
    neighbor: str
    psk: str = dataclasses.field(repr=False)
    numbers: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    bgp: t.Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Connection:
    """A VPN connection: its id, and its two tunnels."""

    id: str
    tunnels: tuple[Tunnel, ...]

    @property
    def static(self) -> bool:
        """Whether it has static routes instead of BGP."""
        return not any(tunnel.bgp for tunnel in self.tunnels)


def _refusal(reason: str) -> InputErrors:
    return InputErrors([InputError("CustomerGatewayConfiguration", "", "...", reason)])


def parse(text: str) -> ElementTree.Element:
    """The root element of an XML text. Nothing is looked up: a document type, with which entities come, is refused as
    soon as it begins. Raises InputErrors, which say where the text is wrong, and never what stands there."""
    if len(text) > SIZE_MAX:
        raise _refusal(f"has {len(text)} characters, and such a file has a few thousand: {HOW}")
    if not text.strip():
        raise _refusal(f"is empty: {HOW}; AWS has none for a connection that is being deleted")
    builder, depth = ElementTree.TreeBuilder(), 0
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH_MAX:
            raise _refusal(f"has elements {depth} deep, and such a file has them 5 deep: {HOW}")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(*_args: t.Any) -> None:
        raise _refusal(f"has a document type (<!DOCTYPE), which could do harm, and AWS writes none: {HOW}")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, doctype
    try:
        parser.Parse(text, True)
    except expat.ExpatError as exc:
        what = "ends in the middle" if exc.code in CUT_OFF else f"is no XML: {expat.ErrorString(exc.code)}"
        raise _refusal(f"{what} in line {exc.lineno}, column {exc.offset + 1}: {HOW}") from None
    except UnicodeError:
        raise _refusal(f"is no text of Unicode characters: {HOW}") from None
    return builder.close()


def connection(text: str, with_psk: bool = True) -> Connection:
    """The connection that a CustomerGatewayConfiguration describes. C(with_psk) is false where something else than a
    secret proves who the ends are. Raises InputErrors with everything that is wrong."""
    root = parse(text)
    if root.tag != "vpn_connection":
        raise _refusal(f"has {root.tag[:80]!r} as its outermost element, and not vpn_connection: {HOW}")
    found = root.findall("ipsec_tunnel")
    refusals = Refusals()
    if len(found) != 2:
        refusals.refuse(
            "vpn_connection", "ipsec_tunnel", len(found), "is the number of its tunnels, and a connection has 2"
        )
    static = "NoBGP" in (root.findtext("vpn_connection_attributes") or "")
    static = static or not any(element.find(f"{end}/bgp") is not None for element in found for end in (OURS, THEIRS))
    tunnels = [_tunnel(_Fields(element, number, refusals), static, with_psk) for number, element in enumerate(found)]
    for field, where in (("remote", f"{THEIRS}/tunnel_outside_address"), ("inner", f"{OURS}/tunnel_inside_address")):
        values = [getattr(tunnel, field) for tunnel in tunnels]
        if len(values) == 2 and values[0] and values[0] == values[1]:
            refusals.refuse("ipsec_tunnel[1]", f"{where}/ip_address", values[1], "is that of ipsec_tunnel[0], too")
    refusals.stop_if_any()
    return Connection(root.get("id", ""), tuple(tunnels))


class _Fields:
    """Reads the fields of one ipsec_tunnel by their paths, and notes what is missing or wrong."""

    def __init__(self, element: ElementTree.Element, number: int, refusals: Refusals) -> None:
        self.label = f"ipsec_tunnel[{number}]"
        self._element, self._refusals = element, refusals

    def refuse(self, path: str, value: object, reason: str) -> None:
        """Notes one refused value."""
        self._refusals.refuse(self.label, path, value, reason)

    def text(self, path: str) -> str:
        """What an element holds; empty, and noted, where it is missing."""
        value = (self._element.findtext(path) or "").strip()
        if not value:
            self.refuse(path, None, f"is missing: {HOW}, all of it")
        return value

    def number(self, path: str, low: int, high: int) -> int:
        """A whole number of a range; 0, and noted, where there is none."""
        text = self.text(path)
        value = int(text) if re.fullmatch(r"[0-9]{1,10}", text) else 0
        if text and not low <= value <= high:
            self.refuse(path, text[:80], f"is no number from {low} to {high}")
            return 0
        return value

    def address(self, path: str) -> t.Optional[ipaddress.IPv4Address]:
        """An IPv4 address; None, and noted, where there is none."""
        text = self.text(path)
        try:
            return ipaddress.IPv4Address(text) if text else None
        except ValueError:
            reason = "is no IPv4 address; a tunnel with IPv6 addresses can be written as one of gateway_tunnels"
            self.refuse(path, text[:80], reason)
            return None


def _tunnel(fields: _Fields, static: bool, with_psk: bool) -> Tunnel:
    outer, remote = (fields.address(f"{end}/tunnel_outside_address/ip_address") for end in (OURS, THEIRS))
    if outer is not None and outer == remote:
        fields.refuse(f"{THEIRS}/tunnel_outside_address/ip_address", str(remote), f"is that of the {OURS}, too")
    inner, neighbor = _inside(fields)
    return Tunnel(
        outer=str(outer or ""),
        remote=str(remote or ""),
        inner=inner,
        neighbor=neighbor,
        psk=_psk(fields) if with_psk else "",
        numbers={name: fields.number(*where) for name, where in NUMBERS.items()},
        bgp={} if static else {name: fields.number(*where) for name, where in BGP_NUMBERS.items()},
    )


def _inside(fields: _Fields) -> tuple[str, str]:
    """The inner address of the customer with its prefix, and that of AWS; empty where they are refused."""
    found = []
    for end in (OURS, THEIRS):
        path = f"{end}/tunnel_inside_address"
        address = fields.address(f"{path}/ip_address")
        prefix = fields.number(f"{path}/network_cidr", 1, 32)
        if address is None or not prefix:
            continue
        inner = ipaddress.IPv4Interface(f"{address}/{prefix}")
        reason = _presets.inside_problem(_presets.PRESETS["aws"], inner)
        if reason:
            fields.refuse(path, str(inner), reason)
        else:
            found.append(inner)
    if len(found) < 2:
        return "", ""
    ours, theirs = found
    if ours.ip == theirs.ip or ours.network != theirs.network:
        reason = f"is not the other host of {ours.network}, which the {OURS} is in with {ours.ip}"
        fields.refuse(f"{THEIRS}/tunnel_inside_address", str(theirs), reason)
    return str(ours), str(theirs.ip)


def _psk(fields: _Fields) -> str:
    # Never the value itself in a message.
    value = fields.text("ike/pre_shared_key")
    if value and not PSK.fullmatch(value):
        reason = (
            "is no secret of AWS, which has 8 to 64 letters, digits, '.' or '_', and no 0 first; where it is kept in "
            "Secrets Manager, write it into this element"
        )
        fields.refuse("ike/pre_shared_key", "...", reason)
    return value

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""VTI devices: what a user may ask for, what the kernel has, and the writes that there are. Pure: nothing here reads or
writes; see _device_plan.py for the way from one to the other, and _netlink.py for the kernel."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _mtu, _routes, _values, _xfrm
from ansible_collections.route_based.vpn.plugins.module_utils._errors import Refusals

# The marks of ownership, both needed: purge touches nothing else. The group also lets the kernel delete many at once.
ALIAS = "route_based.vpn"
GROUP = 4500
# Where devices are put to be deleted together; a number that nobody else uses.
GROUP_LEAVING = 1_314_500_157
ANY = "any"
# A device that carries nothing: it holds the addresses that unnumbered devices use.
DUMMY = "dummy"
# Lowest, highest and usual MTU; IPv6 asks for 1280 of every link. The kernel clamps silently when a device is made.
MTU_MIN, MTU_DEFAULT, MTU_MIN_IPV6 = 68, 1400, 1280
MTU_MAX = {"vti": 65515, "vti6": 65495, DUMMY: 65535}
# The kernel's own one; nothing is sent through it.
MTU_DUMMY = 1500
NOT_OF_A_DUMMY = ("local", "remote", "key", "ikey", "okey", "link", "vrf", "sysctls", "unnumbered")
AUTO, UNDERLAY_MIN, UNDERLAY_MAX = "auto", 576, 65535
# net.ipv4.conf.<device>.<name>: the number in IFLA_INET_CONF (include/uapi/linux/ip.h) and the highest value.
SYSCTLS = {
    "forwarding": (1, 1),
    "proxy_arp": (3, 1),
    "accept_redirects": (4, 1),
    "secure_redirects": (5, 1),
    "send_redirects": (6, 1),
    "shared_media": (7, 1),
    "rp_filter": (8, 2),
    "accept_source_route": (9, 1),
    "log_martians": (11, 1),
    "disable_policy": (16, 1),
    "promote_secondaries": (20, 1),
    "accept_local": (23, 1),
    "src_valid_mark": (24, 1),
    "route_localnet": (26, 1),
}
# As libreswan sets them (_updown.xfrm, addvtiiface): with an unmarked policy around, disable_policy=0 drops everything.
SYSCTLS_DEFAULT = {"disable_policy": 1, "forwarding": 1, "rp_filter": 0}


@dataclasses.dataclass(frozen=True)
class Inner:
    """An address on a device, with its prefix length; with a peer the prefix length is the peer's."""

    address: str
    peer: str = ""

    def __str__(self) -> str:
        return f"{self.address} peer {self.peer}" if self.peer else self.address

    @property
    def local(self) -> str:
        """The address without its prefix length."""
        return self.address.partition("/")[0]

    @property
    def network(self) -> t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]:
        """The network that the kernel makes a connected route for."""
        prefix = self.address.partition("/")[2]
        return ipaddress.ip_network(f"{self.peer or self.local}/{prefix}", strict=False)

    @property
    def is_link_local(self) -> bool:
        """Whether the kernel may have made it by itself (fe80::/10)."""
        return ipaddress.ip_address(self.local).version == 6 and ipaddress.ip_address(self.local).is_link_local


@dataclasses.dataclass(frozen=True)
class Device:
    """A VTI device or a dummy, wanted or live. The fields from C(index) on are only met in live devices."""

    name: str
    kind: str = "vti"
    local: str = ANY
    remote: str = ANY
    ikey: int = 0
    okey: int = 0
    link: str = ""
    mtu: int = MTU_DEFAULT
    enabled: bool = True
    addresses: tuple[Inner, ...] = ()
    sysctls: tuple[tuple[str, int], ...] = ()
    alias: str = ALIAS
    group: int = GROUP
    index: int = 0
    master: int = 0
    from_other_netns: bool = False
    # None in a wish leaves the VRF as it is, nothing takes the device out of it.
    vrf: t.Optional[str] = None
    # Of a device without addresses: an address of another device, which its packets have as their source, and the peer.
    unnumbered: t.Optional[Inner] = None

    @property
    def slot(self) -> tuple[str, ...]:
        """What only one device of the host may have. The key is no part of it; for vti6 the link is none either."""
        if self.kind == DUMMY:
            return (self.kind, self.name)
        ends = (self.kind, self.local, self.remote)
        return ends if self.kind == "vti6" else (*ends, self.link)

    @property
    def ends(self) -> tuple[t.Any, ...]:
        """The five attributes that the kernel takes together: what is left out of a change becomes 0."""
        return (self.local, self.remote, self.ikey, self.okey, self.link)

    @property
    def owned(self) -> bool:
        return self.group == GROUP and self.alias.startswith(ALIAS)

    @property
    def peer_route(self) -> t.Optional[_routes.Route]:
        """The route to the peer of an unnumbered device, which a device with addresses has of the kernel."""
        if not self.unnumbered:
            return None
        family = _values.family(self.unnumbered.local)
        return _routes.Route(
            str(self.unnumbered.network),
            device=self.name,
            source=self.unnumbered.local,
            metric=_routes.METRIC_DEFAULT[family],
            protocol=_routes.PROTOCOL_PEER,
        )

    def as_dict(self) -> dict[str, t.Any]:
        """As a user writes it."""
        if self.kind == DUMMY:
            return {
                "kind": self.kind,
                "mtu": self.mtu,
                "enabled": self.enabled,
                "addresses": [str(address) for address in sorted(self.addresses, key=str)],
                "sysctls": {},
                "owner": ALIAS if self.owned else "other",
            }
        keys = {"key": self.ikey} if self.ikey == self.okey else {"ikey": self.ikey, "okey": self.okey}
        return {
            "kind": self.kind,
            "local": self.local,
            "remote": self.remote,
            **keys,
            "link": self.link or None,
            **({"vrf": self.vrf} if self.vrf else {}),
            "mtu": self.mtu,
            "enabled": self.enabled,
            "addresses": [str(address) for address in sorted(self.addresses, key=str)],
            "unnumbered": f"{self.unnumbered.local} peer {self.unnumbered.peer}" if self.unnumbered else None,
            "sysctls": dict(sorted(self.sysctls)),
            "owner": ALIAS if self.owned else "other",
        }


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One entry of the user's list. C(item) says where it stands, for error messages."""

    item: str
    device: Device
    present: bool = True
    # Where the MTU is to be worked out.
    auto: t.Optional[_mtu.Auto] = None


@dataclasses.dataclass(frozen=True)
class Way:
    """How the kernel reaches an address: device, gateway or nothing, MTU in bytes."""

    device: str
    gateway: str
    mtu: int


@dataclasses.dataclass(frozen=True)
class Vrf:
    """A VRF device."""

    index: int
    table: int


@dataclasses.dataclass(frozen=True)
class State:
    """What the kernel has: its VTI devices and our dummies, the kinds of other devices that have a wanted name, all
    names, two sysctls, VRFs by name, the peer routes in their tables, IPsec policies, and the addresses of all other
    devices."""

    devices: tuple[Device, ...] = ()
    others: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    names: frozenset[str] = frozenset()
    rp_filter_all: int = 0
    disable_xfrm_all: int = 0
    vrfs: t.Mapping[str, Vrf] = dataclasses.field(default_factory=dict)
    peer_routes: tuple[_routes.Route, ...] = ()
    policies: tuple[_xfrm.Policy, ...] = ()
    elsewhere: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class AddDevice:
    """Makes the device, down: it takes the packets of its ends only when its sysctls are set. An index is given where
    a device is made anew, so that routes and routing daemons meet the one that they know."""

    device: Device
    index: int = 0

    def describe(self) -> str:
        d = self.device
        if d.kind == DUMMY:
            return f"ip link add {d.name} type {d.kind}"
        return f"ip link add {d.name} type {d.kind} local {d.local} remote {d.remote} ikey {d.ikey} okey {d.okey}"


@dataclasses.dataclass(frozen=True)
class ChangeEnds:
    """Changes ends, keys and link in place. The MTU goes along, as the kernel works out a new one otherwise."""

    device: Device

    def describe(self) -> str:
        d = self.device
        return f"ip link change {d.name} type {d.kind} local {d.local} remote {d.remote} ikey {d.ikey} okey {d.okey}"


@dataclasses.dataclass(frozen=True)
class SetDevice:
    """Sets what is given; what is None or empty stays."""

    name: str
    mtu: t.Optional[int] = None
    enabled: t.Optional[bool] = None
    alias: str = ""
    group: t.Optional[int] = None
    master: t.Optional[int] = None
    sysctls: tuple[tuple[str, int], ...] = ()

    def describe(self) -> str:
        fields = [(f.name, getattr(self, f.name)) for f in dataclasses.fields(self)[1:]]
        given = [f"{name} {value}" for name, value in fields if value not in (None, "", ()) and name != "sysctls"]
        return ", ".join([f"set {self.name}", *given, *(f"{name} {value}" for name, value in self.sysctls)])


@dataclasses.dataclass(frozen=True)
class DelDevice:
    """Deletes the device; its addresses and routes go with it."""

    name: str
    index: int

    def describe(self) -> str:
        return f"ip link del {self.name}"


@dataclasses.dataclass(frozen=True)
class DelGroup:
    """Deletes all devices of a link group at once."""

    group: int

    def describe(self) -> str:
        return f"ip link del group {self.group}"


@dataclasses.dataclass(frozen=True)
class AddAddress:
    """Adds an address to a device; does nothing where it is there already. C(at_once): IPv6 does not look for other
    hosts that have it, as until then no route can have it as source."""

    name: str
    inner: Inner
    at_once: bool = False

    def describe(self) -> str:
        return f"ip address add {self.inner} dev {self.name}"


@dataclasses.dataclass(frozen=True)
class DelAddress:
    """Deletes an address from a device."""

    name: str
    inner: Inner

    def describe(self) -> str:
        return f"ip address del {self.inner} dev {self.name}"


def is_of_unnumbered(route: _routes.Route) -> bool:
    """Whether it is the peer route of an unnumbered device: those of VRFs name no source."""
    return route.protocol == _routes.PROTOCOL_PEER and bool(route.source)


def unnumbered_of(route: _routes.Route) -> Inner:
    """Source and peer of the peer route of an unnumbered device."""
    peer, _slash, length = route.destination.partition("/")
    return Inner(f"{route.source}/{length}", peer)


# --- what the user wrote ------------------------------------------------------------------------------------------


def _end(value: t.Optional[str]) -> str:
    if value in (None, "", ANY):
        return ANY
    parsed = _values.address(str(value))
    if getattr(parsed, "scope_id", None) or parsed.is_loopback:
        raise ValueError("is no address that a tunnel can end at")
    return str(parsed)


def check_mtu(kind: str, addresses: t.Sequence[Inner], value: int) -> int:
    """The value; raises ValueError where the kernel would not take it, or would drop IPv6 addresses."""
    if not MTU_MIN <= value <= MTU_MAX[kind]:
        raise ValueError(f"has to be {MTU_MIN} to {MTU_MAX[kind]} for a {kind} device")
    if value < MTU_MIN_IPV6 and any(":" in inner.address for inner in addresses):
        raise ValueError(f"has to be {MTU_MIN_IPV6} or more on a device with IPv6 addresses, or the kernel drops them")
    return value


def _keys(item: str, entry: dict[str, t.Any], refused: Refusals) -> tuple[int, int]:
    """Input and output key from key, or from ikey and okey."""
    given = {option: entry[option] for option in ("key", "ikey", "okey") if entry.get(option) is not None}
    if set(given) not in ({"key"}, {"ikey", "okey"}):
        reason = "give either key, or ikey and okey: the conn's mark, or its mark-in and mark-out"
        refused.refuse(item, "key", given or None, reason)
        return 0, 0
    parsed = {option: refused.check(item, option, value, _values.key, 0) for option, value in given.items()}
    return parsed.get("ikey", parsed.get("key", 0)), parsed.get("okey", parsed.get("key", 0))


def _peer(value: str) -> str:
    return str(_values.address(value)) if value else ""


def _addresses(item: str, entries: t.Sequence[dict[str, t.Any]], refused: Refusals) -> tuple[Inner, ...]:
    result: list[Inner] = []
    for index, entry in enumerate(entries):
        option = f"addresses[{index}]"
        text = refused.check(item, f"{option}.address", entry["address"], _values.interface_address, "")
        peer = refused.check(item, f"{option}.peer", entry.get("peer") or "", _peer, "")
        if text and peer and _values.family(text) != _values.family(peer):
            refused.refuse(item, f"{option}.peer", peer, f"is not of the family of {text}")
        if not text:
            continue
        # The kernel leaves out a peer that is the address itself.
        inner = Inner(text, "" if peer == text.partition("/")[0] else peer)
        if inner in result:
            refused.refuse(item, f"{option}.address", entry["address"], "is given twice")
        result.append(inner)
    return tuple(result)


def _sysctl(name: str, value: t.Any) -> int:
    if name == "disable_xfrm":
        raise ValueError("with disable_xfrm a VTI device sends nothing at all; leave it at 0")
    if name not in SYSCTLS:
        raise ValueError(f"is no sysctl that this module sets; it sets {', '.join(SYSCTLS)} of net.ipv4.conf")
    high, text = SYSCTLS[name][1], str(value).strip().lower()
    text = {"true": "1", "false": "0"}.get(text, text)
    if not (text.isascii() and text.isdecimal() and int(text) <= high):
        raise ValueError(f"has to be 0 to {high}")
    return int(text)


def _sysctls(item: str, given: t.Mapping[str, t.Any], refused: Refusals) -> tuple[tuple[str, int], ...]:
    """The defaults, with what the user gave over them."""
    values = dict(SYSCTLS_DEFAULT)
    for name, value in given.items():
        values[name] = refused.check(item, f"sysctls.{name}", value, functools.partial(_sysctl, name), 0)
    return tuple(sorted(values.items()))


def _ends(item: str, entry: dict[str, t.Any], refused: Refusals) -> tuple[str, str, str]:
    """Kind, local and remote."""
    local, remote = (refused.check(item, o, entry.get(o), _end, "") for o in ("local", "remote"))
    if not local or not remote:
        return "vti", local, remote
    if local == remote == ANY:
        reason = "local and remote cannot both be any: such a device never sends, as no SA begins at 0.0.0.0"
        refused.refuse(item, "remote", entry.get("remote"), reason)
    elif local == remote:
        refused.refuse(item, "remote", remote, "is the same address as local")
    families = {_values.family(end) for end in (local, remote) if end != ANY}
    if len(families) > 1:
        refused.refuse(item, "remote", remote, f"is not of the family of local, {local}")
    return ("vti6" if 6 in families else "vti"), local, remote


def _parse(item: str, entry: dict[str, t.Any], refused: Refusals) -> Device:
    """One entry's values."""
    name = refused.check(item, "name", entry["name"], _values.interface_name, "")
    if (entry.get("state") or "present") == "absent":
        return Device(name)
    if entry.get("kind") == DUMMY:
        return _parse_dummy(item, name, entry, refused)
    kind, local, remote = _ends(item, entry, refused)
    ikey, okey = _keys(item, entry, refused)
    link = refused.check(item, "link", entry["link"], _routes.device_name, "") if entry.get("link") else ""
    if link and link == name:
        refused.refuse(item, "link", link, "is the device itself")
    addresses = _addresses(item, entry.get("addresses") or [], refused)
    vrf = entry.get("vrf")
    return Device(
        name=name,
        kind=kind,
        local=local,
        remote=remote,
        ikey=ikey,
        okey=okey,
        link=link,
        mtu=refused.check(item, "mtu", entry.get("mtu"), functools.partial(_mtu_of, kind, addresses), MTU_DEFAULT),
        enabled=entry.get("enabled") is not False,
        addresses=addresses,
        sysctls=_sysctls(item, entry.get("sysctls") or {}, refused),
        vrf=refused.check(item, "vrf", vrf, _routes.device_name, "") if vrf else vrf,
        unnumbered=_unnumbered(item, entry, refused),
    )


def _parse_dummy(item: str, name: str, entry: dict[str, t.Any], refused: Refusals) -> Device:
    """A device that only holds addresses; what makes a tunnel is refused."""
    for option in NOT_OF_A_DUMMY:
        if entry.get(option):
            refused.refuse(item, option, entry[option], "is an option of a tunnel, and kind is dummy")
    addresses = _addresses(item, entry.get("addresses") or [], refused)
    return Device(name, DUMMY, mtu=MTU_DUMMY, enabled=entry.get("enabled") is not False, addresses=addresses)


def _unnumbered(item: str, entry: dict[str, t.Any], refused: Refusals) -> t.Optional[Inner]:
    given = entry.get("unnumbered")
    if not given:
        return None
    before = len(refused.errors)
    address, peer = (refused.check(item, f"unnumbered.{o}", given[o], _peer, "") for o in ("address", "peer"))
    if address and peer and _values.family(address) != _values.family(peer):
        refused.refuse(item, "unnumbered.peer", peer, f"is not of the family of {address}")
    elif address and address == peer:
        refused.refuse(item, "unnumbered.peer", peer, "is the address itself")
    for option in ("addresses", "vrf"):
        if entry.get(option):
            refused.refuse(item, option, entry[option], "has no place at a device that is unnumbered")
    if len(refused.errors) > before:
        return None
    return Inner(f"{address}/{128 if ':' in address else 32}", peer)


def _mtu_of(kind: str, addresses: t.Sequence[Inner], value: t.Any) -> int:
    """A number; for auto the default stands in until the kernel has been asked."""
    text = str(MTU_DEFAULT if value is None else value).strip()
    if text == AUTO:
        return MTU_DEFAULT
    if not (text.isascii() and text.lstrip("-").isdecimal()):
        raise ValueError("is neither a number of bytes nor auto")
    return check_mtu(kind, addresses, int(text))


def _auto(item: str, entry: dict[str, t.Any], refused: Refusals) -> t.Optional[_mtu.Auto]:
    """What an MTU is to be worked out from. The options for that are checked in any case."""
    esp, underlay = entry.get("esp") or _mtu.ESP_DEFAULT, entry.get("underlay_mtu") or 0
    refused.check(item, "esp", esp, lambda text: len(_mtu.overheads(text)), 0)
    if underlay and not UNDERLAY_MIN <= underlay <= UNDERLAY_MAX:
        refused.refuse(item, "underlay_mtu", underlay, f"has to be {UNDERLAY_MIN} to {UNDERLAY_MAX}")
    wish = _mtu.Auto(esp, bool(entry.get("nat_t")), underlay)
    return wish if str(entry.get("mtu")).strip() == AUTO and entry.get("kind") != DUMMY else None


def from_params(entries: t.Sequence[dict[str, t.Any]]) -> tuple[Wanted, ...]:
    """The user's list, normalised; raises InputErrors with everything that is wrong in it."""
    refused = Refusals()
    result: list[Wanted] = []
    names: dict[str, int] = {}
    slots: dict[tuple[str, ...], int] = {}
    for index, entry in enumerate(entries):
        item = f"tunnels[{index}] ({entry['name']})"
        before = len(refused.errors)
        device = _parse(item, entry, refused)
        auto = _auto(item, entry, refused)
        twin = names.setdefault(entry["name"], index)
        if twin != index:
            refused.refuse(item, "name", entry["name"], f"is in tunnels[{twin}] already")
        if len(refused.errors) > before:
            continue
        present = (entry.get("state") or "present") == "present"
        twin = slots.setdefault(device.slot, index) if present else index
        if twin != index:
            reason = f"tunnels[{twin}] has the same local, remote and link, and the key tells no VTI devices apart"
            refused.refuse(item, "remote", device.remote, reason)
        result.append(Wanted(item, device, present, auto))
    refused.stop_if_any()
    return tuple(result)

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Routes: what a user may ask for, what the kernel has, and the writes that there are. Pure: nothing here reads or
writes; see _route_plan.py for the way from one to the other, and _netlink.py for the kernel."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _values
from ansible_collections.route_based.vpn.plugins.module_utils._errors import Refusals

if t.TYPE_CHECKING:
    from ansible_collections.route_based.vpn.plugins.module_utils import _rules

# Our own rtnetlink protocol number, the mark of ownership. The kernel and iproute2 use 0-4, the usual daemons 8-18,
# 42, 84, 99 and 186-197.
PROTOCOL = 157
# The routes to peers that vti_tunnel keeps in the tables of VRFs; they are not vti_route's to purge.
PROTOCOL_PEER = 158
PROTOCOL_KERNEL = 2
# Routes that a person made by hand (boot, static, unspecified): a route that is listed takes them over. All the others
# belong to the kernel, to DHCP or to a routing daemon.
PROTOCOLS_TO_TAKE_OVER = (PROTOCOL, 0, 3, 4)
PROTOCOL_NAMES = {1: "redirect", 2: "kernel", 9: "ra", 11: "zebra", 12: "bird", 16: "dhcp", 186: "bgp", 188: "ospf"}

TABLE_DEFAULT, TABLE_MAIN, TABLE_LOCAL = 253, 254, 255
TABLE_NAMES = {"main": TABLE_MAIN, "default": TABLE_DEFAULT}
TYPES = ("unicast", "blackhole", "unreachable", "prohibit")
# What the kernel puts for an IPv6 route without a metric (IP6_RT_PRIO_USER); for IPv4 it is 0.
METRIC_DEFAULT = {4: 0, 6: 1024}
# FRR's distance and metric [255/8192]: every route that a routing protocol learns wins (kernel: networking/vrf.rst).
GUARD_METRIC = 4278198272


@dataclasses.dataclass(frozen=True)
class Nexthop:
    """One way of a multipath route."""

    device: str = ""
    gateway: str = ""
    weight: int = 1

    def __str__(self) -> str:
        """As iproute2 writes it."""
        words = ["via", self.gateway] if self.gateway else []
        words += ["dev", self.device] if self.device else []
        return " ".join([*words, *(["weight", str(self.weight)] if self.weight > 1 else [])])


@dataclasses.dataclass(frozen=True)
class Route:
    """A route, wanted or live. Live ones have the fields from C(scope) on too, to be put back as they were."""

    destination: str
    type: str = "unicast"
    device: str = ""
    gateway: str = ""
    table: int = TABLE_MAIN
    metric: int = 0
    source: str = ""
    mtu: int = 0
    advmss: int = 0
    protocol: int = PROTOCOL
    scope: t.Optional[int] = None
    tos: int = 0
    onlink: bool = False
    metrics: tuple[tuple[str, int], ...] = ()
    nexthops: tuple[Nexthop, ...] = ()
    unknown: tuple[str, ...] = ()
    # The message that a live route of a shape this class cannot hold came in, to be put back as it was.
    raw: bytes = dataclasses.field(default=b"", repr=False, compare=False)

    @property
    def family(self) -> int:
        return _values.family(self.destination)

    @property
    def identity(self) -> tuple[str, int, int, int]:
        """What the kernel tells routes apart by; 'replace' changes the route that has all of these."""
        return (self.destination, self.table, self.metric, self.tos)

    def __str__(self) -> str:
        """As iproute2 writes it."""
        words = [] if self.type == "unicast" else [self.type]
        words.append(self.destination)
        for word, value in (("via", self.gateway), ("dev", self.device if self.type == "unicast" else "")):
            words += [word, value] if value else []
        for hop in self.nexthops:
            words += ["nexthop", str(hop)]
        words += ["table", str(self.table)] if self.table != TABLE_MAIN else []
        words += ["metric", str(self.metric)] if self.metric != METRIC_DEFAULT[self.family] else []
        return " ".join(words)

    def as_dict(self) -> dict[str, t.Any]:
        """As a user writes it, with what is not set left out."""
        fields = {
            "destination": self.destination,
            "type": self.type,
            "device": self.device if self.type == "unicast" else "",
            "gateway": self.gateway,
            "table": self.table,
            "metric": self.metric,
            "source": self.source,
            "mtu": self.mtu,
            "advmss": self.advmss,
            "nexthops": sorted(str(hop) for hop in self.nexthops),
            "protocol": self.protocol,
        }
        return {name: value for name, value in fields.items() if value or name in ("table", "metric", "protocol")}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One entry of the user's list. C(item) says where it stands, for error messages. C(conn) is the conn that has to
    be established for the route to be there, C(why) why it is not to be there."""

    item: str
    route: Route
    present: bool = True
    guard: bool = False
    conn: str = ""
    why: str = "state is absent"


@dataclasses.dataclass(frozen=True)
class Tunnel:
    """What the plan has to know of a VTI device that a route may lead into."""

    name: str
    remote: str
    enabled: bool = True
    local: str = "any"
    vrf_table: int = 0

    @property
    def family(self) -> int:
        """Of its outer packets."""
        return _values.family(self.remote if self.remote != "any" else self.local)


@dataclasses.dataclass(frozen=True)
class State:
    """What the kernel has: all routes of the tables in question, the VTI devices, the names of all devices, the policy
    rules."""

    routes: tuple[Route, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    devices: frozenset[str] = frozenset()
    rules: tuple[_rules.Rule, ...] = ()


@dataclasses.dataclass(frozen=True)
class PutRoute:
    """Adds a route, or puts it in the place of the one with the same identity."""

    route: Route

    def describe(self) -> str:
        return f"ip route replace {self.route}"


@dataclasses.dataclass(frozen=True)
class DelRoute:
    """Deletes one route."""

    route: Route

    def describe(self) -> str:
        return f"ip route del {self.route}"


def guard_of(route: Route) -> Route:
    """The route that catches the traffic of a destination when its device is gone: worse than any other metric."""
    return Route(destination=route.destination, type="unreachable", table=route.table, metric=GUARD_METRIC)


# --- what the user wrote ------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1 << 15)
def _destination(value: str) -> str:
    if value == "default":
        raise ValueError("write 0.0.0.0/0 or ::/0, as 'default' does not say which of them is meant")
    parsed = _values.network(value)
    if ipaddress.ip_network(parsed).is_multicast:
        raise ValueError("is a multicast network")
    return parsed


def table(value: str) -> int:
    """A routing table's number from a name or a number."""
    if value in TABLE_NAMES:
        return TABLE_NAMES[value]
    if value in ("local", str(TABLE_LOCAL)):
        raise ValueError("table local (255) belongs to the kernel")
    if not (value.isascii() and value.isdecimal() and 1 <= int(value) <= _values.U32_MAX):
        raise ValueError("is no routing table: write main, default or a number from 1 to 4294967295")
    return int(value)


def device_name(value: str) -> str:
    """The name of any device of the host, as the kernel takes it (eth0.100 too, which is no name for a tunnel)."""
    if value in _values.FALLBACK_DEVICES:
        return _values.interface_name(value)
    if not 1 <= len(value) <= 15 or not value.isprintable() or value in (".", "..") or set(value) & set("/: "):
        raise ValueError("is not a device name")
    return value


def _range(low: int, high: int) -> t.Callable[[int], int]:
    def check(value: int) -> int:
        if not low <= value <= high:
            raise ValueError(f"has to be {low} to {high}")
        return value

    return check


def _parse(item: str, entry: dict[str, t.Any], refused: Refusals) -> Route:
    """One entry's values, each checked by itself."""
    destination = refused.check(item, "destination", str(entry["destination"]), _destination, "0.0.0.0/0")
    family = _values.family(destination)
    addresses = {}
    for option in ("gateway", "source"):
        value = entry.get(option)
        addresses[option] = refused.check(item, option, value, _values.address, None) if value else None
        parsed = addresses[option]
        if parsed is not None and parsed.version != family:
            refused.refuse(item, option, value, f"is not of the destination's family (IPv{family})")
    numbers = {}
    limits = (("metric", 0, _values.U32_MAX), ("mtu", 1280 if family == 6 else 68, 65535), ("advmss", 1, 65495))
    for option, low, high in limits:
        value = entry.get(option)
        numbers[option] = 0 if value is None else refused.check(item, option, value, _range(low, high), 0)
    hops = _nexthops(item, entry.get("nexthops") or [], family, refused)
    # The kernel takes metric 0 of an IPv6 route for "none given".
    metric = numbers["metric"] or METRIC_DEFAULT[family]
    return Route(
        destination=destination,
        type=entry.get("type") or "unicast",
        device=refused.check(item, "device", entry["device"], device_name, "") if entry.get("device") else "",
        gateway=str(addresses["gateway"] or ""),
        source=str(addresses["source"] or ""),
        table=refused.check(item, "table", str(entry.get("table") or "main"), table, TABLE_MAIN),
        metric=metric,
        mtu=numbers["mtu"],
        advmss=numbers["advmss"],
        nexthops=hops,
    )


def _nexthops(item: str, entries: t.Sequence[dict[str, t.Any]], family: int, refused: Refusals) -> tuple[Nexthop, ...]:
    """The ways of a multipath route, in an order of their own, as the kernel keeps them in any."""
    result: list[Nexthop] = []
    for index, entry in enumerate(entries):
        option = f"nexthops[{index}]"
        device = refused.check(item, f"{option}.device", entry["device"], device_name, "")
        gateway = ""
        if entry.get("gateway"):
            parsed = refused.check(item, f"{option}.gateway", entry["gateway"], _values.address, None)
            gateway = str(parsed or "")
            if parsed is not None and parsed.version != family:
                refused.refuse(item, f"{option}.gateway", gateway, f"is not of the destination's family (IPv{family})")
        elif family == 6:
            reason = "an IPv6 route of several ways needs a gateway for each; the kernel uses only one without"
            refused.refuse(item, f"{option}.gateway", None, reason)
        weight = refused.check(
            item, f"{option}.weight", 1 if entry.get("weight") is None else entry["weight"], _range(1, 256), 1
        )
        if any((hop.device, hop.gateway) == (device, gateway) for hop in result):
            refused.refuse(item, option, str(Nexthop(device, gateway)), "is given twice; give it a higher weight")
        result.append(Nexthop(device, gateway, weight))
    if len(entries) == 1:
        refused.refuse(item, "nexthops", str(result[0]), "is only one; give device and gateway instead")
    return tuple(sorted(result, key=str))


def _check_together(wanted: Wanted, refused: Refusals) -> None:
    """What one entry's values have to do with each other."""
    item, route = wanted.item, wanted.route
    if route.type == "unicast":
        if wanted.present and not (route.device or route.gateway or route.nexthops):
            refused.refuse(item, "device", None, "a unicast route needs a device, a gateway or both, or nexthops")
        for option in ("device", "gateway") if route.nexthops else ():
            if getattr(route, option):
                refused.refuse(item, option, getattr(route, option), "is for a route of one way; this one has nexthops")
    else:
        for option in ("device", "gateway", "source", "mtu", "advmss", "nexthops"):
            value = getattr(route, option)
            if value:
                shown = ", ".join(map(str, value)) if option == "nexthops" else value
                refused.refuse(item, option, shown, f"a route of type {route.type} leads nowhere; leave it out")
    if wanted.guard and not wanted.present:
        refused.refuse(item, "guard", True, "the entry is absent; list the guard as a route of type unreachable")
    if wanted.guard and route.metric >= GUARD_METRIC:
        refused.refuse(item, "metric", route.metric, f"has to be lower than the guard's, {GUARD_METRIC}")


def from_params(entries: t.Sequence[t.Union[dict[str, t.Any], Wanted]]) -> tuple[Wanted, ...]:
    """The user's list, normalised; one that is so already is taken as it is. Raises InputErrors with everything that is
    wrong in it."""
    if entries and isinstance(entries[0], Wanted):
        return t.cast("tuple[Wanted, ...]", tuple(entries))
    return _parsed(t.cast("t.Sequence[dict[str, t.Any]]", entries))


def _parsed(entries: t.Sequence[dict[str, t.Any]]) -> tuple[Wanted, ...]:
    refused = Refusals()
    result: list[Wanted] = []
    first: dict[tuple[str, int, int, int], int] = {}
    for index, entry in enumerate(entries):
        item = f"routes[{index}] ({entry['destination']})"
        before = len(refused.errors)
        route = _parse(item, entry, refused)
        present = (entry.get("state") or "present") == "present"
        conn = refused.check(item, "conn", entry["conn"], _values.conn_name, "") if entry.get("conn") else ""
        wanted = Wanted(item, route, present, bool(entry.get("guard")), conn)
        _check_together(wanted, refused)
        if len(refused.errors) > before:
            continue
        twin = first.setdefault(route.identity, index)
        if twin != index:
            reason = f"is in routes[{twin}] already, with the same table and metric"
            refused.refuse(item, "destination", route.destination, reason)
        result.append(wanted)
    refused.stop_if_any()
    return tuple(result)


def while_established(wanted: t.Sequence[Wanted], established: t.Collection[str]) -> tuple[Wanted, ...]:
    """The entries, of which those that go with a conn are wanted only where it is one of the established. Their guards
    stay."""
    return tuple(
        dataclasses.replace(entry, present=False, why=f"conn {entry.conn} is not established")
        if entry.conn and entry.conn not in established
        else entry
        for entry in wanted
    )

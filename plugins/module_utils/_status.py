# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What C(ipsec whack --status) and C(--trafficstatus) say, as values. Pure.

No libreswan has a machine format; these lines are the same in 4.10 and 5.2 but for a number in front (C(000 ), gone in
5.0) and the names of states (C(STATE_V2_) in front, gone in 5.0; no name at all in 5.4).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

_PREFIX = re.compile(r"\d{3} ")
#: "name", an instance's number and its peer: "roadwarriors"[3] 192.0.2.7
_NAME = r'"(?P<name>[^"]+)"(?:\[(?P<instance>\d+)\](?: (?P<peer>\S+?))?)?'
_CONN = re.compile(_NAME + r":(?: (?P<text>.*))?")
_STATE = re.compile(r"#(?P<serial>\d+): " + _NAME + r":(?P<port>\d+) (?P<text>.*)")
_PENDING = re.compile(r'#\d+: pending (?:CHILD|Child|Phase 2) SA for "(?P<name>[^"]+)"')
_SPIS = re.compile(r"#(?P<serial>\d+): " + _NAME + r" (?P<text>(?:esp|ah)\..*)")
_SPI = re.compile(r"(?:esp|ah)\.([0-9a-f]+)@")
_PARENT = re.compile(r"(?:IKE|ISAKMP) SA #(\d+)")
_TRAFFIC = re.compile(r"#(?P<serial>\d+): " + _NAME + r", (?P<text>.*)")
# A distinguished name has commas, too, and is in quotes.
_FIELD = re.compile(r"(\w+)=('[^']*'|[^,]*)")
_TOP = re.compile(r"(?P<ends>\S.*\.\.\.\S.*?); (?P<routing>[^;]+);")
_ALIAS = re.compile(r"/\d+x\d+$")
_UNROUTED = ("unrouted", "keyed, unrouted", "unoriented")


@dataclasses.dataclass
class ChildSa:
    """One IPsec SA of a conn, as C(--trafficstatus) and C(--showstates) show it."""

    serial: int
    since: t.Optional[int] = None
    in_bytes: int = 0
    out_bytes: int = 0
    spi_in: t.Optional[str] = None
    spi_out: t.Optional[str] = None
    owner: bool = False
    peer_id: t.Optional[str] = None
    ike: t.Optional[int] = None
    lease: t.Optional[str] = None


@dataclasses.dataclass
class Part:
    """What pluto holds under one name of its own: a conn with subnets={} has a part for each pair of them."""

    local: t.Optional[str] = None
    remote: t.Optional[str] = None
    routing: str = "unrouted"
    policy: tuple[str, ...] = ()
    mark_in: t.Optional[str] = None
    mark_out: t.Optional[str] = None
    interface: t.Optional[str] = None
    oriented: bool = False
    resolved: bool = True
    serial: t.Optional[int] = None
    aliases: tuple[str, ...] = ()

    @property
    def routed(self) -> bool:
        """Whether a policy is in the kernel that sends traffic into the tunnel or waits for it."""
        return not self.routing.startswith(_UNROUTED)


@dataclasses.dataclass
class ConnStatus:
    """A loaded conn: its parts, instances of a template, states and SAs. C(ikes) are the IKE SAs that were made under
    its name; those of its children may be another conn's."""

    name: str
    parts: dict[str, Part] = dataclasses.field(default_factory=dict)
    instances: set[str] = dataclasses.field(default_factory=set)
    states: int = 0
    ike_states: list[str] = dataclasses.field(default_factory=list)
    ikes: list[int] = dataclasses.field(default_factory=list)
    children: dict[int, ChildSa] = dataclasses.field(default_factory=dict)
    established_parts: set[str] = dataclasses.field(default_factory=set)

    @property
    def serials(self) -> list[int]:
        """pluto's serial numbers of this conn: a load, by whomever, gives it new ones."""
        return sorted(part.serial for part in self.parts.values() if part.serial is not None)

    @property
    def established(self) -> bool:
        """Whether each part has an IPsec SA; for a template, whether an instance of it has one."""
        return bool(self.established_parts) and self.established_parts >= set(self.parts)

    @property
    def busy(self) -> bool:
        """Whether pluto has traffic SAs for the conn or works on getting them; an IKE SA alone carries nothing."""
        return bool(self.children) or self.states > self.ike_states.count("established")

    @property
    def parents(self) -> tuple[int, ...]:
        """Serial numbers of the IKE SAs that its IPsec SAs hang on, whichever conn they were made for."""
        return tuple(sorted({child.ike for child in self.children.values() if child.ike}))

    @property
    def kept_up(self) -> bool:
        """Whether pluto brings the conn up again by itself, or when traffic comes."""
        return any({"UP", "ROUTE"}.intersection(part.policy) for part in self.parts.values())

    @property
    def routed(self) -> bool:
        """Whether every part is routed."""
        return bool(self.parts) and all(part.routed for part in self.parts.values())

    @property
    def first(self) -> Part:
        """The part that stands for the conn where all are alike: ends, marks, device."""
        return next(iter(self.parts.values()), Part())


@dataclasses.dataclass
class Status:
    """The whole answer of pluto."""

    version: t.Optional[str] = None
    conns: dict[str, ConnStatus] = dataclasses.field(default_factory=dict)

    def conn(self, name: str) -> ConnStatus:
        """The conn of a part's name, made when it is new."""
        base = _ALIAS.sub("", name)
        return self.conns.setdefault(base, ConnStatus(base))


def aliases_of(status: Status, names: t.Collection[str]) -> dict[str, set[str]]:
    """The aliases by which several of these conns, and no other ones, are meant, with their names."""
    meant: dict[str, set[str]] = {}
    for name, conn in status.conns.items():
        for part in conn.parts.values():
            for alias in part.aliases:
                meant.setdefault(alias, set()).add(name)
    wanted = set(names)
    return {alias: conns for alias, conns in meant.items() if len(conns) > 1 and conns <= wanted}


def parse_status(text: str) -> Status:
    """The output of C(ipsec whack --status)."""
    status = Status()
    for raw in text.splitlines():
        line = _PREFIX.sub("", raw, count=1) if _PREFIX.match(raw) else raw
        if line.startswith("pluto_version="):
            status.version = line.split("=", 1)[1].split(",")[0].strip()
        elif line.startswith('"'):
            match = _CONN.fullmatch(line)
            if match:
                _conn_line(status.conn(match.group("name")), match)
        elif line.startswith("#"):
            _state_line(status, line)
    # A state alone is no loaded conn: one that was deleted may still have states for a moment.
    status.conns = {name: conn for name, conn in status.conns.items() if conn.parts}
    return status


def _conn_line(conn: ConnStatus, match: re.Match[str]) -> None:
    """One line of the connection list; an instance's lines only count it."""
    if match.group("instance"):
        conn.instances.add(match.group("instance"))
        return
    part = conn.parts.setdefault(match.group("name"), Part())
    text = match.group("text") or ""
    top = _TOP.match(text)
    if top:
        part.routing = top.group("routing")
        part.resolved = "%dns<" not in top.group("ends")
        part.local, part.remote = _ends(top.group("ends"))
        return
    for field in text.strip().split("; "):
        _conn_field(part, field.rstrip(";").strip())


def _ends(text: str) -> tuple[t.Optional[str], t.Optional[str]]:
    """The hosts of C(subnet===host[id]...host[id]===subnet); None for %any."""
    left, _dots, right = text.partition("...")
    local = re.split(r"[\[<]", left.rpartition("===")[2])[0]
    remote = re.split(r"[\[<]", right.partition("===")[0])[0]
    # A next hop is written behind the local host (host---hop) and before the remote one.
    local, remote = local.split("---")[0], remote.split("---")[-1]
    return local or None, None if remote.startswith("%") else remote or None


def _conn_field(part: Part, field: str) -> None:
    key, colon, value = field.partition(":")
    value = value.strip()
    if field == "oriented" or field == "host: oriented":
        part.oriented = True
    elif not colon:
        return
    elif key == "policy":
        part.policy = tuple(value.split("+"))
    elif key == "aliases":
        part.aliases = tuple(value.split())
    elif key == "mark" and value != "unset":
        part.mark_in, _comma, part.mark_out = value.partition(", ")
    elif key == "vti-iface" and value != "unset":
        part.interface = value
    elif key == "conn serial":
        serial = re.match(r"\$(\d+)", value)
        part.serial = int(serial.group(1)) if serial else None


def _state_line(status: Status, line: str) -> None:
    pending, spis, state = _PENDING.match(line), _SPIS.match(line), _STATE.match(line)
    if pending:
        status.conn(pending.group("name")).states += 1
    elif spis:
        conn = status.conn(spis.group("name"))
        found = _SPI.findall(spis.group("text"))
        child = conn.children.get(int(spis.group("serial")))
        if child and len(found) >= 2:
            child.spi_out, child.spi_in = found[0], found[1]
    elif state:
        _state(status.conn(state.group("name")), state)


def _state(conn: ConnStatus, match: re.Match[str]) -> None:
    text = match.group("text").lower()
    serial = int(match.group("serial"))
    conn.states += 1
    if "established child sa" in text or "ipsec sa established" in text:
        conn.established_parts.add(match.group("name"))
        parent = _PARENT.search(match.group("text"))
        ike = int(parent.group(1)) if parent else None
        conn.children[serial] = ChildSa(serial, owner="eroute owner" in text, ike=ike)
    elif "established ike sa" in text or "isakmp sa established" in text:
        conn.ike_states.append("established")
        conn.ikes.append(serial)
    else:
        state = re.search(r"\(([^)]*)\)", match.group("text"))
        conn.ike_states.append(state.group(1) if state else match.group("text").split(";")[0])


def add_traffic(status: Status, text: str) -> None:
    """Add what C(ipsec whack --trafficstatus) says to the SAs of a status that was read before it."""
    for raw in text.splitlines():
        match = _TRAFFIC.search(raw)
        conn = status.conns.get(_ALIAS.sub("", match.group("name"))) if match else None
        if not match or not conn:
            continue
        serial = int(match.group("serial"))
        child = conn.children.setdefault(serial, ChildSa(serial))
        fields = dict(_FIELD.findall(match.group("text")))
        # 5.2 says 0 until it has asked the kernel for the first time.
        added = fields.get("add_time", "")
        child.since = int(added) if added.isdigit() and int(added) else None
        child.in_bytes = int(fields.get("inBytes", 0))
        child.out_bytes = int(fields.get("outBytes", 0))
        child.lease = fields.get("lease") or None
        child.peer_id = fields.get("id", "").strip("'") or None

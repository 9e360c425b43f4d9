# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Policy rules: what a user may ask for, what the kernel has, and the writes that there are. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _routes, _values
from ansible_collections.route_based.vpn.plugins.module_utils._errors import Refusals

TYPES = ("lookup", "blackhole", "unreachable", "prohibit")
FAMILIES = {"ipv4": 4, "ipv6": 6}
# 0 is the kernel's rule for table local, 32766 and 32767 those for main and default.
PRIORITY_MIN, PRIORITY_MAX = 1, 32765
U32 = _values.U32_MAX
MARK = re.compile(r"(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})(?:/(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}))?")


@dataclasses.dataclass(frozen=True)
class Rule:
    """A policy rule, wanted or live. C(source) and C(destination) are CIDR, empty for all; C(mark) is value and mask or
    None. The fields from C(protocol) on are only met in live rules."""

    priority: int
    family: int = 4
    source: str = ""
    destination: str = ""
    mark: t.Optional[tuple[int, int]] = None
    iif: str = ""
    oif: str = ""
    table: int = 0
    type: str = "lookup"
    protocol: int = _routes.PROTOCOL
    l3mdev: bool = False
    inverted: bool = False
    suppress_prefixlength: int = -1
    unknown: tuple[int, ...] = ()

    @property
    def identity(self) -> tuple[t.Any, ...]:
        """What makes two entries of a list the same rule: which packets it is for, and when it is asked."""
        return (self.family, self.priority, self.source, self.destination, self.mark, self.iif, self.oif)

    @property
    def plain(self) -> bool:
        """Whether it has nothing that an entry of ours cannot say."""
        return not (self.l3mdev or self.inverted or self.unknown or self.suppress_prefixlength >= 0)

    def __str__(self) -> str:
        """As iproute2 writes it."""
        words = ["-6"] if self.family == 6 else []
        words += [f"{self.priority}:", "from", self.source or "all"]
        words += ["to", self.destination] if self.destination else []
        words += ["fwmark", mark_text(self.mark)] if self.mark else []
        for word, value in (("iif", self.iif), ("oif", self.oif)):
            words += [word, value] if value else []
        return " ".join([*words, *(["lookup", table_text(self.table)] if self.type == "lookup" else [self.type])])

    def as_dict(self) -> dict[str, t.Any]:
        """As a user writes it, with what is not set left out."""
        fields = {
            "priority": self.priority,
            "family": f"ipv{self.family}",
            "from": self.source,
            "to": self.destination,
            "fwmark": mark_text(self.mark) if self.mark else "",
            "iif": self.iif,
            "oif": self.oif,
            "type": self.type,
            "table": self.table if self.type == "lookup" else 0,
            "protocol": self.protocol,
        }
        return {name: value for name, value in fields.items() if value or name == "protocol"}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One entry of the user's list. C(item) says where it stands, for error messages."""

    item: str
    rule: Rule
    present: bool = True


@dataclasses.dataclass(frozen=True)
class AddRule:
    """Adds a rule, behind those of the same priority."""

    rule: Rule

    def describe(self) -> str:
        return f"ip rule add {self.rule}"


@dataclasses.dataclass(frozen=True)
class DelRule:
    """Deletes one rule."""

    rule: Rule

    def describe(self) -> str:
        return f"ip rule del {self.rule}"


def table_text(table: int) -> str:
    """A table's number, or the name that every host has for it."""
    return {253: "default", 254: "main", 255: "local"}.get(table, str(table))


def mark_text(mark: tuple[int, int]) -> str:
    """C(0x5), or C(0x5/0xff) where the mask is not all ones."""
    value, mask = mark
    return f"{value:#x}" if mask == U32 else f"{value:#x}/{mask:#x}"


# --- what the user wrote ------------------------------------------------------------------------------------------


def _mark(value: str) -> tuple[int, int]:
    """Unlike the mark of a conn 0 is a good one: it means the packets that nothing has marked."""
    match = MARK.fullmatch(value.strip())
    if not match:
        raise ValueError("is not a mark: write a number like 5 or 0x5, with a mask 0x5/0xff")
    number, mask = (int(text, 0 if text[:2] in ("0x", "0X") else 10) if text else U32 for text in match.groups())
    if max(number, mask) > U32:
        raise ValueError("is wider than 32 bits")
    if mask == 0:
        raise ValueError("has the mask 0, which every packet matches; leave fwmark out")
    if number & ~mask:
        raise ValueError("has bits outside its mask, and no packet matches it")
    return number, mask


def _family(item: str, entry: dict[str, t.Any], networks: t.Sequence[str], refused: Refusals) -> int:
    found = {_values.family(network) for network in networks if network}
    asked = FAMILIES[entry["family"]] if entry.get("family") else 0
    if len(found) > 1:
        refused.refuse(item, "to", entry.get("to"), f"is not of the family of from, {entry.get('from')}")
    elif asked and found and found != {asked}:
        refused.refuse(item, "family", entry["family"], "is not the family of from or to")
    return asked or min(found, default=4)


def _priority(value: int) -> int:
    if not PRIORITY_MIN <= value <= PRIORITY_MAX:
        raise ValueError(f"has to be {PRIORITY_MIN} to {PRIORITY_MAX}; the others are the kernel's own")
    return value


def _selector(value: str) -> str:
    parsed = _values.network(value)
    if parsed in ("0.0.0.0/0", "::/0"):
        raise ValueError("is every address; leave it out, and give family")
    return parsed


def _parse(item: str, entry: dict[str, t.Any], refused: Refusals) -> Rule:
    """One entry's values."""
    source, destination = (
        refused.check(item, option, entry[option], _selector, "") if entry.get(option) else ""
        for option in ("from", "to")
    )
    kind, present = entry.get("type") or "lookup", (entry.get("state") or "present") == "present"
    table = 0
    if entry.get("table"):
        table = refused.check(item, "table", str(entry["table"]), _routes.table, 0)
        if kind != "lookup":
            refused.refuse(item, "table", entry["table"], f"a rule of type {kind} looks nowhere; leave it out")
    elif kind == "lookup" and present:
        refused.refuse(item, "table", None, "a rule needs a table to look into, or a type like unreachable")
    iif, oif = (
        refused.check(item, option, entry[option], _routes.device_name, "") if entry.get(option) else ""
        for option in ("iif", "oif")
    )
    return Rule(
        priority=refused.check(item, "priority", entry["priority"], _priority, PRIORITY_MAX),
        family=_family(item, entry, (source, destination), refused),
        source=source,
        destination=destination,
        mark=refused.check(item, "fwmark", str(entry["fwmark"]), _mark, None) if entry.get("fwmark") else None,
        table=table,
        type=kind,
        iif=iif,
        oif=oif,
    )


def from_params(entries: t.Sequence[dict[str, t.Any]]) -> tuple[Wanted, ...]:
    """The user's list, normalised; raises InputErrors with everything that is wrong in it."""
    refused = Refusals()
    result: list[Wanted] = []
    first: dict[tuple[t.Any, ...], int] = {}
    for index, entry in enumerate(entries):
        item = f"rules[{index}] (priority {entry['priority']})"
        before = len(refused.errors)
        rule = _parse(item, entry, refused)
        if len(refused.errors) > before:
            continue
        twin = first.setdefault(rule.identity, index)
        if twin != index:
            refused.refuse(item, "priority", rule.priority, f"rules[{twin}] has it for the same packets")
        result.append(Wanted(item, rule, (entry.get("state") or "present") == "present"))
    refused.stop_if_any()
    return tuple(result)

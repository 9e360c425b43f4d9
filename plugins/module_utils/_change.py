# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A plan is a list of Change values: what check mode foretells, what is carried out, and what is reported."""

from __future__ import annotations

import dataclasses
import typing as t

KEPT, CREATED, UPDATED, RECREATED, REMOVED = "kept", "created", "updated", "recreated", "removed"


@dataclasses.dataclass(frozen=True)
class Change:
    """One item's way from C(before) to C(after), both plain dicts as a user would write them, or None where the item
    does not exist. C(reasons) says in words why, one entry a difference. Never put a secret into any of them."""

    name: str
    action: str
    before: t.Optional[dict[str, t.Any]] = None
    after: t.Optional[dict[str, t.Any]] = None
    reasons: tuple[str, ...] = ()
    # Where a plan has items of two kinds.
    kind: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return self.action != KEPT


class Operation(t.Protocol):
    """One write, as a value: it can be printed, compared in a test, and handed to the kernel or to a fake."""

    def describe(self) -> str:
        """What it does, in a few words, for the report of a run that failed half-way."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that one run is going to do: what to report, and the writes in order, each with its item's name."""

    changes: tuple[Change, ...]
    work: tuple[tuple[str, Operation], ...] = ()
    warnings: tuple[str, ...] = ()


def differences(before: dict[str, t.Any], after: dict[str, t.Any]) -> tuple[str, ...]:
    """One line a field that differs, C(mtu: 1480 -> 1400), in the order of C(after)."""
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        f"{name}: {before.get(name)} -> {after.get(name)}" for name in names if before.get(name) != after.get(name)
    )


def report(changes: t.Sequence[Change]) -> list[dict[str, t.Any]]:
    """The entries that a module returns, one an item: name, action, reasons."""
    return [{"name": c.name, "action": c.action, "reasons": list(c.reasons)} for c in changes]


def diff(changes: t.Sequence[Change]) -> dict[str, t.Any]:
    """Ansible's diff of the items that change, C(before) and C(after) as YAML-like dicts by name."""
    moved = [c for c in changes if c.changed]
    return {
        "before": {c.name: c.before for c in moved if c.before is not None},
        "after": {c.name: c.after for c in moved if c.after is not None},
    }

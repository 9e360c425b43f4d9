# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host runs as many tasks with a thousand tunnels as with one: no loop of the role goes over what grows with them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

TASKS = sorted((Path(__file__).parents[3] / "roles/gateway/tasks").glob("*.yml"))


def _tasks(entries: t.Sequence[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
    for entry in entries:
        yield entry
        for part in ("block", "rescue", "always"):
            yield from _tasks(entry.get(part, []))


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_loops_are_over_what_is_written_in_them(path: Path) -> None:
    for task in _tasks(yaml.safe_load(path.read_text())):
        assert not [key for key in task if key.startswith("with_")]
        loop = task.get("loop", [])
        # A text is an expression: of literals, with a condition at most.
        names = ("__gateway_tunnels", "__gateway_key_", ".conns", ".devices", ".routes", ".secrets", "gateway_plan")
        assert isinstance(loop, list) or not any(name in loop for name in names), task["name"]

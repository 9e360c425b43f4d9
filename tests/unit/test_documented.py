# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EXAMPLES, playbooks, scenarios and the README use only what the collection documents."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import documented
import pytest
from documented import ROOT


def _files(*patterns: str) -> list[Any]:
    paths = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def _expect_none(problems: Iterable[str]) -> None:
    found = list(problems)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("name", documented.module_names())
def test_examples_keep_to_the_documentation(name: str) -> None:
    """The one part of a module's documentation that no sanity test looks into."""
    examples = documented.load(documented.modules()[name]["examples"])
    assert any(f"{documented.COLLECTION}.{name}" in task for task in examples)
    _expect_none(documented.task_problems(examples))


@pytest.mark.parametrize("path", _files("roles/*/tasks/**/*.yml", "roles/*/handlers/*.yml"))
def test_role_tasks_keep_to_the_documentation(path: Path) -> None:
    _expect_none(documented.task_problems(documented.load(path.read_text())))


@pytest.mark.parametrize("path", _files("playbooks/**/*.yml", "molecule/**/*.yml", "docs/**/*.yml"))
def test_playbooks_keep_to_the_documentation(path: Path) -> None:
    data = documented.load(path.read_text())
    _expect_none(documented.task_problems(data))
    _expect_none(documented.variable_problems(data))


@pytest.mark.parametrize("path", _files("README.md", "docs/**/*.md", "roles/*/README.md"))
def test_readmes_keep_to_the_documentation(path: Path) -> None:
    for block in documented.fenced(path.read_text()):
        data = documented.load(block)
        _expect_none(documented.task_problems(data))
        _expect_none(documented.variable_problems(data))


@pytest.mark.parametrize("role", documented.role_names())
def test_role_defaults_are_the_documented_ones(role: str) -> None:
    """A default is written down twice: where it acts, and where users read it."""
    defaults = documented.load((ROOT / f"roles/{role}/defaults/main.yml").read_text()) or {}
    options = documented.roles()[role]
    assert sorted(set(defaults) - set(options)) == []
    stated = {name: option["default"] for name, option in options.items() if "default" in option}
    written = {
        name: value
        for name, value in defaults.items()
        # what is computed from other variables can only be described in words
        if "{{" not in str(value)
    }
    assert stated == written


OPTIONS: documented.Options = {
    "tunnels": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "suboptions": {
            "name": {"type": "str", "required": True},
            "key": {"type": "int", "aliases": ["mark"]},
            "state": {"type": "str", "choices": ["present", "absent"]},
            "addresses": {"type": "list", "elements": "str"},
        },
    },
    "purge": {"type": "bool", "default": False},
}


@pytest.mark.parametrize(
    "arguments",
    [
        {"tunnels": []},
        {"tunnels": "{{ gateway_tunnels }}", "purge": True},
        {"tunnels": [{"name": "vti1", "mark": 5, "state": "absent"}]},
        {"tunnels": [{"name": "vti1", "key": "5", "addresses": ["{{ address }}"]}]},
    ],
)
def test_checker_accepts(arguments: dict[str, Any]) -> None:
    assert list(documented.problems(OPTIONS, arguments, "vti_tunnel")) == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "vti_tunnel: tunnels is missing"),
        ({"tunnels": [], "prune": True}, "vti_tunnel: there is no option prune"),
        ({"tunnels": {}}, "vti_tunnel.tunnels: {} is not a list"),
        ({"tunnels": ["vti1"]}, "vti_tunnel.tunnels[0]: 'vti1' is not a dictionary"),
        ({"tunnels": [{}]}, "vti_tunnel.tunnels[0]: name is missing"),
        (
            {"tunnels": [{"name": "vti1", "state": "gone"}]},
            "vti_tunnel.tunnels[0].state: 'gone' is none of present, absent",
        ),
        (
            {"tunnels": [{"name": "vti1", "mark": "five"}]},
            "vti_tunnel.tunnels[0].mark: 'five' is not a whole number",
        ),
        (
            {"tunnels": [{"name": "vti1", "addresses": [{}]}]},
            "vti_tunnel.tunnels[0].addresses[0]: {} is not a string",
        ),
        ({"tunnels": [], "purge": "maybe"}, "vti_tunnel.purge: 'maybe' is not true or false"),
    ],
)
def test_checker_refuses(arguments: dict[str, Any], problem: str) -> None:
    assert list(documented.problems(OPTIONS, arguments, "vti_tunnel")) == [problem]

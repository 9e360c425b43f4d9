# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection documents, and whether YAML written for it keeps to that.

The options come from ansible-doc, so doc fragments and role argument specs are resolved the way
users see them.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COLLECTION = "route_based.vpn"
BIN = Path(sys.executable).parent

Options = dict[str, dict[str, Any]]


class Loader(yaml.SafeLoader):
    """Takes !vault, !unsafe and the like as the plain values below them."""


def _untagged(loader: Loader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


Loader.add_multi_constructor("!", _untagged)


def load(text: str) -> Any:
    """Load one YAML document; several come as a list."""
    documents = list(yaml.load_all(text, Loader))
    return documents[0] if len(documents) == 1 else documents


def module_names() -> list[str]:
    """List the modules by file name."""
    return sorted(path.stem for path in (ROOT / "plugins/modules").glob("[!_]*.py"))


def role_names() -> list[str]:
    """List the roles that have an argument spec."""
    return sorted(path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))


@functools.cache
def _run_ansible_doc(kind: str, *names: str) -> subprocess.CompletedProcess[str]:
    tree = subprocess.run([str(ROOT / "tests/tree")], check=True, capture_output=True, text=True)
    return subprocess.run(
        [str(BIN / "ansible-doc"), "--json", "--type", kind, *(f"{COLLECTION}.{name}" for name in names)],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": tree.stdout.strip()},
        check=False,
        capture_output=True,
        text=True,
    )


def _ansible_doc(kind: str, names: list[str]) -> dict[str, Any]:
    if not names:
        return {}
    run = _run_ansible_doc(kind, *names)
    if run.returncode:
        raise ValueError(run.stderr)
    return {name.rpartition(".")[2]: doc for name, doc in json.loads(run.stdout).items()}


@functools.cache
def modules() -> dict[str, dict[str, Any]]:
    """Return what ansible-doc says of each module: doc, examples, return."""
    return _ansible_doc("module", module_names())


@functools.cache
def roles() -> dict[str, Options]:
    """Return the options of each role's entry point main."""
    docs = _ansible_doc("role", role_names())
    return {name: doc["entry_points"]["main"]["options"] for name, doc in docs.items()}


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def _scalar_problem(option: dict[str, Any], value: Any) -> str | None:
    """Say what is wrong with a single value (an element of a list, or what is no list)."""
    kind = option.get("type", "str")
    if kind == "bool" and not isinstance(value, bool):
        return f"{value!r} is not true or false"
    if kind == "int" and not re.fullmatch(r"-?\d+", str(value)):
        return f"{value!r} is not a whole number"
    if kind == "dict" and not isinstance(value, dict):
        return f"{value!r} is not a dictionary"
    if kind in ("str", "path") and isinstance(value, (dict, list)):
        return f"{value!r} is not a string"
    choices = option.get("choices")
    if choices and str(value) not in {str(choice) for choice in choices}:
        return f"{value!r} is none of {', '.join(map(str, choices))}"
    return None


def _value_problems(option: dict[str, Any], value: Any, where: str) -> Iterator[str]:
    if _is_template(value) or (value is None and not option.get("required")):
        return
    if option.get("type") == "list":
        if not isinstance(value, list):
            yield f"{where}: {value!r} is not a list"
            return
        element = {**option, "type": option.get("elements", "str")}
        for index, item in enumerate(value):
            yield from _value_problems(element, item, f"{where}[{index}]")
        return
    problem = _scalar_problem(option, value)
    if problem:
        yield f"{where}: {problem}"
    elif option.get("suboptions") or option.get("options"):
        suboptions = option.get("suboptions") or option["options"]
        yield from problems(suboptions, value, where)


def problems(options: Options, values: Any, where: str) -> Iterator[str]:
    """Yield what in a module's arguments (or a suboption's) does not fit its documentation."""
    if _is_template(values):
        return
    values = {} if values is None else values
    if not isinstance(values, dict):
        yield f"{where}: {values!r} is not a dictionary"
        return
    known = {alias: (name, option) for name, option in options.items() for alias in [name, *option.get("aliases", [])]}
    given = {known[key][0] for key in values if key in known}
    for name, option in options.items():
        if option.get("required") and name not in given:
            yield f"{where}: {name} is missing"
    for key, value in values.items():
        if key in known:
            yield from _value_problems(known[key][1], value, f"{where}.{key}")
        else:
            yield f"{where}: there is no option {key}"


def _mappings(data: Any) -> Iterator[dict[Any, Any]]:
    """Yield each mapping at any depth: plays, blocks, tasks, hosts, their variables."""
    if isinstance(data, dict):
        yield data
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from _mappings(item)


def task_problems(data: Any) -> Iterator[str]:
    """Check each use of one of our modules in plays or tasks."""
    for mapping in _mappings(data):
        for key, value in mapping.items():
            name = str(key).removeprefix(f"{COLLECTION}.")
            if name == key:
                if name in modules() and isinstance(value, dict):
                    yield f"{key}: write it as {COLLECTION}.{key}"
            elif name in modules():
                yield from problems(modules()[name]["doc"]["options"], value, name)
            else:
                yield f"{key}: there is no such module"


def variable_problems(data: Any) -> Iterator[str]:
    """Check each role variable, wherever it is set: plays, inventories, group_vars."""
    for mapping in _mappings(data):
        for role, options in roles().items():
            for key, value in mapping.items():
                if key in options:
                    yield from _value_problems(options[key], value, str(key))
                elif str(key).startswith(f"{role}_"):
                    yield f"{key}: the role {role} has no such variable"


def fenced(markdown: str) -> Iterator[str]:
    """Yield the ```yaml blocks of a Markdown text."""
    yield from re.findall(r"^```ya?ml\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)

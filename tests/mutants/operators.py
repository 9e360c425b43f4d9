# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small changes of Python code, each of which a test should notice."""

from __future__ import annotations

import ast
import copy
import dataclasses
import hashlib
import typing as t
from pathlib import Path

# Planning, pluto, messages of the kernel, and the way back: what acts on gateways.
FILES = [
    f"plugins/module_utils/_{name}.py"
    for name in (
        "change checkpoint checkpoint_back checkpoint_owner checkpoint_run checkpoint_unit conn_file conn_known"
        " conn_list conn_memory conn_options conn_run conns device_plan device_ways devices files limits link_messages"
        " lock netlink pluto route_checks route_messages route_plan routes rtnl rule_plan rules run secrets status"
    ).split()
]
OPPOSITES = {
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add},
}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """C(old), which is in the file once, or at C(place), becomes C(new)."""

    file: str
    old: str
    new: str
    why: str = ""
    #: Where it begins and ends in the file; (0, 0) where old is in it once.
    place: tuple[int, int] = (0, 0)
    #: The lines as they were and are, for people and for harmless.yml.
    lines: tuple[str, str] = ("", "")

    @property
    def key(self) -> tuple[str, str, str]:
        old, new = self.lines if self.lines[0] else (self.old, self.new)
        return self.file, old.strip(), new.strip()

    def __str__(self) -> str:
        _file, old, new = self.key
        return f"{self.file}: {old!r} -> {new!r}" + (f" ({self.why})" if self.why else "")

    def applied(self, code: str) -> str:
        begin, end = self.place
        if not end:
            if code.count(self.old) != 1:
                raise ValueError(
                    f"{self.file} has {self.old!r} {code.count(self.old)} times; mutants.yml needs it once"
                )
            begin = code.index(self.old)
            end = begin + len(self.old)
        return code[:begin] + self.new + code[end:]


def automatic(root: Path, share: int) -> list[Mutant]:
    """One of so many of all mutants that these operators can make, always the same ones while their lines stay."""
    found = [mutant for file in FILES for mutant in _of_file(file, (root / file).read_text())]
    return [one for one in found if int(hashlib.sha256(repr(one.key).encode()).hexdigest(), 16) % share == 0]


def _of_file(file: str, code: str) -> t.Iterator[Mutant]:
    tree = ast.parse(code)
    starts = [0]
    for line in code.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))
    raw = code.encode()
    for node in _walk(tree):
        for changed in _variants(node):
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[t.cast(int, node.end_lineno) - 1] + t.cast(int, node.end_col_offset)
            old, new = raw[begin:end].decode(), ast.unparse(changed)
            if isinstance(node, ast.expr) and not isinstance(node, ast.Constant):
                new = f"({new})"
            place = (len(raw[:begin].decode()), len(raw[:end].decode()))
            yield Mutant(file, old, new, place=place, lines=_lines(code, place, new))


def _lines(code: str, place: tuple[int, int], new: str) -> tuple[str, str]:
    """The lines around a place, before and after."""
    begin = code.rfind("\n", 0, place[0]) + 1
    end = code.find("\n", place[1])
    return code[begin:end], code[begin : place[0]] + new + code[place[1] : end]


def _walk(tree: ast.AST) -> t.Iterator[t.Any]:
    """All nodes but annotations, what only type checkers read, and what makes only text for people."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list") or isinstance(tree, ast.JoinedStr):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                continue
            if isinstance(node, ast.AST):
                yield node
                yield from _walk(node)


def _variants(node: t.Any) -> t.Iterator[ast.AST]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in OPPOSITES:
        yield _with(node, ops=[OPPOSITES[type(node.ops[0])]()])
    elif isinstance(node, (ast.BoolOp, ast.BinOp)) and type(node.op) in OPPOSITES:
        yield _with(node, op=OPPOSITES[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()
    elif isinstance(node, ast.IfExp):
        yield _with(node, body=node.orelse, orelse=node.body)


def _with(node: ast.AST, **fields: t.Any) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed

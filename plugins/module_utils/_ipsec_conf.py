# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A file of conn sections: text to values, values to text, and what a conn amounts to. Pure.

The grammar is the part of libreswan's that 4.10 and 5.2 read alike. What one of them reads in another way, or takes
silently for something else (a carriage return, an unbalanced quote, a keyword twice), is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _files, _values
from ansible_collections.route_based.vpn.plugins.module_utils._conn_options import option_reason, plain
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, InputErrors
from ansible_collections.route_based.vpn.plugins.module_utils._versions import MARKS

DEFAULT = "%default"
#: The role's conns have it in connalias=, so that all of them can be unloaded by one command. No conn has such a name,
#: as names begin with a letter or digit: libreswan 5 replaces the conns whose alias is the name of one that it loads.
ALIAS = "_route_based_vpn"

LOADED, STARTED, ONDEMAND, STOPPED, ABSENT = "loaded", "started", "ondemand", "stopped", "absent"
#: The state that a conn asks for with auto=; None: it is not loaded, like a base for also=.
AUTO_STATES: dict[str, t.Optional[str]] = {
    "ignore": None,
    "add": LOADED,
    "start": STARTED,
    "ondemand": ONDEMAND,
    "route": ONDEMAND,
}
STATE_AUTOS = {LOADED: "add", STOPPED: "add", STARTED: "start", ONDEMAND: "ondemand"}

_OPTION = re.compile(
    r"[ \t]+(?P<key>[^\s=]+)[ \t]*=[ \t]*"
    r"""(?:"(?P<quoted>[^"]*)"|(?P<braced>\{[^"{}]*\})|(?P<bare>[^\s"{}]*))"""
    r"(?:[ \t]+\#(?:[ \t].*)?)?[ \t]*"
)
_SECTION = re.compile(r"conn[ \t]+(?P<name>\S+)(?:[ \t]+\#(?:[ \t].*)?)?[ \t]*")


@dataclasses.dataclass(frozen=True)
class Option:
    """One C(keyword=value) line; the value is without its quotes."""

    key: str
    value: str
    line: int = 0


@dataclasses.dataclass(frozen=True)
class Conn:
    """One conn section as it is written; see L(effective) for what it amounts to."""

    name: str
    options: tuple[Option, ...]
    line: int = 0

    @property
    def also(self) -> tuple[str, ...]:
        """The sections that this one takes in."""
        return tuple(option.value for option in self.options if option.key == "also")


@dataclasses.dataclass(frozen=True)
class Conf:
    """A whole file: its sections by name, C(%default) among them."""

    sections: dict[str, Conn]

    @property
    def conns(self) -> list[Conn]:
        """The conns, without C(%default)."""
        return [conn for name, conn in self.sections.items() if name != DEFAULT]


def with_header(text: str) -> str:
    """The text to install: marked as ours, with a newline at its end."""
    marked = text if _files.owned(text) else f"{_files.HEADER}\n{text}"
    return marked if marked.endswith("\n") else marked + "\n"


def parse(text: str, where: str = "content") -> Conf:
    """The sections of a text, or every reason why it is refused."""
    parser = _Parser(where)
    # Only a newline ends a line: str.splitlines() would also end it where libreswan does not.
    for number, line in enumerate(text.split("\n"), 1):
        parser.feed(number, line)
    conf = Conf({name: Conn(name, tuple(o), at) for name, (at, o) in parser.sections.items()})
    errors = parser.errors or check(conf, where)
    if errors:
        raise InputErrors(errors)
    return conf


class _Parser:
    """Collects sections line by line, and the lines that are refused."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.sections: dict[str, tuple[int, list[Option]]] = {}
        self.errors: list[InputError] = []
        self.current: t.Optional[str] = None

    def feed(self, number: int, line: str) -> None:
        """Take in one line."""
        stripped = line.strip(" \t")
        if not plain(line.replace("\t", " "), comment=stripped.startswith("#")):
            self.refuse(number, "holds a control character or one that is not ASCII")
        elif not stripped or stripped.startswith("#"):
            return
        elif line[0] in " \t":
            self.option(number, line)
        else:
            self.section(number, line)

    def refuse(self, number: int, reason: str, option: str = "", value: object = None) -> None:
        """Note what is wrong with a line; its text stays out of it, unless the value is given."""
        conn = f" (conn {self.current})" if self.current else ""
        self.errors.append(InputError(f"{self.where} line {number}{conn}", option, value, reason))

    def section(self, number: int, line: str) -> None:
        """Begin a section."""
        self.current = None
        match = _SECTION.fullmatch(line)
        if not match:
            self.refuse(
                number,
                "is no 'conn NAME': this file takes conn sections only, their keywords are"
                " indented, and 'config setup' belongs into /etc/ipsec.conf",
            )
            return
        name = match.group("name")
        try:
            self.current = name if name == DEFAULT else _values.conn_name(name)
        except ValueError as exc:
            self.refuse(number, str(exc), "conn", name)
            return
        if name in self.sections:
            first = self.sections[name][0]
            self.refuse(number, f"is already on line {first}", "conn", name)
        self.sections.setdefault(name, (number, []))

    def option(self, number: int, line: str) -> None:
        """Add a keyword to the section at hand."""
        match = _OPTION.fullmatch(line)
        if self.current is None:
            if not self.errors:
                self.refuse(number, "is indented, but there is no 'conn NAME' above it")
        elif not match:
            self.refuse(
                number,
                "is no 'keyword=value': a value with blanks stands in double quotes, no quote or"
                " brace is inside a value, and a comment behind it is written ' # text'",
            )
        else:
            key, quoted, braced, bare = match.group("key", "quoted", "braced", "bare")
            value = next(v for v in (quoted, braced, bare) if v is not None)
            option = Option(key, value, number)
            if bare == "":
                self.refuse(number, 'is empty: 4.10 and 5.x differ in that; write ""', key, "")
                return
            reason = option_reason(option.key, value)
            if reason:
                self.refuse(number, reason, option.key, value)
            else:
                self.sections[self.current][1].append(option)


def check(conf: Conf, where: str) -> list[InputError]:
    """What is wrong with sections that are each well written."""
    errors: list[InputError] = []
    for conn in conf.sections.values():
        item = f"{where} line {conn.line} (conn {conn.name})" if conn.line else f"conn {conn.name}"
        found = _check_also(conf, conn, item) or _check_twice(conf, conn, item)
        errors.extend(found)
        if not found and conn.name != DEFAULT:
            errors.extend(_check_vti(conf, conn, item))
            errors.extend(_check_state(conf, conn, item))
    return errors


def _check_also(conf: Conf, conn: Conn, item: str) -> list[InputError]:
    """Targets of also= exist and do not lead back."""
    for target in conn.also:
        if target not in conf.sections:
            return [InputError(item, "also", target, "there is no such conn in this file")]
    path, todo = set(), list(conn.also)
    while todo:
        name = todo.pop()
        if name == conn.name:
            return [InputError(item, "also", name, "the conn takes in itself")]
        if name not in path and name in conf.sections:
            path.add(name)
            todo.extend(conf.sections[name].also)
    return []


def _check_twice(conf: Conf, conn: Conn, item: str) -> list[InputError]:
    """No keyword twice: 4.10 takes the conn's own value and fails the conn, 5.x takes the first one."""
    errors: list[InputError] = []
    seen: dict[str, tuple[str, Option]] = {}
    for owner, option in _expanded(conf, conn):
        first = seen.setdefault(option.key, (owner, option))
        if first[1] is not option:
            place = f"on line {first[1].line}" if option.line else "before"
            here = "" if owner == conn.name else f" (comes in with also={owner})"
            reason = f"is set already {place} in conn {first[0]}{here}; libreswan takes it once"
            errors.append(InputError(item, option.key, option.value, reason))
    return errors


def _check_vti(conf: Conf, conn: Conn, item: str) -> list[InputError]:
    """A VTI needs a mark and tunnel mode; libreswan finds out too late or never."""
    options = effective(conf, conn.name)
    marks = [key for key in MARKS if key in options]
    if "mark" in marks and len(marks) > 1:
        reason = "contradicts mark=, which is for both directions: give mark-in= and mark-out= instead of it"
        return [InputError(item, marks[1], options[marks[1]], reason)]
    device = options.get("vti-interface")
    if device is None or wanted_state(options) is None:
        return []
    if not marks:
        reason = "needs a mark=, or the tunnel takes the traffic of the whole host past the device"
        return [InputError(item, "vti-interface", device, reason)]
    if options.get("type", "tunnel") != "tunnel":
        return [InputError(item, "type", options["type"], "vti-interface needs type=tunnel")]
    if options.get("ipsec-interface", "no") != "no":
        reason = "makes an XFRM interface, and libreswan leaves the VTI of vti-interface= alone then: give one of them"
        return [InputError(item, "ipsec-interface", options["ipsec-interface"], reason)]
    return []


def _check_state(conf: Conf, conn: Conn, item: str) -> list[InputError]:
    """A template waits for peers: to initiate it fails, and to route it does nothing."""
    options = effective(conf, conn.name)
    if wanted_state(options) not in (STARTED, ONDEMAND):
        return []
    reason = "cannot be brought up from here, a peer has to come: use auto=add"
    anyone = [key for key in ("left", "right") if options.get(key) == "%any"]
    return [InputError(item, key, options[key], reason) for key in anyone]


def _expanded(conf: Conf, conn: Conn, seen: t.Optional[set[str]] = None) -> t.Iterator[tuple[str, Option]]:
    """The conn's own keywords, then those of its also= targets, each section once."""
    seen = set() if seen is None else seen
    seen.add(conn.name)
    for option in conn.options:
        if option.key != "also":
            yield conn.name, option
    for target in conn.also:
        if target in conf.sections and target not in seen:
            yield from _expanded(conf, conf.sections[target], seen)


def effective(conf: Conf, name: str, defaults: t.Optional[t.Mapping[str, str]] = None) -> dict[str, str]:
    """What a conn amounts to: its keywords, those of also=, and those of %default that it does not set. C(defaults)
    are those of a C(conn %default) in another file."""
    options: dict[str, str] = {}
    for section in (name, DEFAULT):
        if section in conf.sections:
            for _owner, option in _expanded(conf, conf.sections[section]):
                options.setdefault(option.key, option.value)
    for key, value in (defaults or {}).items():
        options.setdefault(key, value)
    return options


def wanted_state(options: dict[str, str]) -> t.Optional[str]:
    """The state that a conn's auto= asks for; None where the conn is not to be loaded."""
    return AUTO_STATES.get(options.get("auto", "ignore"))


def without_alias(options: t.Mapping[str, str]) -> dict[str, str]:
    """The keywords without the alias that the role gives its conns: it has no part in what a conn does, and a conn that
    was loaded without it is not loaded anew for its sake."""
    others = [word for word in options.get("connalias", "").split() if word != ALIAS]
    rest = {key: value for key, value in options.items() if key != "connalias" or others}
    return {key: " ".join(others) if key == "connalias" else value for key, value in rest.items()}


def fingerprint(name: str, options: dict[str, str]) -> str:
    """Equal for texts that load the same conn. auto= is left out: a load never acts on it, the caller does."""
    lines = [f"{key}={value}" for key, value in options.items() if key != "auto"]
    return hashlib.sha256("\n".join([name, *lines]).encode()).hexdigest()


def render(sections: t.Iterable[Conn]) -> str:
    """The text of conn sections, marked as ours. The values must have passed option_reason()."""
    blocks = [_files.HEADER]
    for conn in sections:
        lines = [f"    {o.key}={_quote(o.value)}" for o in conn.options]
        blocks.append("\n".join([f"conn {conn.name}", *lines]))
    return "\n\n".join(blocks) + "\n"


def _quote(value: str) -> str:
    """The value as it is read back. A number in quotes is no number to 4.10's lexer, which wants none in leftid=."""
    if re.fullmatch(r"\{[^\"{}]*\}", value):
        return value
    return value if re.fullmatch(r"[^\s\"{}#=]+", value) and not value.isdigit() else f'"{value}"'

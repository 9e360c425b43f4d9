# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""/etc/ipsec.conf and what it includes, as far as it bears on our conns: C(config setup), C(%default), names.

These files are other people's: read leniently, never refused. See _ipsec_conf.py for the files of our own.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import glob
import hashlib
import os
import re
import typing as t

MAIN = "/etc/ipsec.conf"
DEPTH_MAX = 10
KEPT = ("mark", "mark-in", "mark-out", "auto", "also")
_SECTION = re.compile(r"(config|conn)[ \t]+(\S+)")
_OPTION = re.compile(r"[ \t]+([A-Za-z][\w-]*)[ \t]*=[ \t]*(.*)")
_INCLUDE = re.compile(r"include[ \t]+(\S+)")
_COMMENT = re.compile(r"(?:^|[ \t])#(?:[ \t].*|$)")


@dataclasses.dataclass
class Around:
    """What stands around a file of ours. C(conns) are the names of other files' conns and where each is."""

    files: list[str] = dataclasses.field(default_factory=list)
    conns: dict[str, str] = dataclasses.field(default_factory=dict)
    #: of those conns, what is asked for: marks, auto=, and the conns that also= names
    options: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    defaults: dict[str, str] = dataclasses.field(default_factory=dict)
    default_files: list[str] = dataclasses.field(default_factory=list)
    setup: list[str] = dataclasses.field(default_factory=list)

    def option(self, conn: str, key: str, depth: int = 0) -> t.Optional[str]:
        """What a conn has for one of KEPT, of its own, by also=, or from conn %default."""
        own = self.options.get(conn, {})
        if key in own or depth > DEPTH_MAX:
            return own.get(key)
        for name in own.get("also", "").replace(",", " ").split():
            found = self.option(name, key, depth + 1)
            if found is not None:
                return found
        return None if depth else self.defaults.get(key)

    @property
    def setup_digest(self) -> str:
        """Equal for a C(config setup) that says the same."""
        return hashlib.sha256("\n".join(self.setup).encode()).hexdigest()


def read(own: str, main: t.Optional[str] = None) -> Around:
    """What libreswan reads beside our own file C(own), which need not exist yet."""
    around = Around()
    _read(around, os.path.realpath(own), main or MAIN, 0)
    return around


def _read(around: Around, own: str, path: str, depth: int) -> None:
    around.files.append(os.path.realpath(path))
    if os.path.realpath(path) == own:
        return
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    section: tuple[str, str] = ("", "")
    for line in lines:
        found, include = _SECTION.match(line), _INCLUDE.match(line)
        if found:
            section = (found.group(1), found.group(2).strip('"'))
            if section[0] == "conn" and section[1] != "%default":
                around.conns.setdefault(section[1], path)
        elif include and depth < DEPTH_MAX:
            section = ("", "")
            for name in included(include.group(1), own):
                _read(around, own, name, depth + 1)
        else:
            _option(around, section, line, path)


def _option(around: Around, section: tuple[str, str], line: str, path: str) -> None:
    match = _OPTION.fullmatch(line)
    if not match:
        return
    key, value = match.group(1).lower(), _COMMENT.sub("", match.group(2)).strip().strip('"')
    if section == ("conn", "%default"):
        around.defaults.setdefault(key, value)
        if path not in around.default_files:
            around.default_files.append(path)
    elif section[0] == "conn" and key in KEPT:
        own = around.options.setdefault(section[1], {})
        own[key] = f"{own[key]} {value}" if key == "also" and key in own else value
    elif section == ("config", "setup"):
        around.setup.append(f"{key}={value}")


def included(pattern: str, own: str) -> list[str]:
    """The files that an include line names, C(own) among them where the pattern matches it, though it may not exist
    yet. libreswan sorts them as C does; a relative pattern is taken as it stands."""
    pattern = pattern.strip('"')
    names = glob.glob(pattern)
    folder, name = os.path.split(own)
    here = not os.path.exists(own) and os.path.realpath(os.path.dirname(pattern)) == folder
    if here and fnmatch.fnmatchcase(name, os.path.basename(pattern)):
        names.append(own)
    return sorted(names)


def includes(main: str, own: str) -> bool:
    """Whether a main file (of conns or of secrets) takes in C(own); True as well where it cannot be read."""
    try:
        with open(main, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return True
    real = os.path.realpath(own)
    patterns = re.findall(r"^include[ \t]+(\S+)", text, re.MULTILINE)
    base = os.path.dirname(main)
    return any(
        os.path.realpath(path) == real for pattern in patterns for path in included(os.path.join(base, pattern), real)
    )

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Text of hosts, peers and programs for the eyes of people: no character of it moves the cursor, turns the order of
what stands beside it round, or hides. Pure functions."""

from __future__ import annotations

import dataclasses
import re
import typing as t

# Control characters (ESC and those above 127 among them), those that format (bidi overrides and isolates, zero width,
# tags), separators of lines and paragraphs, and halves of characters. Newline and tab are left where lines are.
_FORMAT = (
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_HARMFUL = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_FORMAT}\ud800-\udfff]")
_BREAK = re.compile(r"\s*[\t\n]\s*")
#: Of a message in a table or a page.
LONGEST = 2000


def harmless(text: str) -> str:
    """The same with each such character written out, as in \\u202e."""
    return text if text.isascii() and text.isprintable() else _HARMFUL.sub(_written, text)


def one_line(value: t.Any, longest: int = LONGEST) -> str:
    """For a row of a table or a list of a page: one line of a bearable length."""
    text = _BREAK.sub(" ", harmless(str(value))).strip()
    return text if len(text) <= longest else f"{text[:longest]} ... ({len(text)} characters)"


def harmless_within(value: t.Any, name: t.Any = "") -> t.Any:
    """The same of every text in a value, the names in it too. A message, which is what is called C(msg), is one line,
    as a second line could pass for Ansible's own. ansible-core has dataclasses for errors and warnings."""
    if isinstance(value, str):
        return _BREAK.sub(" ", harmless(value)) if name == "msg" else harmless(value)
    if isinstance(value, dict):
        return {harmless_within(key): harmless_within(entry, key) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        entries = [harmless_within(entry) for entry in value]
        return tuple(entries) if isinstance(value, tuple) else entries
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(value, **{field: harmless_within(getattr(value, field), field) for field in fields})
    return value


def _written(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"

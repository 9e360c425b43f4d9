# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a user wrote, and what is needed in its place, in words: kinds of values, and names with a typing error. Ansible
has subclasses of its own of text, list and dict, whose names say nothing to a user. Pure."""

from __future__ import annotations

import difflib
import typing as t

Kinds = t.Union[type, tuple[type, ...]]
# A bool is an int to Python, so it comes first.
WORDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    tuple: "a list",
    dict: "a dict",
}


def is_a(value: t.Any, kinds: Kinds) -> bool:
    """Whether a value has one of these types; true and false are no numbers."""
    several = kinds if isinstance(kinds, tuple) else (kinds,)
    return isinstance(value, several) and (bool in several or not isinstance(value, bool))


def kind_of(value: t.Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "nothing"
    return next((word for kind, word in WORDS.items() if isinstance(value, kind)), "something else")


def needed(kinds: Kinds) -> str:
    """What is needed, in words."""
    several = kinds if isinstance(kinds, tuple) else (kinds,)
    return " or ".join(dict.fromkeys(WORDS[kind] for kind in several))


def reason(value: t.Any, kinds: Kinds, secret: bool = False) -> str:
    """Why a value of the wrong type is refused. A single text in the place of a list is shown as a list of one, unless
    it may be secret."""
    text = f"is {kind_of(value)}; {needed(kinds)} is needed"
    if kinds is list and isinstance(value, str) and value and not secret:
        return f"{text}: [{value}]"
    return text


def shown(value: t.Any, secret: bool = False) -> t.Union[str, int]:
    """A refused value as a message has it: short ones that are no secret, as they are."""
    return value if isinstance(value, (str, int)) and not secret else "..."


def did_you_mean(name: str, known: t.Iterable[str], alike: float) -> str:
    """A question, with a blank behind it, where a name is that much like one that is known (0 to 1); else nothing."""
    like = difflib.get_close_matches(name, list(known), 1, alike)
    return f"did you mean {like[0]}? " if like else ""

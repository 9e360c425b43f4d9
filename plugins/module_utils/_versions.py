# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Keywords that libreswan renamed, dropped or reads otherwise from one version to the next. Pure; the only place that
knows. Each line was tried on 4.10 and 5.2."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _values

Version = tuple[int, int]
RENAMED: Version = (5, 0)
MARKS = ("mark", "mark-in", "mark-out")
VTI_ADDRESSES = ("leftvti", "rightvti")
#: ikev2= of 4.x, and keyexchange= of 5.x, which has other words for the same.
_IKEV2_WORDS = {"insist": "ikev2", "yes": "ikev2", "propose": "ikev2", "no": "ikev1", "never": "ikev1"}
_KEYEXCHANGE_WORDS = {"ikev2": "insist", "ikev1": "no"}


# Keywords that are not the same in all versions.
TRANSLATED = frozenset((*MARKS, *VTI_ADDRESSES, "keyexchange", "ikev2", "dpdaction"))


def version(text: str) -> Version:
    """The first two numbers of a text like C(Libreswan 4.10), C(5.2) or C(v5.3.1); ValueError where there are none."""
    found = re.search(r"(\d+)\.(\d+)", text)
    if not found:
        raise ValueError(f"holds no version of libreswan: {text.strip()[:80]!r}")
    return int(found.group(1)), int(found.group(2))


def for_version(options: t.Mapping[str, str], installed: Version) -> dict[str, str]:
    """The options of a conn in the words of the installed libreswan; they keep their order.

    ValueError names a keyword and says why it cannot be said; the values must have passed option_reason().
    """
    if "ikev2" in options and "keyexchange" in options:
        raise ValueError("ikev2= is the older word for keyexchange=: give one of them")
    result: dict[str, str] = {}
    for key, value in options.items():
        if key in TRANSLATED:
            result.update(_translated(key, value, installed))
        else:
            result[key] = value
    return result


def _translated(key: str, value: str, installed: Version) -> dict[str, str]:
    if key in MARKS:
        # A decimal number alone is no mark to the lexer of 4.10.
        return {key: str(_values.mark(value))}
    if key in VTI_ADDRESSES and "/" not in value:
        # 4.10 wants a prefix length, later ones take the whole width for it.
        return {key: f"{value}/{128 if ':' in value else 32}"}
    if key == "keyexchange" and installed < RENAMED and value in _KEYEXCHANGE_WORDS:
        return {"ikev2": _KEYEXCHANGE_WORDS[value]}
    if key == "ikev2" and installed >= RENAMED and value in _IKEV2_WORDS:
        return {"keyexchange": _IKEV2_WORDS[value]}
    if key == "dpdaction" and installed >= RENAMED:
        # 5.0 dropped it: auto= alone says what happens when the peer is gone.
        return {}
    return {key: value}

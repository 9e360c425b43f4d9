# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The module's list of conns: from what a user writes to sections of a file. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _ipsec_conf as conf
from ansible_collections.route_based.vpn.plugins.module_utils import _values, _versions
from ansible_collections.route_based.vpn.plugins.module_utils._conn_options import option_reason
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, InputErrors


def sections_of(
    conns: list[dict[str, t.Any]], installed: _versions.Version
) -> tuple[list[conf.Conn], dict[str, str], set[str]]:
    """The list as sections in the words of the installed libreswan, the states that it asks for, and the names of the
    absent conns. InputErrors with all that is refused."""
    errors: list[InputError] = []
    places: dict[str, int] = {}
    sections, states, absent = [], {}, set()
    for number, conn in enumerate(conns):
        name, state = conn["name"], conn["state"]
        item = f"conns[{number}] ({name})"
        if name in places:
            errors.append(InputError(item, "name", name, f"is already conns[{places[name]}]"))
        places.setdefault(name, number)
        try:
            _values.conn_name(name)
        except ValueError as exc:
            errors.append(InputError(f"conns[{number}]", "name", name, str(exc)))
        if state == conf.ABSENT:
            absent.add(name)
            continue
        states[name] = state
        options = _options(item, conn.get("options") or {}, installed, errors)
        auto = conf.Option("auto", conf.STATE_AUTOS[state])
        sections.append(conf.Conn(name, (*options, auto)))
    if errors:
        raise InputErrors(errors)
    return sections, states, absent


def _options(
    item: str, values: dict[str, t.Any], installed: _versions.Version, errors: list[InputError]
) -> list[conf.Option]:
    options: dict[str, str] = {}
    refused = len(errors)
    for given, value in values.items():
        key = str(given).replace("_", "-")
        text = _text(value)
        reason = "is set with the conn's state" if key == "auto" else ""
        if text is None:
            reason = "is no text, number, yes/no, or list of such"
        reason = reason or option_reason(key, text or "")
        if reason:
            errors.append(InputError(item, key, value, reason))
        elif key in options:
            errors.append(InputError(item, key, value, "is given twice, with '-' and with '_'"))
        else:
            options[key] = text or ""
    if len(errors) > refused:
        return []
    try:
        return [conf.Option(key, value) for key, value in _versions.for_version(options, installed).items()]
    except ValueError as exc:
        errors.append(InputError(item, "", None, str(exc)))
        return []


def _text(value: object) -> t.Optional[str]:
    """As libreswan writes it: C(yes), a number, C({a b}) for a list; None for what it has no words for."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, list) and value and all(isinstance(v, (str, int)) for v in value):
        words = [str(v) for v in value]
        return "{" + " ".join(words) + "}" if all(re.fullmatch(r"[^\s{}]+", w) for w in words) else None
    return None

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the modules of this collection answer. Whoever is root on a gateway can answer anything in their name, so each
answer is compared with this where it comes in: what a module does not say is dropped, and an answer that lacks
something or has something of another kind is a failure of that host, in its own row. Pure functions."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.route_based.vpn.plugins.plugin_utils import _text

Answer = dict[str, t.Any]
Check = t.Callable[[t.Any], bool]


class Some(t.NamedTuple):
    """A list of one kind of entry (C(pairs=False)), or a dict from texts to it."""

    kind: t.Any
    pairs: bool = False


def _number(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64


def _real(value: t.Any) -> bool:
    return _number(value) or (isinstance(value, float) and math.isfinite(value))


def _time(value: t.Any) -> bool:
    """Of the years 1970 to 9999, which all programs can write out."""
    return _number(value) and 0 <= value < 253402300800


TEXT, TRUTH, NUMBER, REAL, TIME, NOTHING, SCALAR = (
    "a text",
    "true or false",
    "a whole number of at most 64 bits",
    "a number",
    "a time",
    "nothing",
    "a text or a number",
)
CHECKS: dict[str, Check] = {
    TEXT: lambda value: isinstance(value, str),
    TRUTH: lambda value: isinstance(value, bool),
    NUMBER: _number,
    REAL: _real,
    TIME: _time,
    NOTHING: lambda value: value is None,
    SCALAR: lambda value: isinstance(value, str) or _real(value),
}

# A field with "?" may be missing. Fields that are not here may be there, and nobody reads them.
DEVICE = {
    **{"name": TEXT, "kind": TEXT, "local": (TEXT, NOTHING), "remote": (TEXT, NOTHING), "ikey": NUMBER, "okey": NUMBER},
    **{
        "link": (TEXT, NOTHING),
        "mtu": NUMBER,
        "enabled": TRUTH,
        "addresses": Some(TEXT),
        "sysctls": Some(SCALAR, True),
    },
    "unnumbered": (TEXT, NOTHING),
    "owner": TEXT,
}
ROUTE = {
    **{"destination": TEXT, "?type": TEXT, "?device": TEXT, "table": SCALAR, "metric": NUMBER, "protocol": NUMBER},
}
PING = {"address": TEXT, "answered": TRUTH, "ms": (REAL, NOTHING)}
CONN = {
    **{"name": TEXT, "loaded": TRUTH, "established": TRUTH, "since": (TIME, NOTHING), "in_bytes": NUMBER},
    **{"out_bytes": NUMBER, "local": (TEXT, NOTHING), "remote": (TEXT, NOTHING), "mark_in": (TEXT, NOTHING)},
    **{"mark_out": (TEXT, NOTHING), "interface": (TEXT, NOTHING), "routing": TEXT, "ike_state": TEXT},
    **{"ike_sas": Some(NUMBER), "last_error": (TEXT, NOTHING), "last_error_at": (TIME, NOTHING), "instances": NUMBER},
    **{"sas": Some({"serial": NUMBER}), "device": (DEVICE, NOTHING), "routes": Some(ROUTE), "ping": (PING, NOTHING)},
}
# What of vpn_info's answers the report of all hosts is made of.
READ = {
    **{"name": TEXT, "loaded": TRUTH, "established": TRUTH, "since": (TIME, NOTHING), "in_bytes": NUMBER},
    **{"out_bytes": NUMBER, "remote": (TEXT, NOTHING), "interface": (TEXT, NOTHING), "?last_error": (TEXT, NOTHING)},
    **{"device": ({"name": TEXT, "mtu": NUMBER, "enabled": TRUTH}, NOTHING), "routes": Some({"destination": TEXT})},
    "?ping": ({"address": TEXT, "answered": TRUTH}, NOTHING),
}
ITEM = {"name": TEXT, "action": TEXT, "?reasons": Some(TEXT)}
ANSWERS: dict[str, dict[str, t.Any]] = {
    "vpn_info": {
        "conns": Some(CONN),
        "devices": Some(
            {**DEVICE, "index": NUMBER, "master": TEXT, "counters": Some(NUMBER, True), "conns": Some(TEXT)}
        ),
        "firewall": ({"state": TEXT, "watched": TRUTH, "problems": Some(TEXT)}, NOTHING),
        "restart": {"addresses": NUMBER, "open_files": (NUMBER, NOTHING), "problems": Some(TEXT)},
        "routes": Some(ROUTE),
    },
    "vpn_preflight": {
        "problems": Some({"check": TEXT, "message": TEXT}),
        "versions": Some((TEXT, NOTHING), True),
    },
    "vpn_checkpoint": {
        **{"?established": Some(TEXT), "?opened": REAL, "?restored": Some(TEXT), "?token": TEXT},
        "?owner": {"who": TEXT, "run": TEXT, "since": REAL},
    },
    "vti_tunnel": {"tunnels": Some(ITEM), "mtus": Some(NUMBER, True)},
    "vti_route": {"routes": Some(ITEM), "rules": Some(ITEM)},
    "ipsec_conn": {"conns": Some(ITEM), "file": TEXT, "secrets_file": TEXT, "secrets_read": TRUTH},
    "ipsec_hostkey": {
        **{"type": TEXT, "action": TEXT, "removed": Some(TEXT), "?ckaid": TEXT, "?keyword": TEXT, "?public_key": TEXT},
    },
    "ipsec_certificate": {"certificates": Some(ITEM), "authorities": Some(ITEM), "crls": Some(ITEM)},
}
# Of a module that fails, beside its message.
FAILED = ("errors", "done", "failed_item", "not_done")
# What Ansible itself reads of an answer, or shows of it.
COMMON = (
    "changed failed msg warnings deprecations diff exception invocation rc skipped module_stdout module_stderr"
    " ansible_job_id results_file started finished"
).split()


def received(module: str, answer: t.Any) -> Answer:
    """What is taken of the answer of a module: nothing that it does not say, and no text that could do harm. A
    malformed one is a failure."""
    if not isinstance(answer, dict):
        return _malformed(module, f"it is not a dict but a {type(answer).__name__}")
    shape = ANSWERS[module]
    failed, waits = bool(answer.get("failed")), "ansible_job_id" in answer
    names = [*COMMON, *(FAILED if failed else ())]
    kept = {name: answer[name] for name in names if name in answer}
    for name, kind in shape.items():
        bare = name.lstrip("?")
        # What a failure lacks or has of another kind is no second failure, but it is not used.
        if bare in answer and (not failed or fits(answer[bare], kind)):
            kept[bare] = answer[bare]
    kept["changed"], kept["failed"] = bool(answer.get("changed")), failed
    # A text that is no text is not shown, as it may hold anything.
    if not isinstance(kept.get("msg", ""), str):
        kept["msg"] = str(kept["msg"])
    if not failed and not waits and not kept.get("skipped") and not fits(kept, shape):
        return _malformed(module, next(problems(kept, shape)))
    return t.cast(Answer, _text.harmless_within(kept))


def to_report(info: t.Any) -> Answer:
    """What the report reads of what vpn_info answered, or why there is nothing of it."""
    if not isinstance(info, dict):
        return _malformed("vpn_info", f"it is not a dict but a {type(info).__name__}")
    judged = {"problems": Some(TEXT)}
    shape = {"conns": Some(READ), "?firewall": (judged, NOTHING), "?restart": judged}
    return info if "conns" not in info or fits(info, shape) else _malformed("vpn_info", next(problems(info, shape)))


def _malformed(module: str, wrong: str) -> Answer:
    msg = (
        f"the answer of this host is not one of {module}: {wrong}. Nothing of it is used. Look at the host: the "
        "module, its Python, or whoever is root there, is not what it should be"
    )
    return {"failed": True, "changed": False, "msg": _text.one_line(msg)}


def fits(value: t.Any, shape: t.Any) -> bool:
    """Whether a value is of a shape; quickly, as a hub answers thousands of conns."""
    if isinstance(shape, str):
        return CHECKS[shape](value)
    if isinstance(shape, Some):
        if isinstance(value, dict) and shape.pairs:
            return all(fits(entry, shape.kind) for entry in value.values())
        return isinstance(value, list) and not shape.pairs and all(fits(entry, shape.kind) for entry in value)
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            fits(value[name.lstrip("?")], kind) if name.lstrip("?") in value else name[0] == "?"
            for name, kind in shape.items()
        )
    return any(fits(value, one) for one in shape)


def problems(value: t.Any, shape: t.Any, where: str = "") -> t.Iterator[str]:
    """What of a value is not of its shape, each with the place where it stands."""
    shapes = shape if isinstance(shape, tuple) and not isinstance(shape, Some) else (shape,)
    found: list[str] = []
    for one in shapes:
        found = list(_one(value, one, where))
        if not found:
            return
    # Of several shapes the first is the one that is meant, unless the value is nothing like it.
    yield from list(_one(value, shapes[0], where)) if len(shapes) > 1 else found


def _one(value: t.Any, shape: t.Any, where: str) -> t.Iterator[str]:
    if isinstance(shape, str):
        if not CHECKS[shape](value):
            yield f"{where} has to be {shape}, and is {_shown(value)}"
    elif isinstance(shape, Some):
        if not isinstance(value, dict if shape.pairs else list):
            yield f"{where} has to be {'a dict' if shape.pairs else 'a list'}, and is {_shown(value)}"
            return
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from problems(entry, shape.kind, f"{where}[{key!r:.40}]")
    elif not isinstance(value, dict):
        yield f"{where or 'it'} has to be a dict, and is {_shown(value)}"
    else:
        for name, kind in shape.items():
            bare = name.lstrip("?")
            if bare in value:
                yield from problems(value[bare], kind, f"{where}.{bare}" if where else bare)
            elif bare == name:
                yield f"{where}.{bare} is missing" if where else f"{bare} is missing"


def _shown(value: t.Any) -> str:
    return "nothing" if value is None else f"{value!r:.60} ({type(value).__name__})"

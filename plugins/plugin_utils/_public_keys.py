# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a public key of a host is, and whether a key that a host answers may take the place of the one that is kept. A
host's answer is checked as an enemy's would be: what is written is read again by all later runs. Pure functions."""

from __future__ import annotations

import base64
import binascii
import json
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils._errors import VpnError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _auth

Key = dict[str, str]

# Of a key, and what an answer gives of them; the epoch is the inventory's.
FIELDS = ("type", "public_key", "ckaid", "epoch")
ANSWERED = ("type", "public_key", "ckaid")
CKAID = re.compile(r"[0-9a-f]{40}")
EPOCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}")
HOST = "host"


def file_name(host: str) -> str:
    """The name of the file of a host, without the ending; VpnError where no file could have the host's name."""
    if not _auth.NAME.fullmatch(host):
        raise VpnError(
            f"{host!r} is not the name of a host that a file could have: give the host an inventory name of letters, "
            "digits, '.', '_' or '-'"
        )
    return host


def checked(raw: t.Any, where: str, fields: t.Sequence[str] = FIELDS) -> Key:
    """A key with exactly these fields, each of which is what it should be; VpnError names the first that is not."""
    if not isinstance(raw, t.Mapping):
        raise VpnError(f"{where}: is not a public key: a dict of {', '.join(fields)} is needed, not {_kind(raw)}")
    strange = [str(name) for name in raw if name not in fields]
    if strange:
        raise VpnError(
            f"{where}: {strange[0]!r:.60} is not a field of a public key, which has {', '.join(fields)} alone"
        )
    for field in fields:
        value = raw.get(field)
        if not isinstance(value, str):
            raise VpnError(f"{where}: {field}: a text is needed, not {_kind(value)}")
        if not CHECKS[field](value):
            raise VpnError(f"{where}: {field}={value!r:.80}: {WANTED[field]}")
    return {field: str(raw[field]) for field in fields}


def _kind(value: t.Any) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"


def _is_base64(value: str) -> bool:
    try:
        return bool(_auth.PUBLIC_KEY.fullmatch(value)) and bool(base64.b64decode(value[2:], validate=True))
    except binascii.Error:
        return False


CHECKS: dict[str, t.Callable[[str], t.Any]] = {
    "type": _auth.KEYWORDS.__contains__,
    "public_key": _is_base64,
    "ckaid": CKAID.fullmatch,
    "epoch": EPOCH.fullmatch,
}
WANTED = {
    "type": f"must be one of {', '.join(_auth.KEYWORDS)}",
    "public_key": "must be 0s and base64, as ipsec showhostkey prints it",
    "ckaid": "must be 40 hexadecimal digits in lower case",
    "epoch": "must be 1 to 64 letters, digits, '.', '_', ':', '+' or '-'; change gateway_key_epoch",
}


def text(host: str, key: Key) -> str:
    """The file of a host. It names the host, so that one that is renamed or copied is no other host's key."""
    return json.dumps({HOST: host, **key}, indent=4) + "\n"


def parsed(content: str, host: str, where: str, old: bool = False) -> Key:
    """The key in the file of a host; VpnError where it is not one. Old files do not name their host, and their epoch
    may be a number."""
    try:
        raw = json.loads(content)
    except ValueError as exc:
        raise VpnError(f"{where}: is not a file of a public key of this collection: {exc}") from None
    raw = dict(raw) if isinstance(raw, dict) else raw
    if isinstance(raw, dict) and old:
        raw["epoch"] = str(raw.get("epoch", ""))
    elif isinstance(raw, dict) and raw.pop(HOST, None) != host:
        raise VpnError(f"{where}: is not the public key of {host}: the file was made for another host, or for none")
    return checked(raw, where)


def of_answer(host: str, answer: t.Any, epoch: str) -> Key:
    """The key that a host has answered; VpnError where the answer is not one."""
    key = checked(answer, f"the answer of {host}", ANSWERED)
    return checked({**key, "epoch": epoch}, f"the key of {host}")


def pin(host: str, where: str, kept: t.Optional[Key], answered: Key) -> None:
    """VpnError where a host answers another key than the one that is kept, and was not asked for a new one; or the
    same one, when it was."""
    if not kept:
        return
    same = all(kept[field] == answered[field] for field in ANSWERED)
    both = f"{where} has the {kept['type']} key {kept['ckaid']}, the host answers the {answered['type']} key"
    both = f"{both} {answered['ckaid']}"
    if kept["epoch"] == answered["epoch"] and not same:
        details = "" if kept["ckaid"] != answered["ckaid"] else "; the public keys of the two differ"
        raise VpnError(
            f"{host}: the public key has changed, and nobody asked for a new one: {both}{details}. Nothing is written, "
            "and no peer trusts it. Look at the host itself, with 'ipsec showhostkey --list'. Where it was installed "
            f"anew, or has lost its key, change its gateway_key_epoch and run route_based.vpn.rotate_keys, or remove "
            f"{where}"
        )
    if kept["epoch"] != answered["epoch"] and kept["public_key"] == answered["public_key"]:
        raise VpnError(
            f"{host}: the public key is still the old one, although gateway_key_epoch is {answered['epoch']} and no "
            f"longer {kept['epoch']}: {both}. Nothing is written. Look at the host, and run it again"
        )

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The entries of ipsec.secrets: pre-shared keys, given or derived. Pure; no message holds a secret."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import ipaddress
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _files
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, InputErrors

#: An address, a name, @name or user@name; %any stands for every peer. Nothing that ipsec.secrets would want quoted.
ID = re.compile(r"(?:@?[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*|%any|%any6)")
#: libreswan reads 2047 bytes a word, and base64 makes 4 bytes of 3.
BYTES_MAX = 1024
MASTER_MIN = 32
_CONTEXT = b"route_based.vpn psk 1"


@dataclasses.dataclass(frozen=True)
class Secret:
    """A pre-shared key and the ids that it is for, in order and each once."""

    ids: tuple[str, ...]
    psk: str = dataclasses.field(repr=False)

    def line(self) -> str:
        """As ipsec.secrets has it: base64 needs no quotes, whatever the secret holds."""
        text = base64.b64encode(self.psk.encode()).decode()
        return f"{' '.join(map(_written, self.ids))} : PSK 0s{text}"


def _written(identity: str) -> str:
    """An id as pluto reads it: it takes a colon at the end of 2001:db8:1:: for the one before the secret."""
    if not identity.endswith(":"):
        return identity
    groups = ipaddress.IPv6Address(identity).exploded.split(":")
    return ":".join(f"{int(group, 16):x}" for group in groups)


def is_id(value: str) -> bool:
    """Whether pluto can read an id before the colon and the secret: of those that end with one, only an address."""
    if value.endswith(":"):
        try:
            return bool(ipaddress.IPv6Address(value))
        except ValueError:
            return False
    return bool(ID.fullmatch(value))


def derived_psk(master: str, ids: t.Iterable[str], epoch: str = "1") -> str:
    """The secret of two peers: HMAC-SHA256 of their sorted ids and an epoch under a master secret, as base64.

    Both ends get the same one in whatever order their ids are given. Another epoch gives another secret. ValueError
    where the master secret is shorter than 32 bytes or there are not two ids.
    """
    names = sorted(set(ids))
    if len(names) != 2:
        raise ValueError("a secret is derived for two different ids")
    if len(master.encode()) < MASTER_MIN:
        raise ValueError(f"the master secret has to have {MASTER_MIN} bytes or more")
    # The length in front of each part keeps ("ab", "c") and ("a", "bc") apart.
    parts = [_CONTEXT, *(name.encode() for name in names), str(epoch).encode()]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    digest = hmac.new(master.encode(), message, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def psk_reason(psk: str) -> str:
    """Why a pre-shared key is refused; empty when it is not."""
    size = len(psk.encode())
    if not size:
        return "is empty"
    return f"is longer than {BYTES_MAX} bytes" if size > BYTES_MAX else ""


def checked(entries: t.Sequence[dict[str, t.Any]]) -> list[Secret]:
    """The module's list of secrets; InputErrors with all that is wrong. Two entries may not differ in the secret of
    the same ids, of which pluto would take the first."""
    errors: list[InputError] = []
    found: dict[frozenset[str], tuple[int, Secret]] = {}
    for number, entry in enumerate(entries):
        item = f"secrets[{number}] ({', '.join(entry['ids'])})"
        bad = [value for value in entry["ids"] if not is_id(value)]
        errors.extend(InputError(item, "ids", v, "is no id: write an address, name, @name or %any") for v in bad)
        if not entry["ids"]:
            errors.append(InputError(item, "ids", [], "is empty: the secret would be for every peer; write %any"))
        reason = psk_reason(entry["psk"])
        if reason:
            errors.append(InputError(item, "psk", "...", reason))
        secret = Secret(tuple(dict.fromkeys(entry["ids"])), entry["psk"])
        first, same = found.setdefault(frozenset(secret.ids), (number, secret))
        if same.psk != secret.psk:
            errors.append(InputError(item, "psk", "...", f"is not that of secrets[{first}], which has the same ids"))
    if errors:
        raise InputErrors(errors)
    return [secret for _number, secret in found.values()]


def render(secrets: t.Iterable[Secret]) -> str:
    """The text of a file of secrets."""
    return "\n".join([_files.HEADER, *(secret.line() for secret in secrets)]) + "\n"

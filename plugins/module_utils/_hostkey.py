# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One raw key a host: which of its keys is it, and what is to be done so that there is one. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError
from ansible_collections.route_based.vpn.plugins.module_utils._nss import HostKey

#: What a key is made with where nothing is said: bits or curve.
SIZES = {"rsa": "3072", "ecdsa": "secp256r1"}
#: libreswan refuses less.
BITS_MIN = 2192


@dataclasses.dataclass(frozen=True)
class Decision:
    """The key that the host keeps (None: a new one), and those that go after it is there."""

    keep: t.Optional[HostKey]
    remove: tuple[HostKey, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return self.keep is None or bool(self.remove)


def decide(keys: t.Sequence[HostKey], kind: str, ckaid: t.Optional[str], replaces: t.Optional[str]) -> Decision:
    """Keys of certificates are nobody's host key. StoreError where it is not certain which key is meant."""
    raw = [key for key in keys if key.certificate is None]
    if ckaid:
        chosen = [key for key in raw if key.ckaid == ckaid]
        if not chosen:
            raise StoreError(f"there is no raw key with CKAID {ckaid}; there are: {_listed(raw)}")
        return Decision(_of_kind(chosen[0], kind))
    leaving = tuple(key for key in raw if key.ckaid == replaces)
    staying = [key for key in raw if key.ckaid != replaces]
    if len(staying) > 1:
        raise StoreError(
            f"the host has {len(staying)} raw keys: {_listed(staying)}. Name the one that counts with ckaid, or remove"
            " the others with 'certutil -F -k CKAID'"
        )
    return Decision(_of_kind(staying[0], kind) if staying else None, leaving)


def _of_kind(key: HostKey, kind: str) -> HostKey:
    if key.type != kind:
        raise StoreError(
            f"the host's key {key.ckaid} is {key.type}, and {kind} is wanted: it is left as it is. To have it replaced,"
            f" and every peer told the new one, set replaces={key.ckaid}"
        )
    return key


def _listed(keys: t.Sequence[HostKey]) -> str:
    return ", ".join(f"{key.ckaid} ({key.type})" for key in keys) or "none"

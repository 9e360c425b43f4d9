# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The folder of public keys on the controller: a file of JSON for each host, which only that host's run writes."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.route_based.vpn.plugins.module_utils._errors import VpnError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _auth

FIELDS = ("type", "public_key", "ckaid", "epoch")


def read(folder: Path, names: t.Iterable[str]) -> dict[str, dict[str, str]]:
    """The keys of those hosts that have a file; VpnError where a file or a name is not what it should be."""
    found = {}
    for name in names:
        if not _auth.NAME.fullmatch(name):
            raise VpnError(f"{name!r} is not the name of a host that a file could have")
        key = _read(folder / f"{name}.json")
        if key:
            found[name] = key
    return found


def _read(path: Path) -> t.Optional[dict[str, str]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        key = {field: str(data[field]) for field in FIELDS}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise VpnError(f"{path} is not a file of a public key of this collection: {exc!r}") from None
    if key["type"] not in _auth.KEYWORDS or not _auth.PUBLIC_KEY.fullmatch(key["public_key"]):
        raise VpnError(f"{path}: type and public_key are not those of a public key")
    return key

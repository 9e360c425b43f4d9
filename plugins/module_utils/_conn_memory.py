# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What pluto has loaded from one file of conns, kept in /run between runs."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _files

FOLDER = "/run/route_based.vpn"
Known = dict[str, t.Any]


class Memory:
    """Fingerprint and pluto's serial numbers of each conn, C(%default) of the other files, and the digest of
    C(config setup). All of it is void when pluto restarts: another process has another identity."""

    def __init__(self, path: str, folder: t.Optional[str] = None) -> None:
        self._path = path
        digest = hashlib.sha256(path.encode()).hexdigest()[:8]
        self._file = os.path.join(folder or FOLDER, f"{os.path.basename(path)}.{digest}.json")
        self._last: t.Optional[str] = None

    def read(self, identity: t.Optional[str]) -> t.Optional[Known]:
        """C(conns), C(defaults) and C(setup), or None where nothing is known of the pluto that runs."""
        try:
            with open(self._file, encoding="utf-8") as file:
                self._last = file.read()
            data = json.loads(self._last)
            known = {"conns": dict(data["conns"]), "defaults": dict(data["defaults"]), "setup": str(data["setup"])}
            return known if identity and data["pluto"] == identity else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, identity: t.Optional[str], known: Known) -> None:
        """Replace what is known, unless it is that already."""
        data = json.dumps({"path": self._path, "pluto": identity, **known}, indent=1)
        if data != self._last:
            os.makedirs(os.path.dirname(self._file), mode=0o700, exist_ok=True)
            _files.replace(self._file, data)
            self._last = data

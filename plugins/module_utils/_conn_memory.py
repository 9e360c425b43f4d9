# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What pluto has loaded from one file of conns and its secrets, kept between runs. It is a cache: where it cannot be
written, or is not there, more is loaded again than would have to be."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _files

#: The first is gone after a reboot; the second is not, and tells then what a new pluto has read. One may be full.
FOLDERS = ("/run/route_based.vpn", "/var/lib/route_based.vpn/loaded")
KEY = "secrets.key"
Known = dict[str, t.Any]


class Memory:
    """By conn its fingerprint, pluto's serial numbers and the stamp of the file; C(%default) of the other files; the
    digests of C(config setup) and of the secrets; the stamps of all files that pluto reads at its start.

    C(conns), C(defaults), C(setup) and C(secrets) are of one pluto, and void when another one runs. That one has read
    the files as they were left, if their stamps are still the same, since it started after the note was made.
    """

    def __init__(self, path: str, folders: t.Optional[t.Sequence[str]] = None) -> None:
        self._path = path
        self._folders = FOLDERS if folders is None else folders
        digest = hashlib.sha256(path.encode()).hexdigest()[:8]
        self._name = f"{os.path.basename(path)}.{digest}.json"
        self._found: dict[str, Known] = {}

    def read(self) -> t.Optional[Known]:
        """The last note, C(pluto) among it; None where there is none."""
        self._found = {}
        for folder in self._folders:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                with open(os.path.join(folder, self._name), encoding="utf-8") as file:
                    data = json.load(file)
                known: Known = {key: dict(data[key]) for key in ("conns", "defaults", "files")}
                known.update({key: str(data[key]) for key in ("setup", "secrets", "pluto")}, number=int(data["number"]))
                self._found[folder] = known
        # Where one could not be written, it is older than the other.
        return max(self._found.values(), key=lambda known: int(known["number"]), default=None)

    def write(self, known: Known) -> str:
        """Replace what is known, unless it is that already. Returns what a person has to be told where that failed."""
        number = max((int(found["number"]) for found in self._found.values()), default=0)
        if len(self._found) == len(self._folders) and all(
            found == {**known, "number": number} for found in self._found.values()
        ):
            return ""
        new = {**known, "number": number + 1}
        errors = [error for error in (self._put(folder, new) for folder in self._folders) if error]
        if len(errors) < len(self._folders):
            return ""
        return (
            f"what pluto has loaded could not be noted ({'; '.join(errors)}); everything else was done. The next run "
            "will load every conn again, which interrupts its tunnel: make room there first"
        )

    def _put(self, folder: str, known: Known) -> str:
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            _files.replace(os.path.join(folder, self._name), json.dumps({"path": self._path, **known}, indent=1))
        except OSError as exc:
            return str(exc)
        self._found[folder] = known
        return ""

    def digest(self, text: t.Optional[str], make_key: bool = False) -> str:
        """What stands for secrets in a note. It is keyed, so that a note alone, in a backup or a report, gives no weak
        secret away; the key is in a file of its own. Empty where there is no key, and none could or was to be made."""
        key = self._key(make_key)
        data = b"none" if text is None else b"=" + text.encode()
        return hmac.new(key, data, hashlib.sha256).hexdigest() if key else ""

    def _key(self, make: bool) -> bytes:
        for folder in self._folders:
            with contextlib.suppress(OSError, ValueError):
                with open(os.path.join(folder, KEY), encoding="ascii") as file:
                    key = bytes.fromhex(file.read())
                if len(key) == 32:
                    return key
        new = secrets.token_bytes(32)
        if not make:
            return b""
        for folder in reversed(self._folders):
            with contextlib.suppress(OSError):
                os.makedirs(folder, mode=0o700, exist_ok=True)
                _files.replace(os.path.join(folder, KEY), new.hex())
                return new
        return b""

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What is certain of what the pluto that runs has read: from the last note of it, and from files that are unchanged."""

from __future__ import annotations

import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _files
from ansible_collections.route_based.vpn.plugins.module_utils._conn_memory import Known, Memory

if t.TYPE_CHECKING:
    from ansible_collections.route_based.vpn.plugins.module_utils._pluto import Pluto
    from ansible_collections.route_based.vpn.plugins.module_utils._status import ConnStatus

CERTIFICATES = "cert9.db"
Stamps = t.Mapping[str, str]


class Knowledge:
    """Of one file of conns, C(path), and the file of secrets beside it. C(known) is the note where it is of the pluto
    that runs; C(warning) is what a person has to be told of the last write."""

    def __init__(self, pluto: Pluto, path: str, secrets_path: str) -> None:
        self._pluto = pluto
        self._path = path
        self._secrets_path = secrets_path
        self._memory = Memory(path)
        self._identity = pluto.identity()
        self._note: t.Optional[Known] = None
        self._stamps: Stamps = {}
        self._read = ""
        self._looked = False
        self.known: t.Optional[Known] = None
        self.warning = ""

    @property
    def identity(self) -> t.Optional[str]:
        """The pluto that runs, see Pluto.identity(); None where there is none."""
        return self._identity

    def look(self, stamps: Stamps, secrets: t.Optional[str]) -> None:
        """Read the note. C(stamps) are those of all files that pluto reads at its start, C(secrets) the text of that
        file now."""
        self._looked, self._stamps = True, stamps
        self._note = self._memory.read()
        if not self._note or not self._identity:
            return
        if self._note["pluto"] == self._identity:
            self.known = self._note
        if self._same_secrets():
            # Another pluto than that of the note started after it, and read the file that is still there.
            self._read = self._note["secrets"] if self.known else self._memory.digest(secrets)

    def _same_secrets(self) -> bool:
        noted = self._note["files"].get(self._secrets_path) if self._note else None
        return noted is not None and noted == self._stamps.get(self._secrets_path)

    def _has_read_files(self) -> bool:
        """Whether the pluto that runs has loaded the conns of the file as it is: it started after the note was made,
        and no file that bears on them was touched since."""
        if not self._note or not self._identity or self.known:
            return False
        now = {path: stamp for path, stamp in self._stamps.items() if path != self._secrets_path}
        noted = {
            path: stamp
            for path, stamp in self._note["files"].items()
            if path in now or (path != self._secrets_path and not path.endswith(CERTIFICATES))
        }
        return noted == now

    def loaded_text(self, conn: ConnStatus, in_file: t.Optional[str]) -> t.Optional[str]:
        """The fingerprint of what pluto has loaded, where that is certain. C(in_file) is that of the file's text."""
        if self.known is None:
            return in_file if in_file and self._has_read_files() else None
        known = self.known["conns"].get(conn.name) or {}
        if known.get("serials") == conn.serials:
            return t.cast("t.Optional[str]", known.get("fingerprint"))
        # It was loaded by hand since: from the file, whose text is certain unless that was edited.
        return in_file if known.get("stamp") == _files.stamp(self._path) else None

    # --- secrets ---

    def secrets_due(self, text: t.Optional[str], old: t.Optional[str]) -> bool:
        """Whether pluto has to read the secrets again, though their file is what it is to be, as nobody is certain that
        it has."""
        if not self._looked:
            return False
        if not self._read:
            return text is not None or old is not None
        return self._read != self._memory.digest(text)

    def begin(self, names: t.Iterable[str], secrets: bool) -> None:
        """Pluto is about to be told of conns, and of secrets: a run that is cut off from here on leaves a note that is
        not certain of them, instead of one that is wrong."""
        if secrets:
            self._read = ""
        if not self.known:
            return
        conns = {**{name: {} for name in names}, **self.known["conns"]}
        self.known = {**self.known, "conns": conns, "secrets": self._read}
        self._memory.write(_without_number(self.known))

    def have_been_read(self, text: t.Optional[str]) -> None:
        """Pluto has read these secrets."""
        self._read = self._memory.digest(text, make_key=True)

    # --- notes ---

    def note(self, conns: Known, defaults: Known, setup: str, stamps: Stamps) -> None:
        """Write down what pluto has. Where it was restarted in the middle nothing is certain."""
        same = bool(self._identity) and self._pluto.identity() == self._identity
        # What pluto has read of config setup stays that until it starts again.
        setup = self.known["setup"] if self.known else setup
        self.warning = self._memory.write(
            {
                "pluto": self._identity if same else "",
                "conns": conns,
                "defaults": defaults,
                "setup": setup,
                "secrets": self._read if same else "",
                "files": dict(stamps) if same else {},
            }
        )

    def note_next(self, defaults: Known, setup: str, stamps: Stamps) -> None:
        """Write down that pluto is gone, and that the next one will read the files as they are."""
        note = {"conns": {}, "defaults": defaults, "setup": setup, "secrets": "", "files": dict(stamps)}
        self.warning = self._memory.write({**note, "pluto": self._identity or ""})

    def note_files(self, defaults: Known, setup: str, stamps: Stamps) -> None:
        """Write down that the files were written, and that the pluto that runs, if any, was not told. The file of
        secrets keeps its old stamp, so that the next run makes pluto read it."""
        note, pluto = self._memory.read(), self._identity or ""
        if not note or note["pluto"] != pluto:
            note = {"pluto": pluto, "conns": {}, "defaults": defaults, "setup": setup, "secrets": "", "files": {}}
        old = note["files"].get(self._secrets_path, "")
        same = (self._pluto.identity() or "") == pluto
        files = {**stamps, self._secrets_path: old} if same else {}
        self.warning = self._memory.write(_without_number({**note, "files": files}))


def _without_number(note: Known) -> Known:
    return {key: value for key, value in note.items() if key != "number"}

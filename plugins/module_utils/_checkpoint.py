# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a gateway had before a change: noted in a folder of its own, and read again. Nothing is changed here but that
folder; see _checkpoint_back.py for the way back."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import time
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _devices, _files, _routes, _rules
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

BOOT_ID = "/proc/sys/kernel/random/boot_id"
#: What closing a checkpoint leaves in the folder: what _conn_memory keeps there, and the program of the unit, which may
#: still be running. Its archive is one of watch-*.zip.
KEPT = ("loaded", "watch.json", "watch.py")


@dataclasses.dataclass(frozen=True)
class Kept:
    """A file as it was: C(copy) is the name of its copy in the folder, empty where there was no file."""

    path: str
    copy: str = ""
    mode: int = 0o644


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What there was. C(opened) is in seconds since the epoch; C(deadline) in seconds of the monotonic clock of a boot,
    C(boot), and 0 where nobody is to go back by himself. C(token), C(who), C(run) and C(since) are of its owner, see
    _checkpoint_owner.py."""

    opened: float
    boot: str = ""
    deadline: float = 0
    files: tuple[Kept, ...] = ()
    devices: tuple[_devices.Device, ...] = ()
    routes: tuple[_routes.Route, ...] = ()
    rules: tuple[_rules.Rule, ...] = ()
    established: tuple[str, ...] = ()
    token: str = ""
    who: str = ""
    run: str = ""
    since: float = 0

    @property
    def expired(self) -> bool:
        """Whether the time is up. Another boot has another clock, and nobody who could confirm."""
        return bool(self.deadline) and (self.boot != boot() or time.monotonic() >= self.deadline)

    @property
    def lives(self) -> bool:
        """Whether its run may still be at it: the time is not up, and the host has not been restarted since."""
        return self.boot == boot() and not self.expired


def boot() -> str:
    """The kernel's name for this boot; empty where it has none."""
    with contextlib.suppress(OSError), open(BOOT_ID, encoding="ascii") as file:
        return file.read().strip()
    return ""


class Folder:
    """The place of one checkpoint, for root alone, as files with secrets are kept in it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._state = os.path.join(path, "checkpoint.json")
        self._gone_back = os.path.join(path, "gone_back")
        self._closed = os.path.join(path, "closed.json")

    def make(self) -> None:
        """The folder, with the rights that it needs. Raises StoreError."""
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            os.chmod(self.path, 0o700)
        except OSError as exc:
            raise StoreError(f"the folder of the checkpoint cannot be made, nothing was changed: {exc}") from exc

    def read(self) -> t.Optional[Checkpoint]:
        """The open checkpoint; None where there is none."""
        try:
            with open(self._state, encoding="utf-8") as file:
                return _from_dict(json.load(file))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as exc:
            raise StoreError(
                f"{self._state} cannot be read ({exc}): nothing was changed; remove {self.path} to give it up"
            ) from exc

    def write(self, checkpoint: Checkpoint) -> None:
        """Note it, whole or not at all. Raises StoreError."""
        try:
            _files.replace(self._state, json.dumps(dataclasses.asdict(checkpoint), default=_text))
        except OSError as exc:
            raise StoreError(f"the checkpoint cannot be written to {self.path}: {exc}") from exc

    def keep(self, paths: t.Iterable[str]) -> tuple[Kept, ...]:
        """Copies of files that are there, and a note of those that are not. Raises StoreError."""
        kept = []
        try:
            for number, path in enumerate(dict.fromkeys(paths)):
                if not os.path.exists(path):
                    kept.append(Kept(path))
                if not os.path.isfile(path):
                    continue
                copy = f"file{number}"
                with open(path, "rb") as file:
                    _files.replace_bytes(os.path.join(self.path, copy), file.read())
                kept.append(Kept(path, copy, os.stat(path).st_mode & 0o7777))
        except OSError as exc:
            raise StoreError(f"the checkpoint cannot be written to {self.path}: {exc}") from exc
        return tuple(kept)

    def content(self, kept: Kept) -> t.Optional[bytes]:
        """A file as it was; None where there was none."""
        if not kept.copy:
            return None
        with open(os.path.join(self.path, kept.copy), "rb") as file:
            return file.read()

    def close(self, token: str = "", state: str = "") -> None:
        """Forget the checkpoint, its note before the copies that it names. What becomes of it is written down before
        that, for an owner who has to ask again, as his connection broke or this process was killed. Raises StoreError
        where it stays."""
        if token:
            with contextlib.suppress(OSError):
                _files.replace(self._closed, json.dumps([token, state]))
        try:
            for name in ["checkpoint.json", *sorted(os.listdir(self.path))]:
                path = os.path.join(self.path, name)
                if not (token and path == self._closed) and self._goes_with_checkpoint(name, path):
                    _files.remove(path)
        except OSError as exc:
            raise StoreError(f"the checkpoint in {self.path} cannot be closed, and stays open: {exc}") from exc

    @staticmethod
    def _goes_with_checkpoint(name: str, path: str) -> bool:
        return name not in KEPT and not name.startswith("watch-") and (os.path.islink(path) or not os.path.isdir(path))

    def was_closed(self, token: str) -> str:
        """Whether the checkpoint of this token was C(confirmed) or C(restored); empty where neither is known."""
        with contextlib.suppress(OSError, ValueError), open(self._closed, encoding="utf-8") as file:
            closed, state = json.load(file)
            return str(state) if token and closed == token else ""
        return ""

    def remove(self) -> None:
        """The folder itself, with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def note_gone_back(self) -> None:
        """For whoever comes to confirm afterwards. A link takes no room for its text, so that a full disk is no reason
        for a confirmation of what is not there any more. Raises OSError."""
        when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        try:
            _files.replace(self._gone_back, when)
        except OSError:
            os.symlink(when, self._gone_back)

    def gone_back(self) -> str:
        """When the host went back by itself; empty where it did not."""
        with contextlib.suppress(OSError):
            return os.readlink(self._gone_back)
        with contextlib.suppress(OSError), open(self._gone_back, encoding="ascii") as file:
            return file.read() or "a time that is not known"
        return ""


def _text(value: t.Any) -> t.Any:
    """The message of a route of unknown shape is no part of a checkpoint."""
    return "" if isinstance(value, bytes) else value


def _frozen(value: t.Any) -> t.Any:
    return tuple(_frozen(entry) for entry in value) if isinstance(value, (list, tuple)) else value


def _from_dict(data: dict[str, t.Any]) -> Checkpoint:
    devices = []
    for entry in data.pop("devices"):
        inner = tuple(_devices.Inner(**address) for address in entry.pop("addresses"))
        loan = entry.pop("unnumbered", None)
        unnumbered = _devices.Inner(**loan) if loan else None
        fields = {k: _frozen(v) for k, v in entry.items()}
        devices.append(_devices.Device(addresses=inner, unnumbered=unnumbered, **fields))
    routes = []
    for entry in data.pop("routes"):
        hops = tuple(_routes.Nexthop(**hop) for hop in entry.pop("nexthops"))
        routes.append(_routes.Route(nexthops=hops, **{k: _frozen(v) for k, v in {**entry, "raw": b""}.items()}))
    return Checkpoint(
        devices=tuple(devices),
        routes=tuple(routes),
        rules=tuple(_rules.Rule(**{k: _frozen(v) for k, v in entry.items()}) for entry in data.pop("rules")),
        files=tuple(Kept(**entry) for entry in data.pop("files")),
        **{k: _frozen(v) for k, v in data.items()},
    )

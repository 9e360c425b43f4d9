# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The folder of public keys on the controller: a file for each host, which only that host's run writes.

Ansible parses what lies in a folder that it takes its inventory from, and a file there is code: a template in it runs
on the controller. It never looks into folders whose name begins with a dot, nor (unless it is told otherwise) into
files that end in .txt. The keys are in both."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.route_based.vpn.plugins.module_utils._errors import VpnError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _public_keys
from ansible_collections.route_based.vpn.plugins.plugin_utils._public_keys import Key

SUFFIX, OLD_SUFFIX = ".txt", ".json"
FOLDER, OLD_FOLDER = ".vpn_keys", "vpn_keys"


class Folder:
    """Such a folder. Keys that an earlier version has written, as JSON, are read too where there is no newer file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def path_of(self, host: str) -> Path:
        """Where the key of a host is kept."""
        return self.path / f"{_public_keys.file_name(host)}{SUFFIX}"

    def read(self, names: t.Iterable[str]) -> dict[str, Key]:
        """The keys of those hosts that have a file; VpnError where a file or a name is not what it should be."""
        found = {name: key for name in names for key in [self.key(name)] if key}
        owners: dict[str, str] = {}
        for name, key in found.items():
            first = owners.setdefault(key["public_key"], name)
            if first != name:
                raise VpnError(_same(self.path_of(name), name, first))
        return found

    def key(self, host: str) -> t.Optional[Key]:
        """The key of a host, or None."""
        for path in self._paths(host):
            content = _content(path)
            if content is not None:
                return _public_keys.parsed(content, host, str(path), old=path.suffix == OLD_SUFFIX)
        return None

    def keep(self, host: str, key: Key, write: bool = True) -> bool:
        """Keep the key that a host has answered; whether that changes anything. VpnError where it may not be kept."""
        kept, path = self.key(host), self.path_of(host)
        _public_keys.pin(host, str(path), kept, key)
        if kept != key:
            self._refuse_key_of_another(host, key)
        content, old = _public_keys.text(host, key), [each for each in self._paths(host)[1:] if each.exists()]
        changed = _content(path) != content
        if changed and write:
            self._write(path, content)
        for each in old if write else ():
            each.unlink()
        return changed or bool(old)

    def remove(self, host: str, write: bool = True) -> bool:
        """Remove the key of a host; whether there was one."""
        there = [path for path in self._paths(host) if path.is_file() or path.is_symlink()]
        for path in there if write else ():
            path.unlink()
        return bool(there)

    def move_old(self, write: bool = True) -> list[str]:
        """Move what an earlier version has written to where it belongs; the names of the hosts. Nothing is moved where
        one of the files is not a public key."""
        found: dict[Path, tuple[str, Key]] = {}
        for path in (path for folder in self._old_folders() for path in sorted(folder.glob(f"*{OLD_SUFFIX}"))):
            host = _public_keys.file_name(path.stem)
            found[path] = (host, _public_keys.parsed(_content(path) or "", host, str(path), old=True))
        for path, (host, key) in found.items() if write else ():
            if _content(self.path_of(host)) is None:
                self._write(self.path_of(host), _public_keys.text(host, key))
            path.unlink()
        if found and write:
            for folder in (folder for folder in self._old_folders() if folder != self.path):
                # It stays where somebody keeps something else there.
                with contextlib.suppress(OSError):
                    folder.rmdir()
        return [host for host, _key in found.values()]

    def _paths(self, host: str) -> list[Path]:
        """Where the key of a host is, and where earlier versions had it."""
        return [self.path_of(host), *(folder / f"{host}{OLD_SUFFIX}" for folder in self._old_folders())]

    def _old_folders(self) -> list[Path]:
        return [self.path, self.path.parent / OLD_FOLDER] if self.path.name == FOLDER else [self.path]

    def _refuse_key_of_another(self, host: str, key: Key) -> None:
        """No two hosts have one key, as the peers of each would take it for the other."""
        for path in sorted(self.path.glob(f"*{SUFFIX}")):
            if path.stem != host and key["public_key"] in (_content(path) or ""):
                raise VpnError(_same(self.path_of(host), host, path.stem))

    def _write(self, path: Path, content: str) -> None:
        """Whole or not at all. A link is replaced, not followed."""
        try:
            if not self.path.is_dir():
                self.path.mkdir(mode=0o755, parents=True)
            handle, name = tempfile.mkstemp(dir=self.path, prefix=".", suffix=SUFFIX)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(content)
                os.fchmod(handle, 0o644)
            os.replace(name, path)
        except OSError as exc:
            raise VpnError(
                f"{path}: cannot be written: {exc.strerror}; see whether gateway_key_folder is right"
            ) from None


def parsed_by_ansible(path: Path, sources: t.Iterable[str], ignored: re.Pattern[bytes]) -> t.Optional[str]:
    """The inventory folder of Ansible's (C(sources)) in which it would take a file for an inventory; None where there
    is none. C(ignored) is what Ansible leaves out of a folder."""
    for source in sources:
        whole = Path(os.path.abspath(source))
        if whole.is_dir() and whole in path.parents:
            parts = path.relative_to(whole).parts
            if not any(ignored.search(os.fsencode(part)) for part in parts):
                return str(whole)
    return None


def _same(path: Path, host: str, other: str) -> str:
    return (
        f"{host}: the public key is that of {other}, and peers would take one host for the other. Where one is a copy "
        f"of the other's disk, remove the raw key of {host}, with 'certutil -F -k CKAID', and {path}; then run it again"
    )


def _content(path: Path) -> t.Optional[str]:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise VpnError(f"{path}: cannot be read: {exc}") from None

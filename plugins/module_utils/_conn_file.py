# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A file of conns and what pluto has from it: look, check, install, carry out a plan, put back on failure."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import tempfile
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _ipsec_conf as conf
from ansible_collections.route_based.vpn.plugins.module_utils import _status
from ansible_collections.route_based.vpn.plugins.module_utils._change import (
    CREATED,
    KEPT,
    REMOVED,
    UPDATED,
    diff,
    report,
)
from ansible_collections.route_based.vpn.plugins.module_utils._conns import (
    THEN,
    Found,
    Step,
    Wanted,
    merged,
    plan,
    sections_of,
    wanted_conns,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors, StoreError
from ansible_collections.route_based.vpn.plugins.module_utils._pluto import Pluto

MEMORY_DIR = "/run/route_based.vpn"
MAIN_CONFIG = "/etc/ipsec.conf"


class Memory:
    """What pluto has loaded from one file, kept in /run: fingerprint and pluto's serial numbers of each conn."""

    def __init__(self, path: str, folder: t.Optional[str] = None) -> None:
        self._path = path
        digest = hashlib.sha256(path.encode()).hexdigest()[:8]
        self._file = os.path.join(folder or MEMORY_DIR, f"{os.path.basename(path)}.{digest}.json")

    def read(self, identity: t.Optional[str]) -> t.Optional[dict[str, t.Any]]:
        """By name, or None where nothing is known of the pluto that runs."""
        try:
            with open(self._file, encoding="utf-8") as file:
                data = json.load(file)
            return dict(data["conns"]) if identity and data["pluto"] == identity else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, identity: t.Optional[str], conns: dict[str, t.Any]) -> None:
        """Replace what is known."""
        os.makedirs(os.path.dirname(self._file), mode=0o700, exist_ok=True)
        data = json.dumps({"path": self._path, "pluto": identity, "conns": conns}, indent=1)
        write_file(self._file, data)


def write_file(path: str, text: str) -> None:
    """Replace a file in one step, readable by root only; the old one stays whole whatever happens.

    The temporary name begins with a dot and has no ending, so that libreswan's include never sees it.
    """
    handle, temporary = tempfile.mkstemp(prefix=".route_based_vpn-", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def read_file(path: str) -> t.Optional[str]:
    """The text of our file; None where there is none. A file of somebody else is refused."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    if text and not conf.owned(text):
        raise StoreError(
            f"{path} was not written by this module (its first line is not {conf.HEADER!r}):"
            " it is left as it is; choose another path, or move the file away"
        )
    return text


def _mtime(path: str) -> t.Optional[int]:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def _unusable(conn: _status.ConnStatus) -> str:
    """Why a conn cannot be brought up; pluto 5.2 dies when it has to route one whose peer has no address."""
    if not all(part.resolved for part in conn.parts.values()):
        return "the name of its peer does not resolve to an address"
    if not all(part.oriented for part in conn.parts.values()):
        return "neither left= nor right= is an address of this host"
    return ""


def _conns_of(text: t.Optional[str]) -> dict[str, Wanted]:
    """The conns of a file as it is; nothing where it was edited into something that is refused."""
    try:
        return wanted_conns(text)
    except InputErrors:
        return {}


class File:
    """One file of conns, and the conns that pluto has from it."""

    def __init__(self, path: str, pluto: Pluto, load: bool = True, memory: t.Optional[Memory] = None) -> None:
        self.path = path
        self.load = load
        self._pluto = pluto
        self._memory = memory or Memory(path)
        self.old_text = read_file(path)
        self.old = _conns_of(self.old_text)
        self._doubtful: set[str] = set()
        self._identity = pluto.identity() if load else None
        self.found: dict[str, Found] = {}

    def look(self, wanted: t.Collection[str]) -> None:
        """Read what pluto has of the wanted conns and of the old ones."""
        if self._identity:
            self._pluto.settle()
        status = self._pluto.status()
        remembered = self._memory.read(self._identity)
        for name in dict.fromkeys([*wanted, *self.old, *(remembered or {})]):
            if name in status.conns:
                conn = status.conns[name]
                print_ = self._loaded_text(conn, remembered)
                self.found[name] = Found(print_, conn.busy, conn.routed, conn.kept_up)
        for name in remembered or {}:
            if name in self.found and name not in wanted:
                self.old.setdefault(name, Wanted(name, {}, conf.LOADED))

    def _loaded_text(self, conn: _status.ConnStatus, remembered: t.Optional[dict[str, t.Any]]) -> t.Optional[str]:
        """The fingerprint of what pluto has loaded, where that is certain."""
        in_file = self.old[conn.name].fingerprint if conn.name in self.old else None
        if remembered is None:
            # pluto started after the file was written, so it loaded the file as it is (addconn --autoall).
            started = self._pluto.started_at()
            return in_file if in_file and started and os.stat(self.path).st_mtime < started else None
        known = remembered.get(conn.name) or {}
        if known.get("serials") == conn.serials:
            return t.cast("t.Optional[str]", known.get("fingerprint"))
        # Somebody loaded it by hand since: from the file, whose text is certain unless it was edited.
        return in_file if known.get("mtime") == _mtime(self.path) else None

    def check(self, text: str, folder: str) -> None:
        """Ask the installed libreswan about a text before anything is touched."""
        handle, staged = tempfile.mkstemp(prefix="ipsec_conn-", suffix=".conf", dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            words = self._pluto.check(staged)
        finally:
            os.unlink(staged)
        if words:
            words = words.replace(staged, self.path)
            raise StoreError(f"the installed libreswan refuses the conns, nothing was changed: {words}")

    def foreign(self, names: t.Iterable[str]) -> None:
        """Refuse a name that another file has: libreswan loads the first conn of a name, silently."""
        wanted = set(names)
        others = [MAIN_CONFIG, *sorted(glob.glob(os.path.join(os.path.dirname(self.path), "*.conf")))]
        for other in others:
            if not os.path.isfile(other) or os.path.realpath(other) == os.path.realpath(self.path):
                continue
            with open(other, encoding="utf-8", errors="replace") as file:
                twice = wanted.intersection(re.findall(r"^conn[ \t]+\"?([^\s\"]+)", file.read(), re.M))
            if twice:
                raise StoreError(
                    f"conn {', '.join(sorted(twice))}: {other} has a conn of this name too, and"
                    " libreswan would load the first that it meets: remove or rename one"
                )

    def apply(self, text: t.Optional[str], steps: list[Step]) -> None:
        """Put the new text (None: no file) in place and carry the steps out, or put everything back."""
        self._install(text)
        if not self.load:
            return
        done: list[str] = []
        try:
            self._carry_out(steps, done)
        except StoreError as exc:
            raise StoreError(f"{exc}; {self._undo(steps, done)}") from exc
        finally:
            self._remember()

    def _install(self, text: t.Optional[str]) -> None:
        if text == self.old_text:
            return
        try:
            if text is None:
                os.unlink(self.path)
            else:
                write_file(self.path, text)
        except OSError as exc:
            raise StoreError(f"{self.path} could not be written, nothing was changed: {exc}") from exc

    def _carry_out(self, steps: list[Step], done: list[str]) -> None:
        names = [step.change.name for step in steps if step.load]
        gone = [step.change.name for step in steps if step.delete]
        done.extend(gone + names)
        if done:
            self._exchange(gone, names)
        bring = {step.change.name: step.then for step in steps if step.then}
        done.extend(name for name in bring if name not in done)
        self._bring(bring)

    def _exchange(self, gone: list[str], names: list[str]) -> None:
        """Unload and load; the status tells whether it came to that.

        Unloading comes first: a conn that goes may hold the selectors or the mark of one that comes.
        """
        for name in gone:
            self._pluto.delete(name)
        complaints = self._pluto.add(names) if names else {}
        loaded = self._pluto.status().conns
        missing = [name for name in names if name not in loaded]
        left = [name for name in gone if name in loaded]
        if left:
            raise StoreError(f"pluto did not unload the conns {', '.join(left)}: see its log")
        if missing:
            words = [f"{n}: {complaints[n] or 'no reason given, see the log of pluto'}" for n in missing]
            raise StoreError(f"pluto did not load {len(missing)} of {len(names)} conns: {'; '.join(words)}")

    def _bring(self, bring: dict[str, str]) -> None:
        """Initiate, route or stop conns that are loaded."""
        if any(then != "stop" for then in bring.values()):
            loaded = self._pluto.status().conns
            for name in bring:
                reason = _unusable(loaded[name]) if name in loaded else "is not loaded"
                if bring[name] != "stop" and reason:
                    raise StoreError(f"conn {name}: {reason}")
        for name, then in bring.items():
            if then == "initiate":
                self._pluto.initiate(name)
            elif then == "route":
                self._pluto.route(name)
            else:
                self._pluto.unroute(name)
                self._pluto.terminate(name)

    def _undo(self, steps: list[Step], done: list[str]) -> str:
        """Put the old file back and load the touched conns from it again; says what came of it."""
        touched = [s.change.name for s in steps if s.change.name in done and (s.load or s.delete)]
        self._doubtful = set(touched)
        try:
            self._install_old()
            self._reload_old(touched)
        except (StoreError, OSError) as exc:
            return f"putting things back failed too: {exc}"
        self._doubtful = set()
        return f"{self.path} is as it was, and so are the conns that were touched: {', '.join(done) or 'none'}"

    def _reload_old(self, touched: list[str]) -> None:
        back = [name for name in touched if name in self.old]
        self._exchange([name for name in touched if name not in self.old], back)
        states = {name: self.old[name].state for name in back}
        self._bring({name: THEN[state] for name, state in states.items() if state in THEN})

    def _install_old(self) -> None:
        if self.old_text is None:
            if os.path.exists(self.path):
                os.unlink(self.path)
        else:
            write_file(self.path, self.old_text)

    def _remember(self) -> None:
        """Write down what pluto has now from the file, as far as it is certain."""
        try:
            status = self._pluto.status()
        except StoreError:
            return  # pluto is gone, and with it everything there was to remember
        mtime = _mtime(self.path)
        conns = {
            name: {
                "fingerprint": want.fingerprint,
                "serials": status.conns[name].serials,
                "mtime": mtime,
            }
            for name, want in _conns_of(read_file(self.path)).items()
            if name in status.conns and name not in self._doubtful
        }
        self._memory.write(self._identity, conns)


def run(module: t.Any) -> dict[str, t.Any]:
    """The flow of the module ipsec_conn: read, plan, check mode ends here, check, apply, report."""
    params = module.params
    file = File(params["path"], Pluto(module.run_command), params["load"])
    text, states = _new_text(params, file.old_text)
    wanted = wanted_conns(text, states)
    if file.load:
        _look(module, file, wanted)
    steps = plan(wanted, file.old, file.found, file.load)
    changes = [step.change for step in steps]
    changed = text != file.old_text or any(change.changed for change in changes)
    if changed and not module.check_mode:
        if text is not None and text != file.old_text:
            file.foreign(wanted)
            file.check(text, module.tmpdir)
        file.apply(text, steps)
    return {
        "changed": changed,
        "conns": report(changes),
        "file": _file_action(file.old_text, text),
        "diff": diff(changes),
    }


def _new_text(params: dict[str, t.Any], old_text: t.Optional[str]) -> tuple[t.Optional[str], dict[str, str]]:
    """The text that the file is to have, and the states that its auto= cannot say."""
    if params["state"] == "absent":
        return None, {}
    if params["content"] is not None:
        return conf.with_header(params["content"]), {}
    sections, states, absent = sections_of(params["conns"])
    return merged(old_text, sections, absent, params["purge"]), states


def _look(module: t.Any, file: File, wanted: dict[str, Wanted]) -> None:
    """Where nothing can be asked there is nothing loaded, which is enough to foretell what would be done."""
    try:
        if not module.get_bin_path("ipsec", opt_dirs=["/usr/sbin", "/usr/local/sbin"]):
            raise StoreError("libreswan is not installed: there is no program 'ipsec'")
        file.look(wanted)
    except StoreError as exc:
        if not module.check_mode and (wanted or file.old):
            raise
        module.warn(str(exc))


def _file_action(old: t.Optional[str], new: t.Optional[str]) -> str:
    if old == new:
        return KEPT
    if old is None:
        return CREATED
    return REMOVED if new is None else UPDATED

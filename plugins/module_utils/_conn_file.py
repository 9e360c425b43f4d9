# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A file of conns and what pluto has from it: look, check, install, carry out a plan, put back on failure."""

from __future__ import annotations

import os
import tempfile
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _files, _main_conf, _nss, _status, _versions
from ansible_collections.route_based.vpn.plugins.module_utils import _ipsec_conf as conf
from ansible_collections.route_based.vpn.plugins.module_utils._change import differences
from ansible_collections.route_based.vpn.plugins.module_utils._conn_known import CERTIFICATES as CERTIFICATE_FILE
from ansible_collections.route_based.vpn.plugins.module_utils._conn_known import Knowledge
from ansible_collections.route_based.vpn.plugins.module_utils._conns import (
    CERTIFICATES,
    THEN,
    Found,
    Step,
    Wanted,
    ended_ikes,
    wanted_conns,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors, StoreError
from ansible_collections.route_based.vpn.plugins.module_utils._pluto import Pluto, PlutoNotRunning

PUBLIC_KEYS = tuple(f"{end}{word}" for end in ("left", "right") for word in ("rsasigkey", "ecdsakey", "pubkey"))
MAIN_SECRETS = "/etc/ipsec.secrets"


def _raw(path: str) -> t.Optional[str]:
    try:
        return _files.read(path)
    except StoreError:
        return ""


def _unusable(conn: _status.ConnStatus) -> str:
    """Why a conn cannot be brought up; pluto 5.2 dies when it has to route one whose peer has no address."""
    if not all(part.resolved for part in conn.parts.values()):
        return "the name of its peer does not resolve to an address"
    if not all(part.oriented for part in conn.parts.values()):
        return "neither left= nor right= is an address of this host"
    return ""


class File:
    """One file of conns with the secrets that belong to it, and the conns that pluto has from it."""

    def __init__(self, path: str, pluto: Pluto, nss: _nss.Nss, load: bool = True) -> None:
        self.path = path
        self.load = load
        self.secrets_path = f"{os.path.splitext(path)[0]}.secrets"
        self._pluto = pluto
        self.around = _main_conf.read(path)
        self.old_text = _files.read(path)
        self.old_secrets = _files.read(self.secrets_path)
        self.nss = nss
        self._certificates: dict[str, t.Optional[str]] = {}
        self.old = self._conns_of(self.old_text)
        self._doubtful: set[str] = set()
        self._knowledge = Knowledge(pluto, path, self.secrets_path)
        self._status: t.Optional[_status.Status] = None
        self.found: dict[str, Found] = {}

    def conns(self, text: t.Optional[str], states: t.Optional[t.Mapping[str, str]] = None) -> dict[str, Wanted]:
        """The conns that a text asks to be loaded, in this host's surroundings. InputErrors where it is refused."""
        return wanted_conns(text, states, self.around.defaults, self.certificate)

    def certificate(self, name: str) -> t.Optional[str]:
        """A certificate's fingerprint, asked for once."""
        if name not in self._certificates:
            try:
                self._certificates[name] = self.nss.fingerprint(name)
            except (StoreError, OSError):
                self._certificates[name] = None
        return self._certificates[name]

    def _conns_of(self, text: t.Optional[str]) -> dict[str, Wanted]:
        """The conns of a file as it is; nothing where it was edited into something that is refused."""
        try:
            return self.conns(text)
        except InputErrors:
            return {}

    def look(self, wanted: t.Collection[str]) -> None:
        """Read what pluto has of the wanted conns and of the old ones."""
        if self._knowledge.identity:
            self._pluto.settle()
        self._status = self._pluto.status()
        self._knowledge.look(self._stamps(), self.old_secrets)
        known = self._knowledge.known
        remembered = known["conns"] if known else {}
        for name in dict.fromkeys([*wanted, *self.old, *remembered]):
            if name in self._status.conns:
                conn = self._status.conns[name]
                print_ = self._knowledge.loaded_text(conn, self.old[name].fingerprint if name in self.old else None)
                ikes = tuple(conn.ikes)
                self.found[name] = Found(print_, conn.busy, conn.routed, conn.kept_up, ikes, conn.parents)
        for name in remembered:
            if name in self.found and name not in wanted:
                self.old.setdefault(name, Wanted(name, {}, conf.LOADED))

    def _stamps(self) -> dict[str, str]:
        """Of our files, and of each other one that has a part in what pluto makes of them."""
        paths = [self.path, self.secrets_path, *self.around.default_files]
        if self._certificates:
            paths.append(os.path.join(self.nss.folder, CERTIFICATE_FILE))
        return {path: _files.stamp(path) for path in paths}

    def secrets_due(self, text: t.Optional[str]) -> bool:
        """Whether pluto has to read the secrets, also where their file is what it is to be."""
        return self.load and (text != self.old_secrets or self._knowledge.secrets_due(text, self.old_secrets))

    @property
    def orphans(self) -> bool:
        """Whether the pluto that runs leaves SAs behind whose IKE SA ended with another conn, as 4.x does."""
        version = self._status.version if self._status else None
        return bool(version) and _versions.version(version or "") < _versions.RENAMED

    def sharers(self, steps: t.Sequence[Step]) -> list[str]:
        """Conns that no step touches, and that lose the IKE SA which they share with one that is."""
        ended = ended_ikes(steps, self.found)
        touched = {step.change.name for step in steps if step.load or step.delete}
        conns = self._status.conns if self._status else {}
        return sorted(n for n, conn in conns.items() if n not in touched and ended.intersection(conn.parents))

    @property
    def warning(self) -> str:
        """What a person has to be told of the note that was written last; empty where all is well."""
        return self._knowledge.warning

    def warnings(self) -> list[str]:
        """What stands around our file and bears on what pluto does, but is not ours to change."""
        known = self._knowledge.known
        if known is None:
            return []
        moved = differences(known["defaults"], self.around.defaults)
        found = [f"conn %default of {', '.join(self.around.default_files) or 'another file'}: {m}" for m in moved]
        if known["setup"] != self.around.setup_digest:
            found.append(
                "config setup changed since pluto started, which reads it at its start only; a restart of pluto"
                " brings it about, and drops every tunnel"
            )
        return found

    def check(self, text: str, folder: str) -> list[str]:
        """Ask the installed libreswan about a text before anything is touched. StoreError where it refuses it; what it
        warns of, as it takes it all the same."""
        handle, staged = tempfile.mkstemp(prefix="ipsec_conn-", suffix=".conf", dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            words, warnings = self._pluto.check(staged)
        finally:
            os.unlink(staged)
        if words:
            words = words.replace(staged, self.path)
            raise StoreError(f"the installed libreswan refuses the conns, nothing was changed: {words}")
        return [f"the installed libreswan takes the conns, and warns: {w.replace(staged, self.path)}" for w in warnings]

    def in_place(self, wanted: t.Mapping[str, Wanted], secrets: bool) -> None:
        """Refuse a name that another file has, since libreswan loads the first conn of a name, silently; a file that
        libreswan does not read; and a certificate that is not there."""
        for name, want in wanted.items():
            for key in CERTIFICATES:
                if key in want.options and f"{key} fingerprint" not in want.certificates:
                    raise StoreError(
                        f"conn {name}: there is no certificate {key}={want.options[key]} in {self.nss.folder}"
                    )
            if name in self.around.conns:
                raise StoreError(
                    f"conn {name}: {self.around.conns[name]} has a conn of this name too, and"
                    " libreswan would load the first that it meets: remove or rename one"
                )
        main = _main_conf.MAIN
        if os.path.exists(main) and os.path.realpath(self.path) not in self.around.files:
            raise StoreError(f"{main} does not include {self.path}: choose a path that it includes, or add one")
        if secrets and not _main_conf.includes(MAIN_SECRETS, self.secrets_path):
            raise StoreError(
                f"{MAIN_SECRETS} does not include {self.secrets_path}: add 'include /etc/ipsec.d/*.secrets'"
            )

    def apply(self, text: t.Optional[str], secrets: t.Optional[str], steps: list[Step]) -> None:
        """Put the new text and secrets (None: no file) in place and carry the steps out, or put everything back."""
        due = self.secrets_due(secrets)
        self._install(text, secrets)
        if not self.load:
            self.remember()
            return
        done: list[str] = []
        try:
            self._knowledge.begin([step.change.name for step in steps if step.load], due)
            if due:
                self._read_secrets(secrets)
                self._knowledge.have_been_read(secrets)
            self._carry_out(steps, done)
        except StoreError as exc:
            raise StoreError(f"{exc}; {self._undo(steps, done)}") from exc
        finally:
            self._status = None
            self.remember()

    def _read_secrets(self, secrets: t.Optional[str]) -> None:
        """Have pluto read them; StoreError with the ids of those that it cannot read, and none of its words."""
        lines = self._pluto.reread_secrets(self.secrets_path)
        if lines:
            texts = (secrets or "").splitlines()
            ids = [texts[n - 1].partition(" : ")[0] if n <= len(texts) else f"line {n}" for n in lines]
            raise StoreError(f"pluto cannot read the secrets of {', '.join(ids)} in {self.secrets_path}: see its log")

    def _install(self, text: t.Optional[str], secrets: t.Optional[str]) -> None:
        path = self.secrets_path
        try:
            if secrets != self.old_secrets:
                _files.replace(path, secrets)
            path = self.path
            if text != self.old_text:
                _files.replace(path, text)
        except OSError as exc:
            words = f"{path} could not be written, nothing was changed: {exc}"
            try:
                self._install_old()
            except OSError as again:
                words = f"{path} could not be written: {exc}; putting {self.secrets_path} back failed too: {again}"
            raise StoreError(words) from exc

    def _carry_out(self, steps: list[Step], done: list[str]) -> None:
        coming = {step.change.name: step.change.after or {} for step in steps if step.load}
        gone = [step.change.name for step in steps if step.delete]
        done.extend([*gone, *coming])
        if done:
            self._exchange(gone, coming)
        bring = {step.change.name: step.then for step in steps if step.then}
        done.extend(name for name in bring if name not in done)
        self._bring(bring)

    def _exchange(self, gone: list[str], coming: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        """Unload and load; the status tells whether it came to that. C(coming) has the options of each conn.

        Unloading comes first: a conn that goes may hold the selectors or the mark of one that comes. And where addconn
        of 4.x replaces a conn that is up, it forgets to hand pluto the public keys of the new one.
        """
        names = list(coming)
        keyed = [n for n, options in coming.items() if n in self.found and any(k in options for k in PUBLIC_KEYS)]
        self._unload([*gone, *(keyed if self.orphans else ())])
        complaints = self._pluto.add(names) if names else {}
        loaded = self._pluto.status().conns
        missing = [name for name in names if name not in loaded]
        left = [name for name in gone if name in loaded]
        if left:
            raise StoreError(f"pluto did not unload the conns {', '.join(left)}: see its log")
        if missing:
            words = [f"{n}: {complaints[n] or 'no reason given, see the log of pluto'}" for n in missing]
            raise StoreError(f"pluto did not load {len(missing)} of {len(names)} conns: {'; '.join(words)}")

    def _unload(self, names: list[str]) -> None:
        """By an alias where that means some of these conns alone, which is one command however many they are. A status
        that may be out of date, as it is when a failure is undone, does not tell that."""
        aliases = _status.aliases_of(self._status, names) if self._status and not self._doubtful else {}
        covered = set().union(*aliases.values())
        if names:
            self._pluto.delete([*aliases, *(name for name in names if name not in covered)])

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
            rewritten = _raw(self.secrets_path) != self.old_secrets
            self._install_old()
            if rewritten:
                self._knowledge.begin([], True)
                self._pluto.reread_secrets(self.secrets_path)
                self._knowledge.have_been_read(self.old_secrets)
            self._reload_old(touched)
        except (StoreError, OSError) as exc:
            return f"putting things back failed too: {exc}"
        self._doubtful = set()
        return f"{self.path} is as it was, and so are the conns that were touched: {', '.join(done) or 'none'}"

    def _reload_old(self, touched: list[str]) -> None:
        back = [name for name in touched if name in self.old]
        coming = {name: self.old[name].options for name in back}
        self._exchange([name for name in touched if name not in self.old], coming)
        states = {name: self.old[name].state for name in back}
        self._bring({name: THEN[state] for name, state in states.items() if state in THEN})

    def _install_old(self) -> None:
        """Put back those files that are not as they were."""
        for path, text in ((self.path, self.old_text), (self.secrets_path, self.old_secrets)):
            if _raw(path) != text:
                _files.replace(path, text)

    def remember(self) -> None:
        """Write down what pluto has now from the file, as far as it is certain."""
        if not self.load:
            self._knowledge.note_files(self.around.defaults, self.around.setup_digest, self._stamps())
            return
        try:
            status = self._status or self._pluto.status()
            text = _files.read(self.path)
        except PlutoNotRunning:
            self._knowledge.note_next(self.around.defaults, self.around.setup_digest, self._stamps())
            return
        except StoreError:
            return  # it hangs: what was noted before it was told anything stands
        stamp = _files.stamp(self.path)
        conns = {
            name: {"fingerprint": want.fingerprint, "serials": status.conns[name].serials, "stamp": stamp}
            for name, want in self._conns_of(text).items()
            if name in status.conns and name not in self._doubtful
        }
        self._knowledge.note(conns, self.around.defaults, self.around.setup_digest, self._stamps())

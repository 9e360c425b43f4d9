# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Certificates, CAs and revocation lists: compare what is wanted with the NSS database, and bring it there.

What a PKCS#12 file holds is found out in a database of its own, in the module's temporary folder.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import tempfile
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _change, _nss, _values
from ansible_collections.route_based.vpn.plugins.module_utils._change import Change
from ansible_collections.route_based.vpn.plugins.module_utils._errors import Refusals, StoreError
from ansible_collections.route_based.vpn.plugins.module_utils._nss import TRUSTED, Nss

#: A change, and what carries it out.
Work = tuple[Change, t.Callable[[], None]]


@dataclasses.dataclass(frozen=True)
class Certificate:
    """A certificate as it is wanted. C(path) is a PKCS#12 file with it and its key under the name that it is to have;
    C(secret) is the file of the passphrase. Without them it is to be absent."""

    name: str
    fingerprint: t.Optional[str]
    path: str = ""
    secret: str = ""
    subject: str = ""


@dataclasses.dataclass(frozen=True)
class Authority:
    """A CA as it is wanted. One that came with a PKCS#12 file has a name only in case it is new here."""

    name: str
    fingerprint: t.Optional[str]
    path: str = ""
    named: bool = True


@dataclasses.dataclass(frozen=True)
class Crl:
    """A revocation list as it is wanted: its issuer, its text as NSS prints it, and its DER file."""

    issuer: str
    text: str
    path: str


@dataclasses.dataclass
class Present:
    """What the database holds: fingerprints and trust by nickname, the subject of those with a private key, and the
    text of each revocation list by issuer. NSS answers for a nickname with all certificates of the same subject."""

    fingerprints: dict[str, tuple[str, ...]]
    trust: dict[str, str]
    subjects: dict[str, str]
    crls: dict[str, str]

    def name_of(self, fingerprint: t.Optional[str], name: str) -> t.Optional[str]:
        """The nickname of a certificate: C(name) if it is that, else another one, if any."""
        found = [nick for nick, values in self.fingerprints.items() if fingerprint in values]
        return name if name in found else next(iter(found), None)

    def shown(self, name: str) -> t.Optional[str]:
        """The fingerprint under a nickname."""
        return next(iter(self.fingerprints.get(name, ())), None)

    def has_key(self, name: str) -> bool:
        """Whether the private key of a certificate is there."""
        return "u" in self.trust.get(name, "")


class Folder:
    """The module's temporary folder, which Ansible removes, with files that only root can read."""

    def __init__(self, run: t.Any, path: str) -> None:
        self._run = run
        self.path = tempfile.mkdtemp(prefix="ipsec_certificate-", dir=path)
        self._count = 0

    def write(self, data: bytes) -> str:
        """A new file."""
        self._count += 1
        path = os.path.join(self.path, str(self._count))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        return path

    def name(self) -> str:
        """A path for a file that a tool writes."""
        self._count += 1
        return os.path.join(self.path, str(self._count))

    def database(self) -> Nss:
        """A new, empty database."""
        path = self.name()
        os.mkdir(path, 0o700)
        scratch = Nss(self._run, path)
        scratch.create()
        return scratch


def checked(params: dict[str, t.Any]) -> None:
    """InputErrors with all that is refused before any tool is run."""
    refusals = Refusals()
    seen: dict[str, str] = {}
    for kind, blob in (("certificates", "pkcs12"), ("authorities", "certificate")):
        for number, entry in enumerate(params[kind]):
            item = f"{kind}[{number}] ({entry['name']})"
            refusals.check(item, "name", entry["name"], _values.conn_name, "")
            first = seen.setdefault(entry["name"], item)
            if first != item:
                refusals.refuse(item, "name", entry["name"], f"is already {first}")
            if entry[blob] is not None and entry["state"] == "present":
                _check_blob(refusals, item, blob, entry[blob])
    for number, text in enumerate(params["crls"]):
        _check_blob(refusals, f"crls[{number}]", "", text)
    refusals.stop_if_any()


def _check_blob(refusals: Refusals, item: str, option: str, text: str) -> None:
    try:
        if not _nss.der(text):
            refusals.refuse(item, option, "...", "is empty")
    except ValueError as exc:
        refusals.refuse(item, option, "...", str(exc))


def opened(entry: dict[str, t.Any], folder: Folder) -> tuple[Certificate, list[Authority]]:
    """What a PKCS#12 file holds: the certificate with the private key, and the CAs beside it."""
    name = entry["name"]
    if entry["state"] == "absent":
        return Certificate(name, None), []
    scratch, secret = folder.database(), folder.write(entry["passphrase"].encode() + b"\n")
    try:
        scratch.import_pkcs12(folder.write(_nss.der(entry["pkcs12"])), secret)
    except StoreError as exc:
        raise StoreError(f"certificates ({name}): pkcs12 cannot be read, nothing was changed: {exc}") from exc
    holders = scratch.key_holders()
    if len(holders) != 1:
        found = ", ".join(holders) or "none"
        raise StoreError(f"certificates ({name}): pkcs12 has to hold one certificate with its private key, not {found}")
    authorities = [
        Authority(nick, scratch.fingerprint(nick), folder.write(scratch.pem(nick).encode()), named=False)
        for nick in scratch.certificates()
        if nick not in holders
    ]
    if holders[0] != name:
        scratch.rename(holders[0], name)
    path, own = folder.name(), folder.write(b"only for this file\n")
    scratch.export_pkcs12(name, path, own)
    return Certificate(name, scratch.fingerprint(name), path, own, scratch.subject(name)), authorities


def authority(entry: dict[str, t.Any], folder: Folder) -> Authority:
    """A CA from its PEM text."""
    if entry["state"] == "absent":
        return Authority(entry["name"], None)
    path = folder.write(entry["certificate"].encode())
    scratch = folder.database()
    try:
        scratch.add_authority(entry["name"], path)
    except StoreError as exc:
        raise StoreError(f"authorities ({entry['name']}): is no certificate, nothing was changed: {exc}") from exc
    return Authority(entry["name"], scratch.fingerprint(entry["name"]), path)


def revocations(text: str, nss: Nss, folder: Folder) -> Crl:
    """A revocation list; StoreError where it is none."""
    path = folder.write(_nss.der(text))
    shown = _crl_text(nss.show_crl(path))
    issuer = re.search(r'Issuer: "(.*)"', shown)
    if not issuer:
        raise StoreError("crls: a revocation list cannot be read, nothing was changed")
    return Crl(issuer.group(1), shown, path)


def _crl_text(text: str) -> str:
    """Of what NSS prints, the part that is the same for a file and for what is in the database."""
    return "\n".join(line.rstrip() for line in text[max(text.find("    Version:"), 0) :].splitlines() if line.strip())


def present(nss: Nss) -> Present:
    """Read the database."""
    trust = nss.certificates()
    fingerprints = {name: nss.fingerprints(name) for name in trust}
    subjects = {name: nss.subject(name) for name, letters in trust.items() if "u" in letters}
    crls = {}
    for name in nss.crl_authorities():
        shown = _crl_text(nss.crl(name) or "")
        issuer = re.search(r'Issuer: "(.*)"', shown)
        if issuer:
            crls[issuer.group(1)] = shown
    return Present(fingerprints, trust, subjects, crls)


def plan_certificate(want: Certificate, have: Present) -> Change:
    """What to do about a certificate of this host. StoreError where NSS could not keep it under its nickname."""
    old, known = have.shown(want.name), have.name_of(want.fingerprint, want.name)
    before = {"fingerprint": old} if old else None
    if want.fingerprint is None:
        action = _change.REMOVED if old else _change.KEPT
        return Change(want.name, action, before, None, ("is not wanted any more",) if old else (), "certificates")
    other = next((n for n, subject in have.subjects.items() if n != want.name and subject == want.subject), None)
    if other and known != other:
        raise StoreError(
            f"certificates ({want.name}): NSS keeps all certificates of one subject under one nickname, and has {other}"
            f" for {want.subject}: use that name, or remove it first with state=absent"
        )
    after = {"fingerprint": want.fingerprint}
    reasons: tuple[str, ...] = ()
    if known == want.name:
        reasons = () if have.has_key(want.name) else ("its private key was not there",)
    elif known:
        before, reasons = {"fingerprint": want.fingerprint, "name": known}, (f"name: {known} -> {want.name}",)
    elif old:
        reasons = _change.differences({"fingerprint": old}, after)
    action = _change.UPDATED if reasons else _change.KEPT if old else _change.CREATED
    return Change(want.name, action, before, after, reasons, "certificates")


def plan_authority(want: Authority, have: Present) -> Change:
    """What to do about a CA."""
    known = have.name_of(want.fingerprint, want.name) if want.fingerprint else None
    name = want.name if want.named or not known else known
    old = want.fingerprint if known == name else have.shown(name)
    before = {"fingerprint": old, "trust": have.trust[name]} if old else None
    if want.fingerprint is None:
        action = _change.REMOVED if old else _change.KEPT
        return Change(name, action, before, None, ("is not wanted any more",) if old else (), "authorities")
    after = {"fingerprint": want.fingerprint, "trust": TRUSTED}
    if known and known != name:
        reasons: tuple[str, ...] = (f"name: {known} -> {name}",)
    else:
        reasons = _change.differences(before, after) if before else ()
    action = _change.UPDATED if reasons else _change.KEPT if old else _change.CREATED
    return Change(name, action, before, after, reasons, "authorities")


def plan_crl(want: Crl, have: Present) -> Change:
    """What to do about a revocation list."""
    old = have.crls.get(want.issuer)
    before, after = ({"updated": _updated(text)} if text else None for text in (old, want.text))
    if old == want.text:
        return Change(want.issuer, _change.KEPT, before, after, (), "crls")
    reasons = (f"issued: {_updated(old)} -> {_updated(want.text)}",) if old else ()
    return Change(want.issuer, _change.UPDATED if old else _change.CREATED, before, after, reasons, "crls")


def _updated(text: str) -> str:
    found = re.search(r"This Update: (.*)", text)
    return found.group(1).strip() if found else ""


def apply_certificate(nss: Nss, want: Certificate, have: Present, folder: Folder) -> None:
    """Bring a certificate there, or take it away; the old one is put back where the new one cannot be imported."""
    other = have.name_of(want.fingerprint, want.name) if want.fingerprint else None
    there = want.name in have.fingerprints
    backup = folder.name()
    if there and have.has_key(want.name):
        secret = folder.write(b"only for this file\n")
        nss.export_pkcs12(want.name, backup, secret)
        nss.delete_with_key(want.name)
    elif there:
        nss.delete_certificate(want.name)
    try:
        if other and other != want.name:
            nss.rename(other, want.name)
        elif want.fingerprint:
            nss.import_pkcs12(want.path, want.secret)
    except StoreError:
        if os.path.exists(backup):
            nss.import_pkcs12(backup, secret)
        raise


def apply_authority(nss: Nss, want: Authority, change: Change, have: Present) -> None:
    """Bring a CA there, or take it away."""
    known = have.name_of(want.fingerprint, change.name) if want.fingerprint else None
    if change.name in have.fingerprints and change.name != known:
        nss.delete_certificate(change.name)
    if want.fingerprint is None:
        return
    if known is None:
        nss.add_authority(change.name, want.path)
    elif known != change.name:
        nss.rename(known, change.name)
    # A certificate that is known under another name keeps that one, whatever certutil -A is told.
    nss.trust(change.name)


def run(module: t.Any) -> dict[str, t.Any]:
    """The flow of the module ipsec_certificate: look, plan, check mode ends here, carry out, report."""
    params = module.params
    checked(params)
    nss, folder = Nss(module.run_command), Folder(module.run_command, module.tmpdir)
    from_files = [opened(entry, folder) for entry in params["certificates"]]
    authorities = {want.fingerprint or want.name: want for _certificate, beside in from_files for want in beside}
    authorities.update(
        (want.fingerprint or want.name, want) for want in (authority(e, folder) for e in params["authorities"])
    )
    crls = [revocations(text, nss, folder) for text in params["crls"]]
    have = present(nss)
    # A CA comes before what it vouches for, and before its list.
    work: list[Work] = []
    for ca in authorities.values():
        change = plan_authority(ca, have)
        work.append((change, functools.partial(apply_authority, nss, ca, change, have)))
    for cert, _beside in from_files:
        work.append((plan_certificate(cert, have), functools.partial(apply_certificate, nss, cert, have, folder)))
    for crl in crls:
        work.append((plan_crl(crl, have), functools.partial(nss.import_crl, crl.path)))
    if not module.check_mode:
        _carry_out(work)
    changes = [change for change, _do in work]
    kinds = ("certificates", "authorities", "crls")
    return {
        "changed": any(change.changed for change in changes),
        "diff": _change.diff(changes),
        **{kind: _change.report([change for change in changes if change.kind == kind]) for kind in kinds},
    }


def _carry_out(work: t.Sequence[Work]) -> None:
    done: list[str] = []
    for change, act in work:
        if not change.changed:
            continue
        try:
            act()
        except StoreError as exc:
            words = f"Done before it: {', '.join(done) or 'nothing'}. The next run goes on from here"
            raise StoreError(f"{change.kind} ({change.name}) could not be {change.action}: {exc}. {words}") from exc
        done.append(change.name)

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The only file that runs NSS's tools (certutil, pk12util, crlutil) and libreswan's for host keys.

pluto keeps private keys and certificates in an NSS database. Secrets go to the tools in files that only root can read,
never as arguments. What was tried on 4.10 and 5.2: pluto sees what is added or removed here without a restart.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import os
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _limits
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

if t.TYPE_CHECKING:
    from ansible_collections.route_based.vpn.plugins.module_utils._limits import Runner

FALLBACK_FOLDER = "/var/lib/ipsec/nss"
PASSWORD_FILE = "/etc/ipsec.d/nsspassword"
TRUSTED = "CT,,"
#: Long enough for an RSA key on a slow machine. The database has locks of its own, which another program may hold.
LIMIT_SECONDS = 300
_HINT = "; another program may hold the database of NSS: see 'fuser -v' on its files, then run again"
_KEY = re.compile(r"<\s*\d+> (?P<type>RSA|ECDSA) keyid: (?P<id>\S+)(?: .*)? ckaid: (?P<ckaid>[0-9a-f]{40})")
_OWNER = re.compile(r"<\s*\d+>\s+\S+\s+(?P<ckaid>[0-9a-f]{40})\s+(?P<name>\S.*?)\s*")
_PUBLIC = re.compile(r"left(?P<keyword>rsasigkey|ecdsakey|pubkey)=(?P<key>0s[A-Za-z0-9+/=]+)")
_LISTED = re.compile(r"(?P<name>\S.*?)\s+(?P<trust>[A-Za-z]*,[A-Za-z]*,[A-Za-z]*)\s*")
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----(.*?)-----END [A-Z0-9 ]+-----", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class HostKey:
    """A private key of the database: C(rsa) or C(ecdsa), its CKAID, and the certificate that it belongs to, if any."""

    type: str
    ckaid: str
    certificate: t.Optional[str] = None


def der(text: str) -> bytes:
    """The bytes of a PEM block, or of base64 without the lines around it; ValueError where it is neither."""
    found = _PEM.search(text)
    try:
        return base64.b64decode("".join((found.group(1) if found else text).split()), validate=True)
    except binascii.Error:
        raise ValueError("is neither PEM nor base64") from None


class Nss:
    """A database, that of pluto unless a folder is given."""

    def __init__(self, run: Runner, folder: t.Optional[str] = None, password_file: str = PASSWORD_FILE) -> None:
        self._run = _limits.limited(run, LIMIT_SECONDS, _HINT)
        self._folder = folder
        self._password = ["-f", password_file] if folder is None and os.path.exists(password_file) else []

    @property
    def folder(self) -> str:
        """Where it is: distributions differ, and libreswan's own help tells."""
        if self._folder is None:
            _rc, out, err = self._run(["ipsec", "newhostkey", "--help"])
            found = re.search(r"--nssdir (/[^\]\s]+)", out + err)
            self._folder = found.group(1) if found else FALLBACK_FOLDER
        return self._folder

    def _tool(self, tool: str, *args: str, fails: bool = True) -> tuple[int, str]:
        """Run one of NSS's tools on the database; StoreError with its words where it fails."""
        rc, out, err = self._run([tool, *args, "-d", f"sql:{self.folder}", *self._password])
        if rc and fails:
            raise StoreError(f"{tool} {args[0]} failed with exit code {rc}: {_words(err or out)}")
        return rc, out

    def create(self) -> None:
        """Make a new database, without a password, in a folder that is empty."""
        self._tool("certutil", "-N", "--empty-password")

    # --- keys ---

    def keys(self) -> list[HostKey]:
        """Every private key, those of certificates among them."""
        rc, out, err = self._run(["ipsec", "showhostkey", "--list", "--nssdir", self.folder])
        found = [match for match in map(_KEY.match, out.splitlines()) if match]
        if rc and not found and "no keys" not in (out + err).lower() and self._is_made():
            raise StoreError(f"ipsec showhostkey --list failed with exit code {rc}: {_words(err or out)}")
        owners = self._owners() if found else {}
        return [HostKey(m.group("type").lower(), m.group("ckaid"), owners.get(m.group("ckaid"))) for m in found]

    def _is_made(self) -> bool:
        """Whether there is a database; the first start of libreswan makes it."""
        return os.path.exists(os.path.join(self.folder, "cert9.db"))

    def _owners(self) -> dict[str, str]:
        """The nickname of the certificate of each key that has one, by CKAID."""
        _rc, out = self._tool("certutil", "-K", fails=False)
        found = [match for match in map(_OWNER.fullmatch, out.splitlines()) if match]
        return {m.group("ckaid"): m.group("name") for m in found if m.group("name") != "(orphan)"}

    def public_key(self, ckaid: str) -> tuple[str, str]:
        """The keyword that takes a key's public half (C(rsasigkey), C(ecdsakey)), and that half, C(0s) and base64."""
        _rc, out, err = self._run(["ipsec", "showhostkey", "--left", "--ckaid", ckaid, "--nssdir", self.folder])
        found = _PUBLIC.search(out)
        if not found:
            raise StoreError(f"ipsec showhostkey does not tell the public key of {ckaid}: {_words(err or out)}")
        return found.group("keyword"), found.group("key")

    def generate(self, kind: str, size: str) -> str:
        """Make a key of C(rsa) with that many bits, or of C(ecdsa) on that curve; its CKAID."""
        which = ["--keytype", kind, "--bits" if kind == "rsa" else "--curve", size]
        rc, out, err = self._run(["ipsec", "newhostkey", *which, "--nssdir", self.folder])
        found = re.search(r"CKAID ([0-9a-f]{40})", err + out)
        if rc or not found:
            raise StoreError(f"ipsec newhostkey failed with exit code {rc}: {_words(err or out)}")
        return found.group(1)

    def delete_key(self, ckaid: str) -> None:
        """Remove a private key that belongs to no certificate."""
        self._tool("certutil", "-F", "-k", ckaid)

    # --- certificates ---

    def certificates(self) -> dict[str, str]:
        """The trust of each certificate by nickname: C(u,u,u) has its private key here, C(CT,,) is a trusted CA."""
        _rc, out = self._tool("certutil", "-L")
        lines = out.partition("SSL,S/MIME,JAR/XPI")[2].splitlines()
        found = [match for match in map(_LISTED.fullmatch, lines) if match]
        return {match.group("name"): match.group("trust") for match in found}

    def fingerprint(self, name: str) -> t.Optional[str]:
        """SHA-256 of a certificate in hexadecimal; None where there is none of that nickname."""
        return next(iter(self.fingerprints(name)), None)

    def fingerprints(self, name: str) -> tuple[str, ...]:
        """The same of all that NSS finds under a nickname, which are those of one subject."""
        rc, out = self._tool("certutil", "-L", "-n", name, "-a", fails=False)
        blocks = () if rc else _PEM.findall(out)
        return tuple(hashlib.sha256(der(block)).hexdigest() for block in blocks)

    def subject(self, name: str) -> str:
        """The subject of a certificate, as NSS prints it."""
        _rc, out = self._tool("certutil", "-L", "-n", name, fails=False)
        found = re.search(r'Subject: "(.*?)"\n', out, re.DOTALL)
        return " ".join(found.group(1).split()) if found else ""

    def pem(self, name: str) -> str:
        """A certificate as PEM."""
        return self._tool("certutil", "-L", "-n", name, "-a")[1]

    def key_holders(self) -> list[str]:
        """Nicknames of the certificates whose private key is here."""
        return sorted(set(self._owners().values()))

    def trust(self, name: str) -> None:
        """Make a certificate a trusted CA for both ends of an IKE SA."""
        self._tool("certutil", "-M", "-n", name, "-t", TRUSTED)

    def rename(self, name: str, new: str) -> None:
        """Give a certificate another nickname."""
        self._tool("certutil", "--rename", "-n", name, "--new-n", new)

    def delete_with_key(self, name: str) -> None:
        """Remove a certificate and its private key."""
        self._tool("certutil", "-F", "-n", name)

    def delete_certificate(self, name: str) -> None:
        """Remove a certificate that has no private key here."""
        self._tool("certutil", "-D", "-n", name)

    def add_authority(self, name: str, path: str) -> None:
        """Add a CA certificate in PEM form as a trusted one."""
        self._tool("certutil", "-A", "-n", name, "-t", TRUSTED, "-a", "-i", path)

    def import_pkcs12(self, path: str, password_file: str) -> None:
        """Add the certificates and the private key of a PKCS#12 file."""
        self._pk12("-i", path, password_file)

    def export_pkcs12(self, name: str, path: str, password_file: str) -> None:
        """Write a certificate with its private key and its CAs to a PKCS#12 file."""
        self._pk12("-o", path, password_file, "-n", name)

    def _pk12(self, what: str, path: str, password_file: str, *more: str) -> None:
        # pk12util has -k where the others have -f.
        own = ["-k", self._password[1]] if self._password else []
        rc, out, err = self._run(["pk12util", what, path, *more, "-w", password_file, "-d", f"sql:{self.folder}", *own])
        if rc:
            raise StoreError(f"pk12util {what} failed with exit code {rc}: {_words(err or out)}")

    # --- revocation lists ---

    def import_crl(self, path: str) -> None:
        """Add or replace the list of the CA that issued it, a DER file; NSS refuses an older one than it has."""
        self._tool("crlutil", "-I", "-i", path)

    def show_crl(self, path: str) -> str:
        """A DER file as text; its exit code is 1 even so."""
        _rc, out, _err = self._run(["crlutil", "-S", "-i", path, "-d", f"sql:{self.folder}"])
        return out

    def crl(self, authority: str) -> t.Optional[str]:
        """The list of a CA as text; None where there is none."""
        rc, out = self._tool("crlutil", "-L", "-n", authority, fails=False)
        return None if rc else out

    def crl_authorities(self) -> list[str]:
        """The names of the CAs of which there is a list."""
        _rc, out = self._tool("crlutil", "-L")
        lines = out.partition("CRL Type")[2].splitlines()
        return [line.rpartition("CRL")[0].strip() for line in lines if line.strip().endswith("CRL")]


def _words(text: str) -> str:
    """What a tool says, in one line."""
    return "; ".join(line.strip() for line in text.splitlines() if line.strip()) or "it says nothing"

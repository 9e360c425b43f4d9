# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _nss
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

PEM = "-----BEGIN CERTIFICATE-----\n" + base64.b64encode(b"certificate").decode() + "\n-----END CERTIFICATE-----\n"
# As the tools of Debian 12 and 13 print it.
LISTED = """
Certificate Nickname                                         Trust Attributes
                                                             SSL,S/MIME,JAR/XPI

gateway                                                      u,u,u
Test CA - Test                                               CT,,
"""
KEYS = """certutil: Checking token "NSS Certificate DB" in slot "NSS User Private Key and Certificate Services"
< 0> ec       8ad134fedae34a9ac3d3886ff138d883c11532cb   (orphan)
< 1> rsa      b5ddb7f4a883a68f33170c77cd33eae83f504335   gate way
"""
HOST_KEYS = """< 1> ECDSA keyid: itE0/trjS ckaid: 8ad134fedae34a9ac3d3886ff138d883c11532cb
< 2> RSA keyid: AwEAAc9Zg ckaid: b5ddb7f4a883a68f33170c77cd33eae83f504335
"""
CRLS = """

CRL names                                CRL Type

Test CA - Test                           CRL
"""


class Tools:
    """Answers for commands by the words that they hold; calls keeps what was run."""

    def __init__(self, *answers):
        self.answers, self.calls = answers, []

    def __call__(self, args):
        assert args[:2] == ["timeout", "-k"]
        args = args[4:]
        self.calls.append(args)
        for words, answer in self.answers:
            if all(word in args for word in words.split()):
                return answer if isinstance(answer, tuple) else (0, answer, "")
        return 0, "", ""


def test_the_folder_is_the_one_that_libreswan_names():
    tools = Tools(("newhostkey", (0, "", "options: [--nssdir /etc/ipsec.d] [--password x]")))
    assert _nss.Nss(tools).folder == "/etc/ipsec.d"
    assert _nss.Nss(Tools()).folder == "/var/lib/ipsec/nss"


def test_keys_of_certificates_are_told_apart():
    nss = _nss.Nss(Tools(("showhostkey", HOST_KEYS), ("certutil -K", KEYS)), "/n")
    assert nss.keys() == [
        _nss.HostKey("ecdsa", "8ad134fedae34a9ac3d3886ff138d883c11532cb"),
        _nss.HostKey("rsa", "b5ddb7f4a883a68f33170c77cd33eae83f504335", "gate way"),
    ]
    assert nss.key_holders() == ["gate way"]


def test_public_key():
    text = "\t# ecdsakey itE0/trjS\n\tleftecdsakey=0sEGac0hQKOlLR4lusKPKL24PWnTTjGY6==\n"
    assert _nss.Nss(Tools(("showhostkey", text)), "/n").public_key("x") == (
        "ecdsakey",
        "0sEGac0hQKOlLR4lusKPKL24PWnTTjGY6==",
    )
    with pytest.raises(StoreError, match="does not tell"):
        _nss.Nss(Tools(), "/n").public_key("x")


def test_generate_takes_the_ckaid_from_stderr():
    said = f"Generated ECDSA key pair with CKAID {'a' * 40} was stored in the NSS database\n"
    tools = Tools(("newhostkey", (0, "", said)))
    assert _nss.Nss(tools, "/n").generate("ecdsa", "secp384r1") == "a" * 40
    assert tools.calls[-1][2:6] == ["--keytype", "ecdsa", "--curve", "secp384r1"]
    with pytest.raises(StoreError, match="too small"):
        _nss.Nss(Tools(("newhostkey", (1, "", "requested RSA key size is too small"))), "/n").generate("rsa", "1024")


def test_certificates_and_lists():
    nss = _nss.Nss(Tools(("certutil -a", PEM), ("certutil -L", LISTED), ("crlutil -L", CRLS)), "/n")
    assert nss.certificates() == {"gateway": "u,u,u", "Test CA - Test": "CT,,"}
    assert nss.crl_authorities() == ["Test CA - Test"]
    assert nss.fingerprint("gateway") == hashlib.sha256(b"certificate").hexdigest()
    assert _nss.Nss(Tools(("certutil -a", (255, "", "Could not find cert"))), "/n").fingerprint("x") is None


def test_one_nickname_several_certificates():
    other = PEM.replace(base64.b64encode(b"certificate").decode(), base64.b64encode(b"other").decode())
    nss = _nss.Nss(Tools(("certutil -a", PEM + other)), "/n")
    assert nss.fingerprints("x") == tuple(hashlib.sha256(t).hexdigest() for t in (b"certificate", b"other"))


def test_subject_over_several_lines():
    text = '        Subject: "CN=west.example,O=A very long name of an\n            organisation"\n'
    assert _nss.Nss(Tools(("certutil -L", text)), "/n").subject("x") == (
        "CN=west.example,O=A very long name of an organisation"
    )


def test_a_tool_that_fails_says_why():
    with pytest.raises(StoreError, match="certutil -L failed with exit code 255: bad database"):
        _nss.Nss(Tools(("certutil", (255, "", "bad database\n"))), "/n").certificates()
    with pytest.raises(StoreError, match="BAD_PASSWORD"):
        _nss.Nss(Tools(("pk12util", (18, "", "SEC_ERROR_BAD_PASSWORD"))), "/n").import_pkcs12("/f", "/pw")


def test_passwords_are_in_files(tmp_path):
    (tmp_path / "nsspassword").write_text("NSS Certificate DB:hush\n")
    tools = Tools()
    nss = _nss.Nss(tools, None, str(tmp_path / "nsspassword"))
    nss.import_pkcs12("/f", "/pw")
    nss.certificates()
    assert tools.calls[-2][-2:] == ["-k", str(tmp_path / "nsspassword")]
    assert tools.calls[-1][-2:] == ["-f", str(tmp_path / "nsspassword")]
    assert "hush" not in str(tools.calls)


@pytest.mark.parametrize("text", [PEM, "Y2VydGlmaWNhdGU=", "Y2VydGlm\naWNhdGU=\n"])
def test_der(text):
    assert _nss.der(text) == b"certificate"


@pytest.mark.parametrize("text", ["no base64!", "-----BEGIN X-----\n?\n-----END X-----"])
def test_no_der(text):
    with pytest.raises(ValueError, match="neither PEM nor base64"):
        _nss.der(text)


def test_a_host_on_which_libreswan_never_ran_has_no_keys(tmp_path):
    refused = (1, "", "FATAL ERROR: ipsec showhostkey: NSS: initialization failed: SEC_ERROR_BAD_DATABASE")
    nss = _nss.Nss(Tools(("showhostkey", refused)), str(tmp_path))
    assert nss.keys() == []
    (tmp_path / "cert9.db").touch()
    with pytest.raises(StoreError, match="SEC_ERROR_BAD_DATABASE"):
        nss.keys()

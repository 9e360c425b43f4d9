# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _certificates as certs
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors, StoreError

OWN = certs.Present(
    {"gateway": ("f1",), "vpn-ca": ("ca",), "new-ca": ("ca2", "ca3")},
    {"gateway": "u,u,u", "vpn-ca": "CT,,", "new-ca": ",,"},
    {"gateway": "CN=west"},
    {"CN=Test CA": "list 1\n    This Update: Monday"},
)


def cert(name, fingerprint, subject="CN=west"):
    return certs.Certificate(name, fingerprint, "/p12", "/pw", subject)


@pytest.mark.parametrize(
    ("want", "action", "reasons"),
    [
        (cert("gateway", "f1"), "kept", ()),
        (cert("gateway", "f2"), "updated", ("fingerprint: f1 -> f2",)),
        (cert("other", "f1"), "updated", ("name: gateway -> other",)),
        (cert("other", "f2", "CN=east"), "created", ()),
        (cert("gateway", None), "removed", ("is not wanted any more",)),
        (cert("nobody", None), "kept", ()),
        (cert("vpn-ca", "ca", "CN=Test CA"), "updated", ("its private key was not there",)),
    ],
)
def test_certificates(want, action, reasons):
    change = certs.plan_certificate(want, OWN)
    assert (change.action, change.reasons) == (action, reasons)


def test_a_second_nickname_for_one_subject():
    with pytest.raises(StoreError, match="one subject under one nickname, and has gateway"):
        certs.plan_certificate(cert("other", "f2"), OWN)


@pytest.mark.parametrize(
    ("want", "name", "action", "reasons"),
    [
        (certs.Authority("vpn-ca", "ca"), "vpn-ca", "kept", ()),
        (certs.Authority("vpn-ca", "caX"), "vpn-ca", "updated", ("fingerprint: ca -> caX",)),
        (certs.Authority("named", "ca"), "named", "updated", ("name: vpn-ca -> named",)),
        (certs.Authority("new-ca", "ca2"), "new-ca", "updated", ("trust: ,, -> CT,,",)),
        (certs.Authority("new-ca", "ca3"), "new-ca", "updated", ("trust: ,, -> CT,,",)),
        (certs.Authority("third", "caX"), "third", "created", ()),
        (certs.Authority("vpn-ca", None), "vpn-ca", "removed", ("is not wanted any more",)),
        (certs.Authority("third", None), "third", "kept", ()),
        # beside a certificate in a PKCS#12 file: whatever it is called there, it keeps the name that it has here
        (certs.Authority("CA of the file", "ca", named=False), "vpn-ca", "kept", ()),
        (certs.Authority("CA of the file", "caX", named=False), "CA of the file", "created", ()),
    ],
)
def test_authorities(want, name, action, reasons):
    change = certs.plan_authority(want, OWN)
    assert (change.name, change.action, change.reasons) == (name, action, reasons)


@pytest.mark.parametrize(
    ("issuer", "text", "action", "reasons"),
    [
        ("CN=Test CA", "list 1\n    This Update: Monday", "kept", ()),
        ("CN=Test CA", "list 2\n    This Update: Tuesday", "updated", ("issued: Monday -> Tuesday",)),
        ("CN=Other CA", "list 1\n    This Update: Monday", "created", ()),
    ],
)
def test_lists(issuer, text, action, reasons):
    change = certs.plan_crl(certs.Crl(issuer, text, "/crl"), OWN)
    assert (change.action, change.reasons) == (action, reasons)


GOOD = {"name": "gateway", "pkcs12": "YQ==", "passphrase": "PASS", "state": "present"}


@pytest.mark.parametrize(
    ("certificates", "authorities", "crls", "words"),
    [
        ([{**GOOD, "name": "a b"}], [], [], "letters, digits"),
        ([{**GOOD, "pkcs12": "not base64!"}], [], [], "neither PEM nor base64"),
        ([{**GOOD, "pkcs12": ""}], [], [], "is empty"),
        ([GOOD, GOOD], [], [], "is already certificates[0]"),
        ([GOOD], [{"name": "gateway", "certificate": "YQ==", "state": "present"}], [], "is already certificates[0]"),
        ([], [{"name": "ca", "certificate": "?", "state": "present"}], [], "neither PEM nor base64"),
        ([], [], ["?"], "crls[0]"),
    ],
)
def test_refused_without_a_secret(certificates, authorities, crls, words):
    with pytest.raises(InputErrors) as info:
        certs.checked({"certificates": certificates, "authorities": authorities, "crls": crls})
    assert words in str(info.value)
    assert "PASS" not in str(info.value)

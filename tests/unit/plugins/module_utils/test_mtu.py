# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _mtu

# AWS, "Best practices for your customer gateway device": MTU, MSS of IPv4 and of IPv6, of an underlay of 1500 bytes.
AWS = [
    ("aes_gcm128", False, 1446, 1406, 1386),
    ("aes_gcm256", False, 1446, 1406, 1386),
    ("aes_gcm256", True, 1438, 1398, 1378),
    ("aes128-sha1", False, 1438, 1398, 1378),
    ("aes128-sha1;modp2048", True, 1422, 1382, 1362),
    ("aes256-sha2_256", False, 1438, 1398, 1378),
    ("aes256-sha2_256", True, 1422, 1382, 1362),
    ("aes256-sha2_384", False, 1422, 1382, 1362),
    ("aes256-sha2_384", True, 1422, 1382, 1362),
    ("aes256-sha2_512", False, 1422, 1382, 1362),
    ("aes256-sha2_512", True, 1406, 1366, 1346),
]


@pytest.mark.parametrize(("esp", "nat_t", "mtu", "mss4", "mss6"), AWS)
def test_table_of_aws(esp, nat_t, mtu, mss4, mss6):
    found = _mtu.inner_mtu(_mtu.Auto(esp, nat_t), "vti", 1500)
    assert (found, _mtu.mss(found, 4), _mtu.mss(found, 6)) == (mtu, mss4, mss6)


@pytest.mark.parametrize(
    ("esp", "kind", "underlay", "mtu"),
    [
        ("aes_gcm256", "vti6", 1500, 1426),
        ("aes_gcm", "vti", 9001, 8946),
        ("aes_gcm_c_256", "vti", 1500, 1446),
        ("aes_gcm_a128", "vti", 1500, 1454),
        ("aes_ccm_b", "vti", 1500, 1450),
        ("chacha20_poly1305", "vti", 1492, 1438),
        ("AES_CBC_256-HMAC_SHA2_512", "vti", 1500, 1422),
        ("aes", "vti", 1500, 1422),
        ("3des-md5", "vti", 1500, 1446),
        ("aes_ctr256-sha2_256", "vti", 1500, 1446),
        ("null-sha1", "vti", 1500, 1458),
        ("aes_gcm256,aes256-sha2_512+sha1;dh19", "vti", 1500, 1422),
        ("aes_gcm256+aes_gcm128", "vti", 1500, 1446),
    ],
)
def test_ciphers(esp, kind, underlay, mtu):
    assert _mtu.inner_mtu(_mtu.Auto(esp), kind, underlay) == mtu


@pytest.mark.parametrize("esp", ["", "rot13", "aes_gcm512", "aes-sha1,", "aes256-sha2_512+rot13x;"])
def test_unknown_cipher(esp):
    if esp.startswith("aes256"):  # an unknown integrity algorithm is left to libreswan, which names it
        assert _mtu.overheads(esp) == [(16, 32, 16)]
        return
    with pytest.raises(ValueError, match="whose overhead is not known"):
        _mtu.overheads(esp)

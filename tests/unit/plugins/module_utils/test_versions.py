# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _versions

OLD, NEW = (4, 10), (5, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Libreswan 4.10\n", OLD), ("Libreswan 5.2", NEW), ("5.3.1", (5, 3)), ("Libreswan v4.15-2 on Linux", (4, 15))],
)
def test_version(text, expected):
    assert _versions.version(text) == expected


def test_no_version():
    with pytest.raises(ValueError, match="holds no version"):
        _versions.version("Linux Libreswan U/K")


@pytest.mark.parametrize(
    ("option", "old", "new"),
    [
        ({"keyexchange": "ikev2"}, {"ikev2": "insist"}, {"keyexchange": "ikev2"}),
        ({"keyexchange": "ikev1"}, {"ikev2": "no"}, {"keyexchange": "ikev1"}),
        ({"keyexchange": "ike"}, {"keyexchange": "ike"}, {"keyexchange": "ike"}),
        ({"ikev2": "insist"}, {"ikev2": "insist"}, {"keyexchange": "ikev2"}),
        ({"ikev2": "never"}, {"ikev2": "never"}, {"keyexchange": "ikev1"}),
        ({"dpdaction": "restart"}, {"dpdaction": "restart"}, {}),
        ({"mark": "5"}, {"mark": "5/0xffffffff"}, {"mark": "5/0xffffffff"}),
        ({"mark-in": "0x10/0xff"}, {"mark-in": "16/0x000000ff"}, {"mark-in": "16/0x000000ff"}),
        ({"leftvti": "10.0.0.1"}, {"leftvti": "10.0.0.1/32"}, {"leftvti": "10.0.0.1/32"}),
        ({"rightvti": "fd00::1"}, {"rightvti": "fd00::1/128"}, {"rightvti": "fd00::1/128"}),
        ({"leftvti": "10.0.0.1/30"}, {"leftvti": "10.0.0.1/30"}, {"leftvti": "10.0.0.1/30"}),
        ({"esp": "aes_gcm256"}, {"esp": "aes_gcm256"}, {"esp": "aes_gcm256"}),
    ],
)
def test_words_of_each_version(option, old, new):
    assert _versions.for_version(option, OLD) == old
    assert _versions.for_version(option, NEW) == new


@pytest.mark.parametrize("installed", [OLD, NEW])
def test_translating_twice_is_translating_once(installed):
    options = {"keyexchange": "ikev2", "mark": "5", "leftvti": "10.0.0.1", "dpdaction": "hold", "left": "192.0.2.1"}
    once = _versions.for_version(options, installed)
    assert _versions.for_version(once, installed) == once


def test_two_words_for_one_thing_are_refused():
    with pytest.raises(ValueError, match="older word"):
        _versions.for_version({"ikev2": "insist", "keyexchange": "ikev2"}, NEW)

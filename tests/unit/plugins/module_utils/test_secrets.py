# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _files, _secrets
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from hypothesis import given
from hypothesis import strategies as st

MASTER = "m" * 32


def test_derived_is_the_same_whatever_the_order_and_never_changes():
    assert _secrets.derived_psk(MASTER, ["@b", "@a"]) == _secrets.derived_psk(MASTER, ["@a", "@b"])
    # A golden value: another one would cut every tunnel of every user.
    assert _secrets.derived_psk(MASTER, ["@a", "@b"]) == "a5XlX5XPrsT7Kf84YxEn+LE7PmH+RgTHCQJ7J9qnqQY="


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_other_peers_have_other_secrets(a, b, c, d):
    if a != b and c != d and {a, b} != {c, d}:
        assert _secrets.derived_psk(MASTER, [a, b]) != _secrets.derived_psk(MASTER, [c, d])


def test_epoch_and_master_make_another_secret():
    secrets = {
        _secrets.derived_psk(master, ["@a", "@b"], epoch) for master in (MASTER, MASTER + "x") for epoch in ("1", "2")
    }
    assert len(secrets) == 4


@pytest.mark.parametrize(("master", "ids"), [("m" * 31, ["@a", "@b"]), (MASTER, ["@a", "@a"]), (MASTER, ["@a"])])
def test_not_derived(master, ids):
    with pytest.raises(ValueError, match=r"32 bytes|two different ids"):
        _secrets.derived_psk(master, ids)


def test_rendered():
    odd = 'quote " # \n\u00fc'
    secrets = _secrets.checked([{"ids": ["@a", "192.0.2.1"], "psk": odd}, {"ids": ["%any"], "psk": "x"}])
    header, first, second = _secrets.render(secrets).splitlines()
    assert header == _files.HEADER
    ids, _colon, word = first.partition(" : PSK 0s")
    assert ids == "@a 192.0.2.1"
    assert base64.b64decode(word).decode() == odd
    assert second == "%any : PSK 0seA=="


@pytest.mark.parametrize(
    ("identity", "written"),
    [("2001:db8:1::", "2001:db8:1:0:0:0:0:0"), ("::1", "::1"), ("2001:db8::2", "2001:db8::2"), ("@a:b", "@a:b")],
)
def test_a_colon_at_the_end_of_an_id_is_not_left_to_pluto(identity, written):
    (secret,) = _secrets.checked([{"ids": [identity, "@b"], "psk": "x"}])
    assert secret.line().startswith(f"{written} @b : PSK 0s")


@pytest.mark.parametrize("identity", ["@a:", "west:", "12:"])
def test_an_id_that_ends_with_a_colon_and_is_no_address(identity):
    with pytest.raises(InputErrors, match="is no id"):
        _secrets.checked([{"ids": [identity, "@b"], "psk": "x"}])


def test_the_same_twice_is_written_once():
    assert len(_secrets.checked([{"ids": ["@a", "@b"], "psk": "x"}, {"ids": ["@b", "@a"], "psk": "x"}])) == 1


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"ids": [], "psk": "x"}], "for every peer"),
        ([{"ids": ["@a b"], "psk": "x"}], "is no id"),
        ([{"ids": ["@a\n@b"], "psk": "x"}], "is no id"),
        ([{"ids": ["@a", ";"], "psk": "x"}], "is no id"),
        ([{"ids": ['@a"'], "psk": "x"}], "is no id"),
        ([{"ids": ["C=DE, CN=a"], "psk": "x"}], "is no id"),
        ([{"ids": ["@a"], "psk": ""}], "is empty"),
        ([{"ids": ["@a"], "psk": "x" * 1025}], "longer than 1024"),
        ([{"ids": ["@a", "@b"], "psk": "x"}, {"ids": ["@b", "@a"], "psk": "y"}], "is not that of secrets[0]"),
    ],
)
def test_refused_without_showing_a_secret(entries, words):
    with pytest.raises(InputErrors) as info:
        _secrets.checked(entries)
    assert words in str(info.value)
    assert "psk='x" not in str(info.value)


def test_a_secret_does_not_show_itself():
    (secret,) = _secrets.checked([{"ids": ["@a"], "psk": "hush"}])
    assert "hush" not in repr(secret)

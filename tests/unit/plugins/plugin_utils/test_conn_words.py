# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _conn_options
from ansible_collections.route_based.vpn.plugins.plugin_utils import _conn_words, _tunnels


@pytest.mark.parametrize("keyword", sorted({*_tunnels.MANAGED, *_tunnels.INSTEAD, *_conn_options._CHECKS}))
def test_what_this_collection_writes_or_checks_is_no_typing_error(keyword: str) -> None:
    assert _conn_words.reason(keyword.replace("_", "-")) == ""


@pytest.mark.parametrize("keyword", ["leftcat", "rightcat", "leftinterface-ip", "leftusername", "nflog-group"])
def test_keywords_that_are_like_others(keyword: str) -> None:
    assert _conn_words.reason(keyword) == ""


@pytest.mark.parametrize("keyword", ["a-keyword-of-tomorrow", "x", "labeled-ipsec"])
def test_what_is_like_no_other_is_left_to_libreswan(keyword: str) -> None:
    assert _conn_words.reason(keyword) == ""


@pytest.mark.parametrize(
    ("keyword", "meant"), [("dpddelai", "dpddelay"), ("mobik", "mobike"), ("fragmentaton", "fragmentation")]
)
def test_typing_errors(keyword: str, meant: str) -> None:
    assert _conn_words.reason(keyword) == f"is no keyword of libreswan; did you mean {meant}?"

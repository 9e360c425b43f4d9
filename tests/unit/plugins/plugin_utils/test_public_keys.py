# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils._errors import VpnError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _public_keys

KEY = {"type": "ecdsa", "public_key": "0s" + "A" * 60, "ckaid": "ab" * 20, "epoch": "1"}


def test_those_that_are_there(tmp_path):
    (tmp_path / "east.json").write_text(json.dumps({**KEY, "epoch": 1, "more": "is ignored"}))
    assert _public_keys.read(tmp_path, ["east", "north"]) == {"east": KEY}
    assert _public_keys.read(tmp_path / "none", ["east"]) == {}


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", json.dumps({**KEY, "type": "dsa"}), json.dumps({**KEY, "public_key": "0s\nx"})]
)
def test_a_file_that_is_none_of_ours(tmp_path, text):
    (tmp_path / "east.json").write_text(text)
    with pytest.raises(VpnError, match=r"east\.json"):
        _public_keys.read(tmp_path, ["east"])


def test_a_name_that_leads_elsewhere(tmp_path):
    with pytest.raises(VpnError, match="not the name of a host"):
        _public_keys.read(tmp_path, ["../east"])

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of variables with a typing error."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.route_based.vpn.plugins.plugin_utils import _variables

SPECS = Path(__file__).parents[4] / "roles/gateway/meta/argument_specs.yml"


def test_the_known_ones_are_the_roles_options() -> None:
    options = yaml.safe_load(SPECS.read_text())["argument_specs"]["main"]["options"]
    assert sorted(_variables.KNOWN) == sorted(options)
    kinds = {"str": str, "path": str, "int": int, "bool": bool, "list": list, "float": (int, float)}
    for name, option in options.items():
        assert _variables.KNOWN[name] == kinds.get(option["type"], (str, int, float)), name
        assert sorted(_variables.CHOICES.get(name, ())) == sorted(option.get("choices", ())), name


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("gateway_firewall", "firewalld", "gateway_firewall='firewalld': is none of nftables, none"),
        ("gateway_firewall_policy", True, "is true or false; a text is needed"),
        ("gateway_routes", "10.0.0.0/8", "is a text; a list is needed: [10.0.0.0/8]"),
        ("gateway_routes", {"a": 1}, "is a dict; a list is needed"),
        ("gateway_verify_timeout", "long", "gateway_verify_timeout='long': is a text; a number is needed"),
        ("gateway_verify_ping", "2.5.1", "is a text; a number is needed"),
        ("gateway_no_log", "maybe", "is a text; true or false is needed"),
        ("gateway_no_log", 1, "is a number; true or false is needed"),
        ("gateway_bgp_asn", True, "is true or false; a number is needed"),
        ("gateway_ike", None, "is nothing; a text is needed"),
        ("gateway_key_epoch", [], "is a list; a text or a number is needed"),
    ],
)
def test_settings_of_a_wrong_type(name: str, value: t.Any, reason: str) -> None:
    (error,) = _variables.settings("west", {name: value})
    assert str(error).startswith(f"west: {name}=")
    assert reason in str(error)


def test_settings_as_text() -> None:
    right = {
        "gateway_verify_timeout": "60",
        "gateway_verify_ping": "2.5",
        "gateway_no_log": "Yes",
        "gateway_bgp_asn": 1,
    }
    assert _variables.settings("west", {**right, "gateway_key_epoch": 2, "gateway_firewall": "none"}) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gateway_tunels", "gateway_tunnels"),
        ("gateway_firewal_policy", "gateway_firewall_policy"),
        ("vpn_topolgy", "vpn_topology"),
        ("vpn_network", "vpn_networks"),
        ("vpn_siteid", "vpn_site_id"),
        ("gateway_tunnel", "gateway_tunnels"),
    ],
)
def test_what_was_meant(name: str, meant: str) -> None:
    (error,) = _variables.unknown("west", [name, meant], [])
    assert str(error).startswith(f"west: {name}='...': is no variable of this collection; did you mean {meant}? Where")


def test_names_like_nothing_of_ours_and_names_of_the_user() -> None:
    names = ["vpn_vault_secret", "vpn_x_1", "gateway_rack", "ansible_host", "gateways", "gateway_plan"]
    assert [error.option for error in _variables.unknown("a", names, [])] == [
        "gateway_rack",
        "vpn_vault_secret",
        "vpn_x_1",
    ]
    assert [error.option for error in _variables.unknown("a", names, ["vpn_x_", "gateway_rack"])] == [
        "vpn_vault_secret"
    ]
    assert "did you mean" not in str(_variables.unknown("a", ["vpn_vault_secret"], [])[0])


@pytest.mark.parametrize("own", ["vpn_x_", 5, None, {"a": 1}])
def test_a_list_that_is_none(own: t.Any) -> None:
    (error,) = _variables.unknown("a", [], own)
    assert "is not a list" in str(error)

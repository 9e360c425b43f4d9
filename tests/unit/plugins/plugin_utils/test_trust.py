# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which facts are refused, and that no task reads what a host could say where it decides about others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible import constants
from ansible_collections.route_based.vpn.plugins.plugin_utils import _sites, _trust

ROOT = Path(__file__).parents[4]
TASKS = sorted((ROOT / "roles/gateway/tasks").glob("*.yml"))
PLAYBOOKS = sorted([*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "playbooks/tasks").glob("*.yml")])
# Beginnings of the names of groups.
GROUPS = ("site_ready_", "site_canary_", "site_done_")
# What decides about this machine or other gateways, or shows a secret.
STEERING = (
    "inventory_hostname gateway_key_folder gateway_key_epoch gateway_no_log gateway_verify_timeout gateway_verify_ping"
    " gateway_rollback_after gateway_take_over gateway_tunnels gateway_psk_master"
).split()


def code(path: Path) -> str:
    """A file of tasks without its comments."""
    return re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.MULTILINE)


def test_the_names_of_ours() -> None:
    facts = {"vpn_networks": 1, "gateway_x": 1, "inventory_dir": 1, "distribution": 1, "services": 1, 1: 1}
    error = _trust.refused("berlin", _trust.facts_of({"ansible_facts": {**facts, "discovered_interpreter_python": 1}}))
    assert str(error).startswith("berlin: the facts of this host, ")
    assert "say gateway_x, inventory_dir, vpn_networks. " in str(error)
    assert _trust.refused("berlin", {"distribution": "Debian", "gateway": "x"}) is None
    assert _trust.facts_of({}) == _trust.facts_of({"ansible_facts": "x"}) == {}


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_each_name_that_a_playbook_reads_is_one_of_ours(path: Path) -> None:
    names = set(re.findall(r"\b(?:site|status|aws|peer_sheet|peer_view|vpn|gateway)_[a-z_]+\b", code(path)))
    known = {name for name in names if name.startswith((*_trust.PREFIXES, *GROUPS)) or name in _trust.NAMES}
    # Filters, modules and templates.
    words = re.findall(r"(?:route_based\.vpn\.|src: )([a-z_]+)", code(path))
    assert names - known - set(words) == set()


def test_each_option_is_one_of_ours() -> None:
    options = yaml.safe_load((ROOT / "roles/gateway/meta/argument_specs.yml").read_text())
    names = {*options["argument_specs"]["main"]["options"], *_sites.VARIABLES}
    assert [name for name in names if not name.startswith(_trust.PREFIXES)] == []


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_tasks_of_the_role_read_what_steers_by_the_lookup(path: Path) -> None:
    """vars/main.yml has a name for each."""
    # What compares the two, and a message.
    text = code(path).replace("__gateway_host == inventory_hostname", "").replace("gateway_key_epoch is", "")
    text = text.replace("give gateway_key_epoch the", "").replace("sessions of gateway_tunnels", "")
    text = text.replace("gateway_tunnels: bgp.password", "")
    assert [name for name in STEERING if re.search(rf"\b{name}\b", text)] == []


def test_facts_are_apart_and_come_back_after_an_error() -> None:
    before = constants.INJECT_FACTS_AS_VARS
    with _trust.facts_apart():
        assert constants.INJECT_FACTS_AS_VARS is False
    assert constants.INJECT_FACTS_AS_VARS is before

    def fails() -> None:
        with _trust.facts_apart():
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert constants.INJECT_FACTS_AS_VARS is before


def test_the_inventory_is_above_facts_and_tasks_are_above_both() -> None:
    facts = {"a": "fact", "b": "fact", "c": "fact", "default_ipv4": "fact"}
    said = {"a": "inventory", "b": "inventory"}
    task = {"a": "fact", "b": "task", "c": "fact", "ansible_default_ipv4": "fact"}
    assert _trust.restored(task, facts, said) == {**task, "a": "inventory"}
    assert _trust.with_facts_below(said, facts) == {
        **{"ansible_a": "fact", "ansible_b": "fact", "ansible_c": "fact", "ansible_default_ipv4": "fact"},
        **said,
    }

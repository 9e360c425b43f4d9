# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup sites inside real Ansible: templates of other hosts' variables, --limit, and a secret that stays one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
MASTER = "a master secret of the test that protects nothing"
TUNNEL = {"name": "x", "local": "192.0.2.3", "mark": 9}
PLAY = [
    {
        "hosts": "gateways",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.set_fact": {"plan": "{{ lookup('route_based.vpn.sites', 'all') }}"}, "run_once": True},
            {"ansible.builtin.debug": {"msg": "{{ plan | route_based.vpn.links(inventory_hostname) }}"}},
        ],
    }
]


def run(
    work: Path, hosts: dict[str, t.Any], *arguments: str, play: t.Any = None, playbook: str = "", **common: t.Any
) -> str:
    """What Ansible says to a play over these hosts, or to a playbook of the collection, without any connection."""
    inventory, path = work / "hosts.yml", work / "play.yml"
    inventory.write_text(yaml.safe_dump({"gateways": {"hosts": hosts, "vars": common}}))
    path.write_text(yaml.safe_dump(play or PLAY))
    tree = subprocess.run([str(ROOT / "tests/tree")], check=True, capture_output=True, text=True).stdout.strip()
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": tree, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(work)}
    environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(inventory), playbook or str(path), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


def tunnels(said: str, host: str) -> list[dict[str, t.Any]]:
    """The tunnels that were shown for a host."""
    match = re.search(rf"^ok: \[{host}\] => (\{{\n.*?^\}})", said, flags=re.MULTILINE | re.DOTALL)
    assert match, said
    found: list[dict[str, t.Any]] = json.loads(match.group(1))["msg"]
    return found


def test_values_may_come_from_other_variables_and_other_hosts(tmp_path: Path) -> None:
    hosts = {
        "a": {"vpn_site_id": 1, "outer": "192.0.2.1"},
        "b": {"vpn_site_id": "{{ hostvars['a'].vpn_site_id + 1 }}", "outer": "192.0.2.2"},
        "c": {
            "gateway_tunnels": [{"name": "x", "local": "192.0.2.3", "remote": "{{ hostvars['a'].outer }}", "mark": 9}]
        },
    }
    common = {"vpn_address": "{{ outer }}", "gateway_psk_master": MASTER, "vpn_auth": "psk"}
    said = run(tmp_path, hosts, **common)
    assert [(x["name"], x["remote"]) for x in tunnels(said, "a")] == [("link-1-2", "192.0.2.2")]
    assert tunnels(said, "c") == []
    assert MASTER not in said


def test_hosts_beyond_the_limit_count(tmp_path: Path) -> None:
    hosts = {name: {"vpn_site_id": n, "vpn_address": f"192.0.2.{n}"} for n, name in enumerate("abc", start=1)}
    said = run(tmp_path, hosts, "--limit", "b")
    assert [x["peer"] for x in tunnels(said, "b")] == ["a", "c"]


def test_every_problem_at_once(tmp_path: Path) -> None:
    hosts = {
        "a": {"vpn_site_id": 1, "vpn_address": "{{ nobody_knows }}", "gateway_psk_master": MASTER},
        "b": {"vpn_site_id": 1, "vpn_address": "192.0.2.2", "vpn_auth": "psk", "gateway_psk_master": "short"},
    }
    said = run(tmp_path, hosts)
    for problem in (
        "- a: vpn_address='...': cannot be worked out: 'nobody_knows' is undefined",
        "- b: vpn_auth='psk': is 'key' for a; it has to be the same for all sites",
        "- b: vpn_site_id=1: a has it already; marks, names and addresses come from it",
    ):
        assert problem in said
    assert MASTER not in said


def test_a_variable_with_a_typing_error_is_refused_and_what_tasks_register_is_not(tmp_path: Path) -> None:
    sites = {host: {"vpn_site_id": n, "vpn_address": f"192.0.2.{n}"} for n, host in enumerate("ab", start=1)}
    tasks = [{"ansible.builtin.assert": {"that": True, "quiet": True}, "register": "vpn_before"}, *PLAY[0]["tasks"]]
    play = [{**PLAY[0], "tasks": tasks}]
    hosts = {**sites, "c": {"gateway_tunels": [TUNNEL]}}
    said = run(tmp_path, hosts, play=play, vpn_topolgy="hub_and_spoke", gateway_rack=7)
    for problem in (
        "- a: vpn_topolgy='...': is no variable of this collection; did you mean vpn_topology?",
        "- c: gateway_tunels='...': is no variable of this collection; did you mean gateway_tunnels?",
        "- c: gateway_rack='...': is no variable",
    ):
        assert problem in said
    assert "vpn_before=" not in said
    said = run(tmp_path, sites, play=play, gateway_rack=7, gateway_own_variables=["gateway_rack"])
    assert [x["peer"] for x in tunnels(said, "b")] == ["a"]
    said = run(tmp_path, sites, "-e", "vpn_topolgy=mesh", play=play)
    assert "vpn_topolgy='...': is no variable" in said


def test_each_problem_is_shown_once_on_a_line_of_its_own(tmp_path: Path) -> None:
    hosts = {n: {"vpn_site_id": 1, "vpn_address": f"192.0.2.{m}", "vpn_topolgy": "{{ x"} for m, n in enumerate("ab", 1)}
    said = run(tmp_path, hosts, playbook="route_based.vpn.site")
    for problem in ("a has it already", "a: vpn_topolgy", "b: vpn_topolgy"):
        assert said.count(problem) == 1
        assert re.search(rf'^ +".*{problem}.*",?$', said, flags=re.MULTILINE), said
    assert "3 problems in the inventory, which the task before this one lists. Nothing was changed." in said


@pytest.mark.parametrize("playbook", ["site", "status", "teardown", "rotate_keys", "peer_sheets", "aws"])
def test_no_host_at_all_is_a_failure(tmp_path: Path, playbook: str) -> None:
    for hosts in ("gatewayz", "gateways:!gateways"):
        said = run(tmp_path, {"a": {}}, "-e", f"site_hosts={hosts}", playbook=f"route_based.vpn.{playbook}")
        assert f"site_hosts={hosts}: no host of the inventory matches it" in said
        assert "The groups of the inventory are gateways." in said
        assert re.search(r"localhost +: ok=0 .* failed=1 ", said), said


def test_a_peer_that_is_no_host_is_refused(tmp_path: Path) -> None:
    keyed = {**TUNNEL, "remote": "192.0.2.4", "auth": "key"}
    said = run(tmp_path, {"west": {"gateway_tunnels": [{**keyed, "peer": "easst"}]}, "east": {}})
    assert "- west: gateway_tunnels[0] (x): peer='easst': is no host of the inventory; did you mean east?" in said
    said = run(tmp_path, {"west": {"gateway_tunnels": [{**keyed, "peer": "east"}]}, "east": {}})
    assert "is no host" not in said


@pytest.mark.parametrize("name", ["behind", "vpn_networks"])
def test_a_fact_cache_overrules_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Neither a variable of ours, which is refused, nor what the value of one is made of."""
    hosts = {
        host: {"vpn_site_id": n, "vpn_address": f"192.0.2.{n}", "behind": [f"10.0.{n}.0/24"]}
        for n, host in enumerate("ab", start=1)
    }
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN", "jsonfile")
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN_CONNECTION", str(tmp_path / "cache"))
    fact = {"ansible.builtin.set_fact": {name: ["8.8.8.0/24"], "cacheable": True}}
    run(tmp_path, hosts, "--limit", "a", play=[{"hosts": "a", "gather_facts": False, "tasks": [fact]}])
    said = run(tmp_path, hosts, vpn_networks="{{ behind }}")
    assert "8.8.8.0/24" not in said
    if name == "behind":
        assert [x["routes"] for x in tunnels(said, "b")] == [["10.0.1.0/24"]]
    else:
        assert "- a: the facts of this host, which it has answered itself or which come from a fact cache, say" in said

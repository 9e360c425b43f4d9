# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role refuses bad input before it speaks to any host: every host here has an address at which nobody is."""

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
TUNNEL = {
    "name": "routed-vpn",
    "local": "192.1.2.45",
    "remote": "192.1.2.23",
    "mark": 5,
    "interface": "vti01",
    "psk": "a secret of the test",
}

# Nobody listens there: who speaks to the host gets a refused connection.
NOBODY = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "root"}

# host name: what is changed in its one tunnel, and what it has to read.
CASES: dict[str, tuple[dict[str, t.Any], str]] = {
    "unknown_key": ({"interfaec": "vti01"}, "interfaec"),
    "bad_address": ({"remote": "192.1.2.300"}, "gateway_tunnels[0] ('routed-vpn'): remote='192.1.2.300'"),
    "blank_in_name": ({"name": "routed vpn"}, "name='routed vpn': a conn name is"),
    "quote_in_name": ({"name": 'routed"vpn'}, "a conn name is"),
    "newline_in_name": ({"name": "routed\n\tleftupdown=id"}, "a conn name is"),
    "mark_0": ({"mark": 0}, "mark 0 means no mark"),
    "mark_minus_1": ({"mark": -1}, "choose a number"),
    "newline_in_option": ({"options": {"dpddelay": "3\n\tleftupdown=id"}}, "holds a control character"),
    "no_remote": ({"remote": None}, "remote"),
    "bad_type": ({"routes": {"a": "b"}}, "routes"),
    "two_firewall_rules": ({"firewall": ["tcp dport 1 drop; accept"]}, "is more than one rule"),
    "bad_choice": ({"auto": "route"}, "auto"),
}


def run(work: Path, hosts: dict[str, t.Any]) -> str:
    """What the site playbook says of these hosts."""
    inventory = work / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"gateways": {"hosts": hosts, "vars": NOBODY}}))
    tree = subprocess.run([str(ROOT / "tests/tree")], check=True, capture_output=True, text=True).stdout.strip()
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": tree,
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_CALLBACK_FORMAT_PRETTY": "false",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(work),
    }
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(inventory), "route_based.vpn.site"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert TUNNEL["psk"] not in done.stdout + done.stderr
    assert done.returncode
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One run over all hosts, of which each has another mistake."""
    hosts = {name: {"gateway_tunnels": [{**TUNNEL, **changes}]} for name, (changes, _message) in CASES.items()}
    return run(tmp_path_factory.mktemp("role"), hosts)


@pytest.mark.parametrize("name", CASES)
def test_refused_before_any_host_is_spoken_to(name: str, refused: str) -> None:
    listed = re.search(r"=> (\{.*\})\s+TASK \[.*Stop where there are problems", refused)
    assert listed, refused
    own = [problem for problem in json.loads(listed.group(1))["msg"] if problem.startswith(f"{name}: ")]
    assert CASES[name][1] in "".join(own), refused
    assert "Connection refused" not in refused


def test_good_input_gets_as_far_as_the_host(tmp_path: Path) -> None:
    said = run(tmp_path, {"good": {"gateway_tunnels": [TUNNEL]}})
    assert re.search(r"^\[ERROR\]|^fatal: \[good\]: UNREACHABLE", said, flags=re.MULTILINE), said
    assert "Connection refused" in said

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passwords of BGP sessions are in no output of the role, and refused where the kernel has no TCP MD5."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
TASKS = ROOT / "roles/gateway/tasks"
SECRET = "Not-A-Secret-Of-BGP"
TUNNEL = {
    "name": "cloud",
    "local": "192.0.2.1",
    "remote": "198.51.100.1",
    "mark": 101,
    "addresses": ["169.254.11.2/30"],
    "routes": ["10.100.0.0/16"],
    "psk": "a secret of the test",
    "bgp": {"remote_as": 64512, "local_as": 65010, "password": SECRET},
}
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


def tasks(entries: t.Sequence[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
    """All tasks of a file, those of blocks too."""
    for entry in entries:
        yield entry
        for part in ("block", "rescue", "always"):
            yield from tasks(entry.get(part, []))


@pytest.mark.parametrize("name", sorted(path.name for path in TASKS.glob("*.yml")))
def test_every_task_that_handles_the_file_hides_it(name: str) -> None:
    for task in tasks(yaml.safe_load((TASKS / name).read_text())):
        arguments = json.dumps({key: value for key, value in task.items() if key.startswith("ansible.builtin.")})
        if "assert" in arguments or "__gateway_frr_conf" not in arguments:
            continue
        assert "gateway_no_log" in str(task.get("no_log")), task["name"]
        if {"ansible.builtin.template", "ansible.builtin.copy"} & set(task):
            assert "not __gateway_frr_secret" in str(task.get("diff")), task["name"]


def preflight(work: Path, conf: str, kernel: str) -> subprocess.CompletedProcess[str]:
    """The role's look at FRR, as verbose as it can be; kernel is a Python program that ends well where it has MD5."""
    (work / "frr.conf").write_text(conf)
    role = {"name": "route_based.vpn.gateway", "tasks_from": "bgp_preflight.yml"}
    play = {
        "name": "Look at FRR",
        "hosts": "gateway",
        "gather_facts": False,
        "tasks": [{"name": "Look", "ansible.builtin.import_role": role}],
    }
    (work / "play.yml").write_text(yaml.safe_dump([play]))
    (work / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"hosts": {"gateway": {**LOCAL, "gateway_tunnels": [TUNNEL]}}}})
    )
    extra = {"__gateway_frr_conf": str(work / "frr.conf"), "__gateway_tcp_md5": kernel}
    tree = subprocess.run([str(ROOT / "tests/tree")], check=True, capture_output=True, text=True).stdout.strip()
    return subprocess.run(
        [str(ROOT / ".venv/bin/ansible-playbook"), "-vvv", "--diff", "-i", str(work / "hosts.yml"), "-e"]
        + [json.dumps(extra), str(work / "play.yml")],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": tree, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(work)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_password_is_in_no_output_and_taken_where_the_kernel_has_md5(tmp_path: Path) -> None:
    done = preflight(tmp_path, f"! route_based_vpn\nrouter bgp 1\n neighbor 10.0.0.1 password {SECRET}\n", "0")
    assert done.returncode == 0, done.stdout
    assert SECRET not in done.stdout + done.stderr
    # Nor as base64, which is how a file comes to the controller.
    assert "cm91dGVyIGJncC" not in done.stdout + done.stderr


def test_a_password_is_refused_where_the_kernel_has_no_md5(tmp_path: Path) -> None:
    done = preflight(tmp_path, "", "raise OSError(92, 'Protocol not available')")
    assert done.returncode
    assert "bgp.password='...': the kernel of gateway has no TCP MD5" in done.stdout
    assert "Protocol not available" in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_somebody_elses_password_is_in_no_output(tmp_path: Path) -> None:
    done = preflight(tmp_path, f"router bgp 1\n neighbor 10.0.0.1 password {SECRET}\n", "0")
    assert done.returncode
    assert "neighbor 10.0.0.1 password ..." in done.stdout
    assert SECRET not in done.stdout + done.stderr

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook status inside real Ansible, where no host answers: a table and a page there are, nevertheless."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
HOSTILE = "<script>alert('x')"


def run(work: Path) -> subprocess.CompletedProcess[str]:
    """The playbook over two sites and a host with an odd name; nobody listens on port 1."""
    hosts = {f"s{n}": {"vpn_site_id": n, "vpn_address": f"192.0.2.{n}"} for n in (1, 2)}
    common = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    inventory = work / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"gateways": {"hosts": {**hosts, HOSTILE: {}}, "vars": common}}))
    tree = subprocess.run([str(ROOT / "tests/tree")], check=True, capture_output=True, text=True).stdout.strip()
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": tree, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(work)}
    environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(inventory), "route_based.vpn.status"]
    command += ["-e", f"site_report={work / 'report.html'}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_nobody_answers(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode != 0
    row = r'^ +"link-1-2 +unknown .* s1: unreachable +s2: unreachable +s1 did not answer; s2 did not answer'
    assert re.search(row, done.stdout, flags=re.MULTILINE)
    page = (tmp_path / "report.html").read_text()
    assert page.count("s2 did not answer") == page.count("s1 did not answer") > 1
    # It opens without a server, and loads nothing from anywhere.
    assert set(re.findall(r"[a-z]+://[^\s\"'<]+", page)) == {"http://www.w3.org/2000/svg"}
    assert [x for x in re.findall(r"(?:src|href)=.?([^\"'>]*)", page) if not x.startswith("#")] == []
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(" in page

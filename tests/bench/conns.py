# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hub with many conns, through ansible-playbook and the role: conns.py IMAGE N TABLE, next to a lab.

Only the role's conn step is run (secrets, keys and conns); the peers do not exist, and the conns wait for them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from measure import measure

IMAGE, N, TABLE = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
NODE = {"debian12": "192.1.2.45", "debian13": "192.1.2.23"}[IMAGE]
WORK = Path(os.environ["LAB_SESSION"]) / "bench"
PLAY = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.import_role": {"name": "route_based.vpn.gateway", "tasks_from": f"{step}.yml"}}
            for step in ("keys", "conns")
        ],
    }
]


def inventory(count, changed=()):
    """A hub with so many tunnels; those that changed have another lifetime."""
    tunnels = [
        {
            "name": f"site{n}",
            "local": NODE,
            "remote": f"198.{18 + n // 65536}.{n // 256 % 256}.{n % 256}",
            "mark": n,
            "local_id": "@hub",
            "remote_id": f"@site{n}",
            "addresses": [f"11.{n // 65536}.{n // 256 % 256}.{n % 256}/32"],
            "auto": "add",
            "options": {"ikelifetime": "4h" if n in changed else "8h"},
        }
        for n in range(1, count + 1)
    ]
    hub = {
        "ansible_host": NODE,
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_args": f"-F {os.environ['LAB_SESSION']}/ssh_config -o ControlMaster=auto -o ControlPersist=60s",
        "ansible_pipelining": True,
        "gateway_tunnels": tunnels,
        "gateway_psk_master": "a master secret of the test that protects nothing",
    }
    path = WORK / "hosts.json"
    path.write_text(json.dumps({"all": {"hosts": {"hub": hub}}}))
    return path


def run(path):
    """One run of the play: wall, CPU here, CPU on the node, and what ipsec was called with."""
    return measure(NODE, ["ansible-playbook", "-i", str(path), str(WORK / "play.json")])


def main():
    WORK.mkdir(exist_ok=True)
    (WORK / "play.json").write_text(json.dumps(PLAY))
    subprocess.run(
        ["tests/lab/run", "tests/lab/nodes", "up", f"hub:{IMAGE}:{NODE}"], check=True, stderr=subprocess.DEVNULL
    )
    rows = [
        ("nothing there, nothing to do", 0, run(inventory(0))),
        (f"create {N}", N, run(inventory(N))),
        (f"no change, {N} exist", N, run(inventory(N))),
        (f"change 1 of {N}", N, run(inventory(N, {N // 2}))),
        (f"remove {N}", N, run(inventory(0))),
    ]
    lines = [
        "| task | wall, s | CPU of the controller, s | CPU of the node, s | both a conn, ms |",
        "|---|---|---|---|---|",
    ]
    for what, count, (wall, here, there, _output) in rows:
        each = f"{(here + there) * 1000 / count:.0f}" if count else ""
        lines.append(f"| {what} | {wall:.1f} | {here:.1f} | {there:.1f} | {each} |")
    ssh = ["ssh", "-nF", f"{os.environ['LAB_SESSION']}/ssh_config", NODE, "ipsec --version"]
    version = subprocess.run(ssh, capture_output=True, text=True, check=True).stdout.strip()
    TABLE.write_text("\n".join([f"{version}.", "", *lines]) + "\n")
    print(TABLE.read_text(), flush=True)


main()

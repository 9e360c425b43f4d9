# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of any playbook costs: measure.py NODE COMMAND... prints wall seconds, CPU seconds of this machine's
processes, and CPU seconds of everything on the node, pluto included. Run it next to a lab, in tests/lab/control.
"""

import os
import resource
import subprocess
import sys
import time


def node_cpu(node):
    """CPU seconds of all processes of a node since it started."""
    config = os.environ["LAB_SESSION"] + "/ssh_config"
    command = ["ssh", "-nF", config, node, "cat /sys/fs/cgroup/cpu.stat"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(dict(line.split() for line in text.splitlines())["usage_usec"]) / 1e6


def measure(node, command):
    """Wall, controller's CPU and node's CPU in seconds, and the output; the command has to succeed."""
    cpu, begin, before = node_cpu(node), time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - begin
    if done.returncode:
        sys.exit(f"{command} failed: {done.stdout[-3000:]}")
    mine = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, mine, node_cpu(node) - cpu, done.stdout


if __name__ == "__main__":
    took, controller, there, _output = measure(sys.argv[1], sys.argv[2:])
    print(f"wall {took:.1f} s, CPU here {controller:.1f} s, CPU on the node {there:.1f} s")

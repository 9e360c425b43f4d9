# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every step in the life of a hub with many tunnels: scale.py IMAGE N FOLDER SHAPE..., next to a lab.

The hub is set up by the playbooks, as a user would do it. 50 of its peers are real: one pluto on another node that has
an address, a device and a conn for each of them. The others do not exist. After each step the real ones answer a ping
through their tunnels; a step that must not touch them is checked by their SPIs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import scale_hub
from measure import node_cpu

IMAGE, N, FOLDER = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
NODE, CROWD = {"debian12": "192.1.2.45", "debian13": "192.1.2.23"}[IMAGE], "192.1.2.99"
WORK = Path(os.environ["LAB_SESSION"]) / "scale"
#: Within so many seconds of a restart the outer address has to be bound, and everybody reached.
BOUND, REACHED = 30, 120
#: SAs that have not changed for so many seconds are taken as what they will be.
QUIET = 10
#: A playbook with thousands of tunnels on a machine that does other things, too.
PLAYBOOK = 3600


class StepError(Exception):
    """A step that did not do what it is for."""


def ssh(node, command, text=None, check=True):
    """What a command on a node says."""
    config = os.environ["LAB_SESSION"] + "/ssh_config"
    done = subprocess.run(
        ["ssh", "-F", config, node, command], input=text or "", capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise StepError(f"{command[:80]}: {(done.stdout + done.stderr)[-500:]}")
    return done.stdout


def poll(what, seconds, test):
    """Seconds until a test is true."""
    begin = time.monotonic()
    while not test():
        if time.monotonic() - begin > seconds:
            raise StepError(f"{what}: not within {seconds} s")
        time.sleep(0.3)
    return time.monotonic() - begin


class Hub:
    """The hub in a shape, and what was measured of it."""

    def __init__(self, shape):
        self.hub = scale_hub.SHAPES[shape](NODE, N)
        self.shape, self.rows = shape, []

    # --- what is done to it ---

    def playbook(self, name, *more, fails=False, **changes):
        """A playbook of the collection on the hub, with the inventory changed in some way; what it says."""
        path = WORK / "hosts.json"
        path.write_text(json.dumps(self.hub.inventory(**changes)))
        command = ["ansible-playbook", "-i", str(path), f"route_based.vpn.{name}", "-e", "site_hosts=hub", *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PLAYBOOK, check=False)
        if bool(done.returncode) != fails:
            lines = [line for line in (done.stdout + done.stderr).splitlines() if re.search("ERROR|fatal|FAILED", line)]
            raise StepError(f"{name}: rc {done.returncode}: {' '.join(lines)[:500] or done.stdout[-400:]}")
        return done.stdout

    def step(self, what, action):
        """Wall, CPU of this machine's processes and of the node in seconds, and what came of it."""
        if self.rows:
            self.settle()
        before, cpu, begin = os.times(), node_cpu(NODE), time.monotonic()
        try:
            result = action() or "done"
        except (StepError, subprocess.TimeoutExpired) as exc:
            result = f"FAILED: {' '.join(str(exc).split())[:700]}"
        after, wall = os.times(), time.monotonic() - begin
        here = after.children_user + after.children_system - before.children_user - before.children_system
        try:
            # A node that was started again counts from nothing.
            now = node_cpu(NODE)
            there = now - cpu if now > cpu else now
        except subprocess.CalledProcessError:
            there = 0.0
        row = {"image": IMAGE, "n": N, "shape": self.shape, "step": what, "wall": wall, "here": here}
        self.rows.append({**row, "there": there, "result": result})
        print(f"{IMAGE} {self.shape} {N} {what}: {wall:.1f} s, {here:.1f} + {there:.1f} CPU s: {result}", flush=True)
        (FOLDER / f"{self.shape}-{N:05}-{IMAGE}.json").write_text(json.dumps(self.rows))
        return not result.startswith("FAILED")

    # --- what it has to be ---

    def reached(self, peers=None):
        """Seconds until each real peer answers through its tunnel."""
        wanted = self.hub.peers if peers is None else peers
        pings = "".join(
            f"ping -c1 -W2 -q -I {p.inner_hub} {p.inner_peer} >/dev/null || echo {p.name} & " for p in wanted
        )
        return poll("pings", REACHED, lambda: ssh(NODE, f"{pings} wait").strip() == "")

    def spis(self):
        """The SPIs of the real peers' SAs."""
        found = ssh(NODE, "ip xfrm state")
        return sorted(re.findall(r"src (192\.1\.2\.\d+) dst (192\.1\.2\.\d+)\n\s+proto esp spi (0x[0-9a-f]+)", found))

    def settle(self):
        """Waits, at most REACHED seconds, until all SAs stay for QUIET: calls of both ends that cross make two for a
        while. Where they never do, the step that comes next tells."""
        before, now = None, self.spis()
        for _try in range(REACHED // QUIET):
            if now == before:
                break
            time.sleep(QUIET)
            before, now = now, self.spis()

    def unchanged(self, before):
        """No SA of a real peer is new or gone; says which ones are."""
        now = self.spis()
        self.expect(
            "SAs that are gone or new", [sorted(set(before) - set(now)), sorted(set(now) - set(before))], [[], []]
        )

    def conns(self):
        return len(set(re.findall(r'"([\w.-]+)":.* conn serial', ssh(NODE, "ipsec whack --status"))))

    def expect(self, what, found, wanted):
        if found != wanted:
            raise StepError(f"{what}: {str(found)[:200]} instead of {str(wanted)[:200]}")

    def bound(self):
        """Seconds until pluto listens on the outer address and answers."""
        test = f"ss -Hlun | grep -q '{NODE}:4500 ' && timeout 5 ipsec whack --status >/dev/null && echo yes"
        return poll("outer address bound", BOUND, lambda: "yes" in ssh(NODE, test, check=False))

    def memory(self):
        return int(ssh(NODE, "sed -n 's/VmRSS:[^0-9]*//p' /proc/$(cat /run/pluto/pluto.pid)/status").split()[0]) // 1024

    # --- the steps ---

    def roll_out(self):
        self.playbook("site")
        self.expect("conns", self.conns(), N)
        ssh(CROWD, "bash -s", self.hub.crowd_script())
        return f"{len(self.hub.peers)} peers answer after {self.reached():.0f} s; pluto {self.memory()} MB"

    def nothing(self):
        ssh(
            NODE,
            "cat >/usr/local/bin/measured && chmod 755 /usr/local/bin/measured; rm -f /root/rss",
            scale_hub.MEASURED,
        )
        before = self.spis()
        said = self.playbook("site", python="/usr/local/bin/measured")
        if not re.search(r"hub +: ok=\d+ +changed=0 ", said):
            raise StepError(f"it changed something: {re.findall(r'changed: .*', said)}")
        self.unchanged(before)
        biggest = max(map(int, ssh(NODE, "cat /root/rss").split())) // 1024
        return f"no change; the largest module took {biggest} MB"

    def one_changed(self):
        before = self.spis()
        self.playbook("site", changed=True)
        self.unchanged(before)
        self.reached()

    def one_removed(self):
        before = self.spis()
        self.playbook("site", changed=True, removed=True)
        self.unchanged(before)
        self.expect("conns", self.conns(), N - 1)
        self.reached()

    def restart(self):
        ssh(NODE, "systemctl restart --no-block ipsec; sleep 0.5")
        return f"bound after {self.bound() + 0.5:.1f} s, all peers after {self.reached():.0f} s more"

    def reboot(self):
        done = subprocess.run(
            ["tests/lab/run", "tests/lab/nodes", "restart", "hub"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StepError(f"restart of the node: {done.stderr[-300:]}")
        self.bound()
        up = ssh(NODE, "expr $(date +%s) - $(stat -c %Y /proc/1)").strip()
        return f"bound within {up} s of the start, all peers after {self.reached():.0f} s more"

    def status(self):
        said = self.playbook("status", "-e", "site_report=", "-e", "site_drift=false", changed=True, removed=True)
        self.expect("links that are up", len(re.findall(r'"\S+ +(?:up|partly) ', said)), len(self.hub.peers))

    def roll_back(self):
        before, conns = self.spis(), self.conns()
        self.playbook("site", fails=True, changed=True, removed=True, broken=True)
        self.expect("conns", self.conns(), conns)
        self.unchanged(before)
        self.reached()
        return "a wave that failed went back"

    def one_down_and_up(self):
        peer, before = self.hub.peers[0], self.spis()
        for command in ("terminate", "asynchronous --initiate"):
            ssh(NODE, f"timeout 20 ipsec whack --name {peer.name} --{command}", check=False)
        seconds = self.reached([peer])
        gone = {ends[:2] for ends in set(before) - set(self.spis())}
        self.expect("whose SAs are new", gone, {(NODE, peer.outer), (peer.outer, NODE)})
        complaints = ssh(
            NODE, "journalctl -b -t pluto -o cat | grep -E 'exited with status|updown' | head -3", check=False
        )
        self.expect("what the hook complained of", complaints, "")
        return f"up after {seconds:.1f} s; the hook had nothing to complain of"

    def teardown(self):
        self.playbook("teardown", "-e", "teardown=yes")
        left = ssh(
            NODE,
            "ip -o link show type vti | grep -v ip_vti0; ip route show table all proto 157; ip xfrm state;"
            "ls /etc/ipsec.d/route_based_vpn* /etc/systemd/system/ipsec.service.d; ipsec whack --status | grep serial",
            check=False,
        )
        self.expect("what is left", left, "")

    def live(self):
        """All steps, or those of STEPS; where the first one fails there is nothing to go on with."""
        steps = {
            "second run": self.nothing,
            "one changed": self.one_changed,
            "one removed": self.one_removed,
            "restart of pluto": self.restart,
            "reboot": self.reboot,
            "status": self.status,
            "rollback of a wave": self.roll_back,
            "one tunnel down and up": self.one_down_and_up,
        }
        chosen = [name for name in os.environ.get("STEPS", "").split(",") if name] or list(steps)
        if self.step("first rollout", self.roll_out):
            for name in chosen:
                self.step(name, steps[name])
        self.step("teardown", self.teardown)


def main():
    WORK.mkdir(exist_ok=True)
    nodes = [f"hub:{IMAGE}:{NODE}", f"crowd:debian13:{CROWD}"]
    subprocess.run(["tests/lab/run", "tests/lab/nodes", "up", *nodes], check=True, stderr=subprocess.DEVNULL)
    for shape in sys.argv[4:]:
        Hub(shape).live()
        ssh(CROWD, scale_hub.CROWD_GONE)


main()

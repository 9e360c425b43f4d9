# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each module, killed before each of its effects: the next run ends where an undisturbed one does, and tells what it
has changed. An effect is a program that changes something, a message to the kernel that does, or a file that is
replaced or removed."""

from __future__ import annotations

import itertools
import os
import re
import signal
from pathlib import Path

import pytest
from ansible.module_utils import basic
from ansible_collections.route_based.vpn.plugins.module_utils import _rtnl
from conftest import CONF, conn

EFFECTS = [(basic.AnsibleModule, "run_command"), (_rtnl.Socket, "write")]
EFFECTS += [(os, name) for name in ("replace", "unlink", "symlink")]
# Programs that only say something.
READS = re.compile(r"--(status|briefstatus|trafficstatus|version|checkconfig|configsetup|list\b)|-L\b")
MOST = 60
# Elsewhere the next write clears up, which not every run has to do; what may lie there holds no secrets.
FOLDERS = ("/etc/ipsec.d", "/etc/systemd/system")
KILLED_AT = Path("/run/killed_at")
SECRETS = [[{"ids": [f"@{name}", "@b"], "psk": "a secret of the test"}] for name in ("first", "second")]
VPN_FILE = Path("/etc/test_kills")


def killed_before(effect, call):
    """Whether a call did not come through, as its process was killed before its effect of this number."""
    child = os.fork()
    if not child:
        try:
            _count_effects(effect)
            call()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _count_effects(last):
    numbers = itertools.count(1)

    def counted(owner, function):
        def wrapper(*args, **kwargs):
            if not (function.__name__ == "run_command" and READS.search(str(args[1:]))) and next(numbers) == last:
                KILLED_AT.write_text(f"{function.__name__} {args[1:] if owner is not os else args}")
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return wrapper

    for owner, name in EFFECTS:
        setattr(owner, name, counted(owner, getattr(owner, name)))


def leftovers():
    """Files that a killed run was about to put in the place of others."""
    return [str(path) for folder in FOLDERS for path in Path(folder).rglob(".route_based_vpn-*")]


def heals(begin, act, look):
    """Kill it before its first effect, its second, and so on until it comes through. Returns a row for each: the
    effect, whether all that can be seen was done by then, and whether the next run told a change."""
    begin()
    assert not act().get("failed")
    wanted, rows = look(), []
    for effect in range(1, MOST):
        begin()
        if not killed_before(effect, act):
            assert look() == wanted
            return rows
        left, at = look(), KILLED_AT.read_text()
        done = act()
        assert not done.get("failed"), (at, done)
        assert look() == wanted, at
        assert done["changed"] or left == wanted, at
        assert not act()["changed"], at
        assert leftovers() == [], at
        rows.append((at, left == wanted, done["changed"]))
    raise AssertionError(f"more than {MOST} effects")


class TestConns:
    """ipsec_conn, with secrets."""

    @pytest.fixture
    def look(self, libreswan):
        def look():
            files = [path.read_text() if path.exists() else None for path in (CONF, CONF.with_suffix(".secrets"))]
            status = libreswan.sh("ipsec whack --status")
            return files, sorted(set(re.findall(r'"(\w+)":.*?===.*?(192\.0\.2\.\d+)', status)))

        return look

    def test_made(self, libreswan, look):
        def begin():
            libreswan.call("ipsec_conn", state="absent", secrets=[])

        rows = heals(begin, lambda: libreswan.conns(conn("a", 1), conn("b", 2), secrets=SECRETS[0]), look)
        assert len(rows) > 3

    def test_changed_and_removed(self, libreswan, look):
        def begin():
            libreswan.conns(conn("a", 1), conn("b", 2), secrets=SECRETS[0])

        rows = heals(begin, lambda: libreswan.conns(conn("a", 3), conn("c", 4), secrets=SECRETS[1]), look)
        assert len(rows) > 3

    def test_taken_away(self, libreswan, look):
        def begin():
            libreswan.conns(conn("a", 1), secrets=SECRETS[0])

        rows = heals(begin, lambda: libreswan.call("ipsec_conn", state="absent", secrets=[]), look)
        assert len(rows) > 2


class TestKeys:
    """ipsec_hostkey: a host has one key in the end, which the module names."""

    def ckaids(self, libreswan):
        return sorted(re.findall(r"ckaid: ([0-9a-f]{40})", libreswan.sh("ipsec showhostkey --list", fails=False)))

    def test_replaced(self, libreswan):
        first = libreswan.call("ipsec_hostkey")["ckaid"]
        for effect in range(1, MOST):
            if not killed_before(effect, lambda first=first: libreswan.call("ipsec_hostkey", replaces=first)):
                break
            done = libreswan.call("ipsec_hostkey", replaces=first)
            assert not done.get("failed"), (KILLED_AT.read_text(), done)
            assert self.ckaids(libreswan) == [done["ckaid"]], KILLED_AT.read_text()
            assert not libreswan.call("ipsec_hostkey", replaces=first)["changed"]
            first = done["ckaid"]
        assert effect > 1


class TestKernel:
    """vti_tunnel and vti_route."""

    TUNNELS = [
        {"name": f"vti{number}", "local": "192.0.2.1", "remote": f"192.0.2.{number}", "key": number}
        for number in (71, 72)
    ]

    def look(self, libreswan):
        shown = libreswan.sh("ip -d -o link show type vti; ip -o address show; ip route show table all; ip rule show")
        return [
            re.sub(r"^\d+: |valid_lft.*", "", line) for line in shown.splitlines() if re.search("vti7|10[.]77", line)
        ]

    def test_devices(self, libreswan):
        def begin():
            libreswan.call(
                "vti_tunnel", purge=True, tunnels=[{**self.TUNNELS[0], "addresses": [{"address": "10.77.0.1/30"}]}]
            )

        def act():
            wanted = [{**self.TUNNELS[0], "mtu": 1380, "addresses": [{"address": "10.77.0.5/30"}]}, self.TUNNELS[1]]
            return libreswan.call("vti_tunnel", purge=True, tunnels=wanted)

        assert len(heals(begin, act, lambda: self.look(libreswan))) > 1
        libreswan.call("vti_tunnel", purge=True, tunnels=[])

    def test_routes(self, libreswan):
        libreswan.call("vti_tunnel", purge=True, tunnels=self.TUNNELS)

        def begin():
            libreswan.call("vti_route", purge=True, routes=[{"destination": "10.77.1.0/24", "device": "vti71"}])

        def act():
            routes = [{"destination": f"10.77.{n}.0/24", "device": "vti72", "guard": True} for n in (1, 2)]
            rules = [{"priority": 7700, "from": "10.77.0.0/16", "table": 77}]
            return libreswan.call("vti_route", purge=True, routes=routes, rules=rules)

        assert len(heals(begin, act, lambda: self.look(libreswan))) > 1
        libreswan.call("vti_route", purge=True, routes=[], rules=[])
        libreswan.call("vti_tunnel", purge=True, tunnels=[])


class TestCheckpoint:
    """vpn_checkpoint: what it brings back, and what it takes away."""

    def change(self, libreswan):
        """Open a checkpoint, and change something of each kind."""
        libreswan.call("vpn_checkpoint", state="removed", take_over="any", files=[str(VPN_FILE)])
        VPN_FILE.write_text("before")
        libreswan.conns(conn("a", 1), secrets=SECRETS[0])
        arguments = {"owner": "alice", "rollback_after": 600, "files": [str(VPN_FILE)]}
        self.token = libreswan.call("vpn_checkpoint", state="opened", **arguments)["token"]
        VPN_FILE.write_text("after")
        libreswan.conns(conn("a", 3), conn("b", 2), secrets=SECRETS[1])
        libreswan.call("vti_tunnel", tunnels=[TestKernel.TUNNELS[0]])

    def look(self, libreswan):
        names = [name for name in ("checkpoint.json", "gone_back") if Path("/var/lib/route_based.vpn", name).exists()]
        unit = os.path.lexists("/etc/systemd/system/multi-user.target.wants/route-based-vpn-rollback.service")
        file = VPN_FILE.read_text() if VPN_FILE.exists() else None
        conf = CONF.read_text() if CONF.exists() else None
        return (
            names,
            unit,
            file,
            conf,
            sorted(libreswan.states()),
            libreswan.sh("ip -o link show type vti | grep -c vti7; true"),
        )

    @pytest.mark.parametrize("state", ["confirmed", "restored", "removed"])
    def test_closed(self, libreswan, state):
        def act():
            more = {"files": [str(VPN_FILE)], "take_over": "any"} if state == "removed" else {"token": self.token}
            return libreswan.call("vpn_checkpoint", state=state, **more)

        self.change(libreswan)
        assert not act().get("failed")
        wanted = self.look(libreswan)
        for effect in range(1, MOST):
            self.change(libreswan)
            if not killed_before(effect, act):
                break
            assert not act().get("failed"), effect
            assert self.look(libreswan) == wanted, effect
            assert not act()["changed"], effect
        assert effect > 2
        libreswan.call("vpn_checkpoint", state="removed", take_over="any", files=[str(VPN_FILE)])

    def test_opened(self, libreswan):
        """Killed before it was told: nobody has a token, and the next run begins anew, or takes it over."""
        for effect in range(1, MOST):
            libreswan.call("vpn_checkpoint", state="removed", take_over="any")
            arguments = {"state": "opened", "owner": "alice", "run": "one", "rollback_after": 600}
            if not killed_before(effect, lambda arguments=arguments: libreswan.call("vpn_checkpoint", **arguments)):
                break
            again = libreswan.call("vpn_checkpoint", **{**arguments, "take_over": "one"})
            assert not again.get("failed"), (effect, again)
            assert libreswan.sh("systemctl is-active route-based-vpn-rollback.service").strip() == "active"
            assert not libreswan.call("vpn_checkpoint", state="confirmed", token=again["token"]).get("failed")
        assert effect > 3
        libreswan.call("vpn_checkpoint", state="removed", take_over="any")

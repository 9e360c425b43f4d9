# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules for devices, routes and checkpoints, killed before each of their effects, see test_kills.py. No version
of libreswan makes a difference to them, so the script `run` has them on one node alone."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from conftest import CONF, conn
from kills import MOST, SECRETS, heals, killed_before

VPN_FILE = Path("/etc/test_kills")


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

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules on a real kernel that has VTI; see the script `run` in this folder."""

from __future__ import annotations

import importlib
import json
import os
import subprocess

import pytest
from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.route_based.vpn.plugins.modules"


def sh(command):
    """One command's output; an error with what it said if it fails."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout


def ip_json(arguments):
    return json.loads(sh(f"ip -j {arguments}") or "[]")


class Kernel:
    """Runs modules in this process and looks at the result with iproute2."""

    sh = staticmethod(sh)
    ip = staticmethod(ip_json)

    def __init__(self, capsys):
        self.capsys = capsys

    def call(self, module, **arguments):
        """The module's result; with failed=True where it failed."""
        name = importlib.import_module(f"{MODULES}.{module}")
        self.capsys.readouterr()
        with patch_module_args({**arguments, "_ansible_diff": True}), pytest.raises(SystemExit):
            name.main()
        return json.loads(self.capsys.readouterr().out)

    def everything(self):
        return sh(
            "ip -d address; ip route show table all; ip -6 route show table all; ip rule; ip -6 rule;"
            "grep . /proc/sys/net/ipv4/conf/*/*"
        )

    def apply(self, module, **arguments):
        """Check mode foretells and writes nothing, the run does just that, and the next run has nothing to do."""
        before = self.everything()
        foretold = self.call(module, _ansible_check_mode=True, **arguments)
        assert not foretold.get("failed"), foretold["msg"]
        assert self.everything() == before
        done = self.call(module, **arguments)
        assert not done.get("failed"), done["msg"]
        key = "routes" if module == "vti_route" else "tunnels"
        assert done.get("mtus") == foretold.get("mtus")
        assert all(done[name] == foretold[name] for name in ("changed", key, "diff"))
        assert done.get("rules") == foretold.get("rules")
        again = self.call(module, **arguments)
        assert not again["changed"], again[key]
        return [*done[key], *done.get("rules", ())]

    def refuse(self, module, **arguments):
        """The message of a call that is refused and changes nothing."""
        before = self.everything()
        result = self.call(module, **arguments)
        assert result.get("failed"), result
        assert self.everything() == before
        return result["msg"]

    def tunnels(self, *tunnels, **options):
        return [(e["name"], e["action"], e["reasons"]) for e in self.apply("vti_tunnel", tunnels=tunnels, **options)]

    def routes(self, *routes, **options):
        return [(e["name"], e["action"], e["reasons"]) for e in self.apply("vti_route", routes=routes, **options)]

    def rules(self, *rules, **options):
        return self.routes(*options.pop("routes", ()), rules=rules, **options)


@pytest.fixture
def kernel(capsys):
    os.unshare(os.CLONE_NEWNET)
    sh(
        "ip link set lo up; ip link add wan type dummy; ip link set wan up; ip addr add 192.0.2.1/24 dev wan;"
        "ip addr add 2001:db8::1/64 dev wan nodad; ip route add default via 192.0.2.254"
    )
    return Kernel(capsys)

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules on a real kernel that has VTI; see the script `run` in this folder."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

#: What the kernel does later, it does within these.
SETTLED_SECONDS = 5.0
SYSCTLS = Path("/proc/sys/net/ipv4/conf")
MODULES = "ansible_collections.route_based.vpn.plugins.modules"


def sh(command):
    """One command's output; an error with what it said if it fails."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout


def batch(*lines, options=""):
    """What iproute2 says to these commands, of which one process runs all; an error with what it said if one fails."""
    done = subprocess.run(
        f"ip {options} -batch -", shell=True, input="\n".join(lines), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{lines}: {done.stderr}")
    return done.stdout


def readable(path):
    return path.stat().st_mode & 0o444


def ip_json(arguments):
    return json.loads(sh(f"ip -j {arguments}") or "[]")


def settled(shown):
    """Whether each IPv6 address of a device that is up was checked and has its route, which the kernel does later."""
    links = re.split(r"^(?=[0-9]+: )", shown, flags=re.MULTILINE)
    up = [link for link in links if re.search(r"^[^<]*<[^>]*\bUP\b", link)]
    addresses = [address for link in up for address in re.findall(r"inet6 ([0-9a-f:]+)/.*", link)]
    return " tentative" not in "".join(up) and all(f"local {address} dev" in shown for address in addresses)


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
        """All of the network namespace as text, when the kernel has done all that it does later."""
        end = time.monotonic() + SETTLED_SECONDS
        while not settled(shown := self._now()) and time.monotonic() < end:
            time.sleep(0.02)
        return shown

    def _now(self):
        """Few processes, as a process costs more than what it reads here. Without a family "route show" tells both.
        Routes are read once, and after the addresses: settled() could not tell a torn picture from a whole one."""
        shown = batch("address show", "route show table all", "rule show", options="-d")
        shown += batch("rule show", options="-6")
        return shown + "".join(f"{path}: {path.read_text()}" for path in sorted(SYSCTLS.glob("*/*")) if readable(path))

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
    batch(
        "link set lo up",
        "link add wan type dummy",
        "link set wan up",
        "addr add 192.0.2.1/24 dev wan",
        "addr add 2001:db8::1/64 dev wan nodad",
        "route add default via 192.0.2.254",
    )
    return Kernel(capsys)

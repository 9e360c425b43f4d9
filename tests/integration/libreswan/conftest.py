# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules on a node that has a real libreswan; see the script `run` in this folder."""

from __future__ import annotations

import importlib
import json
import subprocess
import time
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.route_based.vpn.plugins.modules"
CONF = Path("/etc/ipsec.d/route_based_vpn.conf")


class Libreswan:
    """Runs modules in this process, and asks libreswan's own programs what came of it."""

    def __init__(self, capsys):
        self.capsys = capsys
        self.version = tuple(int(n) for n in self.sh("ipsec --version").split()[-1].split(".")[:2])

    @staticmethod
    def sh(command, fails=True):
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        if fails and done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def call(self, module, **arguments):
        """The module's result; with failed=True where it failed."""
        name = importlib.import_module(f"{MODULES}.{module}")
        self.capsys.readouterr()
        with patch_module_args({**arguments, "_ansible_diff": True}), pytest.raises(SystemExit):
            name.main()
        return json.loads(self.capsys.readouterr().out)

    def conns(self, *conns, **more):
        """ipsec_conn with a list of conns, of which nothing else stays in the file."""
        return self.call("ipsec_conn", conns=list(conns), purge=True, **more)

    def states(self):
        """pluto's serial numbers of each conn: they change when it is loaded anew."""
        found = {}
        for line in self.sh("ipsec whack --status").splitlines():
            name, _colon, rest = line.removeprefix("000 ").partition(":")
            if name.startswith('"') and "conn serial: " in rest:
                found[name.strip('"')] = rest.partition("conn serial: ")[2].split(";")[0]
        return found

    def restart(self):
        """A pluto that has read what the files say."""
        self.sh("systemctl reset-failed ipsec; systemctl restart ipsec")
        self.wait("test -S /run/pluto/pluto.ctl && ipsec whack --status >/dev/null")

    def wait(self, command, seconds=20):
        end = time.monotonic() + seconds
        while subprocess.run(command, shell=True, capture_output=True, check=False).returncode:
            assert time.monotonic() < end, command
            time.sleep(0.2)


@pytest.fixture
def libreswan(capsys):
    found = Libreswan(capsys)
    found.sh("rm -rf /etc/ipsec.d/*.conf /etc/ipsec.d/*.secrets /run/route_based.vpn /var/lib/route_based.vpn")
    found.restart()
    yield found
    found.sh("kill -CONT $(cat /run/pluto/pluto.pid)", fails=False)
    for folder in ("/etc/ipsec.d", "/run/route_based.vpn", "/var/lib/route_based.vpn"):
        found.sh(f"umount {folder} 2>/dev/null", fails=False)


def conn(name, number=1, **options):
    """A conn to a peer that does not exist; nobody calls it."""
    ends = {"left": "%defaultroute", "right": f"192.0.2.{number}", "mark": number, "authby": "secret"}
    nets = {"leftsubnet": "0.0.0.0/0", "rightsubnet": "0.0.0.0/0"}
    return {"name": name, "state": "loaded", "options": {**ends, **nets, "keyexchange": "ikev2", **options}}

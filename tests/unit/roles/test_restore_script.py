# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that brings devices and routes back at boot, with an ip that only writes down what it was told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles/gateway/files/restore"
IP = """#!/bin/sh
sed "s|^|$* |" >>"$(dirname "$0")/../told"
[ "$2" != -force ] || [ ! -e "$(dirname "$0")/../says" ] || { cat "$(dirname "$0")/../says" >&2; exit 1; }
"""
STATE = """# Written by the role.
devices vti1 vti2
device vti1 type vti local 192.0.2.1 remote 192.0.2.2 key 1
device vti2 type vti local 192.0.2.1 remote 192.0.2.3 key 2
sysctl vti1 rp_filter 0
ip link set vti1 up
rule4 add priority 7000 to 10.0.0.0/8 lookup 77
"""


class Host:
    """The script, in a folder of the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.devices, self.sysctls = root / "sys", root / "proc"
        for name in ("vti1", "vti2"):
            (self.sysctls / name).mkdir(parents=True)
        self.devices.mkdir()
        (root / "bin").mkdir()
        (root / "bin/ip").write_text(IP)
        (root / "bin/ip").chmod(0o755)
        text = SCRIPT.read_text().replace("/sys/class/net", str(self.devices))
        (root / "restore").write_text(text.replace("/proc/sys/net/ipv4/conf", str(self.sysctls)))
        (root / "state").write_text(STATE)

    def run(self) -> tuple[int, list[str]]:
        """Its exit status, and what ip was told."""
        (self.root / "told").write_text("")
        done = subprocess.run(
            ["sh", str(self.root / "restore"), str(self.root / "state")],
            env={**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}"},
            capture_output=True,
            timeout=30,
            check=False,
        )
        return done.returncode, (self.root / "told").read_text().splitlines()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_all_comes_back_after_a_boot(host: Host) -> None:
    status, told = host.run()
    assert status == 0
    assert told == [
        "-force -batch - link add vti1 type vti local 192.0.2.1 remote 192.0.2.2 key 1",
        "-force -batch - link add vti2 type vti local 192.0.2.1 remote 192.0.2.3 key 2",
        "-force -batch - link set vti1 up",
        "-4 -force -batch - rule add priority 7000 to 10.0.0.0/8 lookup 77",
    ]
    assert (host.sysctls / "vti1/rp_filter").read_text() == "0\n"


def test_a_device_that_is_there_is_left_alone(host: Host) -> None:
    (host.devices / "vti1").touch()
    told = host.run()[1]
    assert [line for line in told if "link add" in line] == [
        "-force -batch - link add vti2 type vti local 192.0.2.1 remote 192.0.2.3 key 2"
    ]


@pytest.mark.parametrize(
    ("says", "status"), [("RTNETLINK answers: File exists\nCommand failed -:1\n", 0), ("Operation not permitted\n", 1)]
)
def test_a_rule_that_is_there_is_no_error_and_all_else_is(host: Host, says: str, status: int) -> None:
    (host.root / "says").write_text(says)
    assert host.run()[0] == status


def test_what_fails_is_told_and_the_rest_is_done(host: Host) -> None:
    (host.sysctls / "vti1").rmdir()
    status, told = host.run()
    assert status == 1
    assert told[-1] == "-4 -force -batch - rule add priority 7000 to 10.0.0.0/8 lookup 77"

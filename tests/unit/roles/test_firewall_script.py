# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script that loads the table, with an nft that is a file: its note only helps, and each wait has a limit."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles/gateway/files/firewall"
NFT = """#!/bin/sh
case "$*" in
"--file "*) cp "$2" {root}/loaded ;;
"--stateless list table"*|"list table"*) cat {root}/loaded ;;
"delete table"*) rm {root}/loaded ;;
esac
"""


class Host:
    """The script, with its folders in a folder of the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "bin").mkdir()
        (root / "bin/nft").write_text(NFT.format(root=root))
        (root / "bin/nft").chmod(0o755)
        text = SCRIPT.read_text()
        text = text.replace("PATH=/usr", f"PATH={root}/bin:/usr").replace("memory=/run", f"memory={root}/run")
        self.script = root / "firewall"
        self.script.write_text(text.replace("flock -w 60", "flock -w 1").replace("-k 5 60", "-k 1 1"))
        self.script.chmod(0o755)
        (root / "x.nft").write_text("table one")

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.script), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def load(self) -> subprocess.CompletedProcess[str]:
        return self.call(str(self.root / "x.nft"))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_is_loaded_is_not_loaded_again(host: Host) -> None:
    assert host.load().stdout == "loaded table inet route_based_vpn\n"
    assert host.load().stdout == ""
    (host.root / "loaded").write_text("something else")
    assert host.call("--check", str(host.root / "x.nft")).stdout == "would load table inet route_based_vpn\n"
    assert host.load().stdout == "loaded table inet route_based_vpn\n"
    assert host.call("--remove").stdout == "removed table inet route_based_vpn\n"


def test_a_note_that_cannot_be_written_is_told_and_the_table_is_loaded(host: Host) -> None:
    (host.root / "run").write_text("no folder")
    done = host.load()
    assert (done.returncode, done.stdout) == (0, "loaded table inet route_based_vpn\n")
    assert "could not be written; the table is loaded" in done.stderr
    assert (host.root / "loaded").read_text() == "table one"


def test_one_at_a_time_and_a_limit(host: Host) -> None:
    """Else the sums of one's file are noted with what the other one loaded, and the wrong table stays for ever."""
    with host.script.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = host.load()
    assert done.returncode == 1
    assert "another process has been at the table inet route_based_vpn for 60 s" in done.stderr
    assert not (host.root / "loaded").exists()


def test_an_nft_that_hangs(host: Host) -> None:
    (host.root / "bin/nft").write_text('#!/bin/sh\ncase "$1" in --file) sleep 60 ;; esac\n')
    done = host.load()
    assert done.returncode == 1
    assert "nft could not load" in done.stderr

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs that load and keep the role's nftables table, with a stand-in for nft whose kernel is a file."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

FILES = Path(__file__).parents[3] / "roles/gateway/files"
# The "kernel" is the file table. Loading copies; what a loaded table looks like is not what its file looks like.
NFT = """#!/bin/sh
cd "$(dirname "$0")" || exit 1
case $* in
    "--file "*) [ ! -e refuse ] && { echo listed; cat "$2"; } >table && echo loaded >>calls ;;
    *"list table inet route_based_vpn"*) cat table ;;
    "delete table inet route_based_vpn") rm table ;;
    "monitor tables") exec tail -n +1 -f events ;;
    *) exit 9 ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
echo "$*" >>"$(dirname "$0")/systemctl.calls"
"""


class Gateway:
    """A folder with the two programs, and nft and systemctl in their PATH."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table, self.file, self.memory = path / "table", path / "firewall.nft", path / "run/firewall"
        self.file.write_text("table of the role\n")
        (path / "events").write_text("")
        for name, text in (("nft", NFT), ("systemctl", SYSTEMCTL)):
            self._program(name, text)
        for name in ("firewall", "firewall-watch"):
            text = (FILES / name).read_text()
            assert "\nPATH=/usr" in text
            text = text.replace("\nPATH=", f"\nPATH={path}:").replace("/run/route_based.vpn", f"{path}/run")
            self._program(name, text.replace("flock -w 60", "flock -w 1").replace("-k 5 60", "-k 1 1"))

    def _program(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def run(self, *arguments: str, rc: int = 0) -> str:
        """What the program prints; its errors too where it fails."""
        done = subprocess.run(
            [str(self.path / "firewall"), *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == rc, done.stderr
        return (done.stdout if rc == 0 else done.stderr).strip()

    def loads(self) -> int:
        """How often a table was loaded."""
        calls = self.path / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """One whose table is loaded."""
    found = Gateway(tmp_path)
    assert found.run(str(found.file)) == "loaded table inet route_based_vpn: it was missing"
    return found


def missing(gateway: Gateway) -> None:
    """As nft flush ruleset leaves it."""
    gateway.table.unlink()


def changed(gateway: Gateway) -> None:
    """A rule in it is gone."""
    gateway.table.write_text("listed\n")


def outdated(gateway: Gateway) -> None:
    """The role has written its file, and not come to load it."""
    gateway.file.write_text("new table of the role\n")


def unknown(gateway: Gateway) -> None:
    """/run was emptied."""
    gateway.memory.unlink()


STATES: list[tuple[t.Callable[[Gateway], None], bool]] = [
    (missing, True),
    (changed, True),
    (outdated, False),
    (unknown, False),
]


@pytest.mark.parametrize(("spoil", "repaired"), STATES)
def test_each_state_is_told_and_repaired_where_it_is_not_for_the_role_to_do(
    gateway: Gateway, spoil: t.Callable[[Gateway], None], repaired: bool
) -> None:
    file = str(gateway.file)
    assert gateway.run("--state", file) == "loaded"
    assert (gateway.run("--check", file), gateway.run("--repair", file), gateway.run(file)) == ("", "", "")
    spoil(gateway)
    word = spoil.__name__
    assert gateway.run("--state", file) == word
    assert gateway.run("--check", file) == f"would load table inet route_based_vpn: it is {word}"
    assert gateway.loads() == 1
    said = gateway.run("--repair", file)
    assert bool(said) is repaired
    assert gateway.loads() == 1 + repaired
    # The role loads it in any case, and then all is well.
    gateway.run(file)
    assert (gateway.run("--state", file), gateway.loads()) == ("loaded", 2)


def test_a_table_that_cannot_be_loaded(gateway: Gateway) -> None:
    missing(gateway)
    (gateway.path / "refuse").touch()
    for verb in ([], ["--repair"]):
        assert f"nft could not load {gateway.file}" in gateway.run(*verb, str(gateway.file), rc=1)
    (gateway.path / "refuse").unlink()
    assert "it was missing" in gateway.run("--repair", str(gateway.file))


def test_without_a_place_to_remember_it_the_table_is_loaded_all_the_same(tmp_path: Path) -> None:
    """/run may be full or read-only; the watch does not load it again and again then."""
    gateway = Gateway(tmp_path)
    (tmp_path / "run").write_text("no folder")
    assert "it was missing" in gateway.run(str(gateway.file))
    assert (gateway.run("--state", str(gateway.file)), gateway.run("--repair", str(gateway.file))) == ("unknown", "")
    missing(gateway)
    assert "it was missing" in gateway.run("--repair", str(gateway.file))


def test_one_at_a_time_and_a_limit(gateway: Gateway) -> None:
    """Else the sums of one's file are noted with what the other one loaded, and the wrong table stays for ever."""
    missing(gateway)
    with (gateway.path / "firewall").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        said = gateway.run(str(gateway.file), rc=1)
    assert "another process has been at the table inet route_based_vpn for 60 s" in said
    assert not gateway.table.exists()


def test_an_nft_that_hangs(gateway: Gateway) -> None:
    missing(gateway)
    (gateway.path / "nft").write_text('#!/bin/sh\ncase "$1" in --file) sleep 60 ;; esac\nexit 1\n')
    assert "nft could not load" in gateway.run(str(gateway.file), rc=1)


def test_removing_stops_the_watch_first(gateway: Gateway) -> None:
    assert gateway.run("--remove") == "removed table inet route_based_vpn"
    assert not gateway.table.exists()
    assert (gateway.path / "systemctl.calls").read_text().splitlines() == [
        "--quiet is-active route-based-vpn-firewall-watch.service",
        "stop route-based-vpn-firewall-watch.service",
    ]
    assert gateway.run("--remove") == "removed table inet route_based_vpn"


def wait_for(what: t.Callable[[], bool]) -> bool:
    """Whether it becomes true within 20 seconds."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def test_the_watch_has_the_table_back_when_the_kernel_tells_that_one_went(gateway: Gateway) -> None:
    """Also the one that was gone before it started; and it ends with what it listens to, to be started again."""
    missing(gateway)
    with subprocess.Popen(
        [str(gateway.path / "firewall-watch"), str(gateway.file)], stderr=subprocess.PIPE, start_new_session=True
    ) as watch:
        try:
            assert wait_for(gateway.table.exists)
            time.sleep(0.5)
            missing(gateway)
            with (gateway.path / "events").open("a") as events:
                events.write("delete table inet route_based_vpn\n" * 3)
            assert wait_for(gateway.table.exists)
            assert watch.poll() is None
            children = Path(f"/proc/{watch.pid}/task/{watch.pid}/children").read_text().split()
            listener = [x for x in children if "tail" in Path(f"/proc/{x}/cmdline").read_text()]
            os.kill(int(listener[0]), 9)
            assert watch.wait(20) == 1
        finally:
            if watch.poll() is None:
                os.killpg(watch.pid, 9)
        assert b"nft monitor has ended" in t.cast("t.IO[bytes]", watch.stderr).read()

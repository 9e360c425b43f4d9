# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labs that stay: beside each other, started anew, killed, and gone without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LAB = ROOT / "tests/lab"


def lab(command, *arguments, session=None):
    """One command of the lab's; its output."""
    environment = {**os.environ, **({"LAB_SESSION": str(session)} if session else {})}
    done = subprocess.run(
        [LAB / command, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command} {arguments}: {done.stdout}{done.stderr}")
    return done.stdout


def ssh(link, *command, options=()):
    return subprocess.run(
        ["ssh", "-n", "-F", f"{link}/ssh_config", "-o", "ConnectTimeout=5", *options, "100.64.255.2", *command],
        capture_output=True,
        text=True,
        check=False,
    )


def alive(folder):
    """Processes whose command line names this session's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def gone(folder, seconds=20):
    end = time.monotonic() + seconds
    while alive(folder):
        assert time.monotonic() < end, f"{alive(folder)} of {folder} are still there"
        time.sleep(0.1)
    return not folder.exists()


@pytest.fixture
def link(tmp_path):
    path = tmp_path / "lab"
    yield path
    lab("down", path)


def test_two_do_not_see_each_other(link, tmp_path):
    other = tmp_path / "other"
    try:
        lab("up", link)
        lab("up", other)
        lab("run", "sh", "-c", "echo one >/run/name", session=link)
        lab("run", "sh", "-c", "echo two >/run/name", session=other)
        assert lab("run", "cat", "/run/name", session=link) == "one\n"
        assert ssh(other, "cat", "/run/name").stdout == "two\n"
        ours = {(path / "cpu").resolve() for path in (link, other)}
        cpus = {int(path.read_text()) for path in ours}
        assert cpus <= os.sched_getaffinity(0)
        # Each goes where the fewest are, and there may be labs of others.
        if set(Path("/tmp").glob("vpn-lab.*/cpu")) == ours and len(os.sched_getaffinity(0)) > 1:
            assert len(cpus) == 2
    finally:
        lab("down", other)
    assert ssh(link, "cat", "/run/name").stdout == "one\n"


def test_the_next_one_ends_the_one_before(link):
    lab("up", link)
    first = link.resolve()
    lab("up", link)
    assert link.resolve() != first
    assert gone(first)
    assert ssh(link, "true").returncode == 0


def test_nothing_is_left(link):
    lab("up", link)
    folder = link.resolve()
    assert ssh(link, "true").returncode == 0
    lab("down", link)
    assert gone(folder)
    assert not link.is_symlink()
    with pytest.raises(RuntimeError, match="no lab runs in"):
        lab("run", "true", session=link)


def test_a_killed_one_is_found(link):
    lab("up", link)
    folder = link.resolve()
    os.kill(int((folder / "pid").read_text().split()[0]), signal.SIGKILL)
    end = time.monotonic() + 20
    while ssh(link, "true", options=["-o", "ControlPath=none"]).returncode == 0:
        assert time.monotonic() < end
        time.sleep(0.2)
    # What it could not take away itself, the next one does; its own link, or anybody's.
    lab("up", link)
    assert not folder.exists()
    assert ssh(link, "true").returncode == 0


def test_a_link_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "precious").mkdir()
    link = tmp_path / "lab"
    link.symlink_to(tmp_path / "precious")
    with pytest.raises(RuntimeError, match="which is no lab of ours"):
        lab("down", link)
    assert (tmp_path / "precious").is_dir()
    assert link.is_symlink()

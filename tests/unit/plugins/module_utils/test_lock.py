# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock of the host: one holder, a limit for the others, nothing left of a holder that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _lock
from conftest import TREE

HOLD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.route_based.vpn.plugins.module_utils import _lock
_lock.PATH = sys.argv[2]
with _lock.held("ipsec_conn"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(lock_of_the_host):
    """Another process that has the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, TREE, str(lock_of_the_host)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()


def test_the_sentence_says_who_has_it_and_there_is_a_limit(holder):
    begin = time.monotonic()
    words = rf"vti_tunnel: ipsec_conn .process {holder.pid}, since 20.*Z. is changing this host .*more than 0.3 s"
    with pytest.raises(_lock.BusyError, match=words), _lock.held("vti_tunnel", 0.3):
        pass
    assert time.monotonic() - begin < 5


def test_nothing_is_left_of_a_holder_that_was_killed(holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with _lock.held("vti_tunnel", 1):
        pass


def test_a_holder_that_is_stopped_holds_nobody_for_ever(holder):
    holder.send_signal(signal.SIGSTOP)
    with pytest.raises(_lock.BusyError), _lock.held("vti_tunnel", 0.3):
        pass


def test_it_is_waited_for(holder, monkeypatch):
    monkeypatch.setattr(_lock.time, "sleep", lambda _seconds: (holder.kill(), holder.wait()))
    with _lock.held("vti_tunnel", 5):
        pass


def test_check_mode_only_reads(holder):
    with _lock.of(SimpleNamespace(check_mode=True), "vti_tunnel"):
        pass


def test_a_file_that_was_removed_meanwhile_locks_nobody_out(lock_of_the_host):
    """A teardown removes the folder: the next two processes have to see the same file."""
    with _lock.held("vpn_checkpoint"):
        lock_of_the_host.unlink()
        with _lock.held("vti_tunnel", 0.3), pytest.raises(_lock.BusyError), _lock.held("vti_route", 0.3):
            pass


@pytest.mark.parametrize("error", [28, 30])
def test_where_run_takes_no_file_its_folder_is_locked(monkeypatch, error):
    """/run full or read-only: the lock holds all the same, though nobody knows who has it."""

    def refuses(*_args, **_more):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(_lock.os, "makedirs", refuses)
    busy = pytest.raises(_lock.BusyError, match="another process is changing this host")
    with _lock.held("vti_tunnel"), busy, _lock.held("x", 0.3):
        pass
    with _lock.held("vti_tunnel", 1):
        pass

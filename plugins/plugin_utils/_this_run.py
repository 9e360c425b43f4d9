# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The run of Ansible that this process is part of, in words and in a form by which it can be seen later whether that
run has ended: the boot of the kernel, the namespace of the process number, that number, and the start time."""

from __future__ import annotations

import getpass
import multiprocessing
import os
import platform
import re

BOOT_ID = "/proc/sys/kernel/random/boot_id"
NAMESPACE = "/proc/self/ns/pid"
#: Field 22 of /proc/PID/stat, counted behind the name of the program.
START = 19
FORM = re.compile(r"(?P<where>[0-9a-f-]{36}\.[0-9]{1,20})\.(?P<pid>[0-9]{1,10})\.(?P<start>[0-9]{1,20})")


def who() -> str:
    """Who runs Ansible, and on which machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    return f"{user}@{platform.node() or 'controller'}"


def run(proc: str = "/proc") -> str:
    """The run; empty where the system does not tell, as outside of Linux."""
    # Tasks run in processes that end with them; what lives as long as the run is their parent.
    parent = multiprocessing.parent_process()
    pid = str(parent.pid if parent else os.getpid())
    where, start = _where(), _start(pid, proc)
    return f"{where}.{pid}.{start}" if where and start else ""


def ended(other: str, proc: str = "/proc") -> bool:
    """Whether a run has certainly ended: it was one of this kernel and namespace, and its process is not there. Text of
    another form, which a host could make up, is no run."""
    found = FORM.fullmatch(other)
    if not found or found["where"] != _where():
        return False
    return _start(found["pid"], proc) != found["start"]


def _where() -> str:
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            boot = file.read().strip()
        return f"{boot}.{os.stat(NAMESPACE).st_ino}"
    except OSError:
        return ""


def _start(pid: str, proc: str) -> str:
    """When a process started, in ticks since the boot; empty where there is none."""
    try:
        with open(os.path.join(proc, pid, "stat"), encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[START]
    except (OSError, IndexError):
        return ""

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills a module before each of its effects. An effect is a program that changes something, a message to the kernel
that does, or a file that is replaced or removed."""

from __future__ import annotations

import itertools
import os
import re
import signal
from pathlib import Path

from ansible.module_utils import basic
from ansible_collections.route_based.vpn.plugins.module_utils import _rtnl

EFFECTS = [(basic.AnsibleModule, "run_command"), (_rtnl.Socket, "write")]
EFFECTS += [(os, name) for name in ("replace", "unlink", "symlink")]
# Programs that only say something.
READS = re.compile(r"--(status|briefstatus|trafficstatus|version|checkconfig|configsetup|list\b)|-L\b")
MOST = 60
# Elsewhere the next write clears up, which not every run has to do; what may lie there holds no secrets.
FOLDERS = ("/etc/ipsec.d", "/etc/systemd/system")
KILLED_AT = Path("/run/killed_at")
SECRETS = [[{"ids": [f"@{name}", "@b"], "psk": "a secret of the test"}] for name in ("first", "second")]


def killed_before(effect, call):
    """Whether a call did not come through, as its process was killed before its effect of this number."""
    child = os.fork()
    if not child:
        try:
            _count_effects(effect)
            call()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _count_effects(last):
    numbers = itertools.count(1)

    def counted(owner, function):
        def wrapper(*args, **kwargs):
            if not (function.__name__ == "run_command" and READS.search(str(args[1:]))) and next(numbers) == last:
                KILLED_AT.write_text(f"{function.__name__} {args[1:] if owner is not os else args}")
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return wrapper

    for owner, name in EFFECTS:
        setattr(owner, name, counted(owner, getattr(owner, name)))


def leftovers():
    """Files that a killed run was about to put in the place of others."""
    return [str(path) for folder in FOLDERS for path in Path(folder).rglob(".route_based_vpn-*")]


def heals(begin, act, look):
    """Kill it before its first effect, its second, and so on until it comes through. Returns a row for each: the
    effect, whether all that can be seen was done by then, and whether the next run told a change."""
    begin()
    assert not act().get("failed")
    wanted, rows = look(), []
    for effect in range(1, MOST):
        begin()
        if not killed_before(effect, act):
            assert look() == wanted
            return rows
        left, at = look(), KILLED_AT.read_text()
        done = act()
        assert not done.get("failed"), (at, done)
        assert look() == wanted, at
        assert done["changed"] or left == wanted, at
        assert not act()["changed"], at
        assert leftovers() == [], at
        rows.append((at, left == wanted, done["changed"]))
    raise AssertionError(f"more than {MOST} effects")

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Programs that are ended when they take too long: a daemon that hangs must not hang whoever asks it."""

from __future__ import annotations

import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

if t.TYPE_CHECKING:

    class Runner(t.Protocol):
        """AnsibleModule.run_command(): argument list in, (rc, stdout, stderr) out; it reads all of the output."""

        def __call__(self, args: list[str]) -> tuple[int, str, str]: ...


#: What timeout(1) leaves with where it ended the program, and where it had to kill it.
TIMED_OUT = (124, 137)
#: A program that does not end when it is asked to is killed so much later.
KILL_SECONDS = 5


class TimedOutError(StoreError):
    """A program was ended before it was done."""


def command(args: t.Sequence[str], seconds: float) -> list[str]:
    """The command that runs another one for so long at most. AnsibleModule.run_command() has no limit of its own."""
    return ["timeout", "-k", str(KILL_SECONDS), f"{seconds:g}", *args]


def limited(run: Runner, seconds: float, hint: str = "") -> Runner:
    """A runner with a limit. It raises TimedOutError, with a hint what to do, where a program takes longer."""

    def with_limit(args: list[str]) -> tuple[int, str, str]:
        rc, out, err = run(command(args, seconds))
        if rc in TIMED_OUT:
            raise TimedOutError(f"'{' '.join(args[:3])}' was ended after {seconds:g} s without a result{hint}")
        return rc, out, err

    return with_limit

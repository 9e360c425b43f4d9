# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whose checkpoint it is. Only the run that opened it, which has its token, goes on with it while it lives. Pure, but
for the token and the clock of the words."""

from __future__ import annotations

import dataclasses
import re
import secrets
import time
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, StoreError

if t.TYPE_CHECKING:
    from ansible_collections.route_based.vpn.plugins.module_utils._checkpoint import Checkpoint

TOKEN = re.compile(r"[0-9a-f]{32}")
RUN = re.compile(r"[0-9A-Za-z:._-]{0,128}")
WHO_MAX = 100
#: As take_over: whoever has it.
ANY = "any"
NOBODY = "a run without a name"


class OwnedError(StoreError):
    """The checkpoint is another run's. C(result) has C(owner), for whoever decides about that."""

    def __init__(self, words: str, found: Checkpoint) -> None:
        super().__init__(words)
        self.result = {"owner": owner(found)}


def owner(found: Checkpoint) -> dict[str, t.Any]:
    """Who has a checkpoint, without the token, which only the owner has."""
    return {"who": found.who or NOBODY, "run": found.run, "since": found.since}


def new_token() -> str:
    """What the owner has to say with everything that it does later."""
    return secrets.token_hex(16)


def checked(params: t.Mapping[str, t.Any]) -> None:
    """Refuse a token or a run that cannot be one. Raises InputError."""
    for option, form in (("token", TOKEN), ("run", RUN), ("take_over", RUN)):
        value = params[option]
        if value and not form.fullmatch(value):
            raise InputError("vpn_checkpoint", option, value, f"must match {form.pattern}; pass it unchanged")


def shown(who: str) -> str:
    """A name as an error can show it: one line of printable characters, not too long."""
    return "".join(char if char.isprintable() else "?" for char in who)[:WHO_MAX]


def refuse_other(found: Checkpoint, lives: bool, token: str, take_over: str) -> None:
    """Raise OwnedError where a checkpoint is another run's, that run may be alive, and nobody said to take it over."""
    if not lives or not found.token or token == found.token:
        return
    if take_over and take_over in (ANY, found.run):
        return
    raise OwnedError(
        f"{_described(found)}; nothing was changed. Wait until that run has ended. Where it is dead, the gateway goes "
        "back by itself when the time is up, and the next run is not refused; or take the checkpoint over with "
        f"take_over={found.run or ANY} (in the role: gateway_take_over=true)",
        found,
    )


def require(found: Checkpoint, token: str, done: str) -> None:
    """Raise OwnedError where the token is not that of the checkpoint. C(done) is what cannot be done."""
    if not found.token or token == found.token:
        return
    missing = "this run has no token" if not token else "another run has taken it over"
    raise OwnedError(f"the checkpoint cannot be {done}: {missing}; {_described(found)}", found)


def _described(found: Checkpoint) -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(found.since))
    limit = f" and has {max(0, found.deadline - time.monotonic()):.0f} s to confirm it" if found.deadline else ""
    return f"{found.who or NOBODY} has a checkpoint open on this host since {since}{limit}"


def taken(found: Checkpoint, who: str, run: str) -> Checkpoint:
    """The same checkpoint with another owner and another token."""
    return dataclasses.replace(found, token=new_token(), who=shown(who), run=run, since=time.time())

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The flow of the module vpn_checkpoint: six states, each with the lock of the host for as long as it changes it."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import (
    _checkpoint,
    _checkpoint_back,
    _checkpoint_owner,
    _checkpoint_unit,
    _lock,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

NAME = "vpn_checkpoint"
#: Seconds between two looks of the one who watches, and between two attempts to go back.
LOOK = 1.0
RETRY = 30.0

Result = dict[str, t.Any]


def opened(module: t.Any, folder: _checkpoint.Folder) -> Result:
    """Note what there is, and have somebody watch."""
    with _lock.of(module, NAME):
        before = folder.read()
        found = _checkpoint_back.note(module, folder, _deadline(module))
        try:
            if found.deadline:
                _checkpoint_unit.start(module, folder.path)
        except StoreError:
            if not before or before.opened != found.opened:
                folder.close()
            raise
    return {"established": list(found.established), "opened": found.opened, "token": found.token}


def _deadline(module: t.Any) -> float:
    after = module.params["rollback_after"]
    return time.monotonic() + after if after else 0


def extended(module: t.Any, folder: _checkpoint.Folder) -> Result:
    """Give it more time."""
    with _lock.of(module, NAME):
        found = _own(module, folder, "given more time")
        folder.write(dataclasses.replace(found, deadline=_deadline(module)))
    return {}


def confirmed(module: t.Any, folder: _checkpoint.Folder) -> Result:
    """Close the checkpoint, and keep the change."""
    with _lock.of(module, NAME):
        # One that was killed while it closed the checkpoint is to be finished.
        if folder.was_closed(module.params["token"]) != "confirmed" or folder.gone_back():
            _own(module, folder, "confirmed")
        folder.close(module.params["token"], "confirmed")
        _checkpoint_unit.forget()
    return {}


def _own(module: t.Any, folder: _checkpoint.Folder, done: str) -> _checkpoint.Checkpoint:
    """The open checkpoint of the run that asks. Raises StoreError where there is none, or it is another run's."""
    token = module.params["token"]
    found = folder.read()
    if found:
        _checkpoint_owner.require(found, token, done)
    when = folder.gone_back()
    if when:
        raise StoreError(
            f"the gateway went back by itself at {when}, as nobody had confirmed by then; where the change was only "
            "slow, run it again with more time in rollback_after"
        )
    if not found:
        closed = folder.was_closed(token)
        words = f"it was {closed}" if closed else "another run, or a person, has closed it; look at what the host has"
        raise StoreError(f"there is no open checkpoint that could be {done}: {words}")
    return found


def restored(module: t.Any, folder: _checkpoint.Folder) -> Result:
    """Go back, where there is something to go back to."""
    token = module.params["token"]
    with _lock.of(module, NAME):
        found = folder.read()
        if not found:
            _refuse_closed(folder, token)
            if not module.check_mode:
                _checkpoint_unit.forget()
            return {"restored": []}
        _checkpoint_owner.require(found, token, "restored")
        done = _back(module, folder, found)
        if not module.check_mode:
            folder.close(token, "restored")
            _checkpoint_unit.forget()
    return {"restored": done}


def _refuse_closed(folder: _checkpoint.Folder, token: str) -> None:
    """A run with a token has opened a checkpoint: that it is not there any more may mean that the change has stayed."""
    if token and folder.was_closed(token) != "restored":
        raise StoreError(
            "the checkpoint that this run opened is not open any more, and nothing was brought back: another run, or a "
            "person, has closed it; look at what the host has"
        )


def removed(module: t.Any, folder: _checkpoint.Folder) -> Result:
    """Go to where nothing is."""
    with _lock.of(module, NAME):
        found = None if folder.gone_back() else folder.read()
        if found:
            _checkpoint_owner.refuse_other(found, found.lives, module.params["token"], module.params["take_over"])
        if not module.check_mode:
            # First, as somebody may watch.
            folder.close()
        done = _back(module, folder, _checkpoint_back.nothing(module))
    if not module.check_mode:
        _checkpoint_unit.stop(module, folder.path)
        folder.remove()
    return {"restored": done}


def _back(module: t.Any, folder: _checkpoint.Folder, found: _checkpoint.Checkpoint) -> list[str]:
    way = _checkpoint_back.Back(module, folder, found)
    way.go()
    return way.done


def watched(module: t.Any, folder: _checkpoint.Folder) -> Result:
    """Wait until the checkpoint is closed or its time is up, whosever it is by then."""
    while _is_to_be_watched(folder.read()):
        # What fails, because a module has the lock or pluto hangs, is tried again.
        with contextlib.suppress(StoreError):
            done = _back_if_expired(module, folder)
            if done is not None:
                return {"restored": done}
        time.sleep(RETRY if folder.gone_back() else LOOK)
    return {"restored": []}


def _is_to_be_watched(found: t.Optional[_checkpoint.Checkpoint]) -> bool:
    return bool(found and found.deadline)


def _back_if_expired(module: t.Any, folder: _checkpoint.Folder) -> t.Optional[list[str]]:
    """What was brought back; None before the time is up. A run that was only slow may go on changing: the checkpoint
    stays open, so that it can be restored once more, and it cannot be confirmed."""
    found = folder.read()
    if not found or not found.expired:
        return None
    with _lock.held(NAME, LOOK):
        # It may have been confirmed, or given more time, in this very moment.
        found = folder.read()
        if not found or not _is_to_be_watched(found) or not found.expired:
            return None
        # That this cannot be noted is no reason to stay cut off.
        with contextlib.suppress(OSError):
            if not folder.gone_back():
                folder.note_gone_back()
        done = _back(module, folder, found)
        with contextlib.suppress(StoreError):
            folder.write(dataclasses.replace(found, deadline=0))
        _checkpoint_unit.forget()
    return done


STATES: dict[str, t.Callable[[t.Any, _checkpoint.Folder], Result]] = {
    "opened": opened,
    "extended": extended,
    "watched": watched,
    "confirmed": confirmed,
    "restored": restored,
    "removed": removed,
}


def run(module: t.Any) -> Result:
    """The module's result. In check mode only a way back is of interest."""
    state, folder = module.params["state"], _checkpoint.Folder(module.params["folder"])
    _checkpoint_owner.checked(module.params)
    result: Result = {"established": [], "opened": 0.0, "token": ""} if state == "opened" else {}
    if not module.check_mode:
        folder.make()
    if not module.check_mode or state in ("restored", "removed"):
        result = STATES[state](module, folder)
    return {"changed": bool(result.get("restored")), **result}

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One module at a time changes a host. The lock is the kernel's, which releases it when its process ends, however that
ends. Nobody waits for it without a limit."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

PATH = "/run/route_based.vpn/lock"
#: How long a module waits for another one.
SECONDS = 120.0
#: Between two attempts.
PAUSE = 0.2


class BusyError(StoreError):
    """Another process holds the lock, and did not release it in time."""


def of(module: t.Any, name: str) -> contextlib.AbstractContextManager[None]:
    """The lock for a module that is about to change the host; check mode only reads, and takes none."""
    return contextlib.nullcontext() if module.check_mode else held(name)


@contextlib.contextmanager
def held(name: str, seconds: t.Optional[float] = None) -> t.Iterator[None]:
    """Hold the lock for what is in the block. Raises BusyError, whose text names the holder, after so many seconds."""
    handle = _take(name, SECONDS if seconds is None else seconds)
    try:
        yield
    finally:
        os.close(handle)


def _take(name: str, seconds: float) -> int:
    end = time.monotonic() + seconds
    while True:
        handle = _open()
        if _try(handle):
            if _is_current(handle):
                _sign(handle, name)
                return handle
            os.close(handle)
            continue
        holder = _holder(handle)
        os.close(handle)
        if time.monotonic() >= end:
            raise BusyError(
                f"{name}: {holder} is changing this host and has held {PATH} for more than {seconds:g} s; nothing was "
                "changed. Run again when it has ended; where it hangs, end that process"
            )
        time.sleep(PAUSE)


def _open() -> int:
    """The file of the lock. Where /run takes no new file, its folder does as well: to lock one nothing is written."""
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(PATH), mode=0o700, exist_ok=True)
        return os.open(PATH, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for path in (PATH, os.path.dirname(os.path.dirname(PATH))):
        with contextlib.suppress(OSError):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    raise StoreError(f"{PATH}: there is nothing that a lock could be taken on; is {os.path.dirname(PATH)} missing?")


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_current(handle: int) -> bool:
    """Whether the next process would lock the same file: it may have been removed since it was opened."""
    mine = os.fstat(handle)
    for path in (PATH, os.path.dirname(os.path.dirname(PATH))):
        with contextlib.suppress(OSError):
            found = os.stat(path)
            return (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino)
    return True


def _sign(handle: int, name: str) -> None:
    """Note who holds it, for the words of those who wait; the lock holds without."""
    since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{name} (process {os.getpid()}, since {since})".encode(), 0)


def _holder(handle: int) -> str:
    try:
        text = os.pread(handle, 200, 0).decode("ascii", "replace")
    except OSError:
        text = ""
    return "".join(char for char in text if char.isprintable()) or "another process"

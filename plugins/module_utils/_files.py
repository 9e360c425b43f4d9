# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Files of ours under /etc/ipsec.d and /run: replaced in one step, readable by root only, known by their first line."""

from __future__ import annotations

import contextlib
import glob
import os
import tempfile
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

#: The first line of a file that the module ipsec_conn wrote; it may overwrite and remove no other.
HEADER = "# Managed by Ansible (route_based.vpn.ipsec_conn): edits are overwritten."
#: How the names begin of files that are about to take the place of others.
TEMPORARY = ".route_based_vpn-"


def owned(text: str) -> bool:
    """Whether a text begins with the line that marks it as ours."""
    return text.split("\n", 1)[0].rstrip() == HEADER


def read(path: str) -> t.Optional[str]:
    """The text of our file; None where there is none. StoreError where it is a file of somebody else."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StoreError(f"{path} cannot be read, nothing was changed: {exc}") from exc
    if text and not owned(text):
        raise StoreError(
            f"{path} was not written by this module (its first line is not {HEADER!r}):"
            " it is left as it is; choose another path, or move the file away"
        )
    return text


def replace(path: str, text: t.Optional[str]) -> None:
    """Give a file its new text, or remove it where that is None; the old one stays whole whatever happens.

    The temporary name begins with a dot and has no ending, so that libreswan's include never sees it. Raises OSError.
    """
    if text is None:
        remove(path)
        return
    replace_bytes(path, text.encode("utf-8", errors="surrogateescape"))


def replace_bytes(path: str, content: bytes) -> None:
    """The same with bytes. When it returns, a power cut takes neither the file nor its name away. Raises OSError."""
    folder = os.path.dirname(path)
    # One program at a time does this, so others' are of a run that was killed; they may hold secrets.
    for leftover in glob.glob(os.path.join(glob.escape(folder), f"{TEMPORARY}*")):
        with contextlib.suppress(OSError):
            os.unlink(leftover)
    handle, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(folder)


def remove(path: str) -> None:
    """Remove a file or a link for good, where it is there. Raises OSError."""
    if os.path.lexists(path):
        os.unlink(path)
        sync_folder(os.path.dirname(path))


def sync_folder(folder: str) -> None:
    """Have the names in a folder survive a power cut. That is not possible everywhere, and no reason to fail."""
    with contextlib.suppress(OSError):
        handle = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def stamp(path: str) -> str:
    """Another one whenever the file was written or replaced, also by the same text; empty where there is none. Stamps
    are compared with each other alone, never with a clock, which may be set."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_dev}.{found.st_ino}.{found.st_size}.{found.st_mtime_ns}.{found.st_ctime_ns}"


def action(old: t.Optional[str], new: t.Optional[str]) -> str:
    """What becomes of a file: C(kept), C(created), C(updated) or C(removed)."""
    if old == new:
        return "kept"
    if old is None:
        return "created"
    return "removed" if new is None else "updated"

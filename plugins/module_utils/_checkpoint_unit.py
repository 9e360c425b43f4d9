# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The systemd unit that watches an open checkpoint. It needs nobody: it runs what the module was made of, copied into
the folder of the checkpoint, systemd starts it again when it is killed, and at the next boot when the power fails."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import sys
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _files, _limits
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

NAME = "route-based-vpn-rollback.service"
UNITS = "/etc/systemd/system"
#: There where systemd is what started this system, see sd_booted(3).
BOOTED = "/run/systemd/system"
#: How long systemctl may take.
SECONDS = 60
MODULE = "ansible_collections.route_based.vpn.plugins.modules.vpn_checkpoint"
#: What the program reads on; the rest is as in the call that opened the checkpoint.
OPTIONS = ("path", "firewall", "services")
# What it goes back from may have to be there first, or it would come after it.
UNIT = """\
# Written by the module route_based.vpn.vpn_checkpoint, for as long as a change is not confirmed.
[Unit]
Description=Way back of route_based.vpn from a change that nobody confirms
Documentation=https://github.com/route-based/vpn
After=network.target nftables.service route-based-vpn-firewall.service route-based-vpn.service ipsec.service frr.service
StartLimitIntervalSec=0

[Service]
ExecStart={python} {folder}/watch.py {folder}/watch.json
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
"""
PROGRAM = """\
import runpy
import sys

sys.path[:0] = {paths!r}
runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
"""


def start(module: t.Any, folder: str) -> None:
    """Have a unit watch the open checkpoint, now and after each boot. Raises StoreError where it cannot, so that
    nothing is changed that nobody would take back."""
    if not os.path.isdir(BOOTED):
        raise StoreError(
            "systemd does not run on this host, so that it could not go back by itself, and nothing was changed; set "
            "rollback_after=0 (in the role: gateway_rollback_after=0) to change it all the same"
        )
    try:
        _write(module, folder)
    except OSError as exc:
        raise StoreError(f"the unit {NAME} cannot be written, nothing was changed: {exc}") from exc
    # What watches already may have the program of another version. It holds no lock now, as this call has it.
    rc, out, err = _systemctl(module, "restart", NAME)
    if rc:
        raise StoreError(f"{NAME} cannot be started, nothing was changed: {(err or out).strip()}")


def _write(module: t.Any, folder: str) -> None:
    """Its program and its options, and the unit last."""
    paths = _code(folder)
    args = {name: module.params[name] for name in OPTIONS}
    args.update(state="watched", folder=folder, _ansible_remote_tmp=folder)
    _files.replace(os.path.join(folder, "watch.json"), json.dumps({"ANSIBLE_MODULE_ARGS": args}))
    _files.replace(os.path.join(folder, "watch.py"), PROGRAM.format(paths=paths, module=MODULE))
    unit, link = _paths()
    _files.replace(unit, UNIT.format(python=sys.executable, folder=folder))
    os.chmod(unit, 0o644)
    os.makedirs(os.path.dirname(link), exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.symlink(unit, link)
    _files.sync_folder(os.path.dirname(link))


def _code(folder: str) -> list[str]:
    """Where Python finds the module: the archive that Ansible has made of it, copied under a name that says what is in
    it, as Python reads on in it for as long as it runs. Without an archive, where it is found now."""
    archive = getattr(globals().get("__loader__"), "archive", "")
    if not archive:
        return [os.path.abspath(path) for path in sys.path]
    with open(archive, "rb") as file:
        content = file.read()
    copy = os.path.join(folder, f"watch-{hashlib.sha256(content).hexdigest()[:16]}.zip")
    if not os.path.exists(copy):
        for old in glob.glob(os.path.join(glob.escape(folder), "watch-*.zip")):
            os.unlink(old)
        _files.replace_bytes(copy, content)
    return [copy]


def _paths() -> tuple[str, str]:
    """The unit, and the link that enables it."""
    return os.path.join(UNITS, NAME), os.path.join(UNITS, "multi-user.target.wants", NAME)


def forget() -> None:
    """It is not needed any more, as the checkpoint is closed: it is not started at the next boot, and the one that runs
    ends by itself. Raises nothing: without a checkpoint it ends at once, at each boot."""
    for path in reversed(_paths()):
        with contextlib.suppress(OSError):
            _files.remove(path)


def stop(module: t.Any, folder: str) -> None:
    """Before its folder is removed. It may still be running, as it looks at the folder once a second."""
    forget()
    if os.path.isdir(BOOTED) and os.path.exists(os.path.join(folder, "watch.json")):
        _systemctl(module, "stop", NAME)


def _systemctl(module: t.Any, *arguments: str) -> tuple[int, str, str]:
    return _limits.limited(module.run_command, SECONDS)(["systemctl", *arguments])

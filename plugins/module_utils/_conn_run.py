# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The flow of the module ipsec_conn: read, plan, check mode ends here, check, apply, wait, report."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import (
    _change,
    _files,
    _info,
    _ipsec_conf,
    _lock,
    _pluto,
    _secrets,
    _versions,
)
from ansible_collections.route_based.vpn.plugins.module_utils._conn_file import File
from ansible_collections.route_based.vpn.plugins.module_utils._conn_list import sections_of
from ansible_collections.route_based.vpn.plugins.module_utils._conns import Step, Wanted, merged, plan
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError
from ansible_collections.route_based.vpn.plugins.module_utils._nss import Nss

#: Where nobody can ask, since libreswan is not installed yet: the words of today.
NEWEST: _versions.Version = (5, 0)


@dataclasses.dataclass(frozen=True)
class Target:
    """What the files are to hold, and the states that auto= cannot say. None: no file."""

    text: t.Optional[str]
    secrets: t.Optional[str]
    states: dict[str, str]


def run(module: t.Any) -> dict[str, t.Any]:
    """The module's result; VpnError where it is refused or fails."""
    params = module.params
    pluto = _pluto.Pluto(module.run_command)
    with _lock.of(module, "ipsec_conn"):
        file = File(params["path"], pluto, Nss(module.run_command), params["load"])
        there = _pluto.is_installed(module)
        target = _target(params, file, lambda: pluto.version() if there else NEWEST)
        wanted, result = carry_out(module, file, target, there)
    # Without the lock: this only looks, and may take long.
    if not module.check_mode:
        _wait(pluto, wanted, params)
    return result


def carry_out(module: t.Any, file: File, target: Target, there: bool) -> tuple[dict[str, Wanted], dict[str, t.Any]]:
    """Bring files and pluto to a target, in check mode only on paper: the conns it wants, and the module's result.
    VpnError where it is refused or fails."""
    wanted = file.conns(target.text, target.states)
    if file.load:
        _look(module, file, wanted, there)
    steps = plan(wanted, file.old, file.found, file.load, file.orphans)
    changes = [step.change for step in steps]
    moved = (target.text, target.secrets) != (file.old_text, file.old_secrets)
    due = file.secrets_due(target.secrets)
    changed = moved or due or any(change.changed for change in changes)
    for warning in [*file.warnings(), *_shared(file, steps)]:
        module.warn(warning)
    # In check mode there may be none to ask yet.
    if target.text is not None and target.text != file.old_text and (there or not module.check_mode):
        for warning in file.check(target.text, module.tmpdir):
            module.warn(warning)
    if not module.check_mode:
        try:
            if changed:
                _apply(module, file, target, wanted, steps)
            elif file.load and wanted:
                file.remember()
        finally:
            if file.warning:
                module.warn(file.warning)
    return wanted, {
        "changed": changed,
        "conns": _change.report(changes),
        "file": _files.action(file.old_text, target.text),
        "secrets_file": _files.action(file.old_secrets, target.secrets),
        "secrets_read": due,
        "diff": _change.diff(changes),
    }


def _shared(file: File, steps: t.Sequence[Step]) -> list[str]:
    """pluto's later versions bring up anew what shared an IKE SA; 4.x leaves dead SAs of foreign conns behind."""
    names = ", ".join(file.sharers(steps))
    if not names:
        return []
    what = f"{names}: the IKE SA is shared with a conn that is loaded anew or unloaded, and ends with it"
    if file.orphans:
        return [f"{what}; libreswan 4.x leaves dead SAs behind: load these conns anew, too"]
    return [f"{what}; pluto makes another one and brings them up again"]


def _target(params: dict[str, t.Any], file: File, version: t.Callable[[], _versions.Version]) -> Target:
    """What is asked for; the installed version matters, and is asked for, where keywords come as a list only."""
    if params["state"] == "absent":
        return Target(None, None, {})
    secrets = file.old_secrets
    if params["secrets"] is not None:
        checked = _secrets.checked(params["secrets"])
        secrets = _secrets.render(checked) if checked else None
    if params["content"] is not None:
        return Target(_ipsec_conf.with_header(params["content"]), secrets, {})
    if params["conns"] is None:
        return Target(file.old_text, secrets, {})
    sections, states, absent = sections_of(params["conns"], version())
    return Target(merged(file.old_text, sections, absent, params["purge"]), secrets, states)


def _look(module: t.Any, file: File, wanted: dict[str, Wanted], there: bool) -> None:
    """Where nothing can be asked there is nothing loaded, which is enough to foretell what would be done."""
    try:
        if not there:
            raise StoreError("libreswan is not installed: there is no program 'ipsec'")
        file.look(wanted)
    except StoreError as exc:
        if not module.check_mode and (wanted or file.old):
            raise
        module.warn(str(exc))


def _apply(module: t.Any, file: File, target: Target, wanted: dict[str, Wanted], steps: t.Any) -> None:
    if target.text is not None:
        file.in_place(wanted, target.secrets is not None)
    file.apply(target.text, target.secrets, steps)


def _wait(pluto: _pluto.Pluto, wanted: dict[str, Wanted], params: dict[str, t.Any]) -> None:
    names = [name for name, want in wanted.items() if want.state == _ipsec_conf.STARTED]
    if params["wait_established"] and params["load"] and names:
        try:
            _info.wait(pluto, names, params["wait_established"])
        except StoreError as exc:
            raise StoreError(f"the conns are loaded as asked for; {exc}") from exc

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Notes what a gateway has, and brings it back to that: files, devices, routes, rules, conns, firewall. Only what is
different by then is touched. What can be done is done, also where something else fails."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import (
    _checkpoint,
    _checkpoint_owner,
    _conn_file,
    _conn_run,
    _device_plan,
    _devices,
    _files,
    _info,
    _limits,
    _netlink,
    _nss,
    _pluto,
    _pyroute2,
    _route_plan,
    _routes,
    _rules,
    _run,
    _status,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError, VpnError

if t.TYPE_CHECKING:
    from ansible_collections.route_based.vpn.plugins.module_utils._change import Plan

#: How long the other ends are waited for that do not answer.
ANSWER_SECONDS = 2
#: How long systemctl and the script of the firewall may take.
COMMAND_SECONDS = 120
UNITS = "/etc/systemd/system/"


def note(module: t.Any, folder: _checkpoint.Folder, deadline: float) -> _checkpoint.Checkpoint:
    """What there is now, written down, with the run that called as its owner. An unfinished checkpoint is kept, as what
    it notes was there before whatever was interrupted then; only owner and deadline change. One that the gateway has
    gone back to is over. Raises OwnedError where another run may be at it."""
    params = module.params
    found = None if folder.gone_back() else folder.read()
    if found:
        _checkpoint_owner.refuse_other(found, found.lives, params["token"], params["take_over"])
    else:
        secrets = f"{os.path.splitext(params['path'])[0]}.secrets"
        folder.close()
        found = _checkpoint.Checkpoint(
            opened=time.time(),
            files=folder.keep([params["path"], secrets, *params["files"], *_paths(params)]),
            **_live(module),
        )
    if not found.token or params["token"] != found.token:
        found = _checkpoint_owner.taken(found, params["owner"], params["run"])
    found = dataclasses.replace(found, deadline=deadline, boot=_checkpoint.boot())
    folder.write(found)
    return found


def _paths(params: dict[str, t.Any]) -> list[str]:
    return [service["path"] for service in params["services"]]


def _live(module: t.Any) -> dict[str, t.Any]:
    """Ours of what the kernel has, and the conns that are established. Where a program or library is not there yet
    there is nothing of ours either."""
    conns: list[_status.ConnStatus] = []
    try:
        conns = _pluto.established(module)
    except _pluto.PlutoHangsError:
        # What was up could not be told afterwards, and nothing that pluto has could be changed.
        raise
    except StoreError:
        pass
    result: dict[str, t.Any] = {"established": tuple(sorted(conn.name for conn in conns))}
    if _pyroute2.IMPORT_ERROR is None:
        with _netlink.Netlink() as kernel:
            devices = [device for device in kernel.device_state([]).devices if device.owned]
            state = kernel.route_state((), True)
        result["established"] = _answering(conns, devices)
        result["devices"] = tuple(_wish(device) for device in devices)
        result["routes"] = tuple(route for route in state.routes if route.protocol == _routes.PROTOCOL)
        result["rules"] = tuple(rule for rule in state.rules if rule.protocol == _routes.PROTOCOL)
    return result


def _answering(conns: t.Sequence[_status.ConnStatus], devices: t.Sequence[_devices.Device]) -> tuple[str, ...]:
    """Conns whose other end answers through the tunnel, or has no address to be asked at. A tunnel that carried nothing
    before a change is none that the change has broken."""
    pings = _info.pings([_info.device_of(conn, devices) for conn in conns], ANSWER_SECONDS)
    return tuple(sorted(conn.name for conn, ping in zip(conns, pings) if not ping or ping["answered"]))


def _wish(device: _devices.Device) -> _devices.Device:
    """A live device as one would ask for it: without what the kernel made of it."""
    addresses = tuple(inner for inner in device.addresses if not inner.is_link_local)
    return dataclasses.replace(device, index=0, master=0, addresses=addresses)


def nothing(module: t.Any) -> _checkpoint.Checkpoint:
    """A host that has nothing of ours."""
    params = module.params
    secrets = f"{os.path.splitext(params['path'])[0]}.secrets"
    paths = [params["path"], secrets, *params["files"], *_paths(params)]
    return _checkpoint.Checkpoint(0, files=tuple(map(_checkpoint.Kept, paths)))


class Back:
    """One way back. C(done) says what was changed, C(errors) what could not be."""

    def __init__(self, module: t.Any, folder: _checkpoint.Folder, checkpoint: _checkpoint.Checkpoint) -> None:
        self._module = module
        self._folder = folder
        self._checkpoint = checkpoint
        self.done: list[str] = []
        self.errors: list[str] = []

    def go(self) -> None:
        """All of it. Files of the role first, as pluto calls the hook that is one of them; those that were not there go
        last, when nothing uses them any more. What may have cut the host off needs the kernel alone, and comes before
        what needs pluto, which may hang. Raises StoreError where something could not be done. The checkpoint stays
        open."""
        steps = [self._files_back, self._firewall_back, self._devices_back, self._routes_back, self._conns_back]
        for step in [*steps, self._services_back, self._files_gone]:
            try:
                step()
            except (VpnError, OSError) as exc:
                self.errors.append(str(exc))
        if self.errors:
            done = "; ".join(self.done) or "nothing"
            raise StoreError(
                f"could not go back all the way: {'; '.join(self.errors)}. Brought back: {done}. The checkpoint stays "
                "open; the next run goes on from it"
            )

    def _managed(self) -> tuple[str, str]:
        """Paths of conns and secrets, which pluto has to be told of."""
        return self._checkpoint.files[0].path, self._checkpoint.files[1].path

    def _others(self) -> list[_checkpoint.Kept]:
        apart = [*self._managed(), *_paths(self._module.params)]
        return [kept for kept in self._checkpoint.files if kept.path not in apart]

    def _files_back(self) -> None:
        units = False
        for kept in self._others():
            content = self._folder.content(kept)
            if content is None or content == _read(kept.path):
                continue
            if not self._module.check_mode:
                os.makedirs(os.path.dirname(kept.path), exist_ok=True)
                _files.replace(kept.path, content.decode("utf-8", "surrogateescape"))
                os.chmod(kept.path, kept.mode)
            self.done.append(f"file {kept.path}: as it was")
            units = units or kept.path.startswith(UNITS)
        if units:
            self._command("systemctl", "daemon-reload")

    def _files_gone(self) -> None:
        gone = [kept.path for kept in self._others() if not kept.copy and os.path.exists(kept.path)]
        units = [path for path in gone if path.startswith(UNITS)]
        own = [os.path.basename(path) for path in units if path.endswith(".service")]
        if own:
            self._command("systemctl", "disable", *own)
        for path in gone:
            if os.path.isdir(path):
                # Users may have put something of theirs there.
                if not self._module.check_mode:
                    with contextlib.suppress(OSError):
                        os.rmdir(path)
                continue
            if not self._module.check_mode:
                os.unlink(path)
            self.done.append(f"file {path}: removed")
        if units:
            self._command("systemctl", "daemon-reload")

    def _devices_back(self) -> None:
        wanted = [_devices.Wanted(f"checkpoint ({d.name})", d) for d in self._checkpoint.devices]
        if _pyroute2.IMPORT_ERROR is not None and not wanted:
            return
        with _netlink.Netlink() as kernel:
            state = kernel.device_state([entry.device.name for entry in wanted])
            plan = _device_plan.plan(state, wanted, True, kernel.routes_of, kernel.way_to)
            self._carry_out("device", plan, kernel)

    def _routes_back(self) -> None:
        wanted = [_routes.Wanted(f"checkpoint ({r.destination})", r) for r in self._checkpoint.routes]
        rules = [_rules.Wanted(f"checkpoint (priority {r.priority})", r) for r in self._checkpoint.rules]
        if _pyroute2.IMPORT_ERROR is not None and not wanted and not rules:
            return
        with _netlink.Netlink() as kernel:
            state = kernel.route_state(wanted, True, rules)
            self._carry_out("route", _route_plan.plan(state, wanted, True, rules=rules), kernel)

    def _carry_out(self, kind: str, plan: Plan, kernel: _netlink.Netlink) -> None:
        if not self._module.check_mode:
            _run.execute(plan, kernel.apply_all)
        self.done += [f"{kind} {change.name}: {change.action}" for change in plan.changes if change.changed]

    def _conns_back(self) -> None:
        path, _secrets = self._managed()
        text, secrets = (
            None if content is None else content.decode("utf-8", "replace")
            for content in map(self._folder.content, self._checkpoint.files[:2])
        )
        if not _pluto.is_installed(self._module):
            return
        file = _conn_file.File(path, _pluto.Pluto(self._module.run_command), _nss.Nss(self._module.run_command))
        target = _conn_run.Target(text, secrets, {})
        _wanted, result = _conn_run.carry_out(self._module, file, target, True)
        self.done += [f"conn {x['name']}: {x['action']}" for x in result["conns"] if x["action"] != "kept"]
        if result["secrets_file"] != "kept":
            self.done.append("secrets: as they were")

    def _firewall_back(self) -> None:
        """The role's script loads a table where it is not the one that is loaded."""
        script = self._module.params["firewall"]
        table = next((kept for kept in self._others() if kept.path == f"{script}.nft"), None)
        if not script or not table or not os.path.exists(script):
            return
        said = ""
        if self._module.check_mode and table.copy and self._folder.content(table) != _read(table.path):
            # Its file is not back, so that the script would compare with the wrong one.
            said = "would load its table"
        elif table.copy:
            said = self._command(script, *(["--check"] if self._module.check_mode else []), table.path)
        elif os.path.exists(table.path):
            said = self._command(script, "--remove") or "removed"
        self.done += [f"firewall: {said.strip()}"] if said.strip() else []

    def _services_back(self) -> None:
        """Files of services that others may have for themselves: only what is marked as ours is taken away."""
        kept = {entry.path: entry for entry in self._checkpoint.files}
        for service in self._module.params["services"]:
            path, unit = service["path"], service["unit"]
            now, before = _read(path), self._folder.content(kept[path]) if path in kept else None
            if now is None or now == before or service["mark"].encode() not in now:
                continue
            if before is None:
                self._command("systemctl", "disable", "--now", unit)
                if not self._module.check_mode:
                    os.unlink(path)
                self.done.append(f"service {unit}: stopped, {path} removed")
                continue
            if not self._module.check_mode:
                # In place: the file is its service's, with the service's rights.
                with open(path, "wb") as file:
                    file.write(before)
            self._command("systemctl", "reload-or-restart", unit)
            self.done.append(f"service {unit}: {path} as it was")

    def _command(self, *command: str) -> str:
        if self._module.check_mode and "--check" not in command:
            return ""
        rc, out, err = _limits.limited(self._module.run_command, COMMAND_SECONDS)(list(command))
        if rc:
            raise StoreError(f"{' '.join(command)} failed with exit code {rc}: {(err or out).strip()}")
        return str(out)


def _read(path: str) -> t.Optional[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.inventory.manager import IGNORED
from ansible.plugins.action import ActionBase
from ansible_collections.route_based.vpn.plugins.module_utils._errors import VpnError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _key_files, _public_keys

ARGUMENTS: dict[str, t.Any] = {
    "folder": {"type": "path", "required": True},
    "host": {"type": "str"},
    "key": {"type": "dict", "no_log": False},
    "epoch": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent", "moved"], "default": "present"},
}
NEEDED = [("state", "present", ("host", "key", "epoch")), ("state", "absent", ("host",))]


class ActionModule(ActionBase):
    """It works on the controller alone: no host is spoken to."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """See the documentation of the module of this name."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _checked, args = self.validate_argument_spec(ARGUMENTS, required_if=NEEDED)
        sources = (task_vars or {}).get("ansible_inventory_sources") or ()
        try:
            result.update(_work(args, not self._task.check_mode, [str(source) for source in sources]))
        except VpnError as exc:
            raise AnsibleActionFail(str(exc)) from None
        return result


def _work(args: dict[str, t.Any], write: bool, sources: list[str]) -> dict[str, t.Any]:
    folder = _key_files.Folder(Path(args["folder"]))
    if args["state"] == "absent":
        return {"changed": folder.remove(args["host"], write)}
    example = folder.path_of(args["host"] or "host")
    around = _key_files.parsed_by_ansible(example, sources, IGNORED)
    if around:
        raise VpnError(
            f"gateway_key_folder={args['folder']!r}: Ansible takes all files in {around} for its inventory, those of "
            "this folder too, and would run the templates in them: give the folder a name that begins with a dot, or "
            "keep it elsewhere"
        )
    if args["state"] == "moved":
        moved = folder.move_old(write)
        return {"changed": bool(moved), "moved": moved}
    key = _public_keys.of_answer(args["host"], args["key"], args["epoch"])
    return {"changed": folder.keep(args["host"], key, write), "ckaid": key["ckaid"], "path": str(example)}

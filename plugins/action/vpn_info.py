# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.route_based.vpn.plugins.plugin_utils import _answers


class ActionModule(ActionBase):
    """Runs a module of this collection, see meta/runtime.yml, and takes of its answer what such a module says. So no
    facts come in, which would overrule variables of the inventory, and nothing that is not what its name says."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """As Ansible's own action for modules does."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        waits = self._task.async_val and not self._connection.has_native_async
        answer = self._execute_module(task_vars=task_vars, wrap_async=waits)
        if not waits:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return {**result, **_answers.received(self._task.action.rpartition(".")[2], answer)}

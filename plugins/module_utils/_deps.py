# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether pyroute2 is there and new enough; else another Python of the system that has it."""

from __future__ import annotations

import json
import re
import typing as t

from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module
from ansible_collections.route_based.vpn.plugins.module_utils import _netlink

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

MINIMUM = (0, 7, 2)
REQUIRED = "pyroute2 >= 0.7.2"
URL = "https://pyroute2.org/"
SYSTEM_PYTHONS = ["/usr/libexec/platform-python", "/usr/bin/python3"]
# ansible-core writes the arguments into a pipe (64 KiB) before the other interpreter reads any of it, and would
# wait for ever; what it writes is somewhat longer than the arguments.
RESPAWN_LIMIT = 48_000


def version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: C(0.7.2.post1) is (0, 7, 2)."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def require_pyroute2(module: AnsibleModule) -> None:
    """Return where pyroute2 can be used; else start over with a Python of the system that has it, or fail."""
    if _netlink.IMPORT_ERROR is None:
        found, where = _netlink.installed()
        if version(found) and version(found) < MINIMUM:
            module.fail_json(msg=f"{REQUIRED} is required, and {where} is version {found}. {_advice()}")
        return
    too_long = len(json.dumps(module.params)) >= RESPAWN_LIMIT
    if not has_respawned() and not too_long:
        interpreter = probe_interpreters_for_module(SYSTEM_PYTHONS, "pyroute2")
        if interpreter:
            respawn_module(interpreter)
    reason = None
    if too_long:
        reason = "or ansible_python_interpreter set to one that has it, as the arguments are too long to hand over"
    module.fail_json(
        msg=f"{missing_required_lib(REQUIRED, reason=reason, url=URL)} {_advice()}", exception=_netlink.IMPORT_ERROR
    )


def _advice() -> str:
    return "Debian, Ubuntu and Fedora have it as package python3-pyroute2."

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether pyroute2 is there and new enough; else another Python of the system that has it."""

from __future__ import annotations

import os
import re
import tempfile
import typing as t

from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module
from ansible_collections.route_based.vpn.plugins.module_utils import _pyroute2

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

MINIMUM = (0, 7, 2)
REQUIRED = "pyroute2 >= 0.7.2"
URL = "https://pyroute2.org/"
SYSTEM_PYTHONS = ["/usr/libexec/platform-python", "/usr/bin/python3"]


def version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: C(0.7.2.post1) is (0, 7, 2)."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def require_pyroute2(module: AnsibleModule) -> None:
    """Return where pyroute2 can be used; else start over with a Python of the system that has it, or fail."""
    if _pyroute2.IMPORT_ERROR is None:
        found, where = _pyroute2.installed()
        if version(found) and version(found) < MINIMUM:
            module.fail_json(msg=f"{REQUIRED} is required, and {where} is version {found}. {_advice()}")
        return
    if not has_respawned():
        interpreter = probe_interpreters_for_module(SYSTEM_PYTHONS, "pyroute2")
        if interpreter:
            _respawn(interpreter)
    message = missing_required_lib(REQUIRED, url=URL)
    module.fail_json(msg=f"{message} {_advice()}", exception=_pyroute2.IMPORT_ERROR)


def _respawn(interpreter: str) -> None:
    """Start over with another Python, however long the arguments are.

    ansible-core writes them into a pipe before the other Python reads any of it, and waits for ever when they are
    longer than the pipe holds, 64 KiB. So the one pipe that it asks for is a file here.
    """
    pipe = os.pipe

    def file_as_pipe() -> tuple[int, int]:
        os.pipe = pipe
        with tempfile.NamedTemporaryFile(prefix="ansible-respawn-") as file:
            return os.open(file.name, os.O_RDONLY | os.O_CLOEXEC), os.open(file.name, os.O_WRONLY | os.O_CLOEXEC)

    os.pipe = file_as_pipe
    try:
        respawn_module(interpreter)
    finally:
        os.pipe = pipe


def _advice() -> str:
    return "Debian, Ubuntu and Fedora have it as package python3-pyroute2."

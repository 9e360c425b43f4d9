#!/usr/bin/python
# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: vpn_checkpoint
short_description: Note what a gateway has, and go back to it where nobody confirms a change
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - What network engineers know as C(commit confirmed). It notes the VTI devices, routes, rules, conns, secrets and
    files of this collection before a change. Afterwards somebody confirms the change, or the gateway goes back to what
    it had, if need be by itself, also when the change has cut it off from whoever made it.
  - Going back touches only what is different. Tunnels that the change left alone stay up.
  - A checkpoint that is open stays open. When a run was interrupted, the next one goes on from what there was before.
extends_documentation_fragment:
  - route_based.vpn.attributes
  - route_based.vpn.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description:
      - V(opened) notes what there is, unless a checkpoint is open already, and sets the time until when it has to be
        confirmed.
      - V(extended) sets the time anew, and fails where the gateway has gone back meanwhile.
      - V(watched) waits until the checkpoint is closed, and goes back where its time is up before that. Run it with
        C(async) and C(poll=0). Of several only one watches.
      - V(confirmed) closes the checkpoint. It fails where the gateway has gone back meanwhile.
      - V(restored) goes back now, and closes the checkpoint. Without an open one it does nothing.
      - V(removed) takes away whatever this collection has on the gateway, as if it had never been there, and the
        folder of the checkpoint with it. Keys and certificates in libreswan's database stay.
    type: str
    choices: [opened, extended, watched, confirmed, restored, removed]
    required: true
  rollback_after:
    description:
      - With O(state=opened) and O(state=extended), the number of seconds until the gateway goes back by itself,
        provided that somebody watches. V(0) is never.
    type: int
    default: 0
  path:
    description:
      - The file of conns. The file of secrets beside it belongs to it.
    type: path
    default: /etc/ipsec.d/route_based_vpn.conf
  files:
    description:
      - Other files to be noted. A unit in C(/etc/systemd/system) that was not there is disabled before it is removed.
        A folder that was not there is removed where it is empty.
    type: list
    elements: path
    default: []
  firewall:
    description:
      - A program that loads the firewall's table from the file C(.nft) beside it, as the role
        P(route_based.vpn.gateway#role) deploys it. It is called where that file is one of O(files).
    type: path
    default: ""
  services:
    description:
      - Files of services that may also have other users, such as FRR's. Such a file goes back only where it holds
        O(services[].mark), and its service is reloaded then. Where there was no such file, the service is stopped
        and disabled, and the file removed.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      mark:
        description: A text that only a file of this collection's holds.
        type: str
        required: true
      unit:
        description: The systemd unit of the service.
        type: str
        required: true
  folder:
    description:
      - Where the checkpoint is kept, for root alone.
    type: path
    default: /var/lib/route_based.vpn
seealso:
  - module: route_based.vpn.ipsec_conn
  - module: route_based.vpn.vti_tunnel
notes:
  - Only going back counts as a change.
"""

EXAMPLES = r"""
- name: Note what there is
  route_based.vpn.vpn_checkpoint:
    state: opened
    rollback_after: 600

- name: Go back in ten minutes unless somebody confirms
  route_based.vpn.vpn_checkpoint:
    state: watched
  async: 700
  poll: 0
  vars:
    # What is left of it there is cleared up the next time.
    ansible_async_dir: /var/lib/route_based.vpn/async
  changed_when: false

- name: Change something
  ansible.builtin.import_role:
    name: route_based.vpn.gateway

- name: Keep it
  route_based.vpn.vpn_checkpoint:
    state: confirmed

- name: Take everything away again
  route_based.vpn.vpn_checkpoint:
    state: removed
"""

RETURN = r"""
established:
  description:
    - The conns that were established when the checkpoint was opened, and whose other end answered a ping through the
      tunnel, or has no address there that is known.
  returned: with O(state=opened)
  type: list
  elements: str
  sample: [link-1-2]
opened:
  description: When the checkpoint was opened, in seconds since the epoch.
  returned: with O(state=opened)
  type: float
  sample: 1795471427.5
restored:
  description: What was brought back, or removed.
  returned: with O(state=restored), O(state=watched) and O(state=removed)
  type: list
  elements: str
  sample: ["device vti2: removed", "conn link-1-2: removed", "secrets: as they were"]
"""

import contextlib
import dataclasses
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.route_based.vpn.plugins.module_utils import _checkpoint, _checkpoint_back, _run
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

#: Seconds between two looks of the one who watches.
LOOK = 1


def opened(module: AnsibleModule, folder: _checkpoint.Folder) -> dict[str, t.Any]:
    """Note what there is."""
    folder.clear_jobs()
    with folder.lock("folder"):
        found = _checkpoint_back.note(module, folder, _deadline(module))
    return {"established": list(found.established), "opened": found.opened}


def _deadline(module: AnsibleModule) -> float:
    after = module.params["rollback_after"]
    return time.monotonic() + after if after else 0


def extended(module: AnsibleModule, folder: _checkpoint.Folder) -> dict[str, t.Any]:
    """Give it more time."""
    with folder.lock("folder"):
        _refuse_gone_back(folder)
        found = folder.read()
        if not found:
            raise StoreError("there is no open checkpoint that could be given more time")
        folder.write(dataclasses.replace(found, deadline=_deadline(module)))
    return {}


def _refuse_gone_back(folder: _checkpoint.Folder) -> None:
    when = folder.gone_back()
    if when:
        raise StoreError(
            f"the gateway went back by itself at {when}, as nobody had confirmed by then; where the change was only "
            "slow, run it again with more time in rollback_after"
        )


def restored(module: AnsibleModule, folder: _checkpoint.Folder) -> dict[str, t.Any]:
    """Go back, where there is something to go back to."""
    with folder.lock("folder") if not module.check_mode else contextlib.nullcontext():
        found = folder.read()
        done = _back(module, folder, found) if found else []
        if not module.check_mode:
            folder.close()
    return {"restored": done}


def removed(module: AnsibleModule, folder: _checkpoint.Folder) -> dict[str, t.Any]:
    """Go to where nothing is."""
    if module.check_mode:
        return {"restored": _back(module, folder, _checkpoint_back.nothing(module))}
    with folder.lock("folder"):
        # First, as somebody may watch.
        folder.close()
        done = _back(module, folder, _checkpoint_back.nothing(module))
    folder.remove()
    return {"restored": done}


def _back(module: AnsibleModule, folder: _checkpoint.Folder, found: _checkpoint.Checkpoint) -> list[str]:
    way = _checkpoint_back.Back(module, folder, found)
    way.go()
    return way.done


def watched(module: AnsibleModule, folder: _checkpoint.Folder) -> dict[str, t.Any]:
    """Wait until the checkpoint is closed or its time is up."""
    with folder.lock("watch", wait=False) as alone:
        while alone:
            found = folder.read()
            if not found or not found.deadline:
                break
            if found.expired:
                with folder.lock("folder"):
                    # Somebody may have confirmed, or asked for more time, in this very moment.
                    found = folder.read()
                    if found and found.expired:
                        return {"restored": _gone_back(module, folder, found)}
            time.sleep(LOOK)
    return {"restored": []}


def _gone_back(module: AnsibleModule, folder: _checkpoint.Folder, found: _checkpoint.Checkpoint) -> list[str]:
    """Whoever made the change may only have been slow, and go on changing: it stays open, so that he can go back from
    what he has done by then, and cannot confirm it."""
    folder.note_gone_back()
    folder.write(dataclasses.replace(found, deadline=0))
    return _back(module, folder, found)


def confirmed(module: AnsibleModule, folder: _checkpoint.Folder) -> dict[str, t.Any]:
    """Close the checkpoint."""
    with folder.lock("folder"):
        _refuse_gone_back(folder)
        folder.close()
    return {}


STATES = {
    "opened": opened,
    "extended": extended,
    "watched": watched,
    "confirmed": confirmed,
    "restored": restored,
    "removed": removed,
}


def work(module: AnsibleModule) -> None:
    """One of the six. In check mode only a way back is of interest."""
    state, folder = module.params["state"], _checkpoint.Folder(module.params["folder"])
    result: dict[str, t.Any] = {"established": [], "opened": 0.0} if state == "opened" else {}
    if not module.check_mode:
        folder.make()
    if not module.check_mode or state in ("restored", "removed"):
        result = STATES[state](module, folder)
    module.exit_json(changed=bool(result.get("restored")), **result)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": list(STATES), "required": True},
            "rollback_after": {"type": "int", "default": 0},
            "path": {"type": "path", "default": "/etc/ipsec.d/route_based_vpn.conf"},
            "files": {"type": "list", "elements": "path", "default": []},
            "firewall": {"type": "path", "default": ""},
            "services": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "mark": {"type": "str", "required": True},
                    "unit": {"type": "str", "required": True},
                },
            },
            "folder": {"type": "path", "default": "/var/lib/route_based.vpn"},
        },
        supports_check_mode=True,
    )
    _run.guarded(module, work)


if __name__ == "__main__":
    main()

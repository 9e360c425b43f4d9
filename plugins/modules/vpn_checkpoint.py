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
  - A checkpoint belongs to the run that opened it, which gets a token for all that it does later. Another run is
    refused while that one may be alive, so that neither confirms or takes back what the other has changed.
  - A checkpoint whose run is dead stays open. The next run takes it over and goes on from what there was before.
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
        confirmed. It fails where another run has a checkpoint open whose time is not up yet, unless O(take_over) names
        that run. After a reboot of the gateway, and when the gateway has gone back by itself, nobody is refused.
      - V(extended) sets the time anew, and fails where the gateway has gone back meanwhile.
      - V(watched) waits until the checkpoint is closed, and goes back where its time is up before that, or where the
        gateway has been restarted since. The unit that V(opened) starts runs it, and nobody else has to.
      - V(confirmed) closes the checkpoint. It fails where the gateway has gone back meanwhile, and where the checkpoint
        of this run is not open any more.
      - V(restored) goes back now, and closes the checkpoint. Without an open one it does nothing, or fails where
        O(token) is that of one which was not restored.
      - V(removed) takes away whatever this collection has on the gateway, as if it had never been there, and the
        folder of the checkpoint with it. Keys and certificates in libreswan's database stay. It is refused as V(opened)
        is.
    type: str
    choices: [opened, extended, watched, confirmed, restored, removed]
    required: true
  token:
    description:
      - What O(state=opened) returned. O(state=extended), O(state=confirmed) and O(state=restored) fail without
        it, or with another one.
    type: str
    default: ""
  owner:
    description:
      - With O(state=opened), who opens the checkpoint, such as C(alice@laptop). Another run that is refused names it.
    type: str
    default: ""
  run:
    description:
      - With O(state=opened), the run that opens it, in whatever form the controller knows its runs by, at most 128
        letters, digits, C(:), C(.), C(_) and C(-). The lookup P(route_based.vpn.this_run#lookup) gives one.
    type: str
    default: ""
  take_over:
    description:
      - With O(state=opened) and O(state=removed), the run whose checkpoint is taken over, as it is dead, or V(any). The
        run that had it cannot confirm, extend or restore it any more.
    type: str
    default: ""
  rollback_after:
    description:
      - With O(state=opened) and O(state=extended), the number of seconds until the gateway goes back by itself.
        V(0) is never.
      - With O(state=opened) the module writes, enables and starts the unit C(route-based-vpn-rollback.service), which
        does that. It is started again when it is killed. When the gateway is restarted before the change was confirmed,
        it goes back at boot. It is removed when the checkpoint is closed. A host without systemd is refused.
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
- name: Note what there is, and go back to it in ten minutes unless somebody confirms
  route_based.vpn.vpn_checkpoint:
    state: opened
    owner: alice@laptop
    rollback_after: 600
  register: checkpoint

- name: Change something
  ansible.builtin.import_role:
    name: route_based.vpn.gateway

- name: Keep it
  route_based.vpn.vpn_checkpoint:
    state: confirmed
    token: "{{ checkpoint.token }}"

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
token:
  description: What the owner of the checkpoint says with everything that it does with it later.
  returned: with O(state=opened)
  type: str
  sample: 3a7bd3e2360a3d29eea436fcfb7e44c7
owner:
  description: Whose checkpoint it is, where that is why the module failed.
  returned: failure
  type: dict
  contains:
    who:
      description: What that run gave as O(owner).
      type: str
      returned: always
      sample: alice@laptop
    run:
      description: What that run gave as O(run).
      type: str
      returned: always
      sample: ""
    since:
      description: Since when, in seconds since the epoch.
      type: float
      returned: always
      sample: 1795471427.5
restored:
  description: What was brought back, or removed.
  returned: with O(state=restored), O(state=watched) and O(state=removed)
  type: list
  elements: str
  sample: ["device vti2: removed", "conn link-1-2: removed", "secrets: as they were"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.route_based.vpn.plugins.module_utils import _checkpoint_run, _run


def argument_spec() -> dict:
    """The module's options."""
    service = {
        "path": {"type": "path", "required": True},
        "mark": {"type": "str", "required": True},
        "unit": {"type": "str", "required": True},
    }
    return {
        "state": {"type": "str", "choices": list(_checkpoint_run.STATES), "required": True},
        "token": {"type": "str", "default": "", "no_log": False},
        "owner": {"type": "str", "default": ""},
        "run": {"type": "str", "default": ""},
        "take_over": {"type": "str", "default": ""},
        "rollback_after": {"type": "int", "default": 0},
        "path": {"type": "path", "default": "/etc/ipsec.d/route_based_vpn.conf"},
        "files": {"type": "list", "elements": "path", "default": []},
        "firewall": {"type": "path", "default": ""},
        "services": {"type": "list", "elements": "dict", "default": [], "options": service},
        "folder": {"type": "path", "default": "/var/lib/route_based.vpn"},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    _run.guarded(module, lambda module: module.exit_json(**_checkpoint_run.run(module)))


if __name__ == "__main__":
    main()

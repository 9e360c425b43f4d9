#!/usr/bin/python
# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ipsec_conn
short_description: Manage libreswan connections without dropping those that stay
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Manages one file of libreswan C(conn) sections, and what pluto has loaded from it.
  - libreswan deletes a conn and its SAs whenever it is loaded again. This module loads only the conns whose text, with
    C(also=) and C(%default) taken in, differs from what pluto has loaded. All others keep their SAs.
  - A new file is checked by the installed libreswan before it takes the place of the old one. When pluto refuses a conn
    all the same, the old file is put back, and the conns that were touched are loaded from it again.
  - Values that could be taken for something else are refused, such as control characters, quotes inside values,
    keywords given twice, marks of C(0) or C(-1), and a C(vti-interface) without a mark.
extends_documentation_fragment:
  - route_based.vpn.attributes
  - route_based.vpn.attributes.action_group
requirements:
  - libreswan 4.10 or newer
  - Linux, as root
attributes:
  check_mode:
    support: full
    details:
      - The installed libreswan's own check of the file is left out.
      - Where pluto does not run, every conn is foretold as one to be loaded.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A conn that is to be started and has no state at all in pluto is initiated again, and counts as changed.
options:
  path:
    description:
      - The file that holds the conns. It must be among those that C(/etc/ipsec.conf) includes.
      - Its first line marks it as written by this module. A file without that line is neither overwritten nor removed.
    type: path
    default: /etc/ipsec.d/route_based_vpn.conf
  content:
    description:
      - The whole text of the file, C(conn) sections only.
      - The state of each conn comes from its C(auto=). With V(start) it is initiated, with V(ondemand) or V(route) it
        is routed, with V(add) it is loaded. With V(ignore), or without C(auto=), it is not loaded, as for a base of
        C(also=).
    type: str
  conns:
    description:
      - The conns as a list. Conns of the file that are not in the list stay, unless O(purge=true).
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The conn's name, 1 to 64 letters, digits, C(.), C(_) or C(-).
        type: str
        required: true
      options:
        description:
          - libreswan's keywords and their values. A C(-) in a keyword may be written C(_).
          - A list is written in braces, as C(leftsubnets) takes it. Marks get their mask when it is left out.
          - C(auto) is not accepted. It follows from O(conns[].state).
        type: dict
        default: {}
      state:
        description:
          - V(loaded) means that pluto knows the conn. It is neither brought up nor taken down.
          - V(started) means that it is initiated. The module does not wait for the peer.
          - V(ondemand) means that traffic brings it up.
          - V(stopped) means that it is loaded and down.
          - V(absent) means that it is neither in the file nor loaded.
        type: str
        choices: [loaded, started, ondemand, stopped, absent]
        default: started
  purge:
    description:
      - Whether conns of the file that are not in O(conns) are removed. With O(content) they always are.
    type: bool
    default: false
  state:
    description:
      - V(present) means that the file holds the conns, and V(absent) that the file is gone and its conns are unloaded.
    type: str
    choices: [present, absent]
    default: present
  load:
    description:
      - Whether pluto is to load what the file says.
      - With V(false) only the file is written. pluto need not run then, and what it has loaded stays loaded.
    type: bool
    default: true
seealso:
  - module: route_based.vpn.vti_tunnel
  - module: route_based.vpn.vpn_info
"""

EXAMPLES = r"""
- name: The conns of a template; those that did not change keep their SAs
  route_based.vpn.ipsec_conn:
    content: "{{ lookup('ansible.builtin.template', 'conns.conf.j2') }}"

- name: One tunnel through the device vti01, beside the others of the file
  route_based.vpn.ipsec_conn:
    conns:
      - name: site-b
        state: started
        options:
          left: 192.0.2.1
          right: 198.51.100.1
          authby: secret
          leftsubnet: 0.0.0.0/0
          rightsubnet: 0.0.0.0/0
          mark: 5/0xffffffff
          vti_interface: vti01
          vti_routing: false

- name: The tunnel is not wanted any more
  route_based.vpn.ipsec_conn:
    conns:
      - name: site-b
        state: absent

- name: All that this module made is unloaded, and its file is removed
  route_based.vpn.ipsec_conn:
    state: absent
"""

RETURN = r"""
conns:
  description: One entry for each conn of the file, and for each that was removed from it.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The conn's name.
      type: str
      returned: always
      sample: site-b
    action:
      description:
        - What was done, V(kept), V(created), V(updated) or V(removed).
      type: str
      returned: always
      sample: updated
    reasons:
      description: Why, one entry for each difference.
      type: list
      elements: str
      returned: always
      sample: ["ikelifetime: 8h -> 4h"]
file:
  description:
    - What was done with the file, V(kept), V(created), V(updated) or V(removed).
  returned: success
  type: str
  sample: updated
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.route_based.vpn.plugins.module_utils import _conn_file, _run


def argument_spec() -> dict:
    """The module's options."""
    states = ["loaded", "started", "ondemand", "stopped", "absent"]
    conn = {
        "name": {"type": "str", "required": True},
        "options": {"type": "dict", "default": {}},
        "state": {"type": "str", "choices": states, "default": "started"},
    }
    return {
        "path": {"type": "path", "default": "/etc/ipsec.d/route_based_vpn.conf"},
        "content": {"type": "str"},
        "conns": {"type": "list", "elements": "dict", "options": conn},
        "purge": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "load": {"type": "bool", "default": True},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        mutually_exclusive=[("content", "conns")],
        required_if=[("state", "present", ("content", "conns"), True)],
        supports_check_mode=True,
    )
    _run.guarded(module, lambda module: module.exit_json(**_conn_file.run(module)))


if __name__ == "__main__":
    main()

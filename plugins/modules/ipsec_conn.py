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
  - What pluto has loaded and which secrets it has read is kept as fingerprints in C(/run) and C(/var/lib), so that the
    next run knows it, also when a conn was loaded or unloaded by hand, pluto or the host was restarted, or a run was
    killed halfway. Where neither can be written, the module warns, and the next run loads every conn again.
  - C(conn %default) of other files counts too. C(config setup) is read by pluto at its start only. When it changed, the
    module warns, and restarts nothing.
  - One module at a time changes a host. Another one waits for at most two minutes, and then names the process that
    does.
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
          - libreswan's keywords and their values, all of those that the installed version knows. A C(-) in a keyword
            may be written C(_). A list is written in braces, as C(leftsubnets) takes it.
          - They are written in the words of the installed version. C(keyexchange=ikev2) becomes C(ikev2=insist) before
            5.0, and C(ikev2=insist) becomes C(keyexchange=ikev2) since. C(dpdaction) is left out since 5.0, which
            dropped it. Marks get their mask, and C(leftvti) its prefix length, without which 4.10 fails.
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
  secrets:
    description:
      - The pre-shared keys of the conns, all of them. They are kept beside O(path), in a file that ends with
        C(.secrets), which only root can read. A secret that is not listed any more is removed with the next run, and an
        empty list removes the file. Without this option the file is left as it is.
      - Where they changed, or it is not certain that the running pluto has read them, pluto reads them again. SAs that
        are up stay up, and the next authentication takes the new secret. Give both ends theirs in one go.
    type: list
    elements: dict
    suboptions:
      ids:
        description:
          - The ids that the secret is for, in general those of C(leftid) and C(rightid). V(%any) stands for every peer.
        type: list
        elements: str
        required: true
      psk:
        description:
          - The secret, 1 to 1024 bytes of any text. It is written as base64, so that no character is special.
        type: str
        required: true
  wait_established:
    description:
      - How many seconds to wait until all conns of the file that are to be started are established, before the module
        fails. The conns stay as they are then. V(0) does not wait.
    type: float
    default: 0
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

- name: The same with its secret, on any libreswan, and wait for the tunnel
  route_based.vpn.ipsec_conn:
    conns:
      - name: site-b
        options:
          left: 192.0.2.1
          leftid: "@site-a"
          right: 198.51.100.1
          rightid: "@site-b"
          keyexchange: ikev2
          authby: secret
          leftsubnet: 0.0.0.0/0
          rightsubnet: 0.0.0.0/0
          mark: 5
          vti_interface: vti01
    secrets:
      - ids: ["@site-a", "@site-b"]
        psk: "{{ vault_site_b_psk }}"
    wait_established: 30

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
secrets_file:
  description:
    - The same of the file of secrets. It is V(kept) too where there is none.
  returned: success
  type: str
  sample: kept
secrets_read:
  description:
    - Whether pluto was made to read the secrets. That is so where they changed, and where a run before was killed
      between writing them and this, wrote them with O(load=false), or somebody put the file back by hand.
  returned: success
  type: bool
  sample: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.route_based.vpn.plugins.module_utils import _conn_run, _run


def argument_spec() -> dict:
    """The module's options."""
    states = ["loaded", "started", "ondemand", "stopped", "absent"]
    conn = {
        "name": {"type": "str", "required": True},
        "options": {"type": "dict", "default": {}},
        "state": {"type": "str", "choices": states, "default": "started"},
    }
    secret = {
        "ids": {"type": "list", "elements": "str", "required": True},
        "psk": {"type": "str", "required": True, "no_log": True},
    }
    return {
        "path": {"type": "path", "default": "/etc/ipsec.d/route_based_vpn.conf"},
        "content": {"type": "str"},
        "conns": {"type": "list", "elements": "dict", "options": conn},
        "purge": {"type": "bool", "default": False},
        "secrets": {"type": "list", "elements": "dict", "no_log": False, "options": secret},
        "wait_established": {"type": "float", "default": 0},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "load": {"type": "bool", "default": True},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        mutually_exclusive=[("content", "conns")],
        required_if=[("state", "present", ("content", "conns", "secrets"), True)],
        supports_check_mode=True,
    )
    _run.guarded(module, lambda module: module.exit_json(**_conn_run.run(module)))


if __name__ == "__main__":
    main()

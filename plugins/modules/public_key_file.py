#!/usr/bin/python
# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: public_key_file
short_description: Keep the public key of a gateway on the controller
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Keeps the raw public key that a gateway has answered in a file of the controller, from which the lookup
    P(route_based.vpn.public_keys#lookup) reads it. It works on the controller alone, and connects to no host.
  - The answer is checked before it is written. It has the three fields that are expected, and no other one, and the key
    of no other host.
  - The first key of a host is kept as it is answered, and pinned. When the host answers another one, and O(epoch) has
    not changed, the module fails and shows both, and nothing is written.
  - Ansible parses every file of a folder that it takes its inventory from. The module refuses a folder where it would
    parse the keys, too. Folders whose names begin with a dot are never parsed.
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
  folder:
    description:
      - The folder of the files. It is made where it is not there.
    type: path
    required: true
  host:
    description:
      - The inventory name of the host.
      - Required unless O(state=moved).
    type: str
  key:
    description:
      - What M(route_based.vpn.ipsec_hostkey) returned of the key, C(type), C(public_key) and C(ckaid).
      - Required with O(state=present).
    type: dict
  epoch:
    description:
      - The epoch that the host was asked for a key of. Another value than the one in the file lets the key be another
        one, and does not let it be the same.
      - Required with O(state=present).
    type: str
  state:
    description:
      - With V(moved) the files that an earlier version has written, C(HOST.json) in the folder, or in C(vpn_keys)
        beside it where its name is C(.vpn_keys), are checked and moved to where they belong. Nothing is moved where one
        of them is not a public key.
    type: str
    choices: [present, absent, moved]
    default: present
seealso:
  - module: route_based.vpn.ipsec_hostkey
  - plugin: route_based.vpn.public_keys
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Make sure that the host has a key
  route_based.vpn.ipsec_hostkey:
  register: hostkey

- name: Keep it
  route_based.vpn.public_key_file:
    folder: "{{ inventory_dir }}/.vpn_keys"
    host: "{{ inventory_hostname }}"
    key:
      type: "{{ hostkey.type }}"
      public_key: "{{ hostkey.public_key }}"
      ckaid: "{{ hostkey.ckaid }}"
    epoch: "1"
"""

RETURN = r"""
ckaid:
  description: The CKAID of the key.
  returned: with O(state=present)
  type: str
  sample: 8ad134fedae34a9ac3d3886ff138d883c11532cb
path:
  description: The file.
  returned: with O(state=present)
  type: str
  sample: /home/net/inventory/.vpn_keys/berlin.txt
moved:
  description: The hosts whose files were moved.
  returned: with O(state=moved)
  type: list
  elements: str
  sample: [berlin]
"""

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: public_keys
short_description: Public keys of gateways from the folder beside the inventory
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Reads the raw public keys that M(route_based.vpn.public_key_file) keeps on the controller, a file for each host. So
    a run with C(--limit), in batches, or with a host that does not answer has the keys of all peers.
  - A host that has no file yet is left out. A file that is not the public key of its host is an error, as are two hosts
    with one key.
options:
  _terms:
    description:
      - Inventory names of hosts.
    type: list
    elements: str
    required: true
  folder:
    description:
      - The folder of the files.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Which key has east?
  ansible.builtin.debug:
    msg: "{{ lookup('route_based.vpn.public_keys', 'east', folder=inventory_dir ~ '/.vpn_keys') }}"
"""

RETURN = r"""
_raw:
  description:
    - One dict. Its keys are the names of the hosts that have a file. Each value has C(type), C(public_key), C(ckaid)
      and C(epoch).
  type: list
  elements: dict
"""

import typing as t
from pathlib import Path

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.route_based.vpn.plugins.module_utils._errors import VpnError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _key_files


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(
        self, terms: t.Sequence[str], variables: t.Optional[dict[str, t.Any]] = None, **kwargs: t.Any
    ) -> list[dict[str, dict[str, str]]]:
        """One dict of the keys that are there; AnsibleLookupError where a file is not what it should be."""
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return [_key_files.Folder(Path(self.get_option("folder"))).read(terms)]
        except VpnError as exc:
            raise AnsibleLookupError(str(exc)) from None

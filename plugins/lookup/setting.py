# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: setting
short_description: A variable as the inventory or the command line says it, not as a host does
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Returns the value of a variable, worked out for the host at hand. In Ansible the facts of a host overrule the
    inventory and the defaults of roles, and every answer of a host may hold facts. Here they do not. The inventory,
    playbooks and C(-e) are above facts, also in C(hostvars) of other hosts that the value is made of.
  - Facts with the names of variables of this collection are refused, whichever variable is asked for.
  - A value that names C(ansible_facts) itself is as trustworthy as its host.
options:
  _terms:
    description:
      - The name of the variable.
    type: list
    elements: str
    required: true
  default:
    description:
      - What is returned where there is no such variable. Without it that is an error.
    type: raw
"""

EXAMPLES = r"""
- name: Where are the keys?
  ansible.builtin.debug:
    msg: "{{ lookup('route_based.vpn.setting', 'gateway_key_folder', default=inventory_dir ~ '/.vpn_keys') }}"
"""

RETURN = r"""
_raw:
  description: The value.
  type: list
  elements: raw
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.route_based.vpn.plugins.plugin_utils import _trust


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(
        self, terms: t.Sequence[str], variables: t.Optional[dict[str, t.Any]] = None, **kwargs: t.Any
    ) -> list[t.Any]:
        """The values; AnsibleLookupError where a fact has the name of one of ours, or there is no such variable."""
        known: t.Mapping[str, t.Any] = variables or {}
        facts = _trust.facts_of(known)
        # Ansible says which host it is; the host may have said another name.
        error = _trust.refused("this host", facts)
        if error:
            raise AnsibleLookupError(str(error))
        with _trust.facts_apart():
            if facts:
                known = _trust.restored(known, facts, known["hostvars"].raw_get(known["inventory_hostname"]))
            templar = self._templar.copy_with_new_env(available_variables=dict(known))
            return [self._value(name, known, templar, kwargs) for name in terms]

    def _value(self, name: str, known: t.Mapping[str, t.Any], templar: t.Any, kwargs: dict[str, t.Any]) -> t.Any:
        if name in known:
            return templar.template(known[name])
        if "default" not in kwargs:
            raise AnsibleLookupError(f"{name}: there is no such variable: set it in the inventory, or with -e")
        return kwargs["default"]

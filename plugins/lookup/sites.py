# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: sites
short_description: The checked plan of all sites of an inventory
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Reads the variables C(vpn_*) of all hosts of some groups, whatever C(--limit) says, checks them and what the hosts
    have written by hand in C(gateway_tunnels), and returns the plan from which P(route_based.vpn.links#filter) draws
    the tunnels of a host.
  - A host with C(vpn_site_id) is a site. The variables are those that the role P(route_based.vpn.gateway#role)
    explains.
  - All problems of all hosts are in one error, each with host and variable. No host is spoken to, and no secret is
    shown.
  - Evaluate it once in a play, as P(route_based.vpn.gateway#role) does. It reads all variables of all hosts, for which
    Ansible needs some milliseconds a host.
options:
  _terms:
    description:
      - Groups of the inventory. Those that it does not have are left out.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Check the whole inventory, without any host
  hosts: gateways
  gather_facts: false
  tasks:
    - name: Make the plan
      ansible.builtin.set_fact:
        plan: "{{ lookup('route_based.vpn.sites', 'gateways') }}"
      run_once: true

    - name: Show the tunnels of this host
      ansible.builtin.debug:
        msg: "{{ plan | route_based.vpn.links(inventory_hostname) }}"
"""

RETURN = r"""
_raw:
  description:
    - The plan, a text of JSON. It holds no secret.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _site_checks, _sites

WANTED = (*_sites.VARIABLES, *_site_checks.VARIABLES)
# What a secret may have to be fetched for from somewhere slow is read where something needs it: by the name of the
# variable, those that need it, and the value without which they do not.
NEEDED_BY = {
    "gateway_psk_master": (("vpn_auth", "psk"), ("gateway_tunnels", None)),
    "gateway_certificates": (("gateway_tunnels", None), ("gateway_roadwarriors", None)),
}


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(self, terms: t.Sequence[str], variables: t.Optional[dict[str, t.Any]] = None, **kwargs: t.Any) -> list[str]:
        """One text; AnsibleLookupError with all that is wrong."""
        self.set_options(var_options=variables, direct=kwargs)
        known = variables or {}
        members = (name for group in terms for name in known["groups"].get(group, ()))
        hosts, errors = _read(known["hostvars"], dict.fromkeys(members))
        plan, found = _sites.plan(hosts)
        plan, more = _site_checks.check(hosts, plan)
        errors += [*found, *more]
        if errors:
            lines = [f"{len(errors)} problem(s) in the inventory:", *(f"- {error}" for error in errors)]
            raise AnsibleLookupError("\n".join(lines))
        return [plan.to_json()]


def _read(
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]], names: t.Iterable[str]
) -> tuple[dict[str, dict[str, t.Any]], list[InputError]]:
    """Of each host the variables that count, with their templates worked out."""
    hosts: dict[str, dict[str, t.Any]] = {}
    errors = []
    for name in names:
        own, found = hostvars[name], {}
        for option in WANTED:
            needs = NEEDED_BY.get(option)
            if needs and not any(found.get(x) == value if value else found.get(x) for x, value in needs):
                continue
            try:
                if option in own:
                    found[option] = own[option]
            except AnsibleError as exc:
                errors.append(InputError(name, option, "...", f"cannot be worked out: {exc}"))
        hosts[name] = found
    return hosts, errors

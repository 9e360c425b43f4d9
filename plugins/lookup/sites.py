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
  - The variables are read as the inventory and the command line say them. Facts of the hosts, such as those of a fact
    cache, overrule none of them, and one with the name of a variable of this collection is a problem. A value may name
    C(ansible_facts) itself, and is then as trustworthy as its host.
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
  fail:
    description:
      - Whether problems are an error. With V(false) they are what is returned, as a text that begins with C(problems )
        and holds a list of them as JSON, so that a task can show them one below the other. Ansible itself shows the
        text of an error several times.
    type: bool
    default: true
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
    - With O(fail=false) and where there are problems, those.
  type: list
  elements: str
"""

import contextlib
import json
import typing as t

from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _site_checks, _sites, _trust, _variables

WANTED = (*_sites.VARIABLES, *_site_checks.VARIABLES)
# What is read only where something needs it, as it may be a secret that comes from somewhere slow, or a template that
# only sites can fill: by the name of the variable, those that need it, and the value without which they do not.
NEEDED_BY: dict[str, tuple[tuple[str, t.Any], ...]] = {
    **{option: (("vpn_site_id", None),) for option in _sites.VARIABLES if option != "vpn_site_id"},
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
        with _trust.facts_apart():
            hosts, errors = self._read(known["hostvars"], dict.fromkeys(members))
        plan, found = _sites.plan(hosts)
        plan, more = _site_checks.check(hosts, plan, known["hostvars"])
        errors += [*found, *more]
        if errors:
            if not self.get_option("fail"):
                return [f"problems {json.dumps([str(error) for error in errors])}"]
            many = "1 problem" if len(errors) == 1 else f"{len(errors)} problems"
            lines = [f"{many} in the inventory:", *(f"- {error}" for error in errors)]
            raise AnsibleLookupError("\n".join(lines))
        return [plan.to_json()]

    def _read(self, hostvars: t.Any, names: t.Iterable[str]) -> tuple[dict[str, dict[str, t.Any]], list[InputError]]:
        """Of each host the variables that count, with their templates worked out."""
        hosts: dict[str, dict[str, t.Any]] = {}
        errors: list[InputError] = []
        for name in names:
            raw, found = hostvars.raw_get(name), {}
            facts = _trust.facts_of(raw)
            errors += [error for error in (_trust.refused(name, facts),) if error]
            said = _trust.with_facts_below(raw, facts)
            errors += self._unknown(hostvars, name, said)
            errors += _variables.settings(name, self._settings(said, hostvars))
            for option in WANTED:
                needs = NEEDED_BY.get(option)
                if option not in raw or (
                    needs and not any(found.get(x) == value if value else found.get(x) for x, value in needs)
                ):
                    continue
                try:
                    found[option] = self._worked_out(raw[option], said, hostvars)
                except AnsibleError as exc:
                    errors.append(InputError(name, option, "...", f"cannot be worked out: {exc}"))
            hosts[name] = found
        return hosts, errors

    def _settings(self, said: dict[str, t.Any], hostvars: t.Any) -> dict[str, t.Any]:
        """Those settings of a host that can be worked out; another one may need what only the role has."""
        found = {}
        for option in _variables.SETTINGS:
            if option in said:
                with contextlib.suppress(AnsibleError):
                    found[option] = self._worked_out(said[option], said, hostvars)
        return found

    def _unknown(self, hostvars: t.Any, host: str, said: dict[str, t.Any]) -> list[InputError]:
        """Names with a typing error. Variables that tasks have registered or set are none of the inventory's; where
        this Ansible does not tell which those are, nothing is refused."""
        of_tasks = getattr(getattr(hostvars, "_variable_manager", None), "_nonpersistent_fact_cache", None)
        if of_tasks is None:
            return []
        names = [name for name in said if name.startswith(_variables.PREFIXES) and name not in of_tasks.get(host, ())]
        try:
            return _variables.unknown(host, names, self._worked_out(said.get(_variables.OWN, []), said, hostvars))
        except AnsibleError as exc:
            return [InputError(host, _variables.OWN, "...", f"cannot be worked out: {exc}")]

    def _worked_out(self, value: t.Any, raw: dict[str, t.Any], hostvars: t.Any) -> t.Any:
        """A variable's value. hostvars[host][variable] would not do, as it knows of no other hosts: a tunnel's remote
        end is often the hostvars of the peer."""
        if _is_plain(value):
            return value
        return self._templar.copy_with_new_env(available_variables={**raw, "hostvars": hostvars}).template(value)


def _is_plain(value: t.Any) -> bool:
    """Whether there is nothing in it to be worked out; most of what a thousand hosts say is so."""
    if isinstance(value, str):
        return "{" not in value
    if isinstance(value, (list, tuple)):
        return all(_is_plain(entry) for entry in value)
    if isinstance(value, dict):
        return all(_is_plain(entry) for entry in value.values())
    return value is None or isinstance(value, (bool, int, float))

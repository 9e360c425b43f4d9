# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Variables as the inventory, a playbook or the command line says them, whatever hosts say.

Ansible lets facts overrule the inventory and the defaults of roles, and every answer of a host, of whatever module, may
hold facts, as a fact cache does. So a host could say where this machine writes files, or what the networks of all other
hosts are. Here a fact with the name of a variable of this collection is refused, and no other one overrules
anything."""

from __future__ import annotations

import contextlib
import typing as t

from ansible import constants
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError

Variables = t.Mapping[str, t.Any]

# The beginnings of names that are all of this collection, and names that are read by its playbooks or its role.
PREFIXES = ("vpn_", "gateway_", "__gateway_", "peer_sheet_")
NAMES = frozenset(
    "site_hosts site_waves site_report site_drift site_rotate site_gate site_plan_anew site_hosts_done site_wave"
    " site_failure site_failures site_reasons site_done site_back site_canaries site_key status_report status_info"
    " status_page status_drift status_compared status_folder report teardown peer_view aws_tunnels aws_ping"
    " aws_ping_source aws_info aws_routes aws_pings aws_problems inventory_hostname inventory_hostname_short"
    " inventory_dir inventory_file group_names".split()
)
# What Ansible itself notes of a host.
HARMLESS = "discovered_interpreter_"


def facts_of(variables: Variables) -> Variables:
    """What the host, or a fact cache, has said of it, without the prefix ansible_."""
    facts = variables.get("ansible_facts")
    found = facts if isinstance(facts, t.Mapping) else {}
    return {name: value for name, value in found.items() if not str(name).startswith(HARMLESS)}


def refused(host: str, facts: Variables) -> t.Optional[InputError]:
    """Why the facts of a host are refused, where some have the names of variables of this collection."""
    names = sorted(name for name in map(str, facts) if name.startswith(PREFIXES) or name in NAMES)
    if not names:
        return None
    reason = (
        "the facts of this host, which it has answered itself or which come from a fact cache, say "
        f"{', '.join(names)}. Facts may not say that, as they would overrule the inventory: set it there, forget the "
        "facts with --flush-cache, and look at the host, as it may be hostile"
    )
    return InputError(host, "", "...", reason)


@contextlib.contextmanager
def facts_apart() -> t.Iterator[None]:
    """As with inject_facts_as_vars=false in Ansible's configuration: facts are in ansible_facts, and nowhere else, also
    in hostvars of other hosts."""
    before = constants.INJECT_FACTS_AS_VARS
    constants.INJECT_FACTS_AS_VARS = False
    try:
        yield
    finally:
        constants.INJECT_FACTS_AS_VARS = before


def with_facts_below(said: Variables, facts: Variables) -> dict[str, t.Any]:
    """The variables of a host, with its facts under their long names where nobody else has said anything."""
    return {**{f"ansible_{name}": value for name, value in facts.items()}, **said}


def restored(variables: Variables, facts: Variables, said: Variables) -> dict[str, t.Any]:
    """The variables of a task, with what the inventory has C(said) where facts have overruled it. What tasks, plays and
    -e say is above facts anyway."""
    found = dict(variables)
    for name, value in facts.items():
        for full in (name, f"ansible_{name}"):
            if full in said and full in found and found[full] == value:
                found[full] = said[full]
    return found

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: firewall_sets
short_description: What the sets of the role's nftables table hold
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - From the networks that must not leave in the clear, and the routes that a host has, the elements of nftables sets.
  - A part of a guarded network that the host has a more precise route of its own for, such as a network behind it,
    may leave by the device of that route.
positional: _input
options:
  _input:
    description:
      - Dicts of C(network) and C(device), the C(firewall.ways) of P(route_based.vpn.tunnel_parts#filter).
    type: list
    elements: dict
    required: true
  live:
    description:
      - The routes of the host, as C(ip -j route) prints them.
    type: list
    elements: dict
    default: []
  local:
    description:
      - Networks that may leave by any device.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what is guarded
  ansible.builtin.debug:
    msg: "{{ [{'network': '10.0.0.0/8', 'device': 'vti01'}] | route_based.vpn.firewall_sets }}"
"""

RETURN = r"""
_value:
  description:
    - C(guarded4) and C(guarded6), networks. C(ways4) and C(ways6), pairs of a network and a device by which it may
      leave, as nftables writes them. C(local4) and C(local6), networks that may leave by any device.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.module_utils._errors import VpnError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _firewall


def firewall_sets(
    ways: t.Sequence[dict[str, str]], live: t.Sequence[dict[str, t.Any]] = (), local: t.Sequence[str] = ()
) -> dict[str, list[str]]:
    """See DOCUMENTATION. Raises AnsibleFilterError for a local network that is none."""
    try:
        return _firewall.sets(ways, live, local)
    except VpnError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"firewall_sets": firewall_sets}

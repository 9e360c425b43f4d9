# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: links_due
short_description: The conns of a gateway that have to be up after a step of a rollout
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Of the conns of a host, those whose other end is done too, those that were up before the step, and those to peers
    beyond the inventory that the host calls.
positional: _input, host
options:
  _input:
    description:
      - The plan, as P(route_based.vpn.sites#lookup) returns it.
    type: str
    required: true
  host:
    description:
      - Inventory name of the host.
    type: str
    required: true
  conns:
    description:
      - Its conns, as P(route_based.vpn.tunnel_parts#filter) returns them.
    type: list
    elements: dict
    required: true
  done:
    description:
      - Inventory names of the hosts that are done.
    type: list
    elements: str
    default: []
  before:
    description:
      - Names of the conns that were up before, as M(route_based.vpn.vpn_checkpoint) returns them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Wait for those that can be up by now
  route_based.vpn.vpn_info:
    names: "{{ plan | route_based.vpn.links_due(inventory_hostname, conns=parts.conns, done=groups['done']) }}"
    wait_established: 60
"""

RETURN = r"""
_value:
  description: Names of conns.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _rollout, _sites


def links_due(
    plan: str,
    host: str,
    conns: t.Sequence[dict[str, t.Any]],
    done: t.Sequence[str] = (),
    before: t.Sequence[str] = (),
) -> list[str]:
    """See DOCUMENTATION. Raises AnsibleFilterError where the text is no plan."""
    try:
        return _rollout.due(_sites.from_json(str(plan)), str(host), conns, list(done), list(before))
    except ValueError as exc:
        raise AnsibleFilterError(f"links_due: {exc}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"links_due": links_due}

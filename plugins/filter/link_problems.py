# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: link_problems
short_description: What is wrong with tunnels that ought to carry traffic
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Compares what M(route_based.vpn.vpn_info) found with what was asked for, and says what is missing, a sentence each.
positional: _input, routes
options:
  _input:
    description:
      - The RV(route_based.vpn.vpn_info#module:conns) of M(route_based.vpn.vpn_info).
    type: list
    elements: dict
    required: true
  routes:
    description:
      - The routes that M(route_based.vpn.vti_route) was given.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: All is well
  ansible.builtin.assert:
    that: vpn.conns | route_based.vpn.link_problems(parts.routes) | length == 0
"""

RETURN = r"""
_value:
  description: The problems, each beginning with the name of its conn.
  type: list
  elements: str
  sample: ["link-1-2: 10.255.0.2, the other end of vti2, does not answer a ping"]
"""

import typing as t

from ansible_collections.route_based.vpn.plugins.plugin_utils import _rollout


def link_problems(conns: t.Sequence[dict[str, t.Any]], routes: t.Sequence[dict[str, t.Any]] = ()) -> list[str]:
    """See DOCUMENTATION."""
    return _rollout.problems(conns, routes)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"link_problems": link_problems}

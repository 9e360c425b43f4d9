# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: bgp_problems
short_description: What is wrong with BGP sessions that ought to be established
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Compares what FRR tells of its BGP sessions with those that the role P(route_based.vpn.gateway#role) has configured.
positional: _input, sessions
options:
  _input:
    description:
      - What C(vtysh -c 'show bgp summary json') printed.
    type: str
    required: true
  sessions:
    description:
      - The C(bgp.neighbors) of P(route_based.vpn.tunnel_parts#filter).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: All sessions are established
  ansible.builtin.assert:
    that: summary.stdout | route_based.vpn.bgp_problems(parts.bgp.neighbors) | length == 0
"""

RETURN = r"""
_value:
  description: The problems, each beginning with the name of its tunnel.
  type: list
  elements: str
  sample: ["vpn-0abc-1: BGP session with 169.254.10.1 is Active, not established"]
"""

import typing as t

from ansible_collections.route_based.vpn.plugins.plugin_utils import _bgp


def bgp_problems(summary: str, sessions: t.Sequence[dict[str, t.Any]]) -> list[str]:
    """See DOCUMENTATION."""
    return _bgp.problems(summary, sessions)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"bgp_problems": bgp_problems}

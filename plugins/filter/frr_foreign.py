# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: frr_foreign
short_description: The lines of an frr.conf that somebody else wrote
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - FRR has one file for all that it does. The role P(route_based.vpn.gateway#role) writes it whole, and refuses to do
    so where these lines would be lost.
positional: _input, mark
options:
  _input:
    description:
      - The text of C(/etc/frr/frr.conf).
    type: str
    required: true
  mark:
    description:
      - What is in a file of the role's own, and in what FRR writes of it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Nobody else has configured FRR
  ansible.builtin.assert:
    that: conf | route_based.vpn.frr_foreign('route_based_vpn') | length == 0
"""

RETURN = r"""
_value:
  description: The lines, without those that say nothing of routing.
  type: list
  elements: str
  sample: ["router ospf", "network 10.0.0.0/8 area 0"]
"""

import typing as t

from ansible_collections.route_based.vpn.plugins.plugin_utils import _bgp


def frr_foreign(conf: str, mark: str) -> list[str]:
    """See DOCUMENTATION."""
    return _bgp.foreign(conf, mark)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"frr_foreign": frr_foreign}

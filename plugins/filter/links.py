# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: links
short_description: The tunnels of a site, from the plan of all sites
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Draws the links of one host from the plan that P(route_based.vpn.sites#lookup) returns, and gives them as tunnels
    that the role P(route_based.vpn.gateway#role) takes in O(route_based.vpn.gateway#role:main:gateway_tunnels).
  - Both ends of a link are made from one object. Names, marks, devices, ids and inner addresses come from the ids of
    the two sites. Adding, removing, renaming or reordering other hosts does not change them.
  - It is a pure function, and its cost grows with the links of the host.
positional: _input, host
options:
  _input:
    description:
      - The plan.
    type: str
    required: true
  host:
    description:
      - Inventory name of the host. One that is no site has no links.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what the sites alone give this host
  ansible.builtin.debug:
    msg: "{{ lookup('route_based.vpn.sites', 'gateways') | route_based.vpn.links(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description:
    - One tunnel for each link, in the order of the peers' ids.
  type: list
  elements: dict
  sample:
    - name: link-1-2
      local: 192.0.2.1
      remote: 198.51.100.1
      local_id: "@site1"
      remote_id: "@site2"
      mark: 2
      interface: vti2
      unnumbered: {address: 10.255.0.1, peer: 10.255.0.2}
      mtu: 1400
      routes: [10.0.2.0/24]
      auth: key
      peer: paris
      auto: start
"""

import functools
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _links, _sites


# Ansible works a variable out anew each time that it is used, for each host.
@functools.lru_cache(maxsize=2)
def _links_of(plan: str) -> _links.Links:
    return _links.Links(_sites.from_json(plan))


def links(plan: str, host: str) -> list[dict[str, t.Any]]:
    """See DOCUMENTATION. Raises AnsibleFilterError where the text is no plan."""
    try:
        return _links_of(str(plan)).tunnels(str(host))
    except ValueError as exc:
        raise AnsibleFilterError(f"links: {exc}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"links": links}

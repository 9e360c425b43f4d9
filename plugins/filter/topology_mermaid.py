# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: topology_mermaid
short_description: Sites and links as Mermaid text
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Writes a C(flowchart LR) for documentation, in which hubs are hexagons, unmanaged peers have double sides and links
    that are down are dotted. All other links are plain.
  - Mermaid draws 500 links at most unless its C(maxEdges) is raised; P(route_based.vpn.topology_svg#filter) draws more.
positional: _input, links
options:
  _input:
    description:
      - The sites, dicts of C(id), C(name), C(hub) and C(state), which is V(up), V(unreachable) or V(planned).
    type: list
    elements: dict
    required: true
  links:
    description:
      - The links, dicts of C(name), C(ends), which are two names, C(state), which is V(up), V(partly), V(down),
        V(unknown) or V(planned), and C(problems), a list of texts.
      - An end that is the name of no site is drawn as an unmanaged peer.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Keep the drawing in the documentation
  ansible.builtin.copy:
    content: |
      ```mermaid
      {{ report.sites | route_based.vpn.topology_mermaid(report.links) -}}
      ```
    dest: docs/topology.md
    mode: "0644"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: The text, from C(flowchart LR) to the last link.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _drawing


def topology_mermaid(sites: t.Sequence[dict[str, t.Any]], links: t.Sequence[dict[str, t.Any]]) -> str:
    """See DOCUMENTATION. Raises AnsibleFilterError where a site or a link lacks something."""
    try:
        return _drawing.mermaid(sites, links)
    except (KeyError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(f"topology_mermaid: these are no sites and links: {exc!r}") from exc


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"topology_mermaid": topology_mermaid}

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: topology_svg
short_description: Sites and links as a drawing
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Draws sites on a circle in the order of their ids, hubs in its middle, unmanaged peers outside. The same sites and
    links give the same drawing, in whatever order they come.
  - Each state has a colour and a pattern of dashes or a shape of its own, and a legend counts them. A tooltip of each
    site and each link has its name, its state and its problems.
  - It needs no font, script or picture from elsewhere, and follows the dark mode of who looks at it.
positional: _input, links
options:
  _input:
    description:
      - The sites, dicts of C(id), C(name), C(hub) and C(state), which is V(up), V(unreachable) or V(planned).
        C(problems), a list of texts, goes into the tooltip.
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
- name: Draw what is
  ansible.builtin.copy:
    content: "{{ report.sites | route_based.vpn.topology_svg(report.links) }}"
    dest: vpn.svg
    mode: "0644"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: One C(<svg>) element, to stand in a page or to be a file.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _drawing


def topology_svg(sites: t.Sequence[dict[str, t.Any]], links: t.Sequence[dict[str, t.Any]]) -> str:
    """See DOCUMENTATION. Raises AnsibleFilterError where a site or a link lacks something."""
    try:
        return _drawing.svg(sites, links)
    except (KeyError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(f"topology_svg: these are no sites and links: {exc!r}") from exc


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"topology_svg": topology_svg}

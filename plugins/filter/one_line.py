# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: one_line
short_description: A message as one line that is safe to show
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Writes out control characters such as ESC, and those that turn the order of text round or are not seen, and makes
    one line of several. What a host, a peer or a program has said then looks the same on a screen, in a file and in a
    page.
  - What is longer than 2000 characters is cut off, and ends with its length.
positional: _input
options:
  _input:
    description:
      - The message. What is no text is shown as Python writes it.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Say why
  ansible.builtin.debug:
    msg: "{{ ansible_failed_result.msg | default('failed') | route_based.vpn.one_line }}"
"""

RETURN = r"""
_value:
  description: The line.
  type: str
  sample: 'no such file\x1b[2K'
"""

import typing as t

from ansible_collections.route_based.vpn.plugins.plugin_utils import _text


def one_line(value: t.Any) -> str:
    """See DOCUMENTATION."""
    return _text.one_line(value)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"one_line": one_line}

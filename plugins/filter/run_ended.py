# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: run_ended
short_description: Whether a run of Ansible has ended
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Says whether a run, as P(route_based.vpn.this_run#lookup) named it, was one of this controller and has ended. Of
    runs of other controllers, and of any other text, that is not known, and the answer is V(false).
options:
  _input:
    description:
      - The run.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: See whether the checkpoint is of a run that was interrupted
  ansible.builtin.debug:
    msg: "{{ refused.owner.run | route_based.vpn.run_ended }}"
"""

RETURN = r"""
_value:
  description: Whether it has certainly ended.
  type: bool
"""

import typing as t

from ansible_collections.route_based.vpn.plugins.plugin_utils import _this_run


def run_ended(run: t.Any) -> bool:
    """See DOCUMENTATION."""
    return _this_run.ended(str(run))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"run_ended": run_ended}

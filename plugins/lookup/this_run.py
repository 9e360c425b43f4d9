# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: this_run
short_description: Who runs Ansible now, for the checkpoints of gateways
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Names the run of Ansible that asks. M(route_based.vpn.vpn_checkpoint) keeps both values with a checkpoint, so that
    another run that is refused can name this one, and P(route_based.vpn.run_ended#filter) can see whether it has ended.
options: {}
"""

EXAMPLES = r"""
- name: Note what there is
  route_based.vpn.vpn_checkpoint:
    state: opened
    owner: "{{ lookup('route_based.vpn.this_run').who }}"
    run: "{{ lookup('route_based.vpn.this_run').run }}"
"""

RETURN = r"""
_raw:
  description:
    - One dict with C(who), such as C(alice@laptop), and C(run), the process in a form for programs. C(run) is empty
      where the controller is not Linux.
  type: list
  elements: dict
"""

import typing as t

from ansible.plugins.lookup import LookupBase
from ansible_collections.route_based.vpn.plugins.plugin_utils import _this_run


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(
        self, terms: t.Sequence[str], variables: t.Optional[dict[str, t.Any]] = None, **kwargs: t.Any
    ) -> list[dict[str, str]]:
        """One dict."""
        self.set_options(var_options=variables, direct=kwargs)
        return [{"who": _this_run.who(), "run": _this_run.run()}]

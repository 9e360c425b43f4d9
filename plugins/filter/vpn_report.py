# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vpn_report
short_description: The state of all links, each seen from both of its ends
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Joins what M(route_based.vpn.vpn_info) found on each gateway with the plan of all sites.
positional: _input, hosts
options:
  _input:
    description:
      - The plan, as P(route_based.vpn.sites#lookup) returns it.
    type: str
    required: true
  hosts:
    description:
      - Inventory names of the hosts that were asked.
    type: list
    elements: str
    required: true
  infos:
    description:
      - By host, the result of M(route_based.vpn.vpn_info). A host without one did not answer.
    type: dict
    required: true
  foretold:
    description:
      - By host, a list of the results of M(route_based.vpn.vti_tunnel), M(route_based.vpn.vti_route) and
        M(route_based.vpn.ipsec_conn) in check mode.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Which links are not up?
  ansible.builtin.debug:
    msg: "{{ report.links | rejectattr('state', 'eq', 'up') | map(attribute='name') }}"
  vars:
    report: >-
      {{ plan | route_based.vpn.vpn_report(ansible_play_hosts_all, infos=dict(ansible_play_hosts
         | zip(ansible_play_hosts | map('extract', hostvars, 'vpn')))) }}
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - C(made), the time in UTC. C(sites), each with C(id), C(name), C(hub), C(state) (V(up), V(unreachable) or
      V(planned)), C(address), C(networks), C(problems) and C(drift), what a run would change, null where nobody looked.
      C(links), each with C(name), C(ends), C(state) (V(up), V(partly), V(down), V(unknown), V(planned)), C(since),
      C(mtu), C(problems), and C(a) and C(b), the views of its ends, each with C(host), C(state), C(bytes_in),
      C(bytes_out) and C(mtu). C(counts) are the links by state.
  type: dict
"""

import time
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _report, _sites


def vpn_report(
    plan: str,
    hosts: t.Sequence[str],
    infos: t.Mapping[str, dict[str, t.Any]],
    foretold: t.Optional[t.Mapping[str, t.Sequence[dict[str, t.Any]]]] = None,
) -> dict[str, t.Any]:
    """See DOCUMENTATION. Raises AnsibleFilterError where the text is no plan."""
    try:
        answers = _report.Answers(list(hosts), infos, foretold or {})
        return _report.report(_sites.from_json(str(plan)), answers, time.time())
    except ValueError as exc:
        raise AnsibleFilterError(f"vpn_report: {exc}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"vpn_report": vpn_report}

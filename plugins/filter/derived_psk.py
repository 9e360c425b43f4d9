# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: derived_psk
short_description: The pre-shared key of two peers, derived from a master secret
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Gives the secret that the role P(route_based.vpn.gateway#role) derives for a tunnel without one of its own, to hand
    it to a peer that Ansible does not manage.
  - It is the HMAC-SHA256 of the two ids, sorted, and an epoch, as base64. Both ends get the same in whatever order.
positional: _input, ids
options:
  _input:
    description:
      - The master secret, 32 bytes or more. Keep it in Ansible Vault.
    type: str
    required: true
  ids:
    description:
      - The two ids, C(leftid) and C(rightid).
    type: list
    elements: str
    required: true
  epoch:
    description:
      - Another value gives another secret.
    type: str
    default: "1"
"""

EXAMPLES = r"""
- name: The secret for a partner, in a file that only we can read
  ansible.builtin.copy:
    content: "{{ vault_psk_master | route_based.vpn.derived_psk(['@hub', '@partner']) }}"
    dest: partner.psk
    mode: "0600"
  delegate_to: localhost
  no_log: true
"""

RETURN = r"""
_value:
  description: The secret, 44 characters of base64.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.module_utils import _secrets


def derived_psk(master: str, ids: t.Sequence[str], epoch: str = "1") -> str:
    """See DOCUMENTATION. Raises AnsibleFilterError, and never with a secret."""
    try:
        return _secrets.derived_psk(str(master), [str(value) for value in ids], str(epoch))
    except ValueError as exc:
        raise AnsibleFilterError(f"derived_psk: {exc}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"derived_psk": derived_psk}

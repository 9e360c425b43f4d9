# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The policies of the kernel's IPsec, as far as a VTI device can get into their way: who they are between and which
mark they have. pyroute2 knows nothing of them."""

from __future__ import annotations

import dataclasses
import ipaddress
import struct
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _rtnl
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

GETPOLICY = 21
# struct xfrm_userpolicy_info: a selector of 56 bytes, lifetimes of 96, priority and index; then direction
DIRECTION, INFO_SIZE, ID_SIZE = 160, 168, 64
OUT = 1
XFRMA_TMPL, XFRMA_MARK = 5, 21
# struct xfrm_user_tmpl: daddr 0, spi 16, proto 20, family 24, saddr 28, reqid 44, mode 48
TEMPLATE_SIZE, TUNNEL = 64, 1
AF_INET = 2


@dataclasses.dataclass(frozen=True)
class Policy:
    """An outbound tunnel policy: its outer ends, and value and mask of its mark, 0/0 without one."""

    local: str
    remote: str
    value: int = 0
    mask: int = 0


def tunnel_policies() -> list[Policy]:
    """All of them; none where the kernel has no IPsec or does not tell."""
    try:
        with _rtnl.Socket(_rtnl.XFRM) as sock:
            messages = sock.dump(GETPOLICY, bytes(ID_SIZE))
    except StoreError:
        return []
    found = (policy(message) for message in messages)
    return [one for one in found if one]


def policy(message: bytes) -> t.Optional[Policy]:
    """One policy, or None for one that is inbound or no tunnel."""
    body = message[_rtnl.HEADER.size :]
    found = dict(_rtnl.attributes(body, INFO_SIZE))
    template = found.get(XFRMA_TMPL, b"")
    if body[DIRECTION] != OUT or len(template) < TEMPLATE_SIZE or template[48] != TUNNEL:
        return None
    width = 4 if struct.unpack_from("=H", template, 24)[0] == AF_INET else 16
    remote, local = (str(ipaddress.ip_address(template[start : start + width])) for start in (0, 28))
    value, mask = struct.unpack("=II", found[XFRMA_MARK]) if XFRMA_MARK in found else (0, 0)
    return Policy(local, remote, value, mask)

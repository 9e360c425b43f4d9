# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: peer_views
short_description: Tunnels as the engineer of the far side has to see them
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Checks a list of tunnels as the role P(route_based.vpn.gateway#role) takes it in
    O(route_based.vpn.gateway#role:main:gateway_tunnels), and gives what the far side has to know of each tunnel to a
    peer that Ansible does not manage. The playbook C(route_based.vpn.peer_sheets) makes a text file of each.
  - Tunnels with a C(peer), and those to one of O(managed), are left out.
  - It is a pure function of its input. Neither what it returns nor an error holds a secret, but how long it is.
positional: _input, host
options:
  _input:
    description:
      - The tunnels of one host. The options of each are those of the role's C(gateway_tunnels).
    type: list
    elements: dict
    required: true
  host:
    description:
      - Inventory name of the host.
    type: str
    required: true
  ike:
    description:
      - IKE proposal of tunnels that name none.
    type: str
    default: aes_gcm256-sha2_512;dh19
  esp:
    description:
      - ESP proposal of tunnels that name none.
    type: str
    default: aes_gcm256
  dpd_delay:
    description:
      - Seconds of silence after which the host asks a peer whether it is there; V(0) never asks.
    type: int
    default: 30
  dpd_timeout:
    description:
      - Seconds without an answer after which the peer counts as gone.
    type: int
    default: 60
  networks:
    description:
      - The networks behind the host, in CIDR form, which the far side has to route into the tunnel.
    type: list
    elements: str
    default: []
  address:
    description:
      - The outer address that peers see the host at. It counts for tunnels whose C(local) is a private address, and
        whose C(remote) is none.
    type: str
    default: ""
  managed:
    description:
      - Outer addresses of hosts that Ansible manages.
    type: list
    elements: str
    default: []
  own_key:
    description:
      - C(type) and C(public_key) of the host's raw key, as P(route_based.vpn.public_keys#lookup) returns them.
    type: dict
    default: {}
  certificate_type:
    description:
      - Type of the keys of the certificates of both ends.
    type: str
    choices: [rsa, ecdsa]
    default: rsa
  asn:
    description:
      - The AS number of the host, for tunnels with C(bgp) that do not say it; V(0) where it is not known.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Show what swanctl.conf of each peer has to say
  ansible.builtin.debug:
    msg: "{{ item.your.id }}: {{ item.ike.strongswan or item.ike.reason }}"
  loop: "{{ gateway_tunnels | route_based.vpn.peer_views(inventory_hostname, networks=['10.0.1.0/24']) }}"
"""

RETURN = r"""
_value:
  description:
    - A dict for each tunnel. C(our) is the host's end and C(your) the peer's.
    - C(ike) and C(esp) have C(libreswan), the proposals in libreswan's words, and C(strongswan), the same in those of
      swanctl.conf. Where the second is empty, C(reason) says why it has to be translated by hand.
    - C(secret_bytes) is the length of the tunnel's own secret, and null where it is derived, or there is none.
    - C(mark), C(interface) and C(conn) are what the peer may take for its end.
    - C(bgp) is null, or the BGP session, with C(our_as) and C(your_as), C(neighbor), which is the peer's inner address,
      C(hold_time) and C(keepalive) in seconds, C(bfd), C(bfd_interval) in milliseconds, C(bfd_multiplier),
      C(maximum_prefix), C(ttl_security), and whether there is a C(password).
    - C(options) are the other keywords of the conn of the host.
  type: list
  elements: dict
  sample:
    - name: partner
      host: west
      conn: west-partner
      family: 4
      families: [4]
      our: {address: 192.0.2.1, local: 192.0.2.1, nat: false, id: "@west"}
      your: {address: 198.51.100.7, id: "@partner"}
      auth: psk
      secret_bytes: 44
      our_key: {}
      your_key: {}
      certificate_type: rsa
      ike: {libreswan: aes_gcm256-sha2_512;dh19, strongswan: aes256gcm16-prfsha512-ecp256, reason: ""}
      esp: {libreswan: aes_gcm256, strongswan: aes256gcm16-ecp256, reason: ""}
      pfs: true
      lifetimes:
        ike: {keyword: ikelifetime, text: 8h, seconds: 28800, default: true}
        esp: {keyword: salifetime, text: 8h, seconds: 28800, default: true}
      selector: 0.0.0.0/0
      networks: [10.0.1.0/24]
      routes: [10.0.3.0/24]
      inner:
        - {ours: 172.31.1.1, network: 172.31.1.0/30, yours: 172.31.1.2, words: 172.31.1.2/30}
      mtu: 1400
      mss: {ipv4: 1360, ipv6: 1340}
      dpd_delay: 30
      dpd_timeout: 60
      bgp: null
      encapsulation: auto
      auto: start
      mark: 5
      interface: vti5
      options: {}
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.module_utils._errors import VpnError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _peer_sheet


def peer_views(
    tunnels: t.Any,
    host: str,
    ike: str = "aes_gcm256-sha2_512;dh19",
    esp: str = "aes_gcm256",
    dpd_delay: int = 30,
    dpd_timeout: int = 60,
    networks: t.Sequence[str] = (),
    address: str = "",
    managed: t.Sequence[str] = (),
    own_key: t.Optional[t.Mapping[str, str]] = None,
    certificate_type: str = "rsa",
    asn: int = 0,
) -> list[dict[str, t.Any]]:
    """See DOCUMENTATION. Raises AnsibleFilterError with all that is wrong, and never with a secret."""
    where = _peer_sheet.Host(
        name=str(host),
        ike=str(ike),
        esp=str(esp),
        dpd_delay=int(dpd_delay),
        dpd_timeout=int(dpd_timeout),
        address=str(address),
        networks=[str(network) for network in networks],
        managed=[str(value) for value in managed],
        own_key=own_key or {},
        certificate_type=str(certificate_type),
        asn=int(asn),
    )
    try:
        return _peer_sheet.views(tunnels, where)
    except VpnError as exc:
        # "from None": the traceback of verbose runs must not show the tunnels, which hold secrets.
        raise AnsibleFilterError(str(exc)) from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"peer_views": peer_views}

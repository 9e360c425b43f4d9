# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: aws_tunnels
short_description: The two tunnels of an AWS Site-to-Site VPN connection, from its XML
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Reads the CustomerGatewayConfiguration of a VPN connection, which C(aws ec2 describe-vpn-connections) returns, and
    gives its two tunnels as the role P(route_based.vpn.gateway#role) takes them in
    O(route_based.vpn.gateway#role:main:gateway_tunnels).
  - Of the XML it takes addresses, pre-shared keys, lifetimes, dead peer detection and BGP. It does not take the
    algorithms, which are the least that AWS does, AES-128, SHA-1 and group 2, and which libreswan refuses. The preset
    V(aws) has better ones, which AWS takes unless the connection was told otherwise.
  - A connection with static routes gives tunnels with C(metric) and C(failover), one with BGP gives tunnels with
    C(bgp).
  - It is a pure function. Everything that is wrong is in one error, and no error holds a pre-shared key. The XML and
    the result do, so keep the file in Ansible Vault.
notes:
  - Between a host behind an Elastic IP and AWS, ESP goes in UDP, and the security group has to let UDP 500 and 4500
    in. Turn the source/destination check of the instance off.
  - A document type in the XML is refused, so that no entity is ever expanded.
positional: _input
options:
  _input:
    description:
      - The XML as text.
    type: str
    required: true
  routes:
    description:
      - Networks of the VPC in CIDR form. With BGP they are what is accepted from AWS. In both cases they do not leave
        in the clear while the tunnels are down.
    type: list
    elements: str
    required: true
  mark:
    description:
      - Mark of the first tunnel. The second tunnel has the next number. The devices are C(vti) and the mark.
    type: int
    required: true
  name:
    description:
      - The tunnels are named this with C(-1) and C(-2) after it.
      - The default is the id of the VPN connection.
    type: str
  local:
    description:
      - The outer address that this host has itself. Where it is not the one that AWS knows, the host is behind NAT or
        an Elastic IP, and ESP goes in UDP.
      - The default is the address of the customer gateway in the XML.
    type: str
  prefer:
    description:
      - The tunnel that carries the traffic, V(1) or V(2), while the other one waits. AWS is told to answer by the same
        one where there is BGP. V(both) shares it out between the two, which needs BGP.
    type: str
    choices: ["1", "2", both]
    default: "1"
  override:
    description:
      - Options of C(gateway_tunnels) that both tunnels have, such as C(ike), C(esp), C(mtu), C(auto) or C(firewall).
        C(options) and C(bgp) are merged key by key.
      - The MTU follows an C(esp) that is given here.
      - With C(auth) other than V(psk) no pre-shared key is needed in the XML, and none is in the tunnels.
    type: dict
    default: {}
"""

EXAMPLES = r"""
# aws ec2 describe-vpn-connections --vpn-connection-ids vpn-0abc --output text \
#   --query 'VpnConnections[0].CustomerGatewayConfiguration' > vpn-0abc.xml; ansible-vault encrypt vpn-0abc.xml
- name: Bring up both tunnels of a VPN connection
  hosts: gateway
  roles:
    - role: route_based.vpn.gateway
      vars:
        gateway_tunnels: >-
          {{ lookup('ansible.builtin.file', 'vpn-0abc.xml')
             | route_based.vpn.aws_tunnels(routes=['10.1.0.0/16'], mark=100) }}

- name: On an instance with an Elastic IP, by BGP, over both tunnels at once
  hosts: instance
  roles:
    - role: route_based.vpn.gateway
      vars:
        gateway_tunnels: >-
          {{ lookup('ansible.builtin.file', 'vpn-0abc.xml')
             | route_based.vpn.aws_tunnels(routes=['10.1.0.0/16'], mark=100, local='10.9.0.10', prefer='both',
                                           override={'bgp': {'advertise': ['10.9.0.0/16']}}) }}
"""

RETURN = r"""
_value:
  description:
    - Two tunnels. They hold the pre-shared keys; say C(no_log) where you show them.
  type: list
  elements: dict
  sample:
    - name: vpn-0abc1230000000001-1
      local: 203.0.113.10
      remote: 198.51.100.11
      local_id: 203.0.113.10
      remote_id: 198.51.100.11
      psk: of.the.XML
      mark: 100
      addresses: [169.254.10.2/30]
      routes: [10.1.0.0/16]
      preset: aws
      auto: start
      dpd_delay: 10
      dpd_timeout: 15
      bgp:
        remote_as: 64512
        neighbor: 169.254.10.1
        local_as: 65010
        hold_time: 30
        keepalive: 10
        local_preference: 200
        med: 100
      mtu: 1446
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.module_utils._errors import VpnError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _aws


def aws_tunnels(
    text: str,
    routes: t.Any = None,
    mark: t.Any = None,
    name: str = "",
    local: str = "",
    prefer: t.Any = "1",
    override: t.Any = None,
) -> list[dict[str, t.Any]]:
    """See DOCUMENTATION. Raises AnsibleFilterError with all that is wrong, and never with a secret."""
    wish = _aws.Wish(routes, mark, str(name or ""), str(local or ""), prefer, override)
    try:
        return _aws.tunnels(str(text), wish)
    except VpnError as exc:
        # "from None": the traceback of verbose runs must not show the XML, which holds secrets.
        raise AnsibleFilterError(f"aws_tunnels: {exc}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"aws_tunnels": aws_tunnels}

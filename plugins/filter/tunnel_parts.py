# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tunnel_parts
short_description: From the tunnels of a gateway to devices, routes, conns and secrets
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Checks a list of tunnels as the role P(route_based.vpn.gateway#role) takes it in
    O(route_based.vpn.gateway#role:main:gateway_tunnels), fills in the defaults, and splits it into what the modules and
    templates of the role need.
  - It is a pure function of its input. Every refused value of every tunnel is in one error, with the tunnel's place in
    the list, the option and the reason.
positional: _input
options:
  _input:
    description:
      - The tunnels of one host. The options of each are those of the role's C(gateway_tunnels).
    type: list
    elements: dict
    required: true
  version:
    description:
      - The version of the host's libreswan, like V(4.10) or V(5.2), since keywords were renamed in 5.0.
    type: str
    default: "5.0"
  updown:
    description:
      - Path of the updown hook on the host.
    type: path
    default: /usr/local/libexec/route_based_vpn/updown
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
      - Seconds of silence after which a peer is asked whether it is there; V(0) never asks.
    type: int
    default: 30
  dpd_timeout:
    description:
      - Seconds without an answer after which the peer counts as gone.
    type: int
    default: 60
  psk_master:
    description:
      - Master secret of 32 bytes or more, from which the secrets of tunnels without a C(psk) are derived.
    type: str
    default: ""
  psk_epoch:
    description:
      - Another value gives all derived secrets another value.
    type: str
    default: "1"
  own_key:
    description:
      - C(ckaid) and C(type) of the host's raw key, as M(route_based.vpn.ipsec_hostkey) returns them.
    type: dict
    default: {}
  keys:
    description:
      - Public keys of peers by inventory name, as P(route_based.vpn.public_keys#lookup) returns them.
    type: dict
    default: {}
  certificate:
    description:
      - Nickname of the host's certificate, for tunnels that name none.
    type: str
    default: ""
  certificate_type:
    description:
      - Type of the keys of the certificates of both ends.
    type: str
    choices: [rsa, ecdsa]
    default: rsa
  routes:
    description:
      - Routes beside those of the tunnels, as O(route_based.vpn.vti_route#module:routes) takes them.
    type: list
    elements: dict
    default: []
  roadwarriors:
    description:
      - Servers of roadwarriors, as the role takes them in O(route_based.vpn.gateway#role:main:gateway_roadwarriors).
    type: list
    elements: dict
    default: []
  bgp:
    description:
      - What holds for all BGP sessions of the host, the role's C(gateway_bgp_*) options without that prefix.
    type: dict
    default: {}
  rules:
    description:
      - Policy rules, as O(route_based.vpn.vti_route#module:rules) takes them.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show the conns of this host
  ansible.builtin.debug:
    msg: "{{ (gateway_tunnels | route_based.vpn.tunnel_parts(version='4.10')).conns }}"
"""

RETURN = r"""
_value:
  description:
    - Lists. C(devices) is the O(route_based.vpn.vti_tunnel#module:tunnels) of M(route_based.vpn.vti_tunnel).
      C(routes) and C(rules) are those of M(route_based.vpn.vti_route). C(conns) has C(name)
      and C(keywords) of each conn block. C(secrets) are the O(route_based.vpn.ipsec_conn#module:secrets) of
      M(route_based.vpn.ipsec_conn); treat them as such. C(restore) are the lines from which the boot unit brings
      devices and routes back. C(waiting) are the tunnels whose peer has no public key yet, C(name) and C(peer) of
      each; their conns have C(auto=ignore). C(firewall) is a dict of what the role's nftables table is made of, see
      P(route_based.vpn.firewall_sets#filter). C(followers) are the lines from which the updown hook puts and takes
      away routes that go with a conn. C(start) is what C(ipsec.service) needs for pluto to start again with
      so many conns and addresses, C(open_files), a limit or C(0), and C(listen_first). C(bgp) is what the template of
      FRR's configuration takes, empty where no tunnel has C(bgp).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.module_utils import _restart, _routes, _versions
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors, VpnError
from ansible_collections.route_based.vpn.plugins.plugin_utils import (
    _auth,
    _bgp,
    _firewall,
    _restore,
    _roadwarriors,
    _tunnels,
)


def tunnel_parts(
    tunnels: t.Any,
    version: str = "5.0",
    updown: str = "/usr/local/libexec/route_based_vpn/updown",
    ike: str = "aes_gcm256-sha2_512;dh19",
    esp: str = "aes_gcm256",
    dpd_delay: int = 30,
    dpd_timeout: int = 60,
    routes: t.Sequence[dict[str, t.Any]] = (),
    rules: t.Sequence[dict[str, t.Any]] = (),
    roadwarriors: t.Sequence[dict[str, t.Any]] = (),
    bgp: t.Optional[dict[str, t.Any]] = None,
    **credentials: t.Any,
) -> dict[str, t.Any]:
    """See DOCUMENTATION. Raises AnsibleFilterError with all that is wrong, and never with a secret."""
    try:
        own = _auth.Credentials(**credentials)
        host = _tunnels.Host(_versions.version(version), updown, ike, esp, dpd_delay, dpd_timeout, own)
        checked = _tunnels.normalise(tunnels)
        servers = _roadwarriors.normalise(roadwarriors, own)
        errors = [*_auth.missing(checked, own), *_roadwarriors.clashes(checked, servers)]
        if errors:
            raise InputErrors(errors)
        devices = [*_tunnels.devices(checked), *_roadwarriors.devices(servers)]
        all_routes = [*_tunnels.routes(checked), *_roadwarriors.routes(servers), *routes]
        pools = [(str(network), x["interface"]) for x in servers for network in _roadwarriors.networks(x)]
        wanted = _routes.from_params(all_routes)
        firewall = _firewall.parts([*checked, *servers], wanted, [*_tunnels.ways(checked), *pools])
        sessions = _bgp.parts(checked, bgp or {})
        restore = _restore.lines(devices, wanted, rules)
    except VpnError as exc:
        # "from None": the traceback of verbose runs must not show the tunnels, which hold secrets.
        raise AnsibleFilterError(str(exc)) from None
    except TypeError:
        raise AnsibleFilterError(f"tunnel_parts has no option of {', '.join(credentials)}") from None
    return {
        "devices": devices,
        "routes": all_routes,
        "rules": list(rules),
        "restore": restore,
        "followers": _restore.followers(wanted),
        "bgp": sessions,
        "conns": [*_tunnels.conns(checked, host), *_roadwarriors.conns(servers, host)],
        "secrets": _auth.secrets(checked, own),
        "waiting": [{"name": x["name"], "peer": x["peer"]} for x in checked if not _auth.ready(x, own)],
        "firewall": firewall,
        "start": _restart.settings(
            sum(len(device["addresses"]) for device in devices), len(checked) + len(servers)
        )._asdict(),
    }


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Ansible's way to find them."""
        return {"tunnel_parts": tunnel_parts}

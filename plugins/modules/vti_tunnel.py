#!/usr/bin/python
# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vti_tunnel
short_description: Manage VTI devices, the tunnel interfaces of route-based IPsec
description:
  - Creates, changes and removes the kernel's virtual tunnel interfaces (VTI, C(ip link add type vti) and C(vti6))
    with their addresses, MTU and sysctls.
  - Compares with the live kernel, by netlink, and writes only what differs. What the kernel can change in place is
    changed in place; else the device is made anew with the same index, and the routes that fall with it are put back.
  - Everything is checked before anything is written, and all that is wrong is reported at once.
  - The kernel forgets devices at the next boot.
author:
  - route_based.vpn contributors (@route-based)
extends_documentation_fragment:
  - route_based.vpn.attributes
  - route_based.vpn.attributes.action_group
  - route_based.vpn.attributes.pyroute2
options:
  tunnels:
    description:
      - The devices. One call with the whole list costs about as much as one with a single device.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the device, 1 to 15 letters, digits, V(_) or V(-).
          - An existing VTI device of this name is taken over, whoever made it. Any other device of this name is an
            error.
        type: str
        required: true
      kind:
        description:
          - V(vti) is a tunnel. V(dummy) is a device that carries nothing and holds addresses
            (C(ip link add type dummy)); it takes O(tunnels[].addresses) and O(tunnels[].enabled) alone.
          - A dummy of somebody else is an error, as any other device is.
        type: str
        choices:
          - vti
          - dummy
        default: vti
      local:
        description:
          - The outer address of this host, or V(any).
          - Left out it is V(any) too. O(tunnels[].local) and O(tunnels[].remote) cannot both be V(any), as such a
            device never sends.
          - The family of the outer addresses decides the device's kind, C(vti) or C(vti6).
        type: str
      remote:
        description:
          - The outer address of the other side, or V(any), which is what it is when left out. A device with V(any)
            carries the tunnels to all peers of O(tunnels[].local).
          - Only one device can have the same O(tunnels[].local), O(tunnels[].remote) and O(tunnels[].link), whatever
            its key; for IPv6 O(tunnels[].link) does not tell them apart either.
        type: str
      key:
        description:
          - The device's input and output key, which is the mark of the conn that uses it, as a number (V(5), V(0x5))
            or as libreswan writes marks (V(5/0xffffffff)), whose mask is left off.
          - Required unless O(tunnels[].ikey) and O(tunnels[].okey) are given. V(0) and V(-1) are refused.
        type: str
      ikey:
        description: The input key alone, the conn's C(mark-in). Needs O(tunnels[].okey).
        type: str
      okey:
        description: The output key alone, the conn's C(mark-out). Needs O(tunnels[].ikey).
        type: str
      link:
        description:
          - The device that the outer packets come in by. It tells apart two devices with the same ends. It does not
            decide where outer packets leave.
        type: str
        aliases:
          - parent
      addresses:
        description:
          - The addresses of the device. They are exact, so others are removed; the kernel's own IPv6 link-local
            address stays.
        type: list
        elements: dict
        default: []
        suboptions:
          address:
            description: Address with prefix length, V(10.0.1.1/24).
            type: str
            required: true
          peer:
            description:
              - Address of the other end. The prefix length of O(tunnels[].addresses[].address), usually C(/32) then,
                is the peer's.
            type: str
      unnumbered:
        description:
          - A device without an address of its own. A route to the peer is set, which names an address of another
            device as its source, usually of a dummy.
          - With hundreds of tunnels to which this host has the same inner address it is the only way that works.
            pluto logs each pair of devices that have the same address, at each start, and libreswan 5.2 hangs for
            ever at about 56 of them.
          - Excludes O(tunnels[].addresses) and O(tunnels[].vrf).
        type: dict
        suboptions:
          address:
            description: The address of this host, without prefix length. Some other device has to have it.
            type: str
            required: true
          peer:
            description: Address of the other end, of the same family.
            type: str
            required: true
      mtu:
        description:
          - V(68) to V(65515) (IPv6 outside, V(65495)), and V(1280) or more with IPv6 addresses on the device.
          - V(1400) leaves room for ESP with any cipher and NAT traversal where the network between carries 1500
            bytes.
          - V(auto) works it out from the MTU of the way to O(tunnels[].remote), or of the device that has
            O(tunnels[].local) for a remote of V(any), from O(tunnels[].esp) and O(tunnels[].nat_t). Of 1500 bytes it
            leaves 1446 with AES-GCM, the number that AWS gives for its VPN too.
        type: str
        default: "1400"
      esp:
        description:
          - The conn's C(esp=), from which V(auto) of O(tunnels[].mtu) knows the ciphers' overhead; of several the
            largest. A cipher without an integrity algorithm is taken as one with C(sha2_512).
        type: str
        default: aes_gcm256
      nat_t:
        description: Whether the tunnel crosses NAT, so that ESP goes in UDP, for V(auto) of O(tunnels[].mtu).
        type: bool
        default: false
      underlay_mtu:
        description:
          - MTU of the network between the ends in bytes, V(576) to V(65535), for V(auto) of O(tunnels[].mtu). The
            kernel is asked by default, which knows of the first hop only.
        type: int
      vrf:
        description:
          - The VRF that the device belongs to, which has to exist. An empty string takes the device out of any;
            left out, it stays where it is. The outer addresses stay outside of the VRF.
          - The kernel looks up the outer packets in the VRF too. A route to O(tunnels[].remote) in the VRF's table, of
            protocol 158, is kept for that, by the way that the kernel knows outside of it.
          - Moving a device into a VRF or out of it makes the kernel drop its routes and IPv6 addresses for a moment;
            they are put back.
        type: str
      enabled:
        description:
          - Whether the device is up. A device that is down has no routes, so what it carried may leave in clear.
        type: bool
        default: true
      sysctls:
        description:
          - Settings in C(net.ipv4.conf.NAME) of the device. What is given here is added to C(disable_policy=1),
            C(forwarding=1) and C(rp_filter=0), or takes their place.
          - It can set C(accept_local), C(accept_redirects), C(accept_source_route), C(disable_policy), C(forwarding),
            C(log_martians), C(promote_secondaries), C(proxy_arp), C(route_localnet), C(rp_filter),
            C(secure_redirects), C(send_redirects), C(shared_media) and C(src_valid_mark).
          - Others are left as they are. C(disable_xfrm) is refused, as the device would send nothing.
        type: dict
        default: {}
      state:
        description:
          - Whether the device is to exist. For V(absent) only O(tunnels[].name) counts, and only a VTI device is
            removed.
        type: str
        choices:
          - present
          - absent
        default: present
  purge:
    description:
      - Whether VTI devices that this module made (those whose alias begins with C(route_based.vpn) and that are in
        link group 4500) and that O(tunnels) does not list are removed. No other device is ever removed.
    type: bool
    default: false
seealso:
  - module: route_based.vpn.vti_route
  - module: route_based.vpn.ipsec_conn
"""

EXAMPLES = r"""
- name: The device of the libreswan wiki's routed VPN
  route_based.vpn.vti_tunnel:
    tunnels:
      - name: vti01
        local: 192.1.2.23
        remote: 192.1.2.45
        key: 5/0xffffffff
        addresses:
          - address: 10.0.1.1/32
            peer: 10.0.2.1

- name: One device for all roadwarriors, with loose reverse path filtering
  route_based.vpn.vti_tunnel:
    tunnels:
      - name: vti-road
        local: 192.1.2.23
        key: 12
        mtu: 1380
        addresses:
          - address: 10.0.9.1/24
        sysctls:
          rp_filter: 2

- name: Two tunnels that share the inner address of this host
  route_based.vpn.vti_tunnel:
    tunnels:
      - name: vpn-inner
        kind: dummy
        addresses:
          - address: 10.255.0.1/32
      - {name: vti2, local: 192.1.2.23, remote: 192.1.3.2, key: 2, unnumbered: {address: 10.255.0.1, peer: 10.255.0.2}}
      - {name: vti3, local: 192.1.2.23, remote: 192.1.3.3, key: 3, unnumbered: {address: 10.255.0.1, peer: 10.255.0.3}}

- name: Exactly these devices, of those that this module makes
  route_based.vpn.vti_tunnel:
    tunnels:
      - {name: vti7, local: 192.1.2.23, remote: 192.1.3.7, ikey: 7, okey: 70}
      - {name: vti8, local: "2001:db8::23", remote: "2001:db8::8", key: 8}
    purge: true

- name: The largest MTU for the cipher, in a VRF
  route_based.vpn.vti_tunnel:
    tunnels:
      - name: vti9
        local: 192.1.2.23
        remote: 192.1.2.45
        key: 9
        mtu: auto
        esp: aes256-sha2_256
        vrf: customer

- name: No such device
  route_based.vpn.vti_tunnel:
    tunnels:
      - name: vti01
        state: absent
"""

RETURN = r"""
tunnels:
  description:
    - One entry for each device of O(tunnels), for each that was purged, and for each route to the peer of a device in a
      VRF.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the device.
      type: str
      sample: vti01
    action:
      description:
        - What was done, or would be done in check mode. V(recreated) means that the kernel could not change it in
          place.
      type: str
      sample: updated
      choices:
        - kept
        - created
        - updated
        - recreated
        - removed
    reasons:
      description: What differed, and what else the change brings along.
      type: list
      elements: str
      sample: ["mtu: 1480 -> 1400"]
mtus:
  description: The MTU in bytes of each device that is to exist, by its name.
  returned: success
  type: dict
  sample: {vti01: 1446}
errors:
  description: Everything that was refused. Nothing was changed then.
  returned: when the arguments are refused
  type: list
  elements: str
  sample: ["tunnels[0] (vti01): key='0': mark 0 means no mark, and the tunnel would take all the traffic of the host"]
done:
  description: The items that were done before the kernel refused something.
  returned: when the kernel refuses something half-way
  type: list
  elements: dict
  sample: [{"name": "vti01", "action": "created"}]
failed_item:
  description: The item that could not be done, with the steps of it that were carried out and those that were not.
  returned: when the kernel refuses something half-way
  type: dict
  sample: {"name": "vti02", "action": "updated", "steps_done": [], "steps_left": ["set vti02 mtu 1380"]}
not_done:
  description: The items that were not done, in the same form.
  returned: when the kernel refuses something half-way
  type: list
  elements: dict
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _device_plan,
    _device_ways,
    _devices,
    _lock,
    _mtu,
    _run,
)
from ansible_collections.route_based.vpn.plugins.module_utils._deps import require_pyroute2
from ansible_collections.route_based.vpn.plugins.module_utils._netlink import Netlink

ADDRESS: dict[str, t.Any] = {
    "address": {"type": "str", "required": True},
    "peer": {"type": "str"},
}
UNNUMBERED: dict[str, t.Any] = {
    "address": {"type": "str", "required": True},
    "peer": {"type": "str", "required": True},
}
TUNNEL: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["vti", _devices.DUMMY], "default": "vti"},
    "local": {"type": "str"},
    "remote": {"type": "str"},
    "key": {"type": "str", "no_log": False},
    "ikey": {"type": "str", "no_log": False},
    "okey": {"type": "str", "no_log": False},
    "link": {"type": "str", "aliases": ["parent"]},
    "addresses": {"type": "list", "elements": "dict", "default": [], "options": ADDRESS},
    "unnumbered": {"type": "dict", "options": UNNUMBERED},
    "mtu": {"type": "str", "default": str(_devices.MTU_DEFAULT)},
    "esp": {"type": "str", "default": _mtu.ESP_DEFAULT},
    "nat_t": {"type": "bool", "default": False},
    "underlay_mtu": {"type": "int"},
    "vrf": {"type": "str"},
    "enabled": {"type": "bool", "default": True},
    "sysctls": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
ARGUMENTS: dict[str, t.Any] = {
    "tunnels": {"type": "list", "elements": "dict", "required": True, "options": TUNNEL},
    "purge": {"type": "bool", "default": False},
}


def work(module: AnsibleModule) -> None:
    """Check, read, plan; the rest is _run's."""
    wanted = _devices.from_params(module.params["tunnels"])
    require_pyroute2(module)
    with _lock.of(module, "vti_tunnel"), Netlink() as kernel:
        wanted = _device_ways.with_mtus(wanted, kernel.way_to)
        state = kernel.device_state([entry.device.name for entry in wanted])
        plan = _device_plan.plan(state, wanted, module.params["purge"], kernel.routes_of, kernel.way_to)
        mtus = {entry.device.name: entry.device.mtu for entry in wanted if entry.present}
        _run.finish(module, "tunnels", plan, kernel.apply_all, mtus=mtus)


def main() -> None:
    _run.guarded(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()

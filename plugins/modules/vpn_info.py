#!/usr/bin/python
# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: vpn_info
short_description: Show conns of libreswan with their VTI devices, routes and SAs
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Asks pluto for its conns and the kernel for VTI devices and routes, and returns them joined, an entry for each conn,
    and all devices with their counters and the routes of this collection beside them.
  - Can wait until conns are established, and ping the peers through their tunnels. Nothing is changed.
extends_documentation_fragment:
  - route_based.vpn.attributes
  - route_based.vpn.attributes.action_group
  - route_based.vpn.attributes.pyroute2
requirements:
  - libreswan 4.10 or newer
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
options:
  names:
    description:
      - The conns to show, in this order. One that is not loaded is shown with RV(conns[].loaded=false).
      - All loaded conns by default. With an empty list pluto is not asked, and devices and routes alone are shown.
    type: list
    elements: str
  wait_established:
    description:
      - How many seconds to wait until all shown conns are established. V(0) does not wait.
      - The module fails when the time is up, and names the conns that are not established. It fails at once when one of
        O(names) is not loaded.
      - Conns for any peer, C(right=%any), are not waited for.
    type: int
    default: 0
  log_seconds:
    description:
      - How far back, in seconds, pluto's log is read for RV(conns[].last_error). It is the journal, or the C(logfile)
        of C(config setup). V(0) does not read it.
    type: int
    default: 3600
  ping:
    description:
      - How many seconds to wait for the peers' answers to ICMP echo, which is sent through the device of each shown
        conn, see RV(conns[].ping). All peers are asked at once, and again every 0.3 seconds where they have not
        answered. The module goes on as soon as all have. V(0) sends nothing.
      - An answer shows that packets pass both ways, which an IPsec SA alone does not. A peer that does not answer is no
        failure. With O(wait_established) the peers are asked after that.
      - Echo is traffic as any other. It brings up a conn that is to come up on demand, and counts in
        C(tx_carrier_errors) of the device where it finds no SA.
    type: float
    default: 0
  firewall:
    description:
      - The program that loads the firewall's table from the file C(.nft) beside it, as the role
        P(route_based.vpn.gateway#role) deploys it. It is asked for RV(firewall) where that file is there.
    type: path
    default: /usr/local/libexec/route_based_vpn/firewall
seealso:
  - module: route_based.vpn.ipsec_conn
"""

EXAMPLES = r"""
- name: Look at all tunnels
  route_based.vpn.vpn_info:
  register: vpn

- name: Show which ones are down
  ansible.builtin.debug:
    msg: "{{ vpn.conns | rejectattr('established') | map(attribute='name') }}"

- name: Show devices whose packets find no SA, without asking pluto
  route_based.vpn.vpn_info:
    names: []
  register: vpn
  failed_when: vpn.devices | selectattr('counters.tx_carrier_errors') | list

- name: Give a new tunnel half a minute
  route_based.vpn.vpn_info:
    names: [site-b]
    wait_established: 30

- name: Expect that the firewall of the role is in place
  route_based.vpn.vpn_info:
    names: []
  register: vpn
  failed_when: vpn.firewall is none or vpn.firewall.problems | length > 0

- name: Expect that every peer answers through its tunnel within 3 seconds
  route_based.vpn.vpn_info:
    ping: 3
  register: vpn
  failed_when: vpn.conns | selectattr('ping') | rejectattr('ping.answered') | list | length > 0
"""

RETURN = r"""
conns:
  description: One entry for each conn, sorted by name, or in the order of O(names).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The conn's name.
      type: str
      returned: always
      sample: site-b
    loaded:
      description: Whether pluto has the conn.
      type: bool
      returned: always
      sample: true
    established:
      description:
        - Whether the conn has an IPsec SA. For a conn with several pairs of subnets, whether each pair has one.
      type: bool
      returned: always
      sample: true
    since:
      description: When the SA that is in use was made, in seconds since the epoch. A rekey makes a new one.
      type: int
      returned: when established, else null
      sample: 1795471427
    in_bytes:
      description: Bytes that came in by the SAs at hand.
      type: int
      returned: always
      sample: 8400
    out_bytes:
      description: Bytes that went out by the SAs at hand.
      type: int
      returned: always
      sample: 8400
    local:
      description: Outer address of this host.
      type: str
      returned: when the conn is loaded, else null
      sample: 192.0.2.1
    remote:
      description: Outer address of the peer. It is null for any peer.
      type: str
      returned: when the conn is loaded, else null
      sample: 198.51.100.1
    mark_in:
      description: Mark of the inbound policy.
      type: str
      returned: when the conn has a mark, else null
      sample: "5/0xffffffff"
    mark_out:
      description: Mark of the outbound policy.
      type: str
      returned: when the conn has a mark, else null
      sample: "5/0xffffffff"
    interface:
      description: The conn's C(vti-interface).
      type: str
      returned: when the conn names one, else null
      sample: vti01
    routing:
      description: How the conn's policies stand in the kernel, in the words of the libreswan at hand.
      type: str
      returned: always
      sample: routed-tunnel
    ike_state:
      description: V(established), or what pluto is at with the peer, or nothing.
      type: str
      returned: always
      sample: established
    ike_sas:
      description:
        - Serial numbers of the IKE SAs behind its IPsec SAs, and of those made under its name. Conns to the same peer
          may share one, which then has the name of the conn that came first.
      type: list
      elements: int
      returned: always
      sample: [1]
    last_error:
      description:
        - What went wrong last since the conn was established, in pluto's words. It is null where nothing did, or the
          log does not go back as far.
      type: str
      returned: always
      sample: "IKE SA authentication request rejected by peer: AUTHENTICATION_FAILED"
    last_error_at:
      description: When that was, in seconds since the epoch, where the log has it.
      type: int
      returned: when there is an error, else null
      sample: 1795493567
    instances:
      description: How many peers use a conn for any peer.
      type: int
      returned: always
      sample: 0
    sas:
      description: The IPsec SAs. There are two for a moment when they are rekeyed.
      type: list
      elements: dict
      returned: always
      sample:
        - serial: 2
          since: 1795471427
          in_bytes: 8400
          out_bytes: 8400
          spi_in: 888b8ef8
          spi_out: b80b0139
          ike_serial: 1
          lease: null
          peer_id: 198.51.100.1
    device:
      description:
        - The VTI device, the one that C(vti-interface) names or else the one whose keys are the conn's marks.
      type: dict
      returned: when there is one, else null
      contains:
        name:
          description: Its name.
          type: str
          sample: vti01
        kind:
          description:
            - V(vti), or V(vti6) over IPv6.
          type: str
          sample: vti
        local:
          description: Its local end.
          type: str
          sample: 192.0.2.1
        remote:
          description: Its remote end.
          type: str
          sample: 198.51.100.1
        ikey:
          description: Key of packets that come in.
          type: int
          sample: 5
        okey:
          description: Key of packets that go out.
          type: int
          sample: 5
        link:
          description: The device that it is bound to.
          type: str
          sample: ""
        mtu:
          description: Its MTU.
          type: int
          sample: 1400
        enabled:
          description: Whether it is up.
          type: bool
          sample: true
        unnumbered:
          description: The address of another device that it uses, and its peer. It is null where it uses none.
          type: str
          sample: 10.255.0.1 peer 10.255.0.7
        addresses:
          description: Its addresses.
          type: list
          elements: str
          sample: ["10.99.0.1/32 peer 10.99.0.2"]
        sysctls:
          description: Its sysctls that matter for a VPN.
          type: dict
          sample: {disable_policy: 1, forwarding: 1, rp_filter: 0}
        owner:
          description: Who made it. Empty where it was not this collection.
          type: str
          sample: route_based.vpn
    routes:
      description: The routes into the device.
      type: list
      elements: dict
      returned: always
      sample:
        - destination: 10.0.0.0/8
          type: unicast
          device: vti01
          table: 254
          metric: 0
          protocol: 157
    ping:
      description:
        - Whether the peer's inner address answers through the device. It is the peer of the first of the device's
          addresses that has one, else the other host of an address in a subnet of two (C(/30), C(/31), C(/126) or
          C(/127)).
      type: dict
      returned: when O(ping) is greater than 0 and there is such an address, else null
      contains:
        address:
          description: The address that was asked.
          type: str
          sample: 10.99.0.2
        answered:
          description: Whether it answered in time.
          type: bool
          sample: true
        ms:
          description: Milliseconds from the echo to its answer. It is null without an answer.
          type: float
          sample: 12.407
devices:
  description: All VTI devices of the host, whoever made them, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the device. What else a device of RV(conns[].device) has is here too.
      type: str
      sample: vti01
    index:
      description: Its interface index.
      type: int
      sample: 7
    master:
      description: The VRF or bridge that it belongs to, or nothing.
      type: str
      sample: red
    conns:
      description: The names of the shown conns that use it.
      type: list
      elements: str
      sample: [site-b]
    counters:
      description:
        - C(rx_packets), C(tx_packets), C(rx_bytes), C(tx_bytes), C(rx_errors), C(tx_errors), C(rx_dropped),
          C(tx_dropped), C(tx_collisions) and C(tx_carrier_errors) since the device was made.
        - C(tx_carrier_errors) grows for packets that find no SA, as the tunnel is down or the keys are not its marks.
          C(rx_errors) grows for packets whose SA has another mark. C(tx_collisions) grows for a tunnel that runs into
          itself.
      type: dict
      sample: {rx_packets: 5, tx_packets: 5, rx_bytes: 420, tx_bytes: 420, rx_errors: 0, tx_errors: 0, rx_dropped: 0,
               tx_dropped: 0, tx_collisions: 0, tx_carrier_errors: 0}
firewall:
  description: The nftables table of the role.
  returned: where the role has one on this host, else null
  type: dict
  contains:
    state:
      description:
        - V(loaded) is what the role has loaded, V(missing) no table, V(changed) one that something else has changed,
          V(outdated) one from before the file of the role was written, and V(unknown) one that nothing is remembered
          to be compared with.
      type: str
      sample: loaded
    watched:
      description: Whether the service runs that loads a missing or changed table again.
      type: bool
      sample: true
    problems:
      description: What is wrong with it, and what to do, for people.
      type: list
      elements: str
      sample: []
restart:
  description:
    - Whether pluto could start again as things are. It opens two sockets on each address of the host when it starts,
      and logs each of them, each pair of devices that share one, and each conn.
  returned: success
  type: dict
  contains:
    addresses:
      description: How many local addresses it would listen on.
      type: int
      sample: 12
    open_files:
      description: How many files C(ipsec.service) may open. It is null where there is no limit, or no such unit.
      type: int
      sample: 1024
    problems:
      description: Why it could not, and what to do, for people.
      type: list
      elements: str
      sample: []
routes:
  description: The routes of M(route_based.vpn.vti_route) in all tables (protocol 157).
  returned: success
  type: list
  elements: dict
  sample:
    - destination: 10.0.0.0/8
      type: unicast
      device: vti01
      table: 254
      metric: 0
      protocol: 157
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _deps,
    _firewall_state,
    _info,
    _netlink,
    _pluto,
    _restart,
    _run,
    _versions,
)


def look(module: AnsibleModule) -> None:
    """Ask pluto, then the kernel, then the peers, and join."""
    names, conns, errors, version, loaded = module.params["names"], [], {}, None, 0
    if names is None or names:
        pluto = _pluto.Pluto(module.run_command)
        if module.params["wait_established"]:
            _info.wait(pluto, names, module.params["wait_established"])
        status = pluto.status(traffic=True)
        conns, loaded = _info.chosen(status, names), len(status.conns)
        version = _versions.version(status.version or "5.0")
        if module.params["log_seconds"]:
            errors = pluto.last_errors(module.params["log_seconds"])
    with _netlink.Netlink() as netlink:
        kernel = netlink.info()
    users = [_info.device_of(conn, kernel.devices) for conn in conns]
    result = []
    for conn, device, ping in zip(conns, users, _info.pings(users, module.params["ping"])):
        entry = _info.conn_info(conn)
        routes = kernel.routes_into(device.name) if device else ()
        entry.update(device=_info.device_info(device), routes=_info.route_info(routes), ping=ping)
        error = errors.get(conn.name)
        entry.update(last_error=error.text if error else None, last_error_at=error.time if error else None)
        result.append(entry)
    devices = _info.device_list(kernel, result)
    firewall = _firewall_state.look(module.run_command, module.params["firewall"])
    restart = _restart.look(module.run_command)
    module.exit_json(
        changed=False,
        conns=result,
        devices=devices,
        routes=_info.our_routes(kernel),
        firewall=firewall,
        restart={
            "addresses": len(set(restart.addresses)),
            "open_files": restart.open_files,
            "problems": restart.problems(version, loaded),
        },
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str"},
            "wait_established": {"type": "int", "default": 0},
            "log_seconds": {"type": "int", "default": 3600},
            "ping": {"type": "float", "default": 0},
            "firewall": {"type": "path", "default": _firewall_state.PROGRAM},
        },
        supports_check_mode=True,
    )
    _deps.require_pyroute2(module)
    _run.guarded(module, look)


if __name__ == "__main__":
    main()

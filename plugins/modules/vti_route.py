#!/usr/bin/python
# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vti_route
short_description: Manage routes into VTI devices, the guard routes behind them, and policy rules
description:
  - Adds, changes and removes routes and policy rules of the kernel, IPv4 and IPv6, by netlink. Compares with the live
    routing tables and writes only what differs; a route is changed by one replace, a rule by a new one before the old
    one goes, without a moment in which there is none.
  - Its routes and rules carry the rtnetlink protocol number 157, which is how it knows them again. Those that a person
    made (protocols C(boot) and C(static)) are taken over where they are listed; those of the kernel, of DHCP and of
    routing daemons are never touched.
  - The kernel forgets routes at the next boot, and when their device is deleted or goes down.
author:
  - route_based.vpn contributors (@route-based)
extends_documentation_fragment:
  - route_based.vpn.attributes
  - route_based.vpn.attributes.action_group
  - route_based.vpn.attributes.pyroute2
attributes:
  check_mode:
    details:
      - A device that does not exist or is down is a warning in check mode, as another task may only have foretold it.
        It is an error otherwise.
options:
  routes:
    description:
      - The routes. A route is known by O(routes[].destination), O(routes[].table) and O(routes[].metric), which are
        unique in the list.
    type: list
    elements: dict
    default: []
    suboptions:
      destination:
        description:
          - The network, V(10.0.0.0/8) or V(2001:db8::/32). The default route is V(0.0.0.0/0) or V(::/0).
          - A route that takes in the outer packets of a tunnel is refused, as the tunnel would run into itself. Such
            packets go from the device's local address to its remote, without a mark, the way that the policy rules
            and all routes lead them when this call is done; a better way out of the host makes the route a good one.
          - Into a device with remote V(any), whose peers are not known, routes that together are for all addresses
            are refused in a table that its outer packets are looked up in.
        type: str
        required: true
        aliases:
          - dst
      device:
        description: Name of the device that the route leads into.
        type: str
        aliases:
          - dev
      gateway:
        description: Address of the next router. A route of O(routes[].type=unicast) needs this, O(routes[].device) or
          O(routes[].nexthops).
        type: str
        aliases:
          - via
      table:
        description: Routing table, V(main), V(default) or a number from V(1) to V(4294967295). Table C(local) is the
          kernel's.
        type: str
        default: main
      metric:
        description:
          - The lower, the better. The kernel takes V(0) for IPv4 and V(1024) for IPv6 when it is left out, and takes
            V(0) of an IPv6 route as left out.
        type: int
      source:
        description: The host's own address that packets without one get.
        type: str
      mtu:
        description: MTU of the route, at most V(65535), at least V(68) or, for IPv6, V(1280).
        type: int
      advmss:
        description: The segment size that TCP tells the other side, V(1) to V(65495).
        type: int
      type:
        description:
          - V(unreachable) and V(prohibit) answer with an ICMP error, V(blackhole) says nothing.
        type: str
        choices:
          - unicast
          - blackhole
          - unreachable
          - prohibit
        default: unicast
      nexthops:
        description:
          - The ways of a route that has several (ECMP), two or more, instead of O(routes[].device) and
            O(routes[].gateway). Packets of one connection take one way. The order does not matter.
          - Where a device goes away, the kernel takes its way out of the route; the next run puts it back.
        type: list
        elements: dict
        default: []
        suboptions:
          device:
            description: Name of the device.
            type: str
            required: true
            aliases:
              - dev
          gateway:
            description:
              - Address of the next router. It is required for IPv6, as the kernel uses only one of several ways that
                have none.
            type: str
            aliases:
              - via
          weight:
            description: The share of connections that take this way, V(1) to V(256).
            type: int
            default: 1
      guard:
        description:
          - Whether an C(unreachable) route with metric 4278198272 stands behind this one, so that its traffic does
            not leave in clear by the default route when the device is down or gone. Any routing protocol's route is
            better than it.
          - With V(false) such a guard of ours for the same destination and table is removed.
        type: bool
        default: false
      conn:
        description:
          - Name of a conn of libreswan. The route is there only while this conn is established, so that another route
            to the same destination, with a higher O(routes[].metric), takes over while it is not. A guard stays.
          - This module looks once, when it is called. Between its calls the updown hook of the role
            P(route_based.vpn.gateway#role) takes such a route away when the conn goes down, and puts it back.
        type: str
      state:
        description:
          - Whether the route is to exist. For V(absent), what is given of O(routes[].device), O(routes[].gateway) and
            O(routes[].source) has to agree for the route to be removed, and so has O(routes[].type).
        type: str
        choices:
          - present
          - absent
        default: present
  rules:
    description:
      - Policy rules. A rule is known by O(rules[].priority) and the packets that it is for, which are unique in the
        list.
      - An identical rule that a person made (protocols C(boot) and C(static)) is taken over.
    type: list
    elements: dict
    default: []
    suboptions:
      priority:
        description: The order in which rules are asked, V(1) to V(32765), lowest first.
        type: int
        required: true
        aliases:
          - pref
      family:
        description:
          - The packets' family. By default it is that of O(rules[].from) or O(rules[].to), else V(ipv4).
        type: str
        choices:
          - ipv4
          - ipv6
      from:
        description: The network that packets come from. All by default.
        type: str
      to:
        description: The network that packets go to. All by default.
        type: str
      fwmark:
        description:
          - The mark that a firewall gave to packets, V(0x5), or V(0x5/0xff) with a mask. V(0) is for packets without
            one.
          - It has nothing to do with the mark of a conn and the key of a device.
        type: str
      iif:
        description:
          - The device that packets come in by; V(lo) for those of this host. It need not exist.
        type: str
      oif:
        description:
          - The device that the sender has bound its packets to. It need not exist.
        type: str
      table:
        description:
          - The routing table to look into, V(main), V(default) or a number from V(1) to V(4294967295). Names from
            C(/etc/iproute2/rt_tables) are not read, since a number means the same on every host.
          - Required for O(rules[].type=lookup).
        type: str
      type:
        description:
          - V(unreachable) and V(prohibit) answer with an ICMP error, V(blackhole) says nothing.
        type: str
        choices:
          - lookup
          - blackhole
          - unreachable
          - prohibit
        default: lookup
      state:
        description:
          - Whether the rule is to exist. For V(absent), O(rules[].type) has to agree for the rule to be removed, and so
            has O(rules[].table) where it is given.
        type: str
        choices:
          - present
          - absent
        default: present
  purge:
    description:
      - Whether routes and rules of this module (protocol 157) in any table that O(routes) and O(rules) do not list are
        removed. No others are.
    type: bool
    default: false
seealso:
  - module: route_based.vpn.vti_tunnel
"""

EXAMPLES = r"""
- name: Everything in 10.0.0.0/8 through the tunnel, and never in clear
  route_based.vpn.vti_route:
    routes:
      - destination: 10.0.0.0/8
        device: vti01
        source: 10.0.1.1
        guard: true

- name: A default route through the tunnel, in a table of its own
  route_based.vpn.vti_route:
    routes:
      - destination: 0.0.0.0/0
        device: vti01
        table: 100
      - destination: 0.0.0.0/0
        type: unreachable
        table: 100
        metric: 4278198272

- name: The same in table main, where the peer needs a way of its own
  route_based.vpn.vti_route:
    routes:
      - destination: 192.1.2.45/32
        gateway: 192.1.2.254
        device: eth0
      - destination: 0.0.0.0/0
        device: vti01

- name: One tunnel, and another one while the first is not established
  route_based.vpn.vti_route:
    routes:
      - {destination: 10.4.0.0/16, device: vti1, metric: 100, conn: first, guard: true}
      - {destination: 10.4.0.0/16, device: vti2, metric: 200, conn: second, guard: true}

- name: Two tunnels at once, and the other one alone when one goes down
  route_based.vpn.vti_route:
    routes:
      - destination: 10.3.0.0/16
        nexthops:
          - {device: vti7}
          - {device: vti8, weight: 2}
        guard: true

- name: What comes from 10.1.0.0/16 goes through the tunnel or nowhere
  route_based.vpn.vti_route:
    routes:
      - {destination: 0.0.0.0/0, device: vti01, table: 100}
    rules:
      - {priority: 1000, from: 10.1.0.0/16, table: 100}
      - {priority: 1001, from: 10.1.0.0/16, type: unreachable}

- name: Exactly these routes, of those that this module makes
  route_based.vpn.vti_route:
    routes:
      - {destination: 10.2.0.0/16, device: vti7, metric: 50, mtu: 1380}
      - {destination: "2001:db8:2::/48", device: vti8}
    purge: true
"""

RETURN = r"""
routes:
  description:
    - One entry for each route of O(routes), then one for each guard route that is wanted or was removed, and for each
      that was purged.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The route, as C(ip route) writes it.
      type: str
      sample: 10.0.0.0/8 dev vti01
    action:
      description: What was done, or would be done in check mode.
      type: str
      sample: created
      choices:
        - kept
        - created
        - updated
        - removed
    reasons:
      description: What differed.
      type: list
      elements: str
      sample: ["device: eth0 -> vti01"]
rules:
  description: One entry for each rule of O(rules), then one for each that was purged.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The rule, as C(ip rule) writes it.
      type: str
      sample: "1000: from 10.1.0.0/16 lookup 100"
    action:
      description: What was done, or would be done in check mode.
      type: str
      sample: created
      choices:
        - kept
        - created
        - updated
        - removed
    reasons:
      description: What differed.
      type: list
      elements: str
      sample: ["table: 100 -> 101"]
errors:
  description: Everything that was refused. Nothing was changed then.
  returned: when the arguments are refused
  type: list
  elements: str
  sample: ["routes[0] (10.0.0.1/8): destination='10.0.0.1/8': has host bits set; the network is 10.0.0.0/8"]
done:
  description: The routes that were done before the kernel refused something.
  returned: when the kernel refuses something half-way
  type: list
  elements: dict
  sample: [{"name": "10.0.0.0/8 dev vti01", "action": "created"}]
failed_item:
  description: The route that could not be done, with the steps of it that were carried out and those that were not.
  returned: when the kernel refuses something half-way
  type: dict
  sample:
    name: 10.2.0.0/16 via 10.0.9.9
    action: created
    steps_done: []
    steps_left: ["ip route replace 10.2.0.0/16 via 10.0.9.9"]
not_done:
  description: The routes that were not done, in the same form.
  returned: when the kernel refuses something half-way
  type: list
  elements: dict
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _lock,
    _pluto,
    _route_plan,
    _routes,
    _rule_plan,
    _rules,
    _run,
)
from ansible_collections.route_based.vpn.plugins.module_utils._deps import require_pyroute2
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, InputErrors
from ansible_collections.route_based.vpn.plugins.module_utils._netlink import Netlink

NEXTHOP: dict[str, t.Any] = {
    "device": {"type": "str", "required": True, "aliases": ["dev"]},
    "gateway": {"type": "str", "aliases": ["via"]},
    "weight": {"type": "int", "default": 1},
}
ROUTE: dict[str, t.Any] = {
    "destination": {"type": "str", "required": True, "aliases": ["dst"]},
    "device": {"type": "str", "aliases": ["dev"]},
    "gateway": {"type": "str", "aliases": ["via"]},
    "table": {"type": "str", "default": "main"},
    "metric": {"type": "int"},
    "source": {"type": "str"},
    "mtu": {"type": "int"},
    "advmss": {"type": "int"},
    "type": {"type": "str", "choices": list(_routes.TYPES), "default": "unicast"},
    "nexthops": {"type": "list", "elements": "dict", "default": [], "options": NEXTHOP},
    "guard": {"type": "bool", "default": False},
    "conn": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
RULE: dict[str, t.Any] = {
    "priority": {"type": "int", "required": True, "aliases": ["pref"]},
    "family": {"type": "str", "choices": list(_rules.FAMILIES)},
    "from": {"type": "str"},
    "to": {"type": "str"},
    "fwmark": {"type": "str"},
    "iif": {"type": "str"},
    "oif": {"type": "str"},
    "table": {"type": "str"},
    "type": {"type": "str", "choices": list(_rules.TYPES), "default": "lookup"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
ARGUMENTS: dict[str, t.Any] = {
    "routes": {"type": "list", "elements": "dict", "default": [], "options": ROUTE},
    "rules": {"type": "list", "elements": "dict", "default": [], "options": RULE},
    "purge": {"type": "bool", "default": False},
}


def work(module: AnsibleModule) -> None:
    """Check, read, plan; the rest is _run's."""
    wanted, rules = _wanted(module.params)
    purge = module.params["purge"]
    require_pyroute2(module)
    if any(entry.conn for entry in wanted):
        established = {conn.name for conn in _pluto.established(module)}
        wanted = _routes.while_established(wanted, established)
    with _lock.of(module, "vti_route"), Netlink() as kernel:
        state = kernel.route_state(wanted, purge, rules)
        plan = _route_plan.plan(state, wanted, purge, foretell=module.check_mode, rules=rules)
        sections = {
            "routes": [change for change in plan.changes if change.kind != _rule_plan.KIND],
            "rules": [change for change in plan.changes if change.kind == _rule_plan.KIND],
        }
        _run.finish(module, sections, plan, kernel.apply_all)


def _wanted(params: dict[str, t.Any]) -> tuple[tuple[_routes.Wanted, ...], tuple[_rules.Wanted, ...]]:
    """Both lists, normalised; all that is wrong in either is told at once."""
    errors: list[InputError] = []
    routes: tuple[_routes.Wanted, ...] = ()
    rules: tuple[_rules.Wanted, ...] = ()
    try:
        routes = _routes.from_params(params["routes"])
    except InputErrors as exc:
        errors += exc.errors
    try:
        rules = _rules.from_params(params["rules"])
    except InputErrors as exc:
        errors += exc.errors
    if errors:
        raise InputErrors(errors)
    return routes, rules


def main() -> None:
    _run.guarded(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()

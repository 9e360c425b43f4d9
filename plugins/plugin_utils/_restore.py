# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The lines from which the restore unit brings devices and routes back at boot, without Ansible and without Python; the
role's script C(files/restore) explains them. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _devices, _routes, _rules, _values

Entry = dict[str, t.Any]
Routes = t.Sequence[t.Union[Entry, _routes.Wanted]]


def lines(devices: t.Sequence[Entry], routes: Routes, rules: t.Sequence[Entry] = ()) -> list[str]:
    """From what vti_tunnel and vti_route are called with: all devices, then their sysctls, then the rest. Raises
    InputErrors for routes and rules that the module would refuse."""
    # The hook looks for the device that it misses in this line alone.
    result = [" ".join(["devices", *(device["name"] for device in devices)])] if devices else []
    result += [_device(device) for device in devices]
    for device in devices:
        sysctls = _devices.SYSCTLS_DEFAULT.items() if device.get("kind") != _devices.DUMMY else ()
        result += [f"sysctl {device['name']} {key} {value}" for key, value in sysctls]
    for device in devices:
        name = device["name"]
        # Down while its ends are those of another device would not hurt, up without its addresses would.
        result += [
            f"ip address replace {_address(entry)} dev {name}{_at_once(device, entry)}" for entry in device["addresses"]
        ]
        result.append(f"ip link set {name} group {_devices.GROUP} alias {_devices.ALIAS} up")
    result += [f"ip route replace {_to_peer(device)}" for device in devices if device.get("unnumbered")]
    wanted = [entry for entry in _routes.from_params(routes) if entry.present]
    guards = dict.fromkeys(_routes.guard_of(entry.route) for entry in wanted if entry.guard)
    # Those that go with a conn come with it, see followers().
    at_once = [entry.route for entry in wanted if not entry.conn]
    result += [f"ip route replace {_route(route)}" for route in (*guards, *at_once)]
    result += [
        f"rule{entry.rule.family} add {_rule(entry.rule)}" for entry in _rules.from_params(rules) if entry.present
    ]
    return result


def followers(routes: Routes) -> list[str]:
    """The routes that are there only while a conn is established, as the hook reads them: the conn, then what
    C(ip route replace) and C(ip route del) take."""
    wanted = _routes.from_params(routes)
    return [f"{entry.conn} {_route(entry.route)}" for entry in wanted if entry.present and entry.conn]


def _device(device: Entry) -> str:
    if device.get("kind") == _devices.DUMMY:
        return f"device {device['name']} type {_devices.DUMMY}"
    kind = "vti6" if _values.family(device["local"]) == 6 else "vti"
    return (
        f"device {device['name']} mtu {device['mtu']} type {kind} local {device['local']} remote {device['remote']} "
        f"ikey {_values.key(device['ikey'])} okey {_values.key(device['okey'])}"
    )


def _at_once(device: Entry, entry: Entry) -> str:
    """What an IPv6 address needs that the routes below have as source; IPv4 has no such thing."""
    return " nodad" if device.get("kind") == _devices.DUMMY and ":" in entry["address"] else ""


def _to_peer(device: Entry) -> str:
    """The route of an unnumbered device."""
    own, peer = device["unnumbered"]["address"], device["unnumbered"]["peer"]
    length = 128 if ":" in peer else 32
    return f"{peer}/{length} dev {device['name']} src {own} proto {_routes.PROTOCOL_PEER}"


def _route(route: _routes.Route) -> str:
    """With what the text of a route leaves out, as it does not tell routes apart."""
    more = [("src", route.source), ("mtu", route.mtu), ("advmss", route.advmss), ("proto", route.protocol)]
    text = str(dataclasses.replace(route, nexthops=()) if route.nexthops else route)
    hops = [f"nexthop {hop}" for hop in route.nexthops]
    return " ".join([text, *(f"{word} {value}" for word, value in more if value), *hops])


def _rule(rule: _rules.Rule) -> str:
    """The words of ip rule add; those of ip rule show begin with the priority alone."""
    words = str(rule).removeprefix("-6 ").replace(":", "", 1)
    return f"priority {words} protocol {rule.protocol}"


def _address(entry: dict[str, str]) -> str:
    if "peer" not in entry:
        return entry["address"]
    local, _slash, length = entry["address"].partition("/")
    return f"{local} peer {entry['peer']}/{length}"

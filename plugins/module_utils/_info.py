# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What pluto and the kernel know of tunnels, joined: one dict a conn. Pure but for wait()."""

from __future__ import annotations

import dataclasses
import ipaddress
import time
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _ping, _routes, _status, _values, _way_out
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

if t.TYPE_CHECKING:
    from ansible_collections.route_based.vpn.plugins.module_utils._devices import Device, Inner
    from ansible_collections.route_based.vpn.plugins.module_utils._pluto import Pluto
    from ansible_collections.route_based.vpn.plugins.module_utils._pluto_log import LogError
    from ansible_collections.route_based.vpn.plugins.module_utils._routes import Route


@dataclasses.dataclass(frozen=True)
class Kernel:
    """The VTI devices, the routes into them or of ours, and by device its master's name and its counters."""

    devices: tuple[Device, ...] = ()
    routes: tuple[Route, ...] = ()
    masters: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    counters: t.Mapping[str, t.Mapping[str, int]] = dataclasses.field(default_factory=dict)

    def routes_into(self, name: str) -> list[Route]:
        """The routes that lead into a device."""
        return [route for route in self.routes if _way_out.leads_into(route, {name})]


#: How far back the log is read for the reason of a failure.
LOG_SECONDS = 3600
SYSCTLS = ("disable_policy", "forwarding", "rp_filter")
LINK_LOCAL = ("fe80::/64", "ff00::/8")


def conn_info(conn: _status.ConnStatus) -> dict[str, t.Any]:
    """A conn as pluto knows it; one without parts is not loaded."""
    part, newest = conn.first, _newest(conn)
    return {
        "name": conn.name,
        "loaded": bool(conn.parts),
        "established": conn.established,
        "since": newest.since if newest else None,
        "in_bytes": sum(child.in_bytes for child in conn.children.values()),
        "out_bytes": sum(child.out_bytes for child in conn.children.values()),
        "local": part.local,
        "remote": part.remote,
        "mark_in": part.mark_in,
        "mark_out": part.mark_out,
        "interface": part.interface,
        "routing": part.routing,
        "ike_state": _ike_state(conn),
        "ike_sas": sorted({child.ike for child in conn.children.values() if child.ike} | set(conn.ikes)),
        "instances": len(conn.instances),
        "sas": [_child_info(child) for _serial, child in sorted(conn.children.items())],
    }


def _newest(conn: _status.ConnStatus) -> t.Optional[_status.ChildSa]:
    """The SA that sends: the one that owns the policy, or the last one."""
    children = [child for _serial, child in sorted(conn.children.items())]
    best = [child for child in children if child.owner] or children
    return best[-1] if best else None


def _ike_state(conn: _status.ConnStatus) -> str:
    """C(established), what pluto is at, or nothing. An IKE SA may be another conn's to the same peer."""
    if conn.children or "established" in conn.ike_states:
        return "established"
    return conn.ike_states[-1] if conn.ike_states else ""


def _child_info(child: _status.ChildSa) -> dict[str, t.Any]:
    return {
        "serial": child.serial,
        "since": child.since,
        "in_bytes": child.in_bytes,
        "out_bytes": child.out_bytes,
        "spi_in": child.spi_in,
        "spi_out": child.spi_out,
        "ike_serial": child.ike,
        "lease": child.lease,
        "peer_id": child.peer_id,
    }


def device_of(conn: _status.ConnStatus, devices: t.Iterable[Device]) -> t.Optional[Device]:
    """The VTI that carries a conn's traffic: the one it names, else the one whose keys are its marks."""
    part = conn.first
    if part.interface:
        return next((device for device in devices if device.name == part.interface), None)
    if not part.mark_in or not part.mark_out:
        return None
    keys = (_values.mark(part.mark_in).value, _values.mark(part.mark_out).value)
    found = [d for d in devices if (d.ikey, d.okey) == keys]
    exact = [d for d in found if d.local == part.local and d.remote == part.remote]
    best = exact or found
    return best[0] if best else None


def ping_target(device: t.Optional[Device]) -> t.Optional[_ping.Target]:
    """Whom to ask through a device: its peer where it is unnumbered, the peer of one of its addresses, else the other
    host of a subnet of two."""
    loan = (device.unnumbered,) if device and device.unnumbered else ()
    for inner in (*loan, *sorted(device.addresses, key=lambda inner: not inner.peer)) if device else ():
        address = inner.peer or _other_host(inner)
        if device and address:
            return _ping.Target(device.index, inner.local, address)
    return None


def _other_host(inner: Inner) -> str:
    """The other host of a /30, /31, /126 or /127; nothing where the subnet holds more, or the address is no host's."""
    own = ipaddress.ip_interface(inner.address)
    network = own.network
    others = {1: {0: 1, 1: 0}, 2: {1: 2, 2: 1}}.get(network.max_prefixlen - network.prefixlen, {})
    other = others.get(int(own.ip) - int(network.network_address))
    return "" if other is None else str(network[other])


def pings(devices: t.Iterable[t.Optional[Device]], seconds: float) -> list[t.Optional[dict[str, t.Any]]]:
    """Ask through all devices at once: for each what became of it, None where there is nobody to ask or no time."""
    targets = [ping_target(device) if seconds > 0 else None for device in devices]
    answers = _ping.ping([target for target in targets if target], seconds)
    return [
        {"address": target.address, "answered": target in answers, "ms": answers.get(target)} if target else None
        for target in targets
    ]


def device_info(device: t.Optional[Device]) -> t.Optional[dict[str, t.Any]]:
    """A device, with one spelling of its keys, and the sysctls that a VTI cannot do without."""
    if device is None:
        return None
    shown = {"name": device.name, **device.as_dict(), "ikey": device.ikey, "okey": device.okey}
    shown.pop("key", None)
    shown["sysctls"] = {k: v for k, v in shown["sysctls"].items() if k in SYSCTLS}
    return shown


def device_list(kernel: Kernel, conns: t.Sequence[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Every VTI device with its counters and the names of the conns that use it."""
    users: dict[str, list[str]] = {}
    for conn in conns:
        if conn["device"]:
            users.setdefault(conn["device"]["name"], []).append(conn["name"])
    result = []
    devices = (device for device in kernel.devices if device.name not in _values.FALLBACK_DEVICES)
    for device in sorted(devices, key=lambda device: device.name):
        entry = device_info(device) or {}
        entry.update(
            index=device.index,
            master=kernel.masters.get(device.name, ""),
            counters=dict(kernel.counters.get(device.name, {})),
            conns=users.get(device.name, []),
        )
        result.append(entry)
    return result


def our_routes(kernel: Kernel) -> list[dict[str, t.Any]]:
    """The routes of vti_route."""
    return route_info(route for route in kernel.routes if route.protocol == _routes.PROTOCOL)


def route_info(routes: t.Iterable[Route]) -> list[dict[str, t.Any]]:
    """Routes in the order of their text, without those that the kernel makes for any device."""
    return [r.as_dict() for r in sorted(routes, key=str) if r.destination not in LINK_LOCAL]


def chosen(status: _status.Status, names: t.Optional[t.Sequence[str]]) -> list[_status.ConnStatus]:
    """The conns asked for, in that order, also those that are not loaded; all loaded ones without names."""
    if names is None:
        return [status.conns[name] for name in sorted(status.conns)]
    return [status.conns.get(name) or _status.ConnStatus(name) for name in dict.fromkeys(names)]


def wait(
    pluto: Pluto,
    names: t.Optional[t.Sequence[str]],
    seconds: float,
    clock: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> None:
    """Return when all conns are established; StoreError names those that are not when the time is up."""
    pluto.settle(seconds)
    end = clock() + seconds
    while True:
        asked = clock()
        missing = [c for c in chosen(pluto.status(), names) if not c.established and not _template(c)]
        unloaded = [conn.name for conn in missing if not conn.parts]
        if unloaded:
            raise StoreError(f"not loaded in pluto: {', '.join(unloaded)}")
        if not missing:
            return
        if clock() >= end:
            log = pluto.last_errors(LOG_SECONDS)
            words = [f"{conn.name} ({_why(conn)}{_said(log.get(conn.name))})" for conn in missing]
            raise StoreError(f"not established after {seconds:g} s: {', '.join(words)}")
        # The status of a thousand conns takes pluto seconds: it is left in peace for longer than it works for us.
        sleep(max(0.5, 2 * (clock() - asked)))


def _said(error: t.Optional[LogError]) -> str:
    return f"; its log says: {error.text}" if error else ""


def _template(conn: _status.ConnStatus) -> bool:
    """A conn for any peer is up whenever a peer comes; nobody can wait for that."""
    return bool(conn.parts) and all(part.remote is None and part.resolved for part in conn.parts.values())


def _why(conn: _status.ConnStatus) -> str:
    part = conn.first
    state = _ike_state(conn)
    if not part.resolved:
        return "the name of its peer does not resolve to an address"
    if not part.oriented:
        return "neither left= nor right= is an address of this host"
    if not state:
        return f"pluto is not at it; {part.remote or 'its peer'} refused, does not answer, or nobody asked for it"
    return f"IKE SA with {part.remote}: {state}"

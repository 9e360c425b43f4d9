# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the kernel's outer side has to do with VTI devices: the way to a peer, on which an MTU that is to be worked out
depends, and the route to it that a device in a VRF needs. Pure, but for the questions that the caller's C(way_to) puts
to the kernel."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _change, _devices, _mtu, _routes
from ansible_collections.route_based.vpn.plugins.module_utils._devices import ANY, Device, State, Wanted, Way
from ansible_collections.route_based.vpn.plugins.module_utils._errors import Refusals

WayTo = t.Callable[[Device], t.Optional[Way]]
Step = tuple[_change.Change, list[_change.Operation]]


def with_mtus(wanted: t.Sequence[Wanted], way_to: WayTo) -> tuple[Wanted, ...]:
    """The entries with every MTU worked out; raises InputErrors where that cannot be done."""
    refused = Refusals()
    result = tuple(_with_mtu(entry, way_to, refused) if entry.auto and entry.present else entry for entry in wanted)
    refused.stop_if_any()
    return result


def _with_mtu(entry: Wanted, way_to: WayTo, refused: Refusals) -> Wanted:
    device, auto = entry.device, entry.auto or _mtu.Auto()
    underlay = auto.underlay_mtu
    if not underlay:
        way = way_to(device)
        if way is None:
            end = device.local if device.remote == ANY else device.remote
            refused.refuse(entry.item, "mtu", "auto", f"the kernel knows no way to {end}; give underlay_mtu")
            return entry
        underlay = way.mtu
    mtu = _mtu.inner_mtu(auto, device.kind, underlay)
    try:
        _devices.check_mtu(device.kind, device.addresses, mtu)
    except ValueError as exc:
        reason = f"of an underlay of {underlay} bytes {mtu} are left, which {exc}"
        refused.refuse(entry.item, "mtu", "auto", reason)
        return entry
    return dataclasses.replace(entry, device=dataclasses.replace(device, mtu=mtu))


def peer_routes(state: State, wanted: t.Sequence[Wanted], leaving: t.Container[str], way_to: WayTo) -> list[Step]:
    """The changes of the routes to the peers of devices in VRFs: the kernel looks up an outer packet in the VRF of its
    device, where only the inner routes are."""
    refused = Refusals()
    needed: dict[tuple[str, int, int, int], _routes.Route] = {}
    for entry in wanted:
        device = entry.device
        if not entry.present or not device.vrf or device.remote == ANY:
            continue
        way = way_to(device)
        if way is None:
            reason = f"the kernel knows no way to {device.remote}, and the device's VRF needs a route there"
            refused.refuse(entry.item, "vrf", device.vrf, reason)
            continue
        route = _peer_route(device, way, state.vrfs[device.vrf].table)
        needed[route.identity] = route
    refused.stop_if_any()
    kept = _needed_by_others(state, wanted, leaving)
    live = {route.identity: route for route in state.peer_routes}
    steps = [_step(route, live.get(identity)) for identity, route in needed.items()]
    for identity, route in live.items():
        if identity not in needed and (route.destination, route.table) not in kept:
            change = _change.Change(
                str(route), _change.REMOVED, route.as_dict(), None, ("no device needs it any more",)
            )
            steps.append((change, [_routes.DelRoute(route)]))
    return steps


def _peer_route(device: Device, way: Way, table: int) -> _routes.Route:
    family = 6 if ":" in device.remote else 4
    return _routes.Route(
        f"{device.remote}/{128 if family == 6 else 32}",
        device=way.device,
        gateway=way.gateway,
        table=table,
        metric=_routes.METRIC_DEFAULT[family],
        protocol=_routes.PROTOCOL_PEER,
    )


def _needed_by_others(state: State, wanted: t.Sequence[Wanted], leaving: t.Container[str]) -> set[tuple[str, int]]:
    """Destination and table of the peer routes of devices that this call does not speak of."""
    listed = {entry.device.name for entry in wanted if not entry.present or entry.device.vrf is not None}
    return {
        (f"{device.remote}/{128 if device.kind == 'vti6' else 32}", state.vrfs[device.vrf].table)
        for device in state.devices
        if device.vrf in state.vrfs and device.vrf and device.name not in listed and device.name not in leaving
    }


def _step(route: _routes.Route, found: t.Optional[_routes.Route]) -> Step:
    name, after = str(route), route.as_dict()
    if found is None:
        change = _change.Change(name, _change.CREATED, None, after, ("the VRF had no route to the peer",))
        return change, [_routes.PutRoute(route)]
    reasons = _change.differences(found.as_dict(), after)
    if not reasons:
        return _change.Change(name, _change.KEPT, after, after), []
    return _change.Change(name, _change.UPDATED, found.as_dict(), after, reasons), [_routes.PutRoute(route)]

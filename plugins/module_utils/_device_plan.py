# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The plan for VTI devices: from what the kernel has to what the user asked for.

Pure: nothing here reads or writes, but for the routes of a device that has to be made anew, which the caller's
C(routes_of) reads only when they are needed.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import (
    _change,
    _device_warnings,
    _device_ways,
    _devices,
    _routes,
)
from ansible_collections.route_based.vpn.plugins.module_utils._devices import Device, Inner, State, Wanted
from ansible_collections.route_based.vpn.plugins.module_utils._errors import Refusals

RoutesOf = t.Callable[[str], t.Sequence[_routes.Route]]
# From how many devices on a deletion as a group is worth its words.
MANY = 8
# The kernel makes these by itself again: connected routes, and those of router advertisements.
PROTOCOLS_NOT_PUT_BACK = (_routes.PROTOCOL_KERNEL, 9)


@dataclasses.dataclass
class _Step:
    """One item's change. C(early) are the writes that have to come before those of all other items, as they free ends
    that another item takes over."""

    change: _change.Change
    early: t.Sequence[_change.Operation] = ()
    rest: t.Sequence[_change.Operation] = ()


def plan(
    state: State, wanted: t.Sequence[Wanted], purge: bool, routes_of: RoutesOf, way_to: _device_ways.WayTo
) -> _change.Plan:
    """The way from the live devices to the wanted ones."""
    wanted = [_with_vrf(entry, state) for entry in wanted]
    live = {device.name: device for device in state.devices}
    names = {entry.device.name for entry in wanted}
    purged = [device for device in state.devices if purge and device.owned and device.name not in names]
    _check(state, wanted, live, purged)
    taken = {entry.device.slot: entry.device.name for entry in wanted if entry.present}
    steps = [_step_for(entry, live.get(entry.device.name), taken, routes_of) for entry in wanted]
    steps += [_remove(device, "is ours (by its alias and group) and not listed") for device in purged]
    work = [(step.change.name, operation) for step in steps for operation in step.early]
    work += [(step.change.name, operation) for step in sorted(steps, key=_turn) for operation in step.rest]
    ways = _device_ways.peer_routes(state, wanted, {device.name for device in purged}, way_to)
    work += [(change.name, operation) for change, operations in ways for operation in operations]
    changes = (*(step.change for step in steps), *(change for change, _operations in ways))
    return _change.Plan(changes, tuple(_many_leave_at_once(work)), _device_warnings.warnings(state, wanted))


def _turn(step: _Step) -> int:
    """When a step's later writes come. The addresses that unnumbered devices use are there before and after all else,
    as their routes name them. Then devices that come back: a new one could get the index that theirs is to have."""
    kind = (step.change.after or step.change.before or {}).get("kind")
    if kind == _devices.DUMMY:
        return 3 if step.change.action == _change.REMOVED else 0
    return 1 if step.change.action == _change.RECREATED else 2


def _many_leave_at_once(work: t.Sequence[tuple[str, _change.Operation]]) -> list[tuple[str, _change.Operation]]:
    """One deletion waits for the kernel's readers, some 16 ms, and so does one of a whole group. So devices that go for
    good are put into a group, the group is deleted, and each device's own deletion then finds it gone."""
    first = next((n for n, (_name, op) in enumerate(work) if isinstance(op, _devices.DelDevice)), 0)
    leaving: list[tuple[str, _devices.DelDevice]] = []
    for name, operation in work[first:]:
        if not isinstance(operation, _devices.DelDevice):
            break
        leaving.append((name, operation))
    if len(leaving) < MANY:
        return list(work)
    moves = [(name, _devices.SetDevice(op.name, group=_devices.GROUP_LEAVING)) for name, op in leaving]
    group = (leaving[0][0], _devices.DelGroup(_devices.GROUP_LEAVING))
    return [*work[:first], *moves, group, *work[first:]]


def _check(state: State, wanted: t.Sequence[Wanted], live: t.Mapping[str, Device], purged: t.Sequence[Device]) -> None:
    """Refuse what the kernel would refuse half-way, with the device that is in the way."""
    refused = Refusals()
    leaving = {device.name for device in purged} | {entry.device.name for entry in wanted}
    holders = {device.slot: device for device in state.devices if device.name not in leaving}
    staying = [d for d in state.devices if d.name not in leaving] + [e.device for e in wanted if e.present]
    own = state.elsewhere | {inner.local for device in staying for inner in device.addresses}
    for entry in wanted:
        device, found = entry.device, live.get(entry.device.name)
        if device.name in state.others:
            what = "not ours" if device.kind == _devices.DUMMY else "no VTI device"
            reason = f"a device of this name exists, and it is {what} but of kind {state.others[device.name]}"
            refused.refuse(entry.item, "name", device.name, reason)
        if not entry.present:
            continue
        if device.vrf and device.vrf not in state.vrfs:
            reason = f"there is no VRF of this name; make it: ip link add {device.vrf} up type vrf table NUMBER"
            refused.refuse(entry.item, "vrf", device.vrf, reason)
        if device.unnumbered and device.unnumbered.local not in own:
            reason = "no device of this host has this address; list one with kind dummy that has"
            refused.refuse(entry.item, "unnumbered.address", device.unnumbered.local, reason)
        if device.link and device.link not in state.names:
            refused.refuse(entry.item, "link", device.link, "there is no such device on this host")
        holder = holders.get(device.slot)
        if holder:
            reason = (
                f"the device {holder.name} has the same local, remote and link, and only one VTI device can, whatever "
                "its key; list that one with state absent, or tell them apart by link (IPv4 only)"
            )
            refused.refuse(entry.item, "remote", device.remote, reason)
        if found and found.from_other_netns and _must_recreate(found, device):
            reason = "the device was made in another network namespace, and this change means making it anew there"
            refused.refuse(entry.item, "name", device.name, reason)
    refused.stop_if_any()


def _with_vrf(entry: Wanted, state: State) -> Wanted:
    """The entry with the index of its VRF."""
    vrf = state.vrfs.get(entry.device.vrf or "")
    return dataclasses.replace(entry, device=dataclasses.replace(entry.device, master=vrf.index)) if vrf else entry


def _must_recreate(found: Device, device: Device) -> str:
    """Why the kernel cannot change the device in place, or nothing."""
    if found.kind != device.kind:
        return f"the kernel cannot turn {found.kind} into {device.kind}"
    # A vti device is point-to-point or not from its creation on (IFF_POINTOPOINT); vti6 does not care.
    if device.kind == "vti" and (found.remote == _devices.ANY) != (device.remote == _devices.ANY):
        return "the kernel cannot change remote between an address and any"
    return ""


def _as_seen(found: Device, device: Device) -> Device:
    """The live device without what the user does not decide: other sysctls, the kernel's link-local addresses."""
    listed = dict(device.sysctls)
    addresses = tuple(a for a in found.addresses if a in device.addresses or not a.is_link_local)
    sysctls = tuple(pair for pair in found.sysctls if pair[0] in listed)
    # What the user's alias says after our name is the user's.
    vrf = found.vrf if device.vrf is not None else None
    # A device that is down has no routes.
    unnumbered = found.unnumbered if device.enabled else device.unnumbered
    return dataclasses.replace(found, addresses=addresses, sysctls=sysctls, vrf=vrf, unnumbered=unnumbered)


def _reasons(seen: Device, device: Device) -> tuple[str, ...]:
    """What differs, one line each: a sysctl is a field of its own, all the addresses are one."""
    before, after = _flat(seen), _flat(device)
    # With one key on both sides it is one line, else the two keys are two.
    hidden = ("ikey", "okey") if "key" in before and "key" in after else ("key",)
    return _change.differences(*({n: v for n, v in fields.items() if n not in hidden} for fields in (before, after)))


def _flat(device: Device) -> dict[str, t.Any]:
    fields = {**device.as_dict(), "ikey": device.ikey, "okey": device.okey}
    fields["addresses"] = ", ".join(fields["addresses"]) or "none"
    fields["unnumbered"] = fields.get("unnumbered") or "no"
    sysctls = fields.pop("sysctls")
    return {**fields, **sysctls}


def _step_for(
    entry: Wanted, found: t.Optional[Device], taken: t.Mapping[tuple[str, ...], str], routes_of: RoutesOf
) -> _Step:
    device = entry.device
    if not entry.present:
        return _remove(found, "state is absent") if found else _Step(_change.Change(device.name, _change.KEPT))
    if found is None:
        change = _change.Change(device.name, _change.CREATED, None, device.as_dict(), ("there was no such device",))
        return _Step(change, rest=_make(device, master=device.master))
    seen = _as_seen(found, device)
    before, after = seen.as_dict(), device.as_dict()
    reasons = _reasons(seen, device)
    if not reasons:
        return _Step(_change.Change(device.name, _change.KEPT, before, after))
    cause = _must_recreate(found, device)
    successor = taken.get(found.slot, device.name)
    if successor != device.name:
        cause = cause or f"{successor} takes over its ends"
    if cause:
        return _recreate(found, device, (*reasons, cause), routes_of, early=successor != device.name)
    operations, more = _update(seen, device, routes_of)
    return _Step(_change.Change(device.name, _change.UPDATED, before, after, (*reasons, *more)), rest=operations)


def _remove(found: Device, reason: str) -> _Step:
    change = _change.Change(found.name, _change.REMOVED, found.as_dict(), None, (reason,))
    delete = [_devices.DelDevice(found.name, found.index)]
    return _Step(change, rest=delete) if found.kind == _devices.DUMMY else _Step(change, early=delete)


def _make(device: Device, index: int = 0, master: int = 0) -> list[_change.Operation]:
    """The writes that make a device: it is down until its sysctls are set; addresses come last, with their routes."""
    settings = _devices.SetDevice(
        device.name,
        enabled=device.enabled or None,
        alias=device.alias,
        master=master or None,
        sysctls=device.sysctls,
    )
    addresses = [_add(device, inner) for inner in device.addresses]
    return [_devices.AddDevice(device, index), settings, *addresses, *_to_peer(device)]


def _add(device: Device, inner: Inner) -> _devices.AddAddress:
    return _devices.AddAddress(device.name, inner, at_once=device.kind == _devices.DUMMY)


def _to_peer(device: Device) -> list[_change.Operation]:
    """The route to the peer of an unnumbered device; the kernel has none for a device that is down."""
    route = device.peer_route
    return [_routes.PutRoute(route)] if route and device.enabled else []


def _recreate(found: Device, device: Device, reasons: tuple[str, ...], routes_of: RoutesOf, early: bool) -> _Step:
    """Delete and make anew, and put back the routes that fall with the device."""
    put_back, lost = _routes_to_put_back(device, routes_of(device.name))
    if put_back:
        reasons = (*reasons, f"puts back {len(put_back)} routes: " + ", ".join(str(op.route) for op in put_back))
    if lost:
        reasons = (*reasons, f"cannot put back {len(lost)} routes: " + ", ".join(lost))
    seen = _as_seen(found, device)
    change = _change.Change(device.name, _change.RECREATED, seen.as_dict(), device.as_dict(), reasons)
    delete = [_devices.DelDevice(found.name, found.index)]
    master = found.master if device.vrf is None else device.master
    # Also the sysctls that somebody else has set, and what somebody wrote behind our name.
    sysctls = tuple(sorted({**dict(found.sysctls), **dict(device.sysctls)}.items()))
    again = dataclasses.replace(device, sysctls=sysctls, alias=found.alias if found.owned else device.alias)
    make = [*_make(again, found.index, master), *put_back]
    return _Step(change, early=delete, rest=make) if early else _Step(change, rest=[*delete, *make])


def _routes_to_put_back(device: Device, routes: t.Sequence[_routes.Route]) -> tuple[list[_routes.PutRoute], list[str]]:
    """Those that the kernel will take again, and the others with the reason."""
    put_back, lost = [], []
    for route in routes:
        if route.protocol in PROTOCOLS_NOT_PUT_BACK or route.table == _routes.TABLE_LOCAL:
            continue
        if _devices.is_of_unnumbered(route):  # comes with the device
            continue
        obstacle = _obstacle(device, route)
        if obstacle:
            lost.append(f"{route} ({obstacle})")
        else:
            put_back.append(_routes.PutRoute(route))
    # A gateway has to be reachable when its route is put back, which may be by another of these routes.
    put_back.sort(key=lambda operation: bool(operation.route.gateway))
    return put_back, lost


def _obstacle(device: Device, route: _routes.Route) -> str:
    """Why a route cannot be put back, or nothing."""
    if not device.enabled:
        return "the device is to be down"
    if "RTA_NH_ID" in route.unknown:
        return "it uses a nexthop object, and that falls with the device"
    own = (*device.addresses, *((device.unnumbered,) if device.unnumbered else ()))
    if route.source and route.source not in {inner.local for inner in own}:
        return f"its source {route.source} is no address of the device any more"
    return ""


def _update(seen: Device, device: Device, routes_of: RoutesOf) -> tuple[list[_change.Operation], tuple[str, ...]]:
    """The writes that change a device in place, only what differs, and what else has to be said of them."""
    operations: list[_change.Operation] = []
    if seen.ends != device.ends:
        operations.append(_devices.ChangeEnds(device))
    changes = _settings(seen, device)
    if changes:
        operations.append(_devices.SetDevice(device.name, **changes))
    addresses = seen.addresses
    moved = "master" in changes
    if moved or (seen.enabled and not device.enabled):  # down takes the IPv6 addresses away, and a VRF does that too
        addresses = tuple(inner for inner in addresses if ":" not in inner.address)
    moves, readdressed = _move_addresses(device, addresses)
    operations += moves
    bare = _bare_for_a_moment(device, addresses)
    if moved:
        fallen, _lost = _routes_to_put_back(device, routes_of(device.name))
    else:
        fallen = _fallen_routes(device, readdressed, bare, routes_of)
    operations += [*_change_peer(seen, device, bare), *fallen]
    more = (f"puts back {len(fallen)} routes: " + ", ".join(str(op.route) for op in fallen),) if fallen else ()
    return operations, more


def _change_peer(seen: Device, device: Device, bare: bool) -> list[_change.Operation]:
    """The writes for the route to the peer of an unnumbered device, which goes with the last address, too."""
    if seen.unnumbered == device.unnumbered and not bare:
        return []
    old, new = seen.peer_route, device.peer_route
    is_gone = old is None or (new is not None and new.identity == old.identity)
    return [*([] if is_gone or not old else [_routes.DelRoute(old)]), *_to_peer(device)]


def _settings(seen: Device, device: Device) -> dict[str, t.Any]:
    changes: dict[str, t.Any] = {}
    if seen.mtu != device.mtu and seen.ends == device.ends:
        changes["mtu"] = device.mtu
    if seen.enabled != device.enabled:
        changes["enabled"] = device.enabled
    if not seen.owned:
        changes.update(alias=_devices.ALIAS, group=_devices.GROUP)
    if device.vrf is not None and (seen.vrf or "") != device.vrf:
        changes["master"] = device.master
    live = dict(seen.sysctls)
    sysctls = tuple((name, value) for name, value in device.sysctls if live.get(name) != value)
    if sysctls:
        changes["sysctls"] = sysctls
    return changes


def _move_addresses(device: Device, live: t.Sequence[Inner]) -> tuple[list[_change.Operation], list[Inner]]:
    """The writes for the addresses, and those addresses that go for a moment and come back.

    Old addresses go first: a new one in an old one's network would be its secondary, and go with it. For the same
    reason an address that stays is added again when another one of its network goes.
    """
    removed = [inner for inner in live if inner not in device.addresses]
    networks = {inner.network for inner in removed if ":" not in inner.address}
    added = [inner for inner in device.addresses if inner not in live or inner.network in networks]
    operations: list[_change.Operation] = [_devices.DelAddress(device.name, inner) for inner in removed]
    operations += [_add(device, inner) for inner in added]
    gone = {inner.local for inner in removed}
    return operations, [inner for inner in added if inner in live or inner.local in gone]


def _bare_for_a_moment(device: Device, live: t.Sequence[Inner]) -> bool:
    """Whether the last IPv4 address goes before others come: the kernel drops all IPv4 routes of the device then."""
    before = [inner for inner in live if ":" not in inner.address]
    return bool(before) and not any(inner in device.addresses for inner in before)


def _fallen_routes(
    device: Device, readdressed: t.Sequence[Inner], bare: bool, routes_of: RoutesOf
) -> list[_routes.PutRoute]:
    """The device's routes that fall when an address goes for a moment, to come back with another prefix or peer, or
    with the last address."""
    if not readdressed and not bare:
        return []
    locals_ = {inner.local for inner in readdressed}
    networks = [inner.network for inner in readdressed]

    def leans_on(route: _routes.Route) -> bool:
        return (
            (bare and route.family == 4)
            or route.source in locals_
            or any(bool(route.gateway) and ipaddress.ip_address(route.gateway) in network for network in networks)
        )

    put_back, _lost = _routes_to_put_back(device, [route for route in routes_of(device.name) if leans_on(route)])
    return put_back

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The kernel, as the modules see it: states out, operations in. One rtnetlink socket, one dump a kind and run, writes
in batches. _link_messages.py and _route_messages.py know what the messages look like, _rtnl.py how they travel."""

from __future__ import annotations

import dataclasses
import errno
import socket
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import (
    _devices,
    _info,
    _link_messages,
    _route_messages,
    _routes,
    _rtnl,
    _rules,
    _way_out,
    _xfrm,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

Outcome = t.Optional[StoreError]
# Errors that mean that what is to be deleted is gone already.
GONE: dict[type, int] = {
    _devices.DelDevice: errno.ENODEV,
    _devices.DelGroup: errno.ENODEV,
    _devices.DelAddress: errno.EADDRNOTAVAIL,
    _routes.DelRoute: errno.ESRCH,
    _rules.DelRule: errno.ENOENT,
}
HINTS = {
    errno.EPERM: "it takes root (CAP_NET_ADMIN) in the host's network namespace",
    errno.EOPNOTSUPP: "the kernel has no VTI devices: load the modules ip_vti and ip6_vti, "
    "or install the package with the kernel's extra modules",
    errno.EEXIST: "another device has the same name, or the same local, remote and link, perhaps one that was moved to "
    "another network namespace",
    errno.ENETUNREACH: "the gateway is not reachable over the device",
    errno.ENETDOWN: "the device is down",
    errno.ENODEV: "the device is gone since the run began, or has IPv6 switched off",
    errno.EACCES: "IPv6 may be switched off on the device (net.ipv6.conf.<device>.disable_ipv6)",
}


class Netlink:
    """The kernel, by one rtnetlink socket."""

    def __init__(self) -> None:
        self._socket = _rtnl.Socket()
        self._names: dict[int, str] = {}
        self._indexes: dict[str, int] = {}
        self._counters: dict[str, dict[str, int]] = {}

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.__exit__(*exc)

    # --- reading ---

    def device_state(self, names: t.Iterable[str]) -> _devices.State:
        """All VTI devices with their addresses, and what else the plan for devices has to know."""
        self._read_names()
        routes, addresses = self._peer_routes(), self._addresses()
        devices = self._with_addresses([*self._vtis(), *self._dummies()], addresses, routes)
        known = {device.name for device in devices}
        existing = frozenset(self._names.values())
        others = {name: self._kind_of(name) for name in names if name in existing and name not in known}
        peers = tuple(route for route in routes if not _devices.is_of_unnumbered(route))
        indexes = {device.index for device in devices}
        elsewhere = frozenset(a.local for index, found in addresses.items() if index not in indexes for a in found)
        sysctls = (_sysctl_all("rp_filter"), _sysctl_all("disable_xfrm"))
        policies = tuple(_xfrm.tunnel_policies())
        return _devices.State(devices, others, existing, *sysctls, self._vrfs(), peers, policies, elsewhere)

    def _peer_routes(self) -> list[_routes.Route]:
        return [route for family in (4, 6) for route in self._dump_routes(family, protocol=_routes.PROTOCOL_PEER)]

    def way_to(self, device: _devices.Device) -> t.Optional[_devices.Way]:
        """How the outer packets of a device leave the host. For a remote of any: the device that they come in by."""
        try:
            if device.remote != _devices.ANY:
                answer = self._socket.ask(_route_messages.GETROUTE, _route_messages.way_to(device.remote))
                index, gateway, mtu = _route_messages.way(answer)
                name = socket.if_indextoname(index)
            else:
                name, gateway, mtu = device.link or self._device_with(device.local), "", 0
            link = self._socket.ask(_link_messages.GETLINK, _link_messages.one_link(name))
        except (_rtnl.RefusedError, OSError):
            return None
        return _devices.Way(name, gateway, mtu or _link_messages.index_and_mtu(link)[1])

    def _device_with(self, address: str) -> str:
        """The device that has an address; raises OSError where none has."""
        for message in self._dump(_link_messages.GETADDR, _link_messages.all_addresses()):
            index, inner = _link_messages.address(message)
            if inner.local == address:
                return socket.if_indextoname(index)
        raise OSError(f"no device has {address}")

    def route_state(
        self, wanted: t.Sequence[_routes.Wanted], purge: bool, rules: t.Sequence[_rules.Wanted] = ()
    ) -> _routes.State:
        """The routes of the tables that the entries name (with C(purge) also all of ours), the VTI devices, the policy
        rules, and the routes of the tables that the outer packets of tunnels are looked up in."""
        self._read_names()
        devices = self._vtis()
        vrfs = self._vrfs() if any(device.master for device in devices) else {}
        table_of = {vrf.index: vrf.table for vrf in vrfs.values()}
        tunnels = [_routes.Tunnel(d.name, d.remote, d.enabled, d.local, table_of.get(d.master, 0)) for d in devices]
        found = self._dump_rules() if rules or tunnels or purge else []
        tables = dict.fromkeys((entry.route.family, entry.route.table) for entry in wanted)
        if wanted or rules:
            tables.update(self._outer_tables(tunnels, [*found, *(entry.rule for entry in rules)]))
        routes = [route for family, table in tables for route in self._dump_routes(family, table=table)]
        if purge:
            ours = [r for family in (4, 6) for r in self._dump_routes(family, protocol=_routes.PROTOCOL)]
            routes += [route for route in ours if (route.family, route.table) not in tables]
        return _routes.State(tuple(routes), tuple(tunnels), frozenset(self._names.values()), tuple(found))

    @staticmethod
    def _outer_tables(
        tunnels: t.Sequence[_routes.Tunnel], rules: t.Sequence[_rules.Rule]
    ) -> dict[tuple[int, int], None]:
        """Family and number of each table in which a tunnel's outer packet may be looked up."""
        return dict.fromkeys(
            (tunnel.family, table) for tunnel in tunnels for table in _way_out.tables_of(tunnel, rules, tunnel.family)
        )

    def _vrfs(self) -> dict[str, _devices.Vrf]:
        """The VRF devices by name."""
        messages = self._dump(_link_messages.GETLINK, _link_messages.all_of_kind("vrf"))
        found = (_link_messages.vrf_table(message) for message in messages)
        return {self._names[index]: _devices.Vrf(index, table) for index, table in found if index in self._names}

    def _dump_rules(self) -> list[_rules.Rule]:
        return [
            _route_messages.rule(message)
            for family in (4, 6)
            for message in self._dump(_route_messages.GETRULE, _route_messages.all_rules(family))
        ]

    def routes_of(self, name: str) -> tuple[_routes.Route, ...]:
        """The routes that lead into one device."""
        index = self._index(name)
        return tuple(route for family in (4, 6) for route in self._dump_routes(family, oif=index))

    def info(self) -> _info.Kernel:
        """Everything that vpn_info shows: devices with their counters, and the routes into them or of ours."""
        self._read_names()
        devices = self._with_addresses(self._vtis(counters=True), self._addresses(), self._peer_routes())
        names = {device.name for device in devices}
        routes = [
            route
            for family in (4, 6)
            for route in self._dump_routes(family)
            if route.protocol == _routes.PROTOCOL or _way_out.leads_into(route, names)
        ]
        masters = {device.name: self._names.get(device.master, "") for device in devices}
        return _info.Kernel(devices, tuple(routes), masters, self._counters)

    def _read_names(self) -> None:
        self._names = dict(socket.if_nameindex())
        self._indexes = {name: index for index, name in self._names.items()}

    def _dump(self, kind: int, body: bytes) -> list[bytes]:
        try:
            return self._socket.dump(kind, body)
        except _rtnl.RefusedError as exc:
            if exc.refused.code == errno.ENOENT:  # a table without routes is no table for the kernel
                return []
            raise StoreError(f"cannot read from the kernel: {_text(exc.refused)}") from exc

    def _kind_of(self, name: str) -> str:
        try:
            return _link_messages.kind_of(self._socket.ask(_link_messages.GETLINK, _link_messages.one_link(name)))
        except _rtnl.RefusedError as exc:
            raise StoreError(f"cannot read the device {name}: {_text(exc.refused)}") from exc

    def _vtis(self, counters: bool = False) -> list[_devices.Device]:
        """The VTI devices, without their addresses."""
        return self._links(_link_messages.KINDS, counters)

    def _dummies(self) -> list[_devices.Device]:
        """Our devices that only hold addresses."""
        return [device for device in self._links((_devices.DUMMY,)) if device.owned]

    def _links(self, kinds: t.Sequence[str], counters: bool = False) -> list[_devices.Device]:
        links = {}
        for kind in kinds:
            for message in self._dump(_link_messages.GETLINK, _link_messages.all_of_kind(kind, counters)):
                device = _link_messages.device(message, self._names)
                if device and device.kind in kinds:
                    links[device.index] = device  # once only, where the kernel does not know the kind
                    self._counters[device.name] = _link_messages.counters(message)
        return list(links.values())

    def _with_addresses(
        self,
        devices: t.Sequence[_devices.Device],
        addresses: t.Mapping[int, t.Sequence[_devices.Inner]],
        routes: t.Sequence[_routes.Route],
    ) -> tuple[_devices.Device, ...]:
        """The devices with their addresses, or with what they use instead, as the routes to their peers tell."""
        loans = {route.device: _devices.unnumbered_of(route) for route in routes if _devices.is_of_unnumbered(route)}
        return tuple(
            dataclasses.replace(d, addresses=tuple(addresses.get(d.index, ())), unnumbered=loans.get(d.name))
            for d in devices
        )

    def _addresses(self) -> dict[int, list[_devices.Inner]]:
        """All addresses by the index of their device."""
        found: dict[int, list[_devices.Inner]] = {}
        for message in self._dump(_link_messages.GETADDR, _link_messages.all_addresses()):
            index, inner = _link_messages.address(message)
            found.setdefault(index, []).append(inner)
        return found

    def _dump_routes(self, family: int, table: int = 0, protocol: int = 0, oif: int = 0) -> t.Iterator[_routes.Route]:
        """Routes, filtered by the kernel and once more here."""
        for message in self._dump(_route_messages.GETROUTE, _route_messages.routes(family, table, protocol, oif)):
            route = _route_messages.route(message, self._names)
            if route and table in (0, route.table) and protocol in (0, route.protocol):
                yield route

    # --- writing ---

    def apply_all(self, operations: t.Sequence[t.Any]) -> list[Outcome]:
        """Carry out operations in order, in batches: one outcome for each that was tried, None where it succeeded.
        Nothing is tried after the batch in which one failed."""
        batch = _Batch(self._socket)
        self._fresh: set[str] = set()
        for position, operation in enumerate(operations):
            if position and _is_turn(operations[position - 1], operation):
                self._flush(batch)
            try:
                request = None if batch.failed else self._request_for(operation, batch)
            except StoreError as exc:
                self._flush(batch)
                batch.outcomes.append(StoreError(f"'{operation.describe()}' failed: {exc}"))
            if batch.failed:
                break
            if request is None:
                raise TypeError(f"no request for {operation!r}")
            batch.add(operation, request)
            if isinstance(operation, (_devices.AddDevice, _devices.DelDevice)):
                self._fresh.add(_name_of(operation))
            if batch.full:
                self._flush(batch)
        self._flush(batch)
        return batch.outcomes

    def _request_for(self, operation: t.Any, batch: _Batch) -> t.Optional[_rtnl.Request]:
        def index_of(name: str) -> int:
            if name in self._fresh:  # made by a request that still waits in the batch
                self._flush(batch)
            return self._index(name)

        return _link_messages.request(operation, index_of) or _route_messages.request(operation, index_of)

    def _flush(self, batch: _Batch) -> None:
        batch.send()
        for name in self._fresh:
            self._indexes.pop(name, None)
        self._fresh = set()

    def _index(self, name: str) -> int:
        index = self._indexes.get(name)
        if index is None:
            try:
                index = self._indexes[name] = socket.if_nametoindex(name)
            except OSError as exc:
                raise StoreError(f"there is no device {name} (any more)") from exc
        return index


class _Batch:
    """Requests that are to go out together, and the outcomes of all that went."""

    def __init__(self, sock: _rtnl.Socket) -> None:
        self._socket = sock
        self._waiting: list[tuple[t.Any, _rtnl.Request]] = []
        self.outcomes: list[Outcome] = []

    @property
    def failed(self) -> bool:
        return any(self.outcomes[-_rtnl.BATCH - 1 :])

    @property
    def full(self) -> bool:
        return len(self._waiting) >= _rtnl.BATCH

    def add(self, operation: t.Any, request: _rtnl.Request) -> None:
        self._waiting.append((operation, request))

    def send(self) -> None:
        """Send what waits, and note what became of it."""
        waiting, self._waiting = self._waiting, []
        answers = self._socket.write([request for _operation, request in waiting]) if waiting else []
        for (operation, _request), refused in zip(waiting, answers):
            if refused and refused.code != GONE.get(type(operation)):
                self.outcomes.append(StoreError(f"'{operation.describe()}' failed: {_text(refused)}"))
            else:
                self.outcomes.append(None)


def _name_of(operation: t.Union[_devices.AddDevice, _devices.DelDevice]) -> str:
    return operation.device.name if isinstance(operation, _devices.AddDevice) else operation.name


def _is_turn(before: t.Any, operation: t.Any) -> bool:
    """Whether the second is not to be tried in one batch with the first, where a failure does not stop the rest: what
    is deleted may be what the one before was to replace, and a guard has to be there before its route."""
    if isinstance(before, (_routes.PutRoute, _rules.AddRule)) and isinstance(operation, type(before)):
        return _type_of(before) != _type_of(operation)
    return isinstance(operation, tuple(GONE)) and not isinstance(before, tuple(GONE))


def _type_of(operation: t.Any) -> str:
    return str(operation.rule.type if isinstance(operation, _rules.AddRule) else operation.route.type)


def _sysctl_all(name: str) -> int:
    try:
        with open(f"/proc/sys/net/ipv4/conf/all/{name}", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _text(refused: _rtnl.Refused) -> str:
    """The kernel's own words, the error's name, and what to do about it."""
    hint = f"; {HINTS[refused.code]}" if refused.code in HINTS else ""
    return f"{refused}{hint}"

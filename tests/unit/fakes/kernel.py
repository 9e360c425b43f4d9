# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A kernel in memory, behind the interface of _netlink.Netlink: it refuses what the real one refuses, forgets what the
real one forgets, and raises on any write when it is read_only. What it does was seen in tests/integration/kernel."""

from __future__ import annotations

import dataclasses
import ipaddress

from ansible_collections.route_based.vpn.plugins.module_utils import _devices, _netlink, _routes
from ansible_collections.route_based.vpn.plugins.module_utils._devices import Device, Inner
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError
from ansible_collections.route_based.vpn.plugins.module_utils._routes import Route
from ansible_collections.route_based.vpn.plugins.module_utils._rtnl import BATCH
from fakes.route_tables import RouteTables

SYSCTLS_AT_FIRST = {"forwarding": 0, "rp_filter": 1, "disable_policy": 0, "send_redirects": 1}


def inner(text):
    """An Inner from 'ADDRESS/PREFIX' or 'ADDRESS/PREFIX peer PEER'."""
    address, _word, peer = text.partition(" peer ")
    return Inner(address, peer)


def device(**fields):
    """A live device: the fields of Device, with key for both keys, addresses as text and sysctls as a dict."""
    if fields.get("kind") == _devices.DUMMY:
        return Device(
            **{"mtu": 1500, **fields, "addresses": tuple(inner(text) for text in fields.get("addresses", ()))}
        )
    key = fields.pop("key", None)
    if key is not None:
        fields.update(ikey=key, okey=key)
    fields["addresses"] = tuple(inner(text) for text in fields.get("addresses", ()))
    defaults = {"disable_policy": 1, "forwarding": 1, "rp_filter": 0}
    fields["sysctls"] = tuple(sorted({**defaults, **fields.get("sysctls", {})}.items()))
    return Device(**fields)


class FakeKernel:
    """Devices, addresses and routes, with the kernel's rules."""

    def __init__(
        self, devices=(), others=None, routes=(), names=(), rp_filter_all=0, read_only=False, fail_on="", rules=()
    ):
        self.devices = {}
        for number, live in enumerate(devices, 10):
            self.devices[live.name] = dataclasses.replace(live, index=live.index or number)
        self.others = dict(others or {})
        self.names = {"lo", "eth0", *names}
        self.tables = RouteTables(routes, rules)
        self.disable_xfrm_all = 0
        self.vrfs = {}
        self.policies = ()
        self.underlay_mtu = 1500
        self.asked_ways_of = []
        self.rp_filter_all = rp_filter_all
        self.read_only = read_only
        self.fail_on = fail_on
        self.written = []
        self.asked_routes_of = []

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        pass

    @property
    def routes(self):
        return self.tables.routes

    @routes.setter
    def routes(self, routes):
        self.tables.routes = routes

    @property
    def rules(self):
        return self.tables.rules

    def snapshot(self):
        return dict(self.devices), list(self.routes), list(self.rules)

    # --- reading ---

    def device_state(self, names):
        others = {name: self.others.get(name, "dummy") for name in names if name in self._other_names()}
        peers = tuple(route for route in self.routes if route.protocol == _routes.PROTOCOL_PEER)
        unnumbered = {r.device: _devices.unnumbered_of(r) for r in peers if _devices.is_of_unnumbered(r)}
        peers = tuple(route for route in peers if not _devices.is_of_unnumbered(route))
        indexes = {vrf.index: name for name, vrf in self.vrfs.items()}
        devices = [
            dataclasses.replace(d, vrf=indexes.get(d.master, ""), unnumbered=unnumbered.get(d.name))
            for d in self.devices.values()
        ]
        return _devices.State(
            tuple(devices),
            others,
            self._all_names(),
            self.rp_filter_all,
            self.disable_xfrm_all,
            self.vrfs,
            peers,
            self.policies,
            frozenset({"192.0.2.1"}),
        )

    def way_to(self, device):
        """Everything but 203.0.113.0/24 is behind eth0's gateway, with its MTU."""
        self.asked_ways_of.append(device.name)
        if device.remote.startswith("203.0.113.") or (device.remote == _devices.ANY and device.local == "203.0.113.1"):
            return None
        gateway = "2001:db8::fe" if ":" in device.remote else "192.0.2.254"
        return _devices.Way("eth0", "" if device.remote == _devices.ANY else gateway, self.underlay_mtu)

    def route_state(self, wanted, purge, rules=()):
        tables = {vrf.index: vrf.table for vrf in self.vrfs.values()}
        tunnels = tuple(
            _routes.Tunnel(d.name, d.remote, d.enabled, d.local, tables.get(d.master, 0)) for d in self.devices.values()
        )
        return self.tables.state(wanted, purge, rules, tunnels, self._all_names())

    def routes_of(self, name):
        self.asked_routes_of.append(name)
        return tuple(r for r in self.routes if name in (r.device, *(hop.device for hop in r.nexthops)))

    def _other_names(self):
        return self.names | set(self.others)

    def _all_names(self):
        return frozenset(self._other_names() | set(self.devices))

    # --- writing ---

    def apply_all(self, operations):
        """As the real one: what follows a failure in its batch is tried all the same, what comes after it is not."""
        outcomes = []
        for position, operation in enumerate(operations):
            new_batch = position % BATCH == 0 or _netlink._is_turn(operations[position - 1], operation)
            if new_batch and any(outcomes):
                break
            try:
                outcomes.append(self.apply(operation))
            except StoreError as exc:
                outcomes.append(exc)
        return outcomes

    def apply(self, operation):
        if self.read_only:
            raise AssertionError(f"written in check mode: {operation.describe()}")
        if self.fail_on and self.fail_on in operation.describe():
            self._refuse("Input/output error (EIO)", operation)
        getattr(self, type(operation).__name__)(operation)
        self.written.append(operation)

    @staticmethod
    def _refuse(why, operation):
        raise StoreError(f"'{operation.describe()}' failed: {why}")

    def _live(self, operation):
        if operation.name not in self.devices:
            self._refuse("No such device (ENODEV)", operation)
        return self.devices[operation.name]

    def _check_slot(self, operation):
        wanted = operation.device
        if wanted.link and wanted.link not in self._all_names():
            self._refuse("No such device (ENODEV)", operation)
        if wanted.kind == _devices.DUMMY:
            return
        holders = [live for live in self.devices.values() if live.name != wanted.name and live.slot == wanted.slot]
        if holders or (wanted.local == wanted.remote == _devices.ANY and not wanted.link):
            self._refuse("File exists (EEXIST)", operation)

    def AddDevice(self, operation):
        wanted = operation.device
        indexes = {live.index for live in self.devices.values()}
        if wanted.name in self._all_names() or operation.index in indexes:
            self._refuse("File exists (EEXIST)", operation)
        self._check_slot(operation)
        low, high = _devices.MTU_MIN, _devices.MTU_MAX[wanted.kind]
        self.devices[wanted.name] = dataclasses.replace(
            wanted,
            index=operation.index or max(indexes, default=9) + 1,
            mtu=min(max(wanted.mtu, low), high),
            enabled=False,
            alias="",
            addresses=(),
            sysctls=() if wanted.kind == _devices.DUMMY else tuple(sorted(SYSCTLS_AT_FIRST.items())),
            unnumbered=None,
        )

    def ChangeEnds(self, operation):
        wanted = operation.device
        if wanted.name not in self.devices:
            self._refuse("No such device (ENODEV)", operation)
        live = self.devices[wanted.name]
        if live.kind != wanted.kind:
            self._refuse("Operation not supported (EOPNOTSUPP)", operation)
        if live.kind == "vti" and (live.remote == _devices.ANY) != (wanted.remote == _devices.ANY):
            self._refuse("Invalid argument (EINVAL)", operation)
        self._check_slot(operation)
        ends = {name: getattr(wanted, name) for name in ("local", "remote", "ikey", "okey", "link", "mtu")}
        self.devices[wanted.name] = dataclasses.replace(live, **ends)

    def SetDevice(self, operation):
        live = self._live(operation)
        fields = {name: getattr(operation, name) for name in ("mtu", "enabled", "group", "master")}
        fields = {name: value for name, value in fields.items() if value is not None}
        if operation.alias:
            fields["alias"] = operation.alias
        if operation.sysctls:
            fields["sysctls"] = tuple(sorted({**dict(live.sysctls), **dict(operation.sysctls)}.items()))
        live = dataclasses.replace(live, **fields)
        if not _devices.MTU_MIN <= live.mtu <= _devices.MTU_MAX[live.kind]:
            self._refuse("mtu greater than device maximum (EINVAL)", operation)
        if operation.master is not None and live.enabled:
            # The kernel takes it down and up again.
            live = dataclasses.replace(live, addresses=tuple(a for a in live.addresses if ":" not in a.address))
            self._drop_routes_of(live.name)
        if operation.enabled is False or live.mtu < _devices.MTU_MIN_IPV6:
            live = dataclasses.replace(live, addresses=tuple(a for a in live.addresses if ":" not in a.address))
        if operation.enabled is False:
            self._drop_routes_of(live.name)
        self.devices[live.name] = live

    def DelDevice(self, operation):
        gone = self.devices.pop(operation.name, None)
        self._drop_routes_of(operation.name)
        self._drop_routes_from(gone.addresses if gone else ())

    def _drop_routes_from(self, gone):
        """Routes whose source is no address of this host any more."""
        left = {inner.local for live in self.devices.values() for inner in live.addresses}
        lost = {inner.local for inner in gone} - left
        self.routes = [route for route in self.routes if route.source not in lost]

    def DelGroup(self, operation):
        for name in [name for name, live in self.devices.items() if live.group == operation.group]:
            del self.devices[name]
            self._drop_routes_of(name)

    def _drop_routes_of(self, name):
        self.routes = [r for r in self.routes if name not in (r.device, *(hop.device for hop in r.nexthops))]

    def AddAddress(self, operation):
        live = self._live(operation)
        if ":" in operation.inner.address and live.mtu < _devices.MTU_MIN_IPV6:
            self._refuse("No such device (ENODEV)", operation)
        if operation.inner not in live.addresses:
            self.devices[live.name] = dataclasses.replace(live, addresses=(*live.addresses, operation.inner))

    def DelAddress(self, operation):
        live = self._live(operation)
        if operation.inner not in live.addresses:
            return
        position = live.addresses.index(operation.inner)
        left = [a for a in live.addresses if a != operation.inner]
        if ":" not in operation.inner.address:
            # Those that came later in the same network are its secondaries, and go with it.
            left = [a for i, a in enumerate(live.addresses) if i < position or a.network != operation.inner.network]
            self.routes = [r for r in self.routes if not self._leans_on(r, live.name, operation.inner)]
            if not any(":" not in a.address for a in left):  # the last one: IPv4 is switched off for the device
                self.routes = [r for r in self.routes if r.device != live.name or r.family == 6]
        self.devices[live.name] = dataclasses.replace(live, addresses=tuple(left))
        self._drop_routes_from([operation.inner])

    @staticmethod
    def _leans_on(route, name, gone):
        gateway = bool(route.gateway) and ipaddress.ip_address(route.gateway) in gone.network
        return route.device == name and gateway

    def PutRoute(self, operation):
        hops = operation.route.nexthops or [operation.route]
        for name in [hop.device for hop in hops if hop.device]:
            if name not in self._all_names():
                self._refuse("No such device (ENODEV)", operation)
            if name in self.devices and not self.devices[name].enabled:
                self._refuse("Network is down (ENETDOWN)", operation)
        self._check_reach(operation)
        self._check_source(operation)
        self.tables.put(operation.route)

    def _check_source(self, operation):
        """A source has to be an address of this host, on a device that is up; eth0 has all but 10.255.0.0/16."""
        source = operation.route.source
        own = {inner.local for live in self.devices.values() if live.enabled for inner in live.addresses}
        if source.startswith("10.255.") and source not in own:
            self._refuse("Invalid argument (EINVAL)", operation)

    def _check_reach(self, operation):
        """A gateway has to be in the network of an address of its device; eth0 reaches everything."""
        route = operation.route
        if not route.gateway or route.device not in self.devices:
            return
        networks = [inner.network for inner in self.devices[route.device].addresses]
        if not any(ipaddress.ip_address(route.gateway) in network for network in networks):
            self._refuse("Nexthop has invalid gateway (ENETUNREACH)", operation)

    def DelRoute(self, operation):
        self.tables.remove(operation.route)

    def AddRule(self, operation):
        self.tables.rules.append(operation.rule)

    def DelRule(self, operation):
        self.tables.remove_rule(operation.rule)


def route(**fields):
    """A live route: the fields of Route, with the metric that the kernel gives."""
    family = 6 if ":" in fields["destination"] else 4
    return Route(**{"metric": _routes.METRIC_DEFAULT[family], **fields})

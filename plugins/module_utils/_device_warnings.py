# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a person should know of the devices that a plan leaves behind. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils._devices import ANY, DUMMY, Device, State, Wanted


def warnings(state: State, wanted: t.Sequence[Wanted]) -> tuple[str, ...]:
    """One text for each thing, naming the first five devices."""
    devices = [entry.device for entry in wanted if entry.present and entry.device.kind != DUMMY]
    found = [
        _rp_filter(state, devices),
        _disable_xfrm(state, devices),
        _fallback_up(state),
        _wildcard_in_vrf(devices),
        *_policy_based(state, devices),
    ]
    return tuple(text for text in found if text)


def _names(devices: t.Sequence[Device]) -> str:
    names = [device.name for device in devices]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _rp_filter(state: State, devices: t.Sequence[Device]) -> str:
    concerned = [device for device in devices if dict(device.sysctls).get("rp_filter") == 0]
    if state.rp_filter_all != 1 or not concerned:
        return ""
    return (
        "net.ipv4.conf.all.rp_filter is 1, and the kernel takes the higher one of it and the device's: "
        f"rp_filter 0 of {_names(concerned)} has no effect; give rp_filter 2 (loose) in sysctls, or set the one of all "
        "to 0"
    )


def _disable_xfrm(state: State, devices: t.Sequence[Device]) -> str:
    if not state.disable_xfrm_all or not devices:
        return ""
    return (
        f"net.ipv4.conf.all.disable_xfrm is 1: {_names(devices)} will send nothing, as no packet is looked up in the "
        "IPsec policies; set it to 0"
    )


def _fallback_up(state: State) -> str:
    up = [device for device in state.devices if device.enabled and device.name in ("ip_vti0", "ip6_vti0")]
    if not up:
        return ""
    return f"{_names(up)} is up and takes the ESP packets of every tunnel that has no device of its own; set it down"


def _wildcard_in_vrf(devices: t.Sequence[Device]) -> str:
    concerned = [device for device in devices if device.vrf and device.remote == ANY]
    if not concerned:
        return ""
    return (
        f"{_names(concerned)} is in a VRF and its remote is any: the routes to its peers have to be in the VRF's "
        "table, and cannot be made here, as the peers are not known"
    )


def _policy_based(state: State, devices: t.Sequence[Device]) -> t.Iterator[str]:
    """A device that is up takes the ESP of all tunnels between its ends, also of those that have no device."""
    exact = {(device.local, device.remote): device for device in devices if device.enabled}
    dead: dict[str, Device] = {}
    fragile: dict[str, Device] = {}
    for policy in state.policies:
        device = exact.get((policy.local, policy.remote)) or exact.get((policy.local, ANY))
        if device is None or (policy.mask and device.okey & policy.mask == policy.value):
            continue
        sysctls = dict(device.sysctls)
        if policy.mask:
            dead[device.name] = device
        elif not sysctls.get("disable_policy") or sysctls.get("rp_filter") == 1:
            fragile[device.name] = device
    if dead:
        yield (
            f"another conn is between the ends of {_names(list(dead.values()))}, with a mark that is not the device's "
            "key: its packets come in by the device and are dropped there; give the conn the device's mark, or other "
            "addresses"
        )
    if fragile:
        yield (
            f"a conn without a mark is between the ends of {_names(list(fragile.values()))}: its packets come in by "
            "the device, which lets them through only with the sysctls disable_policy 1 and rp_filter 0 or 2"
        )

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes over the wire for a device, byte by byte as linux/if_tunnel.h has it, and what is read of it."""

from __future__ import annotations

import ipaddress
import struct
import typing as t

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _devices, _link_messages, _rtnl
from fakes.kernel import device

LINKINFO, KIND, DATA = 18, 1, 2
LINK, IKEY, OKEY, LOCAL, REMOTE = 1, 2, 3, 4, 5
IFINFO = 16
FOUR = device(
    name="v4", kind="vti", local="192.0.2.1", remote="192.0.2.2", ikey=0x01020304, okey=0x0A0B0C0D, link="eth0"
)
SIX = device(name="v6", kind="vti6", local="2001:db8::1", remote="2001:db8::2", ikey=5, okey=0xFFFFFFFE)
ANY = device(name="any", kind="vti", local="192.0.2.1", remote="any", ikey=7, okey=8)


def index_of(name: str) -> int:
    return {"eth0": 3}[name]


def told(operation: t.Any) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """The attributes of a message, and those of its VTI."""
    request = _link_messages.request(operation, index_of)
    assert request
    attributes = dict(_rtnl.attributes(request.body, IFINFO))
    info = dict(_rtnl.attributes(attributes[LINKINFO], 0))
    return {**attributes, -1: info[KIND]}, dict(_rtnl.attributes(info[DATA], 0))


@pytest.mark.parametrize("wanted", [FOUR, SIX, ANY], ids=lambda wanted: wanted.name)
@pytest.mark.parametrize("operation", [_devices.AddDevice, _devices.ChangeEnds])
def test_each_field_has_its_place(wanted: _devices.Device, operation: t.Any) -> None:
    whole, vti = told(operation(wanted))
    assert whole[-1] == wanted.kind.encode() + b"\0"
    assert vti[IKEY] == struct.pack(">I", wanted.ikey)
    assert vti[OKEY] == struct.pack(">I", wanted.okey)
    assert vti[LINK] == struct.pack("=I", 3 if wanted.link else 0)
    assert vti[LOCAL] == ipaddress.ip_address(wanted.local).packed
    assert vti[REMOTE] == (bytes(4) if wanted.remote == "any" else ipaddress.ip_address(wanted.remote).packed)


@pytest.mark.parametrize("wanted", [FOUR, SIX, ANY], ids=lambda wanted: wanted.name)
def test_what_was_written_is_what_is_read(wanted: _devices.Device) -> None:
    """The kernel's dump of a device has what the request had, in the same attributes."""
    request = _link_messages.request(_devices.AddDevice(wanted), index_of)
    assert request
    header = _rtnl.HEADER.pack(_rtnl.HEADER.size + len(request.body), 16, 0, 0, 0)
    found = _link_messages.device(header + request.body, {3: "eth0"})
    assert found
    assert (found.kind, found.local, found.remote, found.link) == (
        wanted.kind,
        wanted.local,
        wanted.remote,
        wanted.link,
    )
    assert (found.ikey, found.okey, found.mtu, found.group) == (wanted.ikey, wanted.okey, wanted.mtu, wanted.group)


@pytest.mark.parametrize("operation", [_devices.AddAddress, _devices.DelAddress])
@pytest.mark.parametrize(
    ("inner", "local", "peer"),
    [
        (_devices.Inner("10.9.0.1/24"), "10.9.0.1", "10.9.0.1"),
        (_devices.Inner("10.9.0.1/32", "10.9.0.2"), "10.9.0.1", "10.9.0.2"),
        (_devices.Inner("fd00::1/64"), "fd00::1", "fd00::1"),
        (_devices.Inner("fd00::1/128", "fd00::2"), "fd00::1", "fd00::2"),
    ],
    ids=str,
)
def test_an_address_and_its_peer(inner: t.Any, local: str, peer: str, operation: t.Any) -> None:
    """linux/if_addr.h: IFA_LOCAL is the host's own address, IFA_ADDRESS the peer's, or the same without one."""
    request = _link_messages.request(operation("eth0", inner), index_of)
    assert request
    family, length, _flags, _scope, index = struct.unpack("=BBBBi", request.body[:8])
    assert (family, length, index) == (10 if ":" in local else 2, int(inner.address.partition("/")[2]), 3)
    assert dict(_rtnl.attributes(request.body, 8)) == {
        1: ipaddress.ip_address(peer).packed,
        2: ipaddress.ip_address(local).packed,
    }


def test_an_address_that_routes_need_at_once() -> None:
    """linux/if_addr.h: IFA_F_NODAD is 2. Without it IPv6 first looks for other hosts that have the address."""
    for at_once, flags in ((True, 2), (False, 0)):
        request = _link_messages.request(
            _devices.AddAddress("eth0", _devices.Inner("fd00::1/128"), at_once=at_once), index_of
        )
        assert request
        assert request.body[2] == flags

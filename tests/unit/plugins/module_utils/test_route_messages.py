# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes over the wire for routes and rules, and that a dump which has the same is read as the same."""

from __future__ import annotations

import dataclasses
import struct
import typing as t

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _route_messages, _routes, _rtnl, _rules

INDEXES = {"west": 3, "east": 4}
NAMES = {index: name for name, index in INDEXES.items()}
# linux/netlink.h
REPLACE, CREATE = 0x100, 0x400
ROUTE = _routes.Route("10.0.0.0/8", device="west", scope=253)
RULE = _rules.Rule(1000, source="10.1.0.0/16", table=100)
WAYS = (_routes.Nexthop("east", "", 3), _routes.Nexthop("west", "10.9.0.2", 1))


def told(operation: t.Any) -> _rtnl.Request:
    request = _route_messages.request(operation, INDEXES.__getitem__)
    assert request
    return request


def dumped(request: _rtnl.Request) -> bytes:
    return _rtnl.HEADER.pack(_rtnl.HEADER.size + len(request.body), request.kind, 0, 0, 0) + request.body


@pytest.mark.parametrize(
    ("operation", "kind", "flags"),
    [
        (_routes.PutRoute(ROUTE), 24, CREATE | REPLACE),
        (_routes.DelRoute(ROUTE), 25, 0),
        # Without EXCL: what was read a moment before says whether there is one.
        (_rules.AddRule(RULE), 32, CREATE),
        (_rules.DelRule(RULE), 33, 0),
    ],
    ids=str,
)
def test_what_is_asked_of_the_kernel(operation: t.Any, kind: int, flags: int) -> None:
    assert (told(operation).kind, told(operation).flags) == (kind, flags)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"gateway": "10.9.0.2", "scope": 0, "onlink": True},
        {"metric": 70, "table": 70000, "source": "10.9.0.1"},
        {"table": 255, "mtu": 1350, "advmss": 1300, "metrics": (("RTAX_HOPLIMIT", 9),)},
        {"destination": "fd01::/48", "scope": 0, "source": "fd00::1", "metric": 1024},
        {"destination": "0.0.0.0/0", "tos": 16, "protocol": 186},
        {"type": "unreachable", "device": "", "scope": 0},
        {"type": "prohibit", "device": "", "scope": 0},
        {"type": "blackhole", "device": "", "scope": 0},
        {"device": "", "scope": 0, "nexthops": WAYS},
    ],
    ids=str,
)
def test_a_route_that_was_written_is_read_as_it_was(more: dict[str, t.Any]) -> None:
    wanted = dataclasses.replace(ROUTE, **more)
    assert _route_messages.route(dumped(told(_routes.PutRoute(wanted))), NAMES) == wanted


def test_a_route_is_deleted_whatever_its_scope_and_ways_are() -> None:
    body = told(_routes.DelRoute(dataclasses.replace(ROUTE, device="", scope=0, nexthops=WAYS))).body
    assert struct.unpack_from("=BBBBBBBBI", body)[6] == 255  # RT_SCOPE_NOWHERE
    assert _route_messages.RTA_MULTIPATH not in dict(_rtnl.attributes(body, 12))


@pytest.mark.parametrize(
    ("more", "scope"),
    [
        ({}, 253),
        ({"gateway": "10.9.0.2"}, 0),
        ({"device": "", "nexthops": WAYS}, 0),
        ({"destination": "fd01::/48"}, 0),
        ({"type": "blackhole", "device": ""}, 0),
    ],
    ids=str,
)
def test_the_scope_of_a_route_that_says_none(more: dict[str, t.Any], scope: int) -> None:
    """linux/rtnetlink.h: LINK where the host itself is behind the device, UNIVERSE for all others."""
    body = told(_routes.PutRoute(dataclasses.replace(ROUTE, scope=None, **more))).body
    assert struct.unpack_from("=BBBBBBBBI", body)[6] == scope


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"destination": "10.2.0.0/24", "mark": (5, 0xFF), "iif": "lo"},
        {"source": "fd01::/48", "family": 6, "oif": "west", "table": 70000},
        {"mark": (0, 15), "type": "prohibit", "table": 0},
        {"type": "unreachable", "table": 0},
        {"type": "blackhole", "table": 0, "protocol": 4},
    ],
    ids=str,
)
def test_a_rule_that_was_written_is_read_as_it_was(more: dict[str, t.Any]) -> None:
    wanted = dataclasses.replace(RULE, **more)
    assert _route_messages.rule(dumped(told(_rules.AddRule(wanted)))) == wanted
    assert told(_rules.DelRule(wanted)).body == told(_rules.AddRule(wanted)).body


@pytest.mark.parametrize(("family", "destination"), [(2, "0.0.0.0/0"), (10, "::/0")])
def test_a_default_route_has_no_destination_in_the_kernel_s_dump(family: int, destination: str) -> None:
    body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, 254, 4, 0, 1, 0) + _rtnl.u32(4, 3)
    found = _route_messages.route(_rtnl.HEADER.pack(_rtnl.HEADER.size + len(body), 24, 0, 0, 0) + body, NAMES)
    assert found
    assert (found.destination, found.device) == (destination, "west")

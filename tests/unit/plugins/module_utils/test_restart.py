# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether pluto could start again: too many local addresses, or too many devices that share one."""

from __future__ import annotations

import json

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _restart

OWN = ("127.0.0.1", "192.0.2.1")


def distinct(count):
    return tuple(f"10.{number // 250}.{number % 250}.1" for number in range(count))


@pytest.mark.parametrize(
    ("count", "limit", "problems"),
    [(478, 1024, 0), (479, 1024, 1), (1000, 8192, 0), (5000, 8192, 1), (5000, None, 0)],
)
def test_two_sockets_for_each_address(count, limit, problems):
    found = _restart.Restart((*OWN, *distinct(count)), limit).problems((4, 10))
    assert len(found) == problems
    if found:
        assert f"2 sockets on each of {count + 2} local addresses" in found[0]
        assert f"ipsec.service may open {limit} files" in found[0]


@pytest.mark.parametrize(
    ("devices", "version", "problems"),
    [(55, (5, 2), 0), (56, (5, 2), 1), (56, None, 1), (56, (4, 10), 0), (600, (4, 10), 0), (601, (4, 10), 1)],
)
def test_devices_that_share_an_address(devices, version, problems):
    found = _restart.Restart((*OWN, *["10.255.0.1"] * devices), 1024).problems(version)
    assert len(found) == problems
    if found:
        assert f"{devices} devices have the address 10.255.0.1" in found[0]
        assert "unnumbered" in found[0]


def test_an_address_of_many_devices_is_listened_on_once():
    assert _restart.Restart(("10.255.0.1",) * 600, 1024).problems((4, 10)) == []


@pytest.mark.parametrize(("count", "limit"), [(0, 0), (224, 0), (225, 2048), (480, 2048), (1000, 8192), (5000, 32768)])
def test_the_limit_leaves_room_for_as_many_again(count, limit):
    settings = _restart.settings(count, 0)
    assert settings == (limit, count >= 300)
    assert not _restart.Restart((*OWN, *distinct(count)), limit or 1024, settings.listen_first).problems(None)


@pytest.mark.parametrize(
    ("addresses", "conns", "version", "first", "problems"),
    [
        (0, 898, (5, 2), False, 0),
        (0, 899, (5, 2), False, 1),
        (0, 1400, None, False, 1),
        (500, 500, (5, 2), False, 1),
        (500, 500, (5, 2), True, 0),
        (0, 5000, (5, 2), True, 0),
        (500, 5000, (4, 10), False, 0),
    ],
)
def test_what_libreswan_5_tells_addconn(addresses, conns, version, first, problems):
    found = _restart.Restart((*OWN, *distinct(addresses)), 65536, first).problems(version, conns)
    assert len(found) == problems
    if found:
        assert f"logs {conns} conns and {addresses + 2} local addresses" in found[0]


@pytest.mark.parametrize(("addresses", "conns", "first"), [(0, 299, False), (0, 300, True), (150, 150, True)])
def test_another_whack_listens_first_where_there_are_many(addresses, conns, first):
    assert _restart.settings(addresses, conns).listen_first is first


def test_what_the_programs_say():
    links = [
        {"ifname": "lo", "flags": ["LOOPBACK", "UP"], "addr_info": [{"local": "127.0.0.1"}, {"local": "::1"}]},
        {"ifname": "vti1", "flags": ["UP"], "addr_info": [{"local": "10.255.0.1"}, {"local": "fe80::1"}]},
        {"ifname": "vti2", "flags": ["UP"], "addr_info": [{"local": "10.255.0.1"}]},
        {"ifname": "off", "flags": [], "addr_info": [{"local": "10.9.9.9"}]},
        {"ifname": "odd"},
        {},
    ]
    said = {
        "ip": (0, json.dumps(links), ""),
        "systemctl": (0, "LimitNOFILESoft=1024\nExecStartPost={ argv[]=ipsec whack --listen ; }\n", ""),
    }
    seen = _restart.look(lambda command: said[command[4]])
    assert seen == _restart.Restart(("127.0.0.1", "::1", "10.255.0.1", "10.255.0.1"), 1024, True)
    assert _restart.addresses(json.dumps(links), ["lo", "vti2"]) == ("10.255.0.1",)


@pytest.mark.parametrize("said", [(1, "broken", ""), (0, "", ""), (0, "LimitNOFILESoft=infinity\n", "")])
def test_a_host_that_does_not_tell(said):
    assert _restart.look(lambda command: said if command[4] == "systemctl" else (1, "", "no ip")) == _restart.Restart()

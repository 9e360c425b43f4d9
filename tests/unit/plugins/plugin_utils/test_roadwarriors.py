# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers of roadwarriors: golden values, and every refusal with its message."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.filter.tunnel_parts import tunnel_parts

SERVER = {
    "name": "roadwarriors",
    "local": "192.1.2.23",
    "pool": "10.9.0.0/29",
    "network": "10.0.1.0/24",
    "mark": "12/0xffffff",
    "interface": "vti02",
    "addresses": ["10.9.1.1/32"],
    "dns": ["10.0.1.53"],
}
TUNNEL = {
    "name": "a",
    "local": "192.1.2.23",
    "remote": "192.1.2.45",
    "mark": 5,
    "psk": "a secret of the test",
}


def parts(*servers: dict[str, t.Any], tunnels: t.Sequence[dict[str, t.Any]] = (), **more: t.Any) -> dict[str, t.Any]:
    """What the filter makes of servers on a host with one certificate."""
    return tunnel_parts(list(tunnels), **{"certificate": "gateway", **more}, roadwarriors=list(servers))


def server(**changes: t.Any) -> dict[str, t.Any]:
    """The server with some options changed; one set to ... is left out."""
    return {key: value for key, value in {**SERVER, **changes}.items() if value is not ...}


def test_conn() -> None:
    assert parts(SERVER, version="4.10")["conns"] == [
        {
            "name": "roadwarriors",
            "keywords": {
                "left": "192.1.2.23",
                "leftid": "%fromcert",
                "leftcert": "gateway",
                "leftsendcert": "always",
                "leftsubnet": "10.0.1.0/24",
                "right": "%any",
                "rightid": "%fromcert",
                "rightca": "%same",
                "rightaddresspool": "10.9.0.1-10.9.0.6",
                "leftmodecfgserver": "yes",
                "rightmodecfgclient": "yes",
                "narrowing": "yes",
                "modecfgdns": "10.0.1.53",
                "authby": "rsa-sha2",
                "ikev2": "insist",
                "ike": "aes_gcm256-sha2_512;dh19",
                "esp": "aes_gcm256",
                "mark": "12/0x00ffffff",
                "vti-interface": "vti02",
                "vti-routing": "yes",
                "vti-shared": "yes",
                "rekey": "no",
                "dpddelay": "30",
                "retransmit-timeout": "60",
                "dpdaction": "clear",
                "leftupdown": "/usr/local/libexec/route_based_vpn/updown",
                "auto": "add",
            },
        }
    ]


def test_device_is_there_before_the_first_client() -> None:
    made = parts(SERVER)
    assert made["devices"] == [
        {
            "name": "vti02",
            "local": "192.1.2.23",
            "remote": "any",
            "ikey": "12/0x00ffffff",
            "okey": "12/0x00ffffff",
            "mtu": 1400,
            "addresses": [{"address": "10.9.1.1/32"}],
        }
    ]
    assert [x["destination"] for x in made["routes"]] == ["10.9.0.1/32", "10.9.0.2/31", "10.9.0.4/31", "10.9.0.6/32"]
    assert {x["type"] for x in made["routes"]} == {"unreachable"}
    assert {(x["network"], x["device"]) for x in made["firewall"]["ways"]} == {
        (x["destination"], "vti02") for x in made["routes"]
    }
    assert "devices vti02" in made["restore"]


def test_newer_libreswan() -> None:
    words = parts(SERVER, version="5.2")["conns"][0]["keywords"]
    assert words["keyexchange"] == "ikev2"
    assert "dpdaction" not in words


@pytest.mark.parametrize(
    ("pool", "written"),
    [
        ("10.9.0.10-10.9.0.90", "10.9.0.10-10.9.0.90"),
        ("10.9.0.0/30", "10.9.0.1-10.9.0.2"),
        ("10.9.0.4/31", "10.9.0.4-10.9.0.5"),
        ("10.9.0.4/32", "10.9.0.4-10.9.0.4"),
        ("fd00:9::/120", "fd00:9::1-fd00:9::fe"),
    ],
)
def test_pools(pool: str, written: str) -> None:
    words = parts(server(pool=pool, network=...))["conns"][0]["keywords"]
    assert words["rightaddresspool"] == written
    assert words["leftsubnet"] == ("::/0" if ":" in pool else "0.0.0.0/0")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "road warriors"}, "a conn name is"),
        ({"name": ...}, "name=None: is required"),
        ({"pool": ...}, "pool=None: is required"),
        ({"mark": ...}, "mark=None: is required"),
        ({"mark": 0}, "mark 0 means no mark"),
        ({"mark": -1}, "choose a number"),
        ({"pool": "10.9.0.9-10.9.0.1"}, "is no range"),
        ({"pool": "10.9.0.1-fd00::1"}, "is no range"),
        ({"pool": "10.9.0.1/24"}, "pool='10.9.0.1/24'"),
        ({"pool": "0.0.0.0/1"}, "more than 2^24 addresses"),
        ({"pool": "fd00::/64"}, "more than 2^24 addresses"),
        ({"pool": "many"}, "pool='many'"),
        ({"network": "10.0.1.1/24"}, "network='10.0.1.1/24'"),
        ({"local": "anywhere"}, "local='anywhere'"),
        ({"interface": "ip_vti0"}, "interface='ip_vti0'"),
        ({"interface": "a" * 16}, "interface="),
        ({"dns": ["resolver"]}, "dns[0]='resolver'"),
        ({"addresses": ["10.9.0.6/24"]}, "addresses[0]='10.9.0.6/24': is in the pool"),
        ({"mtu": 10}, "out of range"),
        ({"remote": "192.1.2.45"}, "is not an option here"),
        ({"psk": "something"}, "is not an option here"),
        ({"options": {"rekey": "yes"}}, "is no option here: it is decided by the server"),
        ({"options": {"rightaddresspool": "10.0.0.0/8"}}, "is no option here: it is decided by the server"),
        ({"options": {"x": "a\n\tleftupdown=id"}}, "options"),
        ({"firewall": ["drop; drop"]}, "is more than one rule"),
        ({"certificate": ""}, "certificate=''"),
    ],
)
def test_refused(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        parts(server(**changes), certificate="" if "certificate" in changes else "gateway")
    assert message in str(caught.value)
    assert "gateway_roadwarriors[0]" in str(caught.value)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"name": "roadwarriors"}, "name='roadwarriors': gateway_tunnels[0] has it already"),
        ({"interface": "vti02"}, "interface='vti02': gateway_tunnels[0] has it already"),
        ({"mark": 12}, "mark='12/0x00ffffff': gateway_tunnels[0] has it already; only the mark tells apart"),
    ],
)
def test_clashes_with_a_tunnel(other: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        parts(SERVER, tunnels=[{**TUNNEL, **other}])
    assert message in str(caught.value)


def test_two_servers_on_one_address() -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        parts(SERVER, server(name="b", mark=13, interface="vti03", pool="10.8.0.0/24"))
    assert "the kernel keeps one VTI without a remote address for a local one" in str(caught.value)
    other = {"name": "b", "mark": 13, "interface": "vti03", "local": "192.1.2.24"}
    assert len(parts(SERVER, server(**other, pool="10.8.0.0/24"))["conns"]) == 2
    with pytest.raises(AnsibleFilterError) as caught:
        parts(SERVER, server(**other, pool="10.9.0.6-10.9.0.7"))
    assert "pool='10.9.0.6-10.9.0.7': gateway_roadwarriors[0] has it already; two clients" in str(caught.value)

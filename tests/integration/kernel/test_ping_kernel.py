# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who answers through which device: real echoes through VTI devices, with keys set by hand."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
import test_traffic_kernel
from ansible_collections.route_based.vpn.plugins.module_utils import _ping, _pluto, _status
from test_traffic_kernel import HUB, KEY

peers = test_traffic_kernel.peers
WEST = {"name": "west", "local": HUB, "remote": "192.0.2.12", "key": 12}
PAIR = [{"address": "10.9.0.1/32", "peer": "10.12.0.1"}]


@pytest.fixture
def conns(monkeypatch):
    """Has pluto tell of conns, each with the device that it names."""

    def conns(**devices):
        found = {name: _status.ConnStatus(name, {name: _status.Part(interface=devices[name])}) for name in devices}
        status = _status.Status(conns=found)
        monkeypatch.setattr(_pluto.Pluto, "status", lambda _self, traffic=False: status)

    return conns


def any_inside(kernel, far):
    """SAs and policies for any address of either family, in place of the peer's own."""
    states = "".join(
        f"ip xfrm state add src {a} dst {b} proto esp spi 0x7{spi} mode tunnel flag af-unspec mark 12 aead {KEY};"
        for a, b, spi in ((HUB, far.address, 1), (far.address, HUB, 2))
    )
    for shell, here, there in ((kernel.sh, HUB, far.address), (far.sh, far.address, HUB)):
        policies = "".join(
            f"ip xfrm policy add src {net} dst {net} dir {way} mark 12 tmpl src {a} dst {b} proto esp mode tunnel;"
            for net in ("0.0.0.0/0", "::/0")
            for way, a, b in (("out", here, there), ("in", there, here))
        )
        shell(f"ip xfrm state flush; ip xfrm policy flush; {states} {policies}")


def pings(kernel, seconds=3):
    """What each conn's peer did, and how long the module took."""
    start = time.monotonic()
    result = kernel.call("vpn_info", ping=seconds, log_seconds=0)
    assert not result.get("failed"), result["msg"]
    return {conn["name"]: conn["ping"] for conn in result["conns"]}, time.monotonic() - start


def test_through_a_tunnel(kernel, peers, conns):
    conns(a="west", b="nosuch", c="idle", d="wide")
    wide = {"name": "wide", "local": HUB, "remote": "192.0.2.98", "key": 8, "addresses": [{"address": "10.8.0.1/24"}]}
    idle = {"name": "idle", "local": HUB, "remote": "192.0.2.99", "key": 9, "addresses": [{"address": "10.7.0.2/31"}]}
    kernel.tunnels({**WEST, "addresses": PAIR}, idle, wide)
    # Another way to the address: the echo takes the device all the same.
    kernel.sh("ip route del 10.12.0.1 dev west; ip route add 10.12.0.1 dev peer13")
    found, took = pings(kernel, seconds=1)
    assert found["a"]["answered"]
    assert found["a"]["address"] == "10.12.0.1"
    assert 0 < found["a"]["ms"] < 1000
    # No device; a device without SAs; an address whose network has more than two hosts.
    assert (found["b"], found["d"]) == (None, None)
    assert found["c"] == {"address": "10.7.0.3", "answered": False, "ms": None}
    assert took > 1
    packets = kernel.sh("ip -s xfrm state list dst 192.0.2.12")
    assert packets.count("1(packets)") == 1
    conns(a="west")
    found, took = pings(kernel, seconds=30)
    assert found["a"]["answered"]
    assert took < 5
    kernel.sh("ip link set west down")
    assert not pings(kernel, seconds=0.5)[0]["a"]["answered"]
    assert pings(kernel, seconds=0)[0] == {"a": None}


def test_a_lost_echo_is_sent_again(kernel, peers, conns):
    conns(a="west")
    kernel.tunnels({**WEST, "addresses": PAIR})
    inside = f"nsenter -t {peers[0].process.pid} -n"
    peers[0].sh("ip link set out down")
    repair = f"sleep 1; {inside} ip link set out up; {inside} ip route add {HUB} dev out"
    with subprocess.Popen(["sh", "-ec", repair]):
        found, took = pings(kernel, seconds=20)
    assert found["a"]["answered"]
    assert 1 < took < 20


def test_a_device_in_a_vrf(kernel, peers, conns):
    conns(a="west")
    kernel.sh("ip link add red up type vrf table 77; ip route add table 77 unreachable default metric 4278198272")
    kernel.tunnels({**WEST, "addresses": PAIR, "vrf": "red"})
    assert pings(kernel)[0]["a"]["answered"]


def test_ipv6_inside(kernel, peers, conns):
    conns(a="west")
    any_inside(kernel, peers[0])
    peers[0].sh("ip addr add fd12::2/128 dev lo; ip route add fd12::/64 dev v")
    kernel.tunnels({**WEST, "addresses": [{"address": "fd12::1/126"}]})
    found = pings(kernel)[0]["a"]
    assert (found["address"], found["answered"]) == ("fd12::2", True)


def test_a_thousand_at_once(kernel, peers):
    any_inside(kernel, peers[0])
    peers[0].sh("ip route add local 10.50.0.0/16 dev lo; ip -6 route add local fd50::/64 dev lo")
    peers[0].sh("ip route add fd12::/64 dev v")
    kernel.tunnels({**WEST, "addresses": [*PAIR, {"address": "fd12::1/128"}]})
    # IPv4 goes without a route where the device is given, IPv6 does not.
    kernel.sh("ip route add fd50::/64 dev west")
    index = kernel.ip("link show dev west")[0]["ifindex"]
    before = len(os.listdir("/proc/self/fd"))
    targets = [_ping.Target(index, "10.9.0.1", f"10.50.{number // 250}.{number % 250 + 1}") for number in range(1000)]
    targets += [_ping.Target(index, "fd12::1", f"fd50::{number:x}") for number in range(1, 101)]
    start = time.monotonic()
    assert set(_ping.ping(targets, 30)) == set(targets)
    assert time.monotonic() - start < 20
    missing = _ping.Target(index, "10.9.0.1", "10.51.0.1")
    assert set(_ping.ping([*targets, missing], 2)) == set(targets)
    assert len(os.listdir("/proc/self/fd")) == before

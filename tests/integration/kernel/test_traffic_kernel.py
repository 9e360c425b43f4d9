# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real packets: the kernel encrypts, with keys set by hand, between network namespaces."""

from __future__ import annotations

import subprocess

import pytest

HUB = "192.0.2.1"
KEY = '"rfc4106(gcm(aes))" 0x' + "5" * 40 + " 128"


class Peer:
    """A gateway in a namespace of its own, on the hub's device wan-NAME."""

    def __init__(self, kernel, number):
        self.address, self.inner, self.name = f"192.0.2.{number}", f"10.{number}.0.1", f"peer{number}"
        self.process = subprocess.Popen(["unshare", "-n", "sleep", "120"])
        kernel.sh(
            f"while [ /proc/{self.process.pid}/ns/net -ef /proc/self/ns/net ]; do sleep 0.05; done;"
            f"ip link add {self.name} type veth peer name out netns {self.process.pid};"
            # No link-local address, which would come a second later and look like a module's doing.
            f"ip link set {self.name} addrgenmode none up; ip route add {self.address}/32 dev {self.name}"
        )
        self.kernel = kernel
        self.sh(
            f"ip link set lo up; ip addr add {self.inner}/32 dev lo; ip addr add {self.address}/32 dev out;"
            f"ip link set out up; ip route add {HUB} dev out;"
            f"ip link add v up type vti local {self.address} remote {HUB} key 12;"
            "ip route add 10.0.0.0/8 dev v; echo 1 >/proc/sys/net/ipv4/conf/v/disable_policy"
        )
        self.sh(self.xfrm(self.address, HUB, "0.0.0.0/0", f"{self.inner}/32"))
        kernel.sh(self.xfrm(HUB, self.address, f"{self.inner}/32", "0.0.0.0/0"))

    def xfrm(self, here, there, far_net, near_net):
        """SAs and policies of one end: what is for far_net goes there, both ways with mark 12."""
        number = self.address.rpartition(".")[2]
        states = "".join(
            f"ip xfrm state add src {a} dst {b} proto esp spi 0x1{number}{spi} mode tunnel mark 12 aead {KEY};"
            for a, b, spi in ((HUB, self.address, 1), (self.address, HUB, 2))
        )
        out, back = f"src {here} dst {there}", f"src {there} dst {here}"
        return (
            f"{states}"
            f"ip xfrm policy add src {near_net} dst {far_net} dir out mark 12 tmpl {out} proto esp mode tunnel;"
            f"ip xfrm policy add src {far_net} dst {near_net} dir in mark 12 tmpl {back} proto esp mode tunnel"
        )

    def sh(self, command):
        return self.kernel.sh(f"nsenter -t {self.process.pid} -n sh -ec '{command}'")


@pytest.fixture
def peers(kernel):
    kernel.sh("ip addr flush dev wan; ip addr add 192.0.2.1/32 dev lo; ip addr add 10.0.0.1/32 dev lo")
    made = []
    try:
        for number in (12, 13):
            made.append(Peer(kernel, number))
        yield made
    finally:
        for peer in made:
            peer.process.kill()
            peer.process.wait()


def test_one_device_carries_several_peers(kernel, peers):
    """The preloaded device of all roadwarriors: local L, remote any; the policies choose the peer."""
    kernel.tunnels({"name": "road", "local": HUB, "remote": "any", "key": 12})
    kernel.routes(*({"destination": f"{peer.inner}/32", "device": "road", "source": "10.0.0.1"} for peer in peers))
    for peer in peers:
        kernel.sh(f"ping -c 3 -i 0.2 -W 2 {peer.inner}")
        peer.sh(f"ping -c 2 -i 0.2 -W 2 -I {peer.inner} 10.0.0.1")
        assert peer.kernel.sh(f"ip -s xfrm state list dst {peer.address}").count("5(packets)") == 1
    (device,) = kernel.call("vpn_info", names=[])["devices"]
    counters = device["counters"]
    assert (counters["tx_packets"], counters["rx_packets"], counters["tx_errors"]) == (10, 10, 0)


def test_a_device_in_a_vrf_reaches_its_peer(kernel, peers):
    kernel.sh(
        "ip link add red up type vrf table 77; ip addr del 10.0.0.1/32 dev lo;"
        "ip addr add 10.0.0.1/32 dev red; ip route add table 77 unreachable default metric 4278198272"
    )
    peer = peers[0]
    kernel.tunnels({"name": "west", "local": HUB, "remote": peer.address, "key": 12, "vrf": "red"})
    kernel.routes({"destination": f"{peer.inner}/32", "device": "west", "table": 77})
    kernel.sh(f"ping -I red -c 3 -i 0.2 -W 2 {peer.inner}")
    kernel.sh(f"ip route del {peer.address} table 77")
    with pytest.raises(RuntimeError):
        kernel.sh(f"ping -I red -c 2 -i 0.2 -W 1 {peer.inner}")
    kernel.tunnels({"name": "west", "local": HUB, "remote": peer.address, "key": 12, "vrf": "red"})
    kernel.sh(f"ping -I red -c 3 -i 0.2 -W 2 {peer.inner}")

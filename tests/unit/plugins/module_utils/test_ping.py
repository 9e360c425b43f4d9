# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Echoes and their answers as bytes, who is asked, and a run's clock; real answers are in tests/integration/kernel."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _info, _ping
from ansible_collections.route_based.vpn.plugins.module_utils._devices import Device, Inner
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError
from hypothesis import given
from hypothesis import strategies as st

TOKEN = b"\xab\xcdtoken!"
IP_HEADER = b"\x45" + bytes(19)
IP_HEADER_WITH_OPTIONS = b"\x46" + bytes(23)
WEST = _ping.Target(7, "10.9.0.1", "10.9.0.2")
SIX = _ping.Target(8, "fd00::1", "fd00::2")


def reply_to(family, packet, header=IP_HEADER):
    """What a peer makes of an echo."""
    return (header + b"\0" if family == 4 else b"\x81") + packet[1:]


def test_the_checksum_is_the_one_of_the_rfc():
    assert _ping.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@given(st.binary(min_size=8, max_size=8), st.integers(0, 2**32 - 1), st.floats(0, 1e9))
def test_an_echo_sums_up_to_nothing(token, number, now):
    packet = _ping.echo(4, token, number, now)
    assert packet[:2] == b"\x08\0"
    assert _ping.checksum(packet) in (0, 0xFFFF)


def test_an_echo_of_ipv6_leaves_its_checksum_to_the_kernel():
    packet = _ping.echo(6, TOKEN, 65538, 1.5)
    assert struct.unpack("!BBHHH", packet[:8]) == (128, 0, 0, 0xABCD, 2)


@pytest.mark.parametrize(("family", "header"), [(4, IP_HEADER), (4, IP_HEADER_WITH_OPTIONS), (6, b"")])
def test_an_answer_tells_whose_it_is_and_when_the_echo_was_sent(family, header):
    packet = reply_to(family, _ping.echo(family, TOKEN, 70000, 12.25), header)
    assert _ping.answered(family, packet, TOKEN) == (70000, 12.25)


@pytest.mark.parametrize("family", [4, 6])
def test_what_is_no_answer_to_this_run(family):
    echo = _ping.echo(family, TOKEN, 1, 2.0)
    reply = reply_to(family, echo)
    own_echo = (IP_HEADER if family == 4 else b"") + echo
    stranger = reply_to(family, _ping.echo(family, b"\xab\xcdother!", 1, 2.0))
    for packet in (own_echo, stranger, reply[:-1], b"", b"\x45"):
        with pytest.raises(LookupError):
            _ping.answered(family, packet, TOKEN)


@given(st.sampled_from([4, 6]), st.binary(max_size=80))
def test_any_packet_is_read_or_refused(family, packet):
    with pytest.raises(LookupError):
        _ping.answered(family, packet, TOKEN)


class Network:
    """Sockets whose peers answer from a given time on, and a clock that only waiting moves."""

    def __init__(self, monkeypatch, up_at=None, refuses=()):
        self.now, self.up_at, self.refuses = 100.0, up_at or {}, refuses
        self.sent, self.made, self.closed, self.waits = [], [], 0, 0
        monkeypatch.setattr(_ping, "_socket", self.socket)
        monkeypatch.setattr(_ping.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(_ping.select, "select", self.select)

    def socket(self, family):
        if "socket" in self.refuses:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        self.made.append(Socket(self, family))
        return self.made[-1]

    def select(self, readers, _writers, _broken, seconds):
        ready = [sock for sock in readers if sock.queue]
        if not ready and seconds:
            self.waits += 1
            self.now += seconds
        return ready, [], []


class Socket:
    """One raw socket."""

    def __init__(self, network, family):
        self.network, self.family, self.queue = network, socket.AF_INET6 if family == 6 else socket.AF_INET, []

    def close(self):
        self.network.closed += 1

    def sendmsg(self, buffers, controls, _flags, to):
        network, family = self.network, 6 if self.family == socket.AF_INET6 else 4
        if to[0] in network.refuses:
            raise OSError(errno.ENETDOWN, "Network is down")
        network.sent.append((to[0], *controls[0]))
        if network.now >= network.up_at.get(to[0], 1e9):
            self.queue.append((reply_to(family, buffers[0]), (to[0], 0)))

    def recvfrom(self, _size):
        return self.queue.pop(0)


def test_each_echo_goes_out_by_its_device_with_its_own_address(monkeypatch):
    network = Network(monkeypatch, {"10.9.0.2": 0, "fd00::2": 0})
    assert _ping.ping([WEST, SIX, WEST], 5) == {WEST: 0.0, SIX: 0.0}
    own = socket.inet_pton(socket.AF_INET6, "fd00::1")
    assert network.sent == [
        ("10.9.0.2", socket.IPPROTO_IP, 8, struct.pack("=I", 7) + bytes([10, 9, 0, 1]) + bytes(4)),
        ("fd00::2", socket.IPPROTO_IPV6, 50, own + struct.pack("=I", 8)),
    ]
    assert (network.waits, network.now, network.closed, len(network.made)) == (0, 100.0, 2, 2)


def test_who_has_not_answered_is_asked_again_until_the_time_is_up(monkeypatch):
    network = Network(monkeypatch, {"10.9.0.2": 0, "10.9.0.3": 100.5}, refuses=("10.9.0.5",))
    late, silent, down = (_ping.Target(7, "10.9.0.1", f"10.9.0.{number}") for number in (3, 4, 5))
    assert set(_ping.ping([WEST, late, silent, down], 1)) == {WEST, late}
    times = [sent[0] for sent in network.sent]
    assert (times.count("10.9.0.2"), times.count("10.9.0.3"), times.count("10.9.0.4")) == (1, 3, 4)
    assert network.now == pytest.approx(101)


def test_an_answer_from_another_address_is_none(monkeypatch):
    network = Network(monkeypatch, {"10.9.0.2": 0})
    monkeypatch.setattr(Socket, "recvfrom", lambda self, _size: (self.queue.pop(0)[0], ("10.9.0.9", 0)))
    assert _ping.ping([WEST], 1) == {}
    assert network.closed == 1


def test_a_thousand_share_one_socket(monkeypatch):
    targets = [_ping.Target(n, "10.0.0.1", f"10.1.{n // 250}.{n % 250}") for n in range(1000)]
    network = Network(monkeypatch, {target.address: 0 for target in targets})
    assert len(_ping.ping(targets, 5)) == 1000
    assert len(network.made) == 1


def test_nobody_to_ask_takes_no_socket(monkeypatch):
    network = Network(monkeypatch)
    assert _ping.ping([], 5) == {}
    assert (network.made, network.waits) == ([], 0)


def test_without_the_right_to_open_a_raw_socket(monkeypatch):
    Network(monkeypatch, refuses=("socket",))
    with pytest.raises(StoreError, match=r"cannot open a raw socket to ping with: .*not permitted; it takes root"):
        _ping.ping([WEST], 1)


@pytest.mark.parametrize(
    ("addresses", "source", "address"),
    [
        ([Inner("10.99.0.1/32", "10.99.0.2")], "10.99.0.1", "10.99.0.2"),
        ([Inner("10.9.0.1/24"), Inner("10.99.0.1/32", "10.99.0.2")], "10.99.0.1", "10.99.0.2"),
        ([Inner("10.9.0.1/30"), Inner("fd00::1/128", "fd00::2")], "fd00::1", "fd00::2"),
        ([Inner("10.9.0.1/30")], "10.9.0.1", "10.9.0.2"),
        ([Inner("10.9.0.6/30")], "10.9.0.6", "10.9.0.5"),
        ([Inner("10.9.0.0/31")], "10.9.0.0", "10.9.0.1"),
        ([Inner("10.9.0.1/31")], "10.9.0.1", "10.9.0.0"),
        ([Inner("fd00::1/126")], "fd00::1", "fd00::2"),
        ([Inner("fd00::2/126")], "fd00::2", "fd00::1"),
        ([Inner("fd00::/127")], "fd00::", "fd00::1"),
        ([Inner("fe80::5efe:1/64"), Inner("fd00::1/127")], "fd00::1", "fd00::"),
    ],
)
def test_whom_to_ask_through_a_device(addresses, source, address):
    device = Device("vti5", index=7, addresses=tuple(addresses))
    assert _info.ping_target(device) == _ping.Target(7, source, address)


@pytest.mark.parametrize(
    "address", ["10.9.0.1/32", "10.9.0.1/29", "10.9.0.3/30", "fd00::3/126", "fd00::/126", "fd00::1/64"]
)
def test_nobody_to_ask_through_a_device(address):
    assert _info.ping_target(Device("vti5", addresses=(Inner(address),))) is None
    assert _info.ping_target(Device("vti5")) is None
    assert _info.ping_target(None) is None

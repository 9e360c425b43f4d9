# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""ICMP echo to many peers at once, each through a device of its own, by one raw socket a family."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import os
import select
import socket
import struct
import time
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

#: Seconds from one echo to the next to a peer that has not answered.
INTERVAL = 0.3
# linux/in.h, in6.h, icmp.h, icmpv6.h; Python 3.9 has no names for most of them
IP_PKTINFO, IPV6_PKTINFO = 8, 50
SOL_RAW, ICMP_FILTER, ICMPV6_FILTER = 255, 1, 1
ECHO, ECHO_V6, REPLY, REPLY_V6 = 8, 128, 0, 129
_HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence
_BODY = struct.Struct("!8sId")  # the run's token, the target's number, when it was sent


@dataclasses.dataclass(frozen=True)
class Target:
    """A peer's inner address, and the index and own address of the device that leads to it."""

    index: int
    source: str
    address: str

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4


def ping(targets: t.Iterable[Target], seconds: float) -> dict[Target, float]:
    """Who answered within so many seconds, and after how many milliseconds. Returns as soon as all have."""
    with _Run(targets) as run:
        end = time.monotonic() + seconds
        while run.waiting and time.monotonic() < end:
            again = time.monotonic() + INTERVAL
            for number, target in run.waiting:
                run.send(number, target)
                run.receive(until=0)  # or the answers of a thousand would not fit the socket
            run.receive(min(again, end))
        return run.answers


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    words: tuple[int, ...] = struct.unpack(f"!{len(data) // 2}H", data)
    return 0xFFFF - sum(words) % 0xFFFF


def echo(family: int, token: bytes, number: int, now: float) -> bytes:
    """An echo request. The checksum of ICMPv6 takes in the addresses and is the kernel's to fill in."""
    identifier, body = int.from_bytes(token[:2], "big"), _BODY.pack(token, number, now)
    if family == 6:
        return _HEADER.pack(ECHO_V6, 0, 0, identifier, number & 0xFFFF) + body
    total = checksum(_HEADER.pack(ECHO, 0, 0, identifier, number & 0xFFFF) + body)
    return _HEADER.pack(ECHO, 0, total, identifier, number & 0xFFFF) + body


def answered(family: int, packet: bytes, token: bytes) -> tuple[int, float]:
    """The target's number and the time of the echo that a packet answers; LookupError where it is no answer to this
    run. A raw socket of IPv4 hands over the IP header too."""
    start = (packet[0] & 15) * 4 if family == 4 else 0
    if len(packet) < start + _HEADER.size + _BODY.size or packet[start] != (REPLY_V6 if family == 6 else REPLY):
        raise LookupError("no echo reply")
    found, number, sent = _BODY.unpack_from(packet, start + _HEADER.size)
    if found != token:
        raise LookupError("an echo reply to somebody else")
    return number, sent


class _Run:
    """One run's sockets by family, and what was answered: milliseconds by target."""

    def __init__(self, targets: t.Iterable[Target]) -> None:
        self.targets = list(dict.fromkeys(targets))
        self.answers: dict[Target, float] = {}
        self._token = os.urandom(8)
        self._sockets: dict[int, socket.socket] = {}

    def __enter__(self) -> _Run:
        try:
            self._sockets.update((family, _socket(family)) for family in {target.family for target in self.targets})
        except OSError as exc:
            self.__exit__()
            raise StoreError(f"cannot open a raw socket to ping with: {exc}; it takes root (CAP_NET_RAW)") from exc
        return self

    def __exit__(self, *_exc: object) -> None:
        for sock in self._sockets.values():
            sock.close()

    @property
    def waiting(self) -> list[tuple[int, Target]]:
        """The targets that have not answered, with their numbers."""
        return [(number, target) for number, target in enumerate(self.targets) if target not in self.answers]

    def send(self, number: int, target: Target) -> None:
        """One echo. What cannot be sent, as there is no SA, the device is down or a queue full, is sent again later."""
        packet = echo(target.family, self._token, number, time.monotonic())
        own, index = ipaddress.ip_address(target.source).packed, struct.pack("=I", target.index)
        control = (socket.IPPROTO_IP, IP_PKTINFO, index + own + bytes(4))
        if target.family == 6:
            control = (socket.IPPROTO_IPV6, IPV6_PKTINFO, own + index)
        with contextlib.suppress(OSError):
            self._sockets[target.family].sendmsg([packet], [control], 0, (target.address, 0))

    def receive(self, until: float) -> None:
        """Read what has come, and what comes until then; not longer than there is anything to wait for."""
        while len(self.answers) < len(self.targets):
            left = until - time.monotonic()
            ready, _writable, _broken = select.select(list(self._sockets.values()), [], [], max(0.0, left))
            for sock in ready:
                self._read(sock)
            if not ready and left <= 0:
                return

    def _read(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, LookupError):
            packet, sender = sock.recvfrom(2048)
            number, sent = answered(6 if sock.family == socket.AF_INET6 else 4, packet, self._token)
            if sender[0].partition("%")[0] == self.targets[number].address:
                self.answers.setdefault(self.targets[number], round((time.monotonic() - sent) * 1000, 3))


def _socket(family: int) -> socket.socket:
    """A raw socket that hears echo replies alone."""
    if family == 6:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        words = [0xFFFFFFFF ^ (1 << REPLY_V6 % 32 if word == REPLY_V6 // 32 else 0) for word in range(8)]
        sock.setsockopt(socket.IPPROTO_ICMPV6, ICMPV6_FILTER, struct.pack("=8I", *words))
    else:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        sock.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF ^ (1 << REPLY)))
    sock.setblocking(False)
    return sock

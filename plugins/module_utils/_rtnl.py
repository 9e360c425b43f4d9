# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One netlink socket: requests out in batches, answers and errors back. It knows nothing of devices and routes.

pyroute2's IPRoute sends one request and waits for its answer before the next, and its nlm_request_batch() does not say
which of a batch's requests failed. Both matter here: a thousand devices are some five thousand requests, and a run
that fails half-way has to say what was done.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import socket
import struct
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

ROUTE, XFRM = 0, 6  # NETLINK_ROUTE, NETLINK_XFRM
# linux/netlink.h
SOL_NETLINK, EXT_ACK, STRICT_CHK = 270, 11, 12
NLMSG_ERROR, NLMSG_DONE = 2, 3
F_REQUEST, F_ACK, F_DUMP, F_DUMP_INTR = 1, 4, 0x300, 0x10
F_REPLACE, F_EXCL, F_CREATE, F_APPEND = 0x100, 0x200, 0x400, 0x800
F_CAPPED, F_ACK_TLVS = 0x100, 0x200
ATTR_MSG = 1
NESTED = 0x8000
HEADER = struct.Struct("=IHHII")
ATTRIBUTE = struct.Struct("=HH")
ERROR = struct.Struct("=i")
# The kernel answers from one buffer of at most 32 KiB; the answers to a batch have to fit the socket's receive buffer.
READ_SIZE = 1 << 18
BATCH = 64
PATIENCE = 60  # seconds; the kernel answers at once, but a thousand deletions wait for many RCU grace periods


@dataclasses.dataclass(frozen=True)
class Request:
    """A message to the kernel: RTM_ or XFRM_MSG_ number, flags beside F_REQUEST, family header and attributes."""

    kind: int
    flags: int
    body: bytes


@dataclasses.dataclass(frozen=True)
class Refused:
    """The kernel's error: errno, and its own words where it has any."""

    code: int
    words: str = ""

    def __str__(self) -> str:
        return f"{self.words or os.strerror(self.code)} ({errno.errorcode.get(self.code, self.code)})"


class RefusedError(StoreError):
    """A single request was refused."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused
        super().__init__(str(refused))


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return ATTRIBUTE.pack(4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes, flagged so; kernel 7.2 insists on the flag for some."""
    return attribute(kind | NESTED, b"".join(attributes))


def u32(kind: int, value: int) -> bytes:
    """An attribute of 32 bits in the host's order."""
    return attribute(kind, struct.pack("=I", value))


def text(kind: int, value: str) -> bytes:
    """An attribute that holds a string."""
    return attribute(kind, value.encode() + b"\0")


def attributes(data: bytes, offset: int) -> t.Iterator[tuple[int, bytes]]:
    """The attributes from an offset on: number without flags, payload."""
    while offset + 4 <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, offset)
        if length < 4:
            return
        yield kind & 0x3FFF, data[offset + 4 : offset + length]
        offset += length + (-length % 4)


class Socket:
    """A netlink socket of one protocol. Raises StoreError where there can be none."""

    def __init__(self, protocol: int = ROUTE) -> None:
        self._sequence = 0
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
            self._socket.setsockopt(SOL_NETLINK, EXT_ACK, 1)
            # Without it the kernel ignores a dump's filters for routes.
            self._socket.setsockopt(SOL_NETLINK, STRICT_CHK, 1)
            self._socket.settimeout(PATIENCE)
            self._socket.bind((0, 0))
        except OSError as exc:
            raise StoreError(f"cannot open a netlink socket: {exc}") from exc

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """The whole answer, a message each with its header; asked again when the kernel's tables changed meanwhile."""
        for _attempt in range(5):
            messages, interrupted = self._dump_once(Request(kind, F_DUMP, body))
            if not interrupted:
                return messages
        raise StoreError("the kernel's tables change faster than they can be read; try again when it is quieter")

    def _dump_once(self, request: Request) -> tuple[list[bytes], bool]:
        sequence = self._send([request])
        messages: list[bytes] = []
        interrupted = False
        while True:
            for kind, flags, number, message in self._receive():
                if number != sequence:  # of an earlier dump that was given up
                    continue
                interrupted = interrupted or bool(flags & F_DUMP_INTR)
                if kind == NLMSG_ERROR or (kind == NLMSG_DONE and _error(message)):
                    raise RefusedError(_refused(message, flags))
                if kind == NLMSG_DONE:
                    return messages, interrupted
                messages.append(message)

    def ask(self, kind: int, body: bytes) -> bytes:
        """The one message that answers a question about one thing; raises RefusedError."""
        sequence = self._send([Request(kind, 0, body)])
        while True:
            for answer, flags, number, message in self._receive():
                if number == sequence:
                    if answer == NLMSG_ERROR:
                        raise RefusedError(_refused(message, flags))
                    return message

    def write(self, requests: t.Sequence[Request]) -> list[t.Optional[Refused]]:
        """Carry out the requests in order; one outcome each, None where all is well. One that fails does not keep the
        others from being carried out."""
        first = self._send([dataclasses.replace(r, flags=r.flags | F_ACK) for r in requests]) - len(requests) + 1
        outcomes: dict[int, t.Optional[Refused]] = {}
        while len(outcomes) < len(requests):
            for kind, flags, number, message in self._receive():
                if kind == NLMSG_ERROR and 0 <= number - first < len(requests):
                    outcomes[number - first] = _refused(message, flags) if _error(message) else None
        return [outcomes[position] for position in range(len(requests))]

    def _send(self, requests: t.Sequence[Request]) -> int:
        """Send all in one go; the number of the last one."""
        parts = []
        for request in requests:
            self._sequence += 1
            length = HEADER.size + len(request.body)
            parts.append(HEADER.pack(length, request.kind, request.flags | F_REQUEST, self._sequence, 0))
            parts.append(request.body + bytes(-length % 4))
        try:
            self._socket.send(b"".join(parts))
        except OSError as exc:
            raise StoreError(f"cannot write to the netlink socket: {exc}") from exc
        return self._sequence

    def _receive(self) -> t.Iterator[tuple[int, int, int, bytes]]:
        """The messages of one read: kind, flags, number, the message with its header."""
        try:
            data = self._socket.recv(READ_SIZE)
        except OSError as exc:  # ENOBUFS and the timeout are among them
            raise StoreError(f"cannot read from the netlink socket: {exc or 'no answer'}") from exc
        offset = 0
        while offset + HEADER.size <= len(data):
            length, kind, flags, number, _port = HEADER.unpack_from(data, offset)
            if length < HEADER.size:
                return
            yield kind, flags, number, data[offset : offset + length]
            offset += length + (-length % 4)


def _error(message: bytes) -> int:
    """The errno of an NLMSG_ERROR or NLMSG_DONE, 0 for an acknowledgement."""
    if len(message) < HEADER.size + ERROR.size:
        return 0
    return -int(ERROR.unpack_from(message, HEADER.size)[0])


def _refused(message: bytes, flags: int) -> Refused:
    words = ""
    if flags & F_ACK_TLVS:
        # struct nlmsgerr: the errno, then the request, of which a capped answer holds just the header.
        offset = HEADER.size + ERROR.size
        if len(message) >= offset + HEADER.size:
            length = HEADER.unpack_from(message, offset)[0]
            offset += HEADER.size if flags & F_CAPPED else length + (-length % 4)
        for kind, payload in attributes(message, offset):
            if kind == ATTR_MSG:
                words = payload.rstrip(b"\0").decode(errors="replace")
    return Refused(_error(message), words)

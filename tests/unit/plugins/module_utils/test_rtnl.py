# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which answer belongs to which request: netlink numbers them, and may send what nobody waits for any more."""

from __future__ import annotations

import socket
import struct
import typing as t

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _rtnl

NEWROUTE, ERROR = 24, 2


class Far:
    """What answers in the place of the kernel. It answers at once to all that was sent, as the test has said."""

    def __init__(self, answers: t.Sequence[tuple[int, int, int]]) -> None:
        self.answers = answers
        self.sent = b""

    def setsockopt(self, *_option: int) -> None:
        """Takes any."""

    settimeout = bind = setsockopt

    def send(self, data: bytes) -> None:
        self.sent = data

    def recv(self, _size: int) -> bytes:
        """Answers of kind, number and errno."""
        return b"".join(
            _rtnl.HEADER.pack(_rtnl.HEADER.size + 4, kind, 0, number, 0) + struct.pack("=i", -code)
            for kind, number, code in self.answers
        )


def written(monkeypatch: pytest.MonkeyPatch, answers: t.Sequence[tuple[int, int, int]], count: int) -> list[int]:
    """The errno of each of so many requests, 0 where all is well."""
    far = Far(answers)
    monkeypatch.setattr(socket, "socket", lambda *_kind: far)
    outcomes = _rtnl.Socket().write([_rtnl.Request(NEWROUTE, 0, b"body")] * count)
    numbers = [_rtnl.HEADER.unpack_from(far.sent, 20 * n)[3] for n in range(count)]
    assert numbers == list(range(1, count + 1))
    return [outcome.code if outcome else 0 for outcome in outcomes]


def test_each_request_has_its_own_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(ERROR, 1, 0), (ERROR, 2, 17), (ERROR, 3, 0)]
    assert written(monkeypatch, answers, 3) == [0, 17, 0]


def test_what_is_no_answer_to_them_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers to a request before, and messages that are no acknowledgement."""
    answers = [(ERROR, 0, 22), (NEWROUTE, 1, 5), (ERROR, 1, 0), (NEWROUTE, 2, 5), (ERROR, 2, 3), (ERROR, 9, 22)]
    assert written(monkeypatch, answers, 2) == [0, 3]

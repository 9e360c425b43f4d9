# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Of pluto's log, the last thing that went wrong with each conn. Pure.

pluto forgets why a conn is down as soon as it tries again; its log is the only place that knows. The lines were
recorded from 4.10 and 5.2, see tests/unit/data/log.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

#: journalctl -o short-unix, or a file of pluto's own: a time, whatever stands between, and the conn in quotes.
_LINE = re.compile(
    r'(?P<time>\d{9,11}(?:\.\d+)?)?[^"]*?"(?P<name>[^"]+)"(?:\[\d+\](?: \S+?)?)?(?: #\d+)?: (?P<text>.*)'
)
_PART = re.compile(r"/\d+x\d+$")
_WRONG = re.compile(
    r"\bfail|\breject|\berror\b|\bcannot\b|\bno (?:PSK|RSA|ECDSA|acceptable|suitable|matching|response|public)\b"
    r"|NO_PROPOSAL_CHOSEN|TS_UNACCEPTABLE|AUTHENTICATION_FAILED|unacceptable|revoked|expired|timed? ?out"
    r"|retransmission|exited with status|unable to|not found|does not match",
    re.IGNORECASE,
)
#: What follows from an error that was told before, or is none.
_FOLLOWS = re.compile(
    r"encountered fatal error in state|^Failed to find our|^deleting |state transition function|INVALID_KE_PAYLOAD"
    r"|supposed to remain up|must remain up|^WARNING|^responding to |^initiating |^sent "
)
_GOOD = re.compile(r"established (?:Child|IPsec) SA|IPsec SA established", re.IGNORECASE)
_WAITS = re.compile(r"^(?:\S+: )?retransmission; will wait .*")
_NETWORK = re.compile(r"^ERROR: asynchronous network error report .*?: (?P<words>[^:\[]+?) \[errno.*")


@dataclasses.dataclass(frozen=True)
class LogError:
    """What pluto said, and when, in seconds since the epoch where the line has it."""

    text: str
    time: t.Optional[int] = None


def last_errors(lines: t.Iterable[str]) -> dict[str, LogError]:
    """By conn the last error since it was established the last time; a conn without one is left out."""
    found: dict[str, LogError] = {}
    for line in lines:
        match = _LINE.match(line)
        if not match:
            continue
        name, text = _PART.sub("", match.group("name")), match.group("text")
        if _GOOD.search(text):
            found.pop(name, None)
        elif _WRONG.search(text) and not _FOLLOWS.search(text):
            _remember(found, name, text, match.group("time"))
    return found


def _remember(found: dict[str, LogError], name: str, text: str, when: t.Optional[str]) -> None:
    network = _NETWORK.match(text)
    if _WAITS.match(text):
        # A better reason, which the network gives, comes between two of these.
        if name in found and found[name].text.startswith("the network says"):
            return
        text = "the peer does not answer"
    elif network:
        text = f"the network says: {network.group('words')}"
    found[name] = LogError(text, int(float(when)) if when else None)

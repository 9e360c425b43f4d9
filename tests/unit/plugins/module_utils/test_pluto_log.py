# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The logs in tests/unit/data/log were recorded: each conn of the two gateways has a fault of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils._pluto_log import LogError, last_errors

DATA = Path(__file__).parents[2] / "data" / "log"
REFUSED = "IKE SA authentication request rejected by peer: AUTHENTICATION_FAILED"
MISMATCH = "authentication failed: computed hash does not match hash received from peer ID_FQDN"


def errors(case: str) -> dict[str, str]:
    return {name: error.text for name, error in last_errors((DATA / f"{case}.txt").read_text().splitlines()).items()}


def test_the_one_that_calls_4_10():
    assert errors("4.10-initiator") == {
        "wrongpsk": REFUSED,
        "noid": REFUSED,
        "noesp": "IKE_AUTH response rejected Child SA with NO_PROPOSAL_CHOSEN",
        "nots": "IKE_AUTH response rejected Child SA with TS_UNACCEPTABLE",
        "nosecret": "authentication failed: no PSK found for '@nosecret-45'",
        "unreach": "the network says: No route to host",
    }


def test_the_one_that_calls_5_2():
    assert errors("5.2-initiator") == {
        "wrongpsk": REFUSED,
        "noid": REFUSED,
        "noesp": "CREATE_CHILD_SA failed with error notification NO_PROPOSAL_CHOSEN",
        "nots": "CREATE_CHILD_SA failed with error notification TS_UNACCEPTABLE",
        "nosecret": "authentication failed: no PSK found for '@nosecret-23'",
        "unreach": "the network says: No route to host",
    }


@pytest.mark.parametrize(("case", "peer"), [("4.10-responder", "23"), ("5.2-responder", "45")])
def test_the_one_that_is_called(case, peer):
    found = errors(case)
    assert found["wrongpsk"] == f"{MISMATCH} '@wrongpsk-{peer}'"
    assert "NO_PROPOSAL_CHOSEN" in found["noesp"]
    assert "good" not in found


def test_established_ends_it():
    lines = [
        '1795493564.3 gw pluto[1]: "a" #1: authentication failed: x',
        '"a" #3: initiator established Child SA using #2',
    ]
    assert last_errors(lines[:1]) == {"a": LogError("authentication failed: x", 1795493564)}
    assert last_errors(lines) == {}


def test_a_peer_that_says_nothing():
    line = '"a" #1: STATE_V2_PARENT_I1: retransmission; will wait 1 seconds for response'
    assert last_errors([line]) == {"a": LogError("the peer does not answer")}


def test_instances_parts_and_other_lines():
    lines = [
        '"road"[2] 192.0.2.7 #4: authentication failed: no certificate',
        '"multi/0x1" #5: up-client command exited with status 1',
        "listening for IKE messages",
        '"a" #1: initiating IKEv2 connection',
        "",
    ]
    assert {name: error.text for name, error in last_errors(lines).items()} == {
        "road": "authentication failed: no certificate",
        "multi": "up-client command exited with status 1",
    }

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The samples are what real plutos said, recorded in the lab: Debian 12's 4.10 and Debian 13's 5.2 on both ends of one
tunnel. Only the lists of algorithms were cut out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _info, _status

DATA = Path(__file__).parents[2] / "data" / "status"
CASES = sorted(path.name for path in DATA.iterdir())


def read(case: str) -> _status.Status:
    status = _status.parse_status((DATA / case / "status.txt").read_text())
    _status.add_traffic(status, (DATA / case / "traffic.txt").read_text())
    return status


@pytest.mark.parametrize("case", CASES)
def test_golden(case):
    status = read(case)
    conns = [_info.conn_info(conn) for _name, conn in sorted(status.conns.items())]
    found = {"version": status.version, "conns": conns}
    assert found == json.loads((DATA / case / "info.json").read_text())


@pytest.mark.parametrize("version", ["4.10", "5.2"])
def test_both_versions_tell_the_same(version):
    up, idle = read(f"{version}-up"), read(f"{version}-idle")
    assert up.conns["wiki"].established
    assert up.conns["wiki"].routed
    assert up.conns["wiki"].busy
    assert up.conns["dead"].busy
    assert not up.conns["dead"].established
    assert not idle.conns["wiki"].busy
    assert not idle.conns["wiki"].routed
    assert idle.conns["wiki"].first.oriented
    assert not idle.conns["uno"].first.oriented
    assert not idle.conns["name"].first.resolved
    assert "UP" in up.conns["wiki"].first.policy
    assert len(read(f"{version}-subnets").conns["multi"].serials) == 2


@pytest.mark.parametrize("prefix", ["", "000 "])
@pytest.mark.parametrize(
    ("lines", "busy", "established"),
    [
        (['#1: "c":500 STATE_V2_PARENT_I1 (sent IKE_SA_INIT request); RETRANSMIT in 0s; idle;'], True, False),
        (['#1: pending Child SA for "c"'], True, False),
        (['#1: pending CHILD SA for "c"'], True, False),
        (['#1: "c":500 ESTABLISHED_IKE_SA (established IKE SA); REKEY in 1s; newest; idle;'], False, False),
        (['#2: "c":500 ESTABLISHED_CHILD_SA (established Child SA); newest; IKE SA #1; idle;'], True, True),
        (['#2: "c":4500 STATE_V2_ESTABLISHED_CHILD_SA (established Child SA); idle;'], True, True),
        (['#2: "c":500 established Child SA; newest; IKE SA #1; idle;'], True, True),
        (['#2: "c":500 STATE_QUICK_R2 (IPsec SA established); EVENT_SA_REPLACE in 1s; idle;'], True, True),
        (['#2: "c"[3] 2001:db8::1:4500 ESTABLISHED_CHILD_SA (established Child SA); idle;'], True, True),
        (['#2: "other":500 ESTABLISHED_CHILD_SA (established Child SA); idle;'], False, False),
    ],
)
def test_states(prefix, lines, busy, established):
    text = ['"c": 0.0.0.0/0===192.0.2.1[@a]---192.0.2.9...192.0.2.8---192.0.2.2[@b]===0.0.0.0/0; unrouted; x;', *lines]
    status = _status.parse_status("".join(f"{prefix}{line}\n" for line in text))
    assert list(status.conns) == ["c"]
    conn = status.conns["c"]
    assert (conn.busy, conn.established) == (busy, established)
    assert (conn.first.local, conn.first.remote) == ("192.0.2.1", "192.0.2.2")


def test_a_conn_with_subnets_is_established_when_each_pair_is():
    text = '"m/0x1": 10.0.0.0/8===192.0.2.1...192.0.2.2; unrouted; x;\n'
    text += text.replace("m/0x1", "m/0x2")
    one = '#2: "m/0x1":500 ESTABLISHED_CHILD_SA (established Child SA); idle;\n'
    assert not _status.parse_status(text + one).conns["m"].established
    assert _status.parse_status(text + one + one.replace("m/0x1", "m/0x2")).conns["m"].established


def test_a_time_of_0_is_no_time():
    status = _status.parse_status('"c": a...b; x; x;\n#2: "c":500 established Child SA; idle;\n')
    _status.add_traffic(status, "#2: \"c\", type=ESP, add_time=0, inBytes=1, outBytes=2, maxBytes=2^63B, id='@b'\n")
    child = status.conns["c"].children[2]
    assert (child.since, child.in_bytes, child.out_bytes, child.peer_id) == (None, 1, 2, "@b")


@pytest.mark.parametrize("prefix", ["", "006 "])
def test_a_client_with_a_certificate_and_a_lease(prefix):
    """As 5.2 and 4.10 said it of a roadwarrior."""
    status = _status.parse_status('"roadwarriors": a...%any; unrouted; x;\n')
    line = (
        '#5: "roadwarriors"[4] 192.1.2.11, type=ESP, add_time=1795509684, inBytes=84, outBytes=0, maxBytes=2^63B, '
        "id='O=Test, CN=road1', lease=10.9.0.10/32\n"
    )
    _status.add_traffic(status, prefix + line)
    child = status.conns["roadwarriors"].children[5]
    assert (child.peer_id, child.lease, child.in_bytes) == ("O=Test, CN=road1", "10.9.0.10/32", 84)


@pytest.mark.parametrize("text", ["", "000 \n", '"', '"c"', "#", "#1:", '"c": \n', "\x00\n", '006 #x: "c", a=b\n'])
def test_rubbish_is_no_conn(text):
    status = _status.parse_status(text)
    _status.add_traffic(status, text)
    assert all(not conn.established for conn in status.conns.values())

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _pluto
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError
from fakes.pluto import VERSIONS, FakePluto

CONF = "conn a\n  left=192.0.2.1\n  right=192.0.2.2\nconn bad\n  esp=aes-foo\n"


@pytest.fixture(params=VERSIONS)
def fake(request, tmp_path):
    fake = FakePluto(tmp_path, request.param)
    (tmp_path / "ipsec.d").mkdir()
    (tmp_path / "ipsec.d" / "x.conf").write_text(CONF)
    return fake


@pytest.fixture
def pluto(fake):
    return _pluto.Pluto(fake.run, str(fake.folder / "pluto.pid"), str(fake.folder / "proc"))


def scripted(rc: int, out: str = "", err: str = "") -> _pluto.Pluto:
    return _pluto.Pluto(lambda args: (rc, out, err))


# What the real programs say when pluto is away: 5.2, 4.10, and both when its socket is left over.
GONE = [
    'ERROR: ipsec whack: Pluto is not running (no "/run/pluto/pluto.ctl"): No such file or directory (errno 2)\n',
    'whack: Pluto is not running (no "/run/pluto/pluto.ctl")\n',
    "ERROR: ipsec whack: connect(pluto_ctl) failed: Connection refused (errno 111)\n",
    'whack: is Pluto running? connect() for "/run/pluto/pluto.ctl" failed (111 Connection refused)\n',
]


@pytest.mark.parametrize("words", GONE)
def test_a_pluto_that_does_not_run_is_told_from_other_failures(words):
    for command in ("status", "initiate", "delete", "add"):
        arguments = {"status": [], "add": [["a"]], "delete": [["a"]]}.get(command, ["a"])
        with pytest.raises(_pluto.PlutoNotRunning, match="start ipsec.service first"):
            getattr(scripted(33, "", words), command)(*arguments)


def test_status_that_fails_otherwise(pluto):
    with pytest.raises(StoreError, match="exit code 1: odd"):
        scripted(1, "", "odd\n").status()


def test_add_is_one_command_and_tells_what_was_wrong_with_which(pluto, fake):
    complaints = pluto.add(["a", "bad", "nosuch"])
    assert fake.counted("addconn") == 1
    assert complaints["a"] == ""
    assert "not found" in complaints["nosuch"]
    assert ("'foo' is not recognized" in complaints["bad"]) == (fake.version == "5.2")


def test_a_broken_file_is_every_conns_complaint(pluto, fake):
    (fake.folder / "ipsec.d" / "broken.conf").write_text("conn x\n  foo=bar\n")
    complaints = pluto.add(["a"])
    assert "broken.conf:2" in complaints["a"]


def test_delete_ignores_exit_codes(pluto, fake):
    pluto.add(["a"])
    pluto.initiate("a")
    pluto.delete(["a", "nosuch"])
    assert fake.conns == {}


def test_delete_that_hangs_tells_what_was_run(pluto, fake):
    fake.hang_at = "--delete"
    with pytest.raises(_pluto.PlutoHangsError, match="'ipsec whack --delete' was ended after"):
        pluto.delete(["a"])


def test_commands_on_an_unknown_conn_fail_whatever_the_exit_code(pluto):
    with pytest.raises(StoreError, match="conn nosuch: initiate failed: no connection"):
        pluto.initiate("nosuch")
    with pytest.raises(StoreError, match="conn nosuch: route failed: no connection"):
        pluto.route("nosuch")


@pytest.mark.parametrize(
    ("rc", "out"),
    [
        (22, '"uno": we cannot identify ourselves with either end of this connection.  9.9.9.9 are not usable\n'),
        (0, '022 "uno": we cannot identify ourselves with either end\n036 "uno": failed to initiate connection\n'),
        (29, '"tmpl": cannot initiate connection (serial $6) without knowing peer IP address (kind=CK_TEMPLATE)\n'),
        (25, '003 "same2": cannot install eroute -- it is in use for "same" #0\n025 "same2": could not route\n'),
        (52, '"same2": could not route\n'),
    ],
)
def test_failures_of_commands_as_both_versions_say_them(rc, out):
    with pytest.raises(StoreError):
        scripted(rc, out).initiate("uno")


@pytest.mark.parametrize(
    "out",
    [
        '"wiki" #1: initiating IKEv2 connection to 192.1.2.45 using UDP\n',
        '181 "dead" #5: initiating IKEv2 connection\n',
        '002 "wiki" #4: initiating Child SA using IKE SA #2\n189 "wiki" #4: sent CREATE_CHILD_SA request\n'
        '004 "wiki" #4: initiator established Child SA using #2; IPsec tunnel\n',
        '002 "tmpl": route-client output: need at least a destination address\n',
        '"same": unroute-client output: RTNETLINK answers: Network is unreachable\n',
    ],
)
def test_talk_is_no_failure(out):
    scripted(0, out).initiate("wiki")


def test_check(pluto, fake, tmp_path):
    path = tmp_path / "staged.conf"
    path.write_text(CONF)
    assert pluto.check(str(path)) == ("", [])
    path.write_text("conn a\n  nosuch=1\n")
    assert "nosuch" in pluto.check(str(path))[0]


def test_words_on_stderr_are_a_failure_though_the_exit_code_is_0():
    assert scripted(0, "", "x.conf:3: Invalid mark value\n").check("x.conf")[0]
    assert scripted(3, "said on stdout\n").check("x.conf") == ("said on stdout", [])
    assert scripted(3).check("x.conf") == ("exit code 3", [])


def test_a_warning_is_no_refusal():
    warning = "ipsec addconn: x.conf:4: warning: obsolete keyword ignored: dpdaction=restart"
    assert scripted(0, "", f"{warning}\n").check("x.conf") == ("", [warning])
    assert scripted(1, "", f"{warning}\nFATAL ERROR\n").check("x.conf") == (f"{warning}\nFATAL ERROR", [])
    assert scripted(0, "", f"{warning}\nInvalid mark value\n").check("x.conf") == ("Invalid mark value", [warning])


def test_identity_changes_with_the_process(pluto, fake):
    first = pluto.identity()
    assert first == "4711:1000:"
    fake.restart()
    assert pluto.identity() != first
    (fake.folder / "pluto.pid").unlink()
    assert pluto.identity() is None


def test_settle_waits_for_the_addconn_that_pluto_starts(pluto, fake, monkeypatch):
    child = fake.folder / "proc" / "4712"
    child.mkdir()
    (child / "stat").write_text("4712 (addconn) S 4711 0 0")
    (child / "cmdline").write_bytes(b"/usr/libexec/ipsec/addconn\0--config\0/etc/ipsec.conf\0--autoall\0")
    waited = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            (child / "cmdline").unlink()

    monkeypatch.setattr(_pluto.time, "sleep", sleep)
    pluto.settle()
    assert len(waited) == 3


def test_settle_gives_up(pluto, fake):
    pluto.settle(0)
    (fake.folder / "pluto.pid").unlink()
    pluto.settle(0)


def test_no_secret_and_no_content_in_arguments(pluto, fake):
    pluto.add(["a"])
    pluto.initiate("a")
    assert not any("left" in word for call in fake.calls for word in call)


@pytest.mark.parametrize(
    ("rc", "out"),
    [
        (0, '181 "a" #1: initiating IKEv2 connection\n'),
        (124, '"a" #1: initiating IKEv2 connection to 192.0.2.1 using UDP\n'),
        (31, '031 "a" #25: STATE_V2_ESTABLISHED_IKE_SA: 60 second timeout exceeded after 7 retransmits.\n'),
        (36, '036 "a" #3: encountered fatal error in state STATE_V2_PARENT_I2\n'),
    ],
)
def test_what_the_peer_does_is_no_failure_of_the_attempt(rc, out):
    scripted(rc, out).initiate("a")

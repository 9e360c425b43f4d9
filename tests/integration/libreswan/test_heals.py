# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pluto that hangs, a run that is killed, a second run, a clock that was set, folders that take nothing any more."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _lock,
    _pluto,
)
from ansible_collections.route_based.vpn.plugins.modules import ipsec_conn
from conftest import CONF, conn

FIRST = [{"ids": ["@first", "@b"], "psk": "a secret of the test"}]
SECOND = [{"ids": ["@second", "@b"], "psk": "another secret"}]
SECRETS = CONF.with_suffix(".secrets")
FOLDERS = ("/run/route_based.vpn", "/var/lib/route_based.vpn")


def pluto_pid():
    return int(Path("/run/pluto/pluto.pid").read_text())


@contextlib.contextmanager
def stopped():
    """A pluto that answers nobody."""
    os.kill(pluto_pid(), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pluto_pid(), signal.SIGCONT)


@pytest.fixture
def limits(monkeypatch):
    """Short ones; the real ones are minutes."""
    monkeypatch.setattr(_pluto, "ANSWER_SECONDS", 3.0)
    monkeypatch.setattr(_pluto, "AGAIN_SECONDS", 1.0)
    monkeypatch.setattr(_lock, "SECONDS", 1.0)


def timed(call):
    """What a call returns, and how long it took."""
    begin = time.monotonic()
    return call(), time.monotonic() - begin


class TestPlutoThatHangs:
    def test_a_module_ends_with_a_sentence_and_has_changed_nothing(self, libreswan, limits):
        libreswan.conns(conn("a", 1), secrets=FIRST)
        before = (CONF.read_text(), SECRETS.read_text(), libreswan.states())
        with stopped():
            done, seconds = timed(lambda: libreswan.conns(conn("a", 1), conn("b", 2), secrets=SECOND))
        assert (
            f"pluto (process {pluto_pid()}) does not answer: 'ipsec whack --status' was ended after 3 s" in done["msg"]
        )
        assert f"'kill -CONT {pluto_pid()}' lets it go on" in done["msg"]
        assert seconds < 20
        assert (CONF.read_text(), SECRETS.read_text(), libreswan.states()) == before
        assert not libreswan.conns(conn("a", 1), conn("b", 2), secrets=SECOND).get("failed")

    def test_whoever_only_asks_ends_too(self, libreswan, limits, monkeypatch):
        from ansible_collections.route_based.vpn.plugins.module_utils import _preflight

        monkeypatch.setattr(_preflight, "LIMIT_SECONDS", 3)
        with stopped():
            info, seconds = timed(lambda: libreswan.call("vpn_info"))
            look = libreswan.call("vpn_preflight")
        assert "does not answer" in info["msg"]
        assert seconds < 20
        assert "pluto does not answer" in look["msg"]

    def test_on_the_way_back_files_and_devices_do_not_wait_for_it(self, libreswan, limits, tmp_path):
        """And the next attempt brings back the rest."""
        given = {"files": [str(tmp_path / "file")], "path": str(CONF)}
        token = libreswan.call("vpn_checkpoint", state="opened", **given)["token"]
        (tmp_path / "file").write_text("new")
        libreswan.call("vti_tunnel", tunnels=[{"name": "vti77", "local": "192.0.2.1", "remote": "192.0.2.2", "key": 7}])
        libreswan.conns(conn("a", 1))
        with stopped():
            done, seconds = timed(lambda: libreswan.call("vpn_checkpoint", state="restored", token=token, **given))
        assert "could not go back all the way: pluto" in done["msg"]
        assert "device vti77: removed" in done["msg"]
        assert seconds < 30
        assert ((tmp_path / "file").exists(), Path("/sys/class/net/vti77").exists()) == (False, False)
        again = libreswan.call("vpn_checkpoint", state="restored", token=token, **given)
        assert again["restored"] == ["conn a: removed"]
        assert libreswan.states() == {}

    def test_in_the_middle(self, libreswan, limits, monkeypatch):
        """It hangs when the files are written: they are put back, and the next run ends well."""
        libreswan.conns(conn("a", 1), secrets=FIRST)
        before = (CONF.read_text(), SECRETS.read_text())
        reread = _pluto.Pluto.reread_secrets

        def stop(pluto, path):
            os.kill(pluto_pid(), signal.SIGSTOP)
            return reread(pluto, path)

        with monkeypatch.context() as patch:
            patch.setattr(_pluto.Pluto, "reread_secrets", stop)
            done, seconds = timed(lambda: libreswan.conns(conn("a", 1), conn("b", 2), secrets=SECOND))
        os.kill(pluto_pid(), signal.SIGCONT)
        assert "putting things back failed too" in done["msg"]
        assert seconds < 30
        assert (CONF.read_text(), SECRETS.read_text()) == before
        again = libreswan.conns(conn("a", 1), secrets=FIRST)
        assert again["secrets_read"]
        assert "@first" in libreswan.sh("ipsec whack --listpsks")
        assert "@second" not in libreswan.sh("ipsec whack --listpsks")
        assert not libreswan.conns(conn("a", 1), secrets=FIRST)["changed"]


def killed(place, **arguments):
    """A run that is killed where it would call a method of pluto."""
    pid = os.fork()
    if not pid:
        with contextlib.suppress(BaseException):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            setattr(_pluto.Pluto, place, lambda *_args: os.kill(os.getpid(), signal.SIGKILL))
            with patch_module_args(arguments):
                ipsec_conn.main()
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL


class TestSecretsThatPlutoHasNotRead:
    def test_a_run_that_was_killed_before_it_told_pluto(self, libreswan):
        libreswan.conns(conn("a", 1), secrets=FIRST)
        before = libreswan.states()
        killed("reread_secrets", conns=[conn("a", 1)], purge=True, secrets=SECOND)
        assert "@second" in libreswan.sh(f"cat {SECRETS}")
        assert "@second" not in libreswan.sh("ipsec whack --listpsks")
        done = libreswan.conns(conn("a", 1), secrets=SECOND)
        assert (done["changed"], done["secrets_file"], done["secrets_read"]) == (True, "kept", True)
        assert "@second" in libreswan.sh("ipsec whack --listpsks")
        assert libreswan.states() == before
        assert not libreswan.conns(conn("a", 1), secrets=SECOND)["changed"]

    def test_a_run_that_was_killed_between_secrets_and_conns(self, libreswan):
        libreswan.conns(conn("a", 1), secrets=FIRST)
        killed("add", conns=[conn("a", 1), conn("b", 2)], purge=True, secrets=SECOND)
        done = libreswan.conns(conn("a", 1), secrets=FIRST)
        assert done["changed"]
        assert sorted(libreswan.states()) == ["a"]
        assert "@second" not in libreswan.sh("ipsec whack --listpsks")
        assert not libreswan.conns(conn("a", 1), secrets=FIRST)["changed"]

    def test_written_only_and_a_file_that_was_restored_by_hand(self, libreswan):
        libreswan.conns(conn("a", 1), secrets=FIRST)
        text = SECRETS.read_text()
        libreswan.conns(conn("a", 1), secrets=SECOND, load=False)
        assert libreswan.conns(conn("a", 1), secrets=SECOND)["secrets_read"]
        assert "@second" in libreswan.sh("ipsec whack --listpsks")
        SECRETS.write_text(text)
        assert libreswan.conns(conn("a", 1), secrets=FIRST)["secrets_read"]
        assert "@first" in libreswan.sh("ipsec whack --listpsks")


class TestWhichPlutoItIs:
    @pytest.mark.parametrize("when", ["2001-01-01", "2099-01-01"])
    def test_a_clock_that_was_set_is_no_change(self, libreswan, when):
        libreswan.conns(conn("a", 1), secrets=FIRST)
        libreswan.restart()
        libreswan.wait("ipsec whack --status | grep -q '\"a\"'")
        libreswan.sh(f"touch -d {when} /run/pluto/pluto.pid")
        before = libreswan.states()
        assert not libreswan.conns(conn("a", 1), secrets=FIRST)["changed"]
        assert libreswan.states() == before

    def test_a_reboot_is_no_change(self, libreswan):
        libreswan.conns(conn("a", 1), secrets=FIRST)
        libreswan.sh("rm -rf /run/route_based.vpn")
        libreswan.restart()
        libreswan.wait("ipsec whack --status | grep -q '\"a\"'")
        before = libreswan.states()
        assert not libreswan.conns(conn("a", 1), secrets=FIRST)["changed"]
        assert libreswan.states() == before


class TestFoldersThatTakeNothing:
    @pytest.fixture(params=["full", "read-only"])
    def blocked(self, libreswan, request):
        """/run and /var, as far as they are ours."""
        for folder in FOLDERS:
            options = "size=4k" if request.param == "full" else "ro"
            Path(folder).mkdir(exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
            if request.param == "full":
                libreswan.sh(f"mkdir -p {folder}/loaded; head -c 1M /dev/zero >{folder}/loaded/filler", fails=False)

    def test_a_warning_and_everything_else_is_done(self, libreswan, blocked):
        done = libreswan.conns(conn("a", 1), secrets=FIRST)
        assert not done.get("failed"), done.get("msg")
        assert "what pluto has loaded could not be noted" in str(done.get("warnings"))
        assert "a" in libreswan.states()
        assert "@first" in libreswan.sh("ipsec whack --listpsks")
        tunnel = {"name": "vti77", "local": "192.0.2.1", "remote": "192.0.2.2", "key": 7}
        assert libreswan.call("vti_tunnel", tunnels=[tunnel])["changed"]
        assert libreswan.call("vti_tunnel", tunnels=[{**tunnel, "state": "absent"}])["changed"]

    def test_what_pluto_refused_is_told(self, libreswan, blocked):
        done = libreswan.conns(conn("b", 2, esp="aes256-foo"))
        assert "did not load 1 of 1 conns: b" in done["msg"]
        assert not CONF.exists()

    def test_a_checkpoint_that_cannot_be_written_is_refused_in_words(self, libreswan, blocked):
        done = libreswan.call("vpn_checkpoint", state="opened")
        assert done["failed"]
        assert "Traceback" not in done["msg"]
        assert "/var/lib/route_based.vpn" in done["msg"]


def test_one_place_that_is_full_is_no_matter(libreswan):
    libreswan.conns(conn("a", 1), secrets=FIRST)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", "/run/route_based.vpn"], check=True)
    assert libreswan.conns(conn("a", 1), conn("b", 2), secrets=FIRST)["changed"]
    before = libreswan.states()
    assert not libreswan.conns(conn("a", 1), conn("b", 2), secrets=FIRST)["changed"]
    assert libreswan.states() == before


HOLD = """
import time
from ansible_collections.route_based.vpn.plugins.module_utils import _lock
with _lock.held("vti_route"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_module_says_who_changes_the_host(libreswan, limits):
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        tunnel = {"name": "vti77", "local": "192.0.2.1", "remote": "192.0.2.2", "key": 7}
        for done in (
            libreswan.conns(conn("a", 1)),
            libreswan.call("vti_tunnel", tunnels=[tunnel]),
            libreswan.call("vti_route", routes=[{"destination": "10.9.0.0/16", "type": "blackhole"}]),
            libreswan.call("ipsec_hostkey"),
            libreswan.call("vpn_checkpoint", state="opened"),
        ):
            assert f"vti_route (process {holder.pid}, since" in done["msg"]
        holder.kill()
        holder.wait()
        assert not libreswan.conns(conn("a", 1)).get("failed")
    finally:
        holder.kill()


def test_a_second_run_is_refused_and_the_first_one_goes_on(libreswan):
    first = libreswan.call("vpn_checkpoint", state="opened", owner="alice@laptop", rollback_after=60)
    libreswan.conns(conn("a", 1))
    second = libreswan.call("vpn_checkpoint", state="opened", owner="awx", rollback_after=60)
    assert "alice@laptop has a checkpoint open on this host since" in second["msg"]
    for state in ("confirmed", "restored", "extended"):
        assert libreswan.call("vpn_checkpoint", state=state)["owner"]["who"] == "alice@laptop"
    libreswan.call("vpn_checkpoint", state="extended", token=first["token"], rollback_after=1)
    libreswan.wait("test -e /var/lib/route_based.vpn/gone_back && ! ipsec whack --status | grep -q '^000 \"a\"'")
    assert "went back by itself" in libreswan.call("vpn_checkpoint", state="confirmed", token=first["token"])["msg"]
    second = libreswan.call("vpn_checkpoint", state="opened", owner="awx", rollback_after=60)
    assert libreswan.call("vpn_checkpoint", state="confirmed", token=second["token"]).get("msg") is None

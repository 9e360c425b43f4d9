# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ipsec_conn knows of the pluto that runs, after a kill, a restart, a clock that was set, a full disk, and where
pluto hangs."""

from __future__ import annotations

import hashlib
import json
import os
import stat

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _conn_file,
    _conn_memory,
    _conn_run,
    _files,
    _lock,
    _pluto,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError
from fakes.conns import SECRETS, text

OTHER = [{"ids": ["@a", "@b"], "psk": "another secret"}]
MOVED = text(1).replace("right=192.0.2.1\n", "right=192.0.2.99\n")


class TestWhatThisPlutoHasRead:
    """Its identity is its process number and start time. Clocks and times of files, which are set, say nothing."""

    def test_a_reboot_is_no_change(self, host):
        host.run(content=text(1), secrets=SECRETS)
        host.reboot()
        serials = host.serials
        assert not host.run(content=text(1), secrets=SECRETS)["changed"]
        assert host.serials == serials

    @pytest.mark.parametrize("age", [-1e6, 1e6])
    def test_a_clock_that_was_set_changes_nothing(self, host, age):
        """Whatever the times of pluto's own file and of ours say."""
        host.run(content=text(1, 2))
        host.pluto.restart()
        pid = host.folder.parent / "pluto.pid"
        when = os.stat(pid).st_mtime + age
        os.utime(pid, (when, when))
        assert not host.run(content=text(1, 2))["changed"]

    @pytest.mark.parametrize("age", [-1e6, 1e6])
    def test_an_edit_by_hand_is_not_what_pluto_has_loaded_however_old_it_looks(self, host, age):
        host.run(content=text(1))
        host.pluto.restart()
        host.run(content=text(1))
        host.path.write_text(f"{_files.HEADER}\n{MOVED}")
        when = os.stat(host.folder.parent / "pluto.pid").st_mtime + age
        os.utime(host.path, (when, when))
        host.forget()
        assert host.actions(content=MOVED) == {"c1": "updated"}
        assert host.pluto.conns["c1"].options["right"] == "192.0.2.99"

    def test_a_file_that_was_another_one_while_pluto_started(self, host):
        """Edited by hand, read by a new pluto, put back by hand: the text is that of the note, and says nothing."""
        host.run(content=text(1))
        good = host.path.read_text()
        host.path.write_text(f"{_files.HEADER}\n{MOVED}")
        host.pluto.restart()
        host.path.write_text(good)
        assert host.actions(content=text(1)) == {"c1": "updated"}
        assert host.pluto.conns["c1"].options["right"] == "192.0.2.1"

    def test_a_pluto_that_was_restarted_in_the_middle(self, host, monkeypatch):
        """It may have read the old file: nothing is certain, and the next run loads it again."""
        host.run(content=text(1))
        install = _conn_file.File._install

        def restart(file, *texts):
            host.pluto.restart()
            install(file, *texts)

        with monkeypatch.context() as patch:
            patch.setattr(_conn_file.File, "_install", restart)
            host.run(content=MOVED)
        assert host.actions(content=MOVED) == {"c1": "updated"}
        assert not host.run(content=MOVED)["changed"]

    def test_written_only_then_read_by_the_next_pluto(self, host):
        host.run(content=text(1))
        host.run(content=text(1, 2), load=False)
        host.pluto.restart()
        serials = host.serials
        assert host.actions(content=text(1, 2)) == {"c1": "kept", "c2": "kept"}
        assert host.serials == serials

    def test_written_only_while_another_pluto_than_that_of_the_note_runs(self, host):
        host.run(content=text(1))
        host.pluto.restart()
        host.run(content=text(1, 2), load=False)
        assert host.actions(content=text(1, 2)) == {"c1": "updated", "c2": "updated"}
        assert sorted(host.pluto.conns) == ["c1", "c2"]


class TestSecretsThatPlutoHasNotRead:
    """Written and not read: the next run makes pluto read them, and says so."""

    def killed(self, host, monkeypatch, place, name, **params):
        """A run that is killed when it comes to a function; no note is made after that."""

        class Killed(BaseException):
            pass

        def kill(*_args, **_more):
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(_conn_file.File, "remember", lambda _file: None)
            patch.setattr(place, name, kill)
            with pytest.raises(Killed):
                host.run(**params)

    def heals(self, host, **params):
        """A run that only makes pluto read the secrets; check mode has foretold it, and the next has nothing to do."""
        foretold = host.run(check=True, **params)
        assert host.pluto.writes == []
        result = host.run(**params)
        assert result == foretold
        assert (result["changed"], result["secrets_read"]) == (True, True)
        assert host.pluto.secrets == host.secrets.read_text()
        assert not host.run(**params)["changed"]
        return result

    def test_a_run_that_was_killed_before_pluto_was_told(self, host, monkeypatch):
        host.run(content=text(1), secrets=SECRETS)
        serials, before = host.serials, host.pluto.secrets
        self.killed(host, monkeypatch, _pluto.Pluto, "reread_secrets", content=text(1), secrets=OTHER)
        assert (host.secrets.read_text() != before, host.pluto.secrets) == (True, before)
        assert self.heals(host, content=text(1), secrets=OTHER)["secrets_file"] == "kept"
        assert host.serials == serials

    def test_a_check_of_the_conns_alone_tells_it(self, host, monkeypatch):
        """As status does it for what a run would change."""
        host.run(content=text(1), secrets=SECRETS)
        self.killed(host, monkeypatch, _pluto.Pluto, "reread_secrets", content=text(1), secrets=OTHER)
        assert host.run(check=True, content=text(1))["changed"]

    def test_the_first_secrets(self, host, monkeypatch):
        self.killed(host, monkeypatch, _pluto.Pluto, "reread_secrets", secrets=SECRETS)
        self.heals(host, secrets=SECRETS)

    def test_killed_after_pluto_was_told_and_then_put_back_by_hand(self, host, monkeypatch):
        """pluto has what nobody noted, and the file is what was noted before."""
        host.run(content=text(1), secrets=SECRETS)
        good = host.secrets.read_text()
        self.killed(host, monkeypatch, _conn_file.File, "_carry_out", content=text(1), secrets=OTHER)
        assert host.pluto.secrets != good
        host.secrets.write_text(good)
        self.heals(host, content=text(1), secrets=SECRETS)

    def test_written_only_and_loaded_later(self, host):
        host.run(content=text(1), secrets=SECRETS)
        host.run(content=text(1), secrets=OTHER, load=False)
        self.heals(host, content=text(1), secrets=OTHER)

    def test_a_file_that_was_restored_by_hand(self, host):
        host.run(content=text(1), secrets=SECRETS)
        good = host.secrets.read_text()
        host.run(content=text(1), secrets=OTHER)
        host.secrets.write_text(good)
        self.heals(host, content=text(1), secrets=SECRETS)

    def test_a_pluto_that_started_since_has_read_them(self, host):
        host.run(content=text(1), secrets=SECRETS)
        host.reboot()
        assert not host.run(content=text(1), secrets=SECRETS)["changed"]
        host.secrets.write_text(host.secrets.read_text())
        self.heals(host, content=text(1), secrets=SECRETS)

    def test_no_secret_can_be_read_off_the_note(self, host):
        """Not even a weak one, by trying: its digest is keyed, and the key is in another file."""
        host.run(content=text(1), secrets=[{"ids": ["@a", "@b"], "psk": "x"}])
        notes = host.notes()[0].read_text()
        rendered = host.secrets.read_text()
        assert len(json.loads(notes)["secrets"]) == 64
        assert "eA==" not in notes
        assert not any(hashlib.new(name, rendered.encode()).hexdigest() in notes for name in ("md5", "sha1", "sha256"))
        (key,) = host.folder.parent.glob("*memory/secrets.key")
        assert key.read_text() not in notes
        assert [stat.S_IMODE(path.stat().st_mode) for path in (key, *host.notes())] == [0o600] * 3

    def test_a_note_that_cannot_be_compared_is_not_believed(self, host):
        """The key of its digest is gone."""
        host.run(content=text(1), secrets=SECRETS)
        (key,) = host.folder.parent.glob("*memory/secrets.key")
        key.unlink()
        self.heals(host, content=text(1), secrets=SECRETS)

    def test_where_none_is_wanted_and_none_was_there_nothing_is_done(self, host):
        host.run(content=text(1))
        host.forget()
        assert not host.run(content=text(1))["secrets_read"]
        assert host.pluto.counted("--rereadsecrets") == 0


class TestAMemoryThatCannotBeWritten:
    """It is a cache: a warning, and everything else is done."""

    @pytest.fixture
    def full(self, host, monkeypatch):
        """Which of the folders of the memory take nothing any more, by number."""
        full = set()
        replace = _files.replace

        def refuse(path, content):
            if any(str(path).startswith(f"{_conn_memory.FOLDERS[number]}/") for number in full):
                raise OSError(28, "No space left on device", path)
            replace(path, content)

        monkeypatch.setattr(_files, "replace", refuse)
        return full

    def test_it_warns_and_everything_else_is_done(self, host, full):
        full |= {0, 1}
        assert host.run(content=text(1), secrets=SECRETS)["changed"]
        assert host.pluto.conns["c1"].up
        assert "what pluto has loaded could not be noted (" in host.warnings[0]
        assert "The next run will load every conn again" in host.warnings[0]

    def test_what_pluto_refused_is_told_all_the_same(self, host, full):
        host.run(content=text(1))
        full |= {0, 1}
        with pytest.raises(StoreError, match="did not load 1 of 1 conns: bad"):
            host.run(content=text(1) + "conn bad\n  esp=x-foo\n  auto=add\n")
        full.clear()
        assert not host.run(content=text(1))["changed"]

    @pytest.mark.parametrize("number", [0, 1])
    def test_one_place_is_enough(self, host, full, number):
        host.run(content=text(1), secrets=SECRETS)
        full.add(number)
        host.run(content=text(1, 2), secrets=OTHER)
        serials = host.serials
        assert not host.run(content=text(1, 2), secrets=OTHER)["changed"]
        assert (host.serials, host.warnings) == (serials, [])

    def test_an_old_note_is_not_believed(self, host, full):
        host.run(content=text(1), secrets=SECRETS)
        full |= {0, 1}
        host.run(content=MOVED, secrets=OTHER)
        result = host.run(content=MOVED, secrets=OTHER)
        assert (result["secrets_read"], result["conns"][0]["action"]) == (True, "updated")


class TestPlutoThatHangs:
    """Each call has a limit, and the sentence says what to do."""

    def test_before_anything_is_changed(self, host):
        host.run(content=text(1))
        good, serials = host.path.read_text(), host.serials
        host.pluto.hangs = True
        words = r"pluto .process 4711. does not answer: 'ipsec whack --status'.*restart ipsec"
        with pytest.raises(StoreError, match=words):
            host.run(content=text(1, 2), secrets=SECRETS)
        assert (host.path.read_text(), host.secrets.exists(), host.serials) == (good, False, serials)
        assert host.pluto.waited <= 60

    def test_one_that_is_stopped_is_told_to_be(self, host):
        file = host.folder.parent / "proc/4711/stat"
        file.write_text(file.read_text().replace(") S ", ") T "))
        host.pluto.hangs = True
        with pytest.raises(StoreError, match="The process is stopped: 'kill -CONT 4711' lets it go on"):
            host.run(content=text(1))

    @pytest.mark.parametrize("word", ["--rereadsecrets", "addconn c2", "--initiate", "--delete"])
    def test_in_the_middle_the_files_are_put_back_and_the_next_run_heals(self, host, word):
        host.run(content=text(1), secrets=SECRETS)
        good = (host.path.read_text(), host.secrets.read_text())
        host.pluto.hang_at = word
        with pytest.raises(StoreError, match=r"pluto .* does not answer.*putting things back failed too"):
            host.run(content=text(2), secrets=OTHER)
        assert (host.path.read_text(), host.secrets.read_text()) == good
        # One long wait, and short ones after it.
        assert host.pluto.waited <= 10 + 60.5 + 4 * 5
        host.pluto.hang_at, host.pluto.hangs = "", False
        result = host.run(content=text(1), secrets=SECRETS)
        assert result["secrets_read"]
        assert sorted(host.pluto.conns) == ["c1"]
        assert host.pluto.secrets == host.secrets.read_text()
        assert not host.run(content=text(1), secrets=SECRETS)["changed"]


def test_only_one_changes_the_host_and_waiting_for_a_peer_is_no_change(host, monkeypatch):
    monkeypatch.setattr(_lock, "SECONDS", 0.1)
    with _lock.held("vti_tunnel"), pytest.raises(StoreError, match="vti_tunnel .process .* is changing this host"):
        host.run(content=text(1))
    assert not host.path.exists()
    held = []

    def wait(*_args):
        with _lock.held("another", 0.1):
            held.append(True)

    monkeypatch.setattr(_conn_run._info, "wait", wait)
    host.run(content=text(1), wait_established=5)
    assert held == [True]

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit that watches a checkpoint: its files, its program run by a real Python, and when it is forgotten."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _checkpoint,
    _checkpoint_back,
    _checkpoint_run,
    _checkpoint_unit,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

RUN_BY_SYSTEMD = ["restart route-based-vpn-rollback.service"]


class Host:
    """A host without libreswan and pyroute2, in a folder of the test."""

    check_mode = False

    def __init__(self, root: Path) -> None:
        self.folder = _checkpoint.Folder(str(root / "vpn"))
        self.folder.make()
        self.file = root / "file"
        self.file.write_text("before")
        self.unit = root / "units" / _checkpoint_unit.NAME
        self.link = root / "units/multi-user.target.wants" / _checkpoint_unit.NAME
        self.calls: list[str] = []
        self.answer = (0, "", "")
        empty: dict[str, t.Any] = {"token": "", "owner": "alice", "run": "", "take_over": "", "firewall": ""}
        paths = {"path": str(root / "x.conf"), "files": [str(self.file)], "services": [], "folder": self.folder.path}
        self.params = {**empty, **paths, "rollback_after": 600}

    def get_bin_path(self, _name: str, opt_dirs: t.Any = None) -> None:
        """Nothing is installed."""

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        assert command[:2] == ["timeout", "-k"]
        assert command[4] == "systemctl"
        self.calls.append(" ".join(command[5:]))
        return self.answer

    def call(self, state: str) -> dict[str, t.Any]:
        result = _checkpoint_run.STATES[state](self, self.folder)
        self.params["token"] = result.get("token", self.params["token"])
        return result

    def open(self) -> None:
        """And the change is made."""
        self.call("opened")
        self.file.write_text("after")

    def as_of_another_boot(self) -> None:
        """The power failed since."""
        found = self.folder.read()
        assert found
        self.folder.write(dataclasses.replace(found, boot="another"))

    def program(self) -> list[str]:
        """What systemd runs, with the modules of this test for what is not on this host."""
        command = next(line for line in self.unit.read_text().splitlines() if line.startswith("ExecStart="))
        return command.partition("=")[2].split()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """systemd is what systemctl says."""
    monkeypatch.setattr(_checkpoint_back._pyroute2, "IMPORT_ERROR", "not there")
    for name in ("units", "booted"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(_checkpoint_unit, name.upper(), str(tmp_path / name))
    return Host(tmp_path)


def test_an_open_checkpoint_is_watched_now_and_after_a_boot(host: Host) -> None:
    host.open()
    assert host.calls == RUN_BY_SYSTEMD
    assert host.link.resolve() == host.unit
    assert "Restart=on-failure" in host.unit.read_text()
    assert host.program() == [sys.executable, f"{host.folder.path}/watch.py", f"{host.folder.path}/watch.json"]
    given = json.loads(Path(host.folder.path, "watch.json").read_text())["ANSIBLE_MODULE_ARGS"]
    assert given["state"] == "watched"
    assert "token" not in given


def test_without_a_time_nobody_watches(host: Host) -> None:
    host.params["rollback_after"] = 0
    host.open()
    assert host.calls == []
    assert not host.unit.exists()


@pytest.mark.parametrize("end", ["confirmed", "restored", "removed"])
def test_it_is_forgotten_with_the_checkpoint(host: Host, end: str) -> None:
    host.open()
    host.call(end)
    assert not os.path.lexists(host.link)
    assert not host.unit.exists()
    # Its folder goes, so it has to end before that.
    assert ("stop route-based-vpn-rollback.service" in host.calls) is (end == "removed")
    assert os.path.exists(host.folder.path) is (end != "removed")


@pytest.mark.parametrize("booted", [True, False])
def test_nothing_is_begun_that_nobody_would_take_back(host: Host, tmp_path: Path, booted: bool) -> None:
    host.answer = (1, "", "Unit is masked.")
    if not booted:
        (tmp_path / "booted").rmdir()
    with pytest.raises(StoreError, match="nothing was changed.*Unit is masked" if booted else "systemd does not run"):
        host.call("opened")
    assert host.folder.read() is None


def test_one_that_was_open_before_stays_open_where_it_cannot_be_watched(host: Host) -> None:
    host.open()
    host.answer = (1, "", "no")
    with pytest.raises(StoreError):
        host.call("opened")
    assert host.folder.read()


@pytest.mark.parametrize("later", ["its time is up", "another boot"])
def test_the_program_goes_back(host: Host, later: str) -> None:
    """As systemd runs it, with nothing of what Ansible had on the host."""
    host.params["rollback_after"] = 1 if later == "its time is up" else 600
    host.open()
    if later == "another boot":
        host.as_of_another_boot()
    done = subprocess.run(host.program(), capture_output=True, text=True, timeout=60, check=False, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["restored"] == [f"file {host.file}: as it was"]
    assert host.file.read_text() == "before"
    assert host.folder.gone_back()


def test_one_that_is_killed_goes_on_when_it_is_started_again(host: Host) -> None:
    host.params["rollback_after"] = 3
    host.open()
    with subprocess.Popen(host.program(), cwd="/") as first:
        time.sleep(1)
        first.kill()
    assert host.file.read_text() == "after"
    subprocess.run(host.program(), timeout=60, check=True, cwd="/", stdout=subprocess.DEVNULL)
    assert host.file.read_text() == "before"


def test_the_archive_of_the_module_is_kept_as_long_as_a_program_may_read_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name says what is in it: another version does not take its place under a program that runs."""
    archive = tmp_path / "payload.zip"
    monkeypatch.setattr(_checkpoint_unit, "__loader__", SimpleNamespace(archive=str(archive)))

    def opened_with(content: bytes) -> Path:
        archive.write_bytes(content)
        host.call("opened")
        (copy,) = Path(host.folder.path).glob("watch-*.zip")
        assert copy.read_bytes() == content
        assert f"sys.path[:0] = [{str(copy)!r}]" in Path(host.folder.path, "watch.py").read_text()
        return copy

    first = opened_with(b"one")
    assert opened_with(b"one") == first
    host.call("confirmed")
    assert first.exists()
    assert opened_with(b"two") != first

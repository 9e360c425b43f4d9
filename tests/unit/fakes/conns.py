# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host with a fake pluto, and the flow of the module ipsec_conn run on it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _conn_file,
    _conn_memory,
    _conn_run,
    _main_conf,
    _pluto,
)
from fakes.pluto import FakePluto

SECRETS = [{"ids": ["@a", "@b"], "psk": "a secret of the test"}]


def text(*numbers: int, life: str = "8h", auto: str = "start") -> str:
    conns = [f"conn c{n}\n  also=base\n  right=192.0.2.{n}\n  mark={n}/0xffffffff\n  auto={auto}\n" for n in numbers]
    return f"conn %default\n  ikelifetime={life}\nconn base\n  left=192.0.2.200\n" + "".join(conns)


class Host:
    """A host with a fake pluto, and the module run on it."""

    def __init__(self, folder, version: str) -> None:
        self.pluto = FakePluto(folder, version)
        self.folder = folder / "ipsec.d"
        self.folder.mkdir()
        self.main = folder / "ipsec.conf"
        self.main.write_text(f"config setup\n  logfile=/dev/null\ninclude {self.folder}/*.conf\n")
        (folder / "ipsec.secrets").write_text(f"include {self.folder}/*.secrets\n")
        self.secrets = self.folder / "route_based_vpn.secrets"
        (folder / "tmp").mkdir()
        self.path = self.folder / "route_based_vpn.conf"
        self.tmp = folder / "tmp"
        self.warnings: list[str] = []

    def run(self, check: bool = False, **params) -> dict:
        self.pluto.calls.clear()
        given = {
            "path": str(self.path),
            "content": None,
            "conns": None,
            "purge": False,
            "secrets": None,
            "wait_established": 0,
            "state": "present",
            "load": True,
        }
        module = SimpleNamespace(
            params={**given, **params},
            check_mode=check,
            run_command=self.pluto.run,
            tmpdir=str(self.tmp),
            get_bin_path=lambda name, **more: "/usr/sbin/ipsec",
            warn=self.warnings.append,
        )
        return _conn_run.run(module)

    def actions(self, **params) -> dict[str, str]:
        return {entry["name"]: entry["action"] for entry in self.run(**params)["conns"]}

    def notes(self) -> list[Path]:
        """The files of the memory."""
        return sorted(path for path in self.folder.parent.glob("*memory/*") if path.suffix == ".json")

    def forget(self) -> None:
        """There is no memory."""
        for path in self.notes():
            path.unlink()

    def reboot(self) -> None:
        """What is in /run is gone, and another pluto runs."""
        for path in (self.folder.parent / "run-memory").iterdir():
            path.unlink()
        self.pluto.restart()

    @property
    def serials(self) -> dict[str, int]:
        return {name: conn.serial for name, conn in self.pluto.conns.items()}


def host_in(tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host in a folder of the test."""
    monkeypatch.setattr(_conn_memory, "FOLDERS", (str(tmp_path / "run-memory"), str(tmp_path / "memory")))
    monkeypatch.setattr(_main_conf, "MAIN", str(tmp_path / "ipsec.conf"))
    monkeypatch.setattr(_conn_file, "MAIN_SECRETS", str(tmp_path / "ipsec.secrets"))
    monkeypatch.setattr(_pluto, "PID_FILE", str(tmp_path / "pluto.pid"))
    host = Host(tmp_path, version)
    pluto_init = _pluto.Pluto.__init__
    monkeypatch.setattr(
        _pluto.Pluto, "__init__", lambda self, run, *rest: pluto_init(self, run, None, str(tmp_path / "proc"))
    )
    return host

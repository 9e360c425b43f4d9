# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who runs Ansible, and whether another run has ended: only of this kernel and namespace that is known."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.route_based.vpn.plugins.filter.run_ended import run_ended
from ansible_collections.route_based.vpn.plugins.plugin_utils import _this_run


def run_of(pid: int) -> str:
    """A process as the run that it would be."""
    where, _pid, _start = _this_run.run().rsplit(".", 2)
    return f"{where}.{pid}.{_this_run._start(str(pid), '/proc')}"


def test_this_one_has_not_ended() -> None:
    assert _this_run.FORM.fullmatch(_this_run.run())
    assert not run_ended(_this_run.run())
    assert "@" in _this_run.who()


def test_one_that_was_killed_has_ended() -> None:
    process = subprocess.Popen(["sleep", "60"])
    other = run_of(process.pid)
    assert not run_ended(other)
    process.kill()
    process.wait()
    assert run_ended(other)


def test_another_process_with_its_number_is_not_it() -> None:
    where, pid, start = _this_run.run().rsplit(".", 2)
    assert run_ended(f"{where}.{pid}.{int(start) + 1}")


def test_of_another_kernel_or_namespace_nothing_is_known() -> None:
    boot, namespace, _pid, start = _this_run.run().split(".")
    assert not run_ended(f"{boot}.{int(namespace) + 1}.999999999.{start}")
    assert not run_ended(f"{'0' * 8}-{'0' * 4}-{'0' * 4}-{'0' * 4}-{'0' * 12}.{namespace}.999999999.{start}")


@pytest.mark.parametrize("text", ["", "any", "../../etc", "{{ 1 }}", None, 5, {"run": "x"}, "a" * 10000])
def test_what_a_host_makes_up_is_no_run(text: object) -> None:
    assert not run_ended(text)


def test_a_system_that_does_not_tell(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(_this_run, "BOOT_ID", str(tmp_path / "none"))
    assert _this_run.run() == ""
    assert not run_ended("")

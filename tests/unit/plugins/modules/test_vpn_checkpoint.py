# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of a checkpoint, and the module's four states with a kernel and a libreswan that are not there."""

from __future__ import annotations

import dataclasses
import stat
import threading
import time

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _checkpoint,
    _checkpoint_back,
    _devices,
    _routes,
    _rules,
    _status,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError
from ansible_collections.route_based.vpn.plugins.modules import vpn_checkpoint

DEVICE = _devices.Device(
    "vti2",
    local="192.0.2.1",
    remote="192.0.2.2",
    ikey=2,
    okey=2,
    addresses=(_devices.Inner("10.255.0.1/32", "10.255.0.2"),),
    sysctls=(("disable_policy", 1), ("rp_filter", 0)),
)
HOPS = (_routes.Nexthop("vti2"), _routes.Nexthop("vti3", weight=2))
FULL = _checkpoint.Checkpoint(
    opened=1795471427.5,
    boot="a boot",
    deadline=17.5,
    files=(_checkpoint.Kept("/etc/x", "file0", 0o600), _checkpoint.Kept("/etc/y")),
    devices=(DEVICE,),
    routes=(_routes.Route("10.0.2.0/24", device="vti2"), _routes.Route("10.9.0.0/16", nexthops=HOPS, table=100)),
    rules=(_rules.Rule(100, source="10.77.0.0/16", mark=(5, 255), table=100),),
    established=("link-1-2",),
)


@pytest.fixture
def folder(tmp_path):
    made = _checkpoint.Folder(str(tmp_path / "vpn"))
    made.make()
    return made


class Module:
    """What vpn_checkpoint asks of AnsibleModule, on a host without libreswan."""

    check_mode = False

    def __init__(self, **params):
        defaults = {"path": "/nonexistent/ipsec.conf", "files": [], "firewall": "", "rollback_after": 0, "services": []}
        self.params = {**defaults, **params}
        self.commands = []

    def get_bin_path(self, _name, opt_dirs=None):
        return None

    def run_command(self, command):
        self.commands.append(" ".join(command))
        return 0, "", ""


@pytest.fixture(autouse=True)
def no_kernel(monkeypatch):
    monkeypatch.setattr(_checkpoint_back._pyroute2, "IMPORT_ERROR", "not there")


def test_read_is_what_was_written(folder):
    folder.write(FULL)
    assert folder.read() == FULL


def test_a_note_that_cannot_be_read_is_no_reason_to_go_on(folder, tmp_path):
    (tmp_path / "vpn/checkpoint.json").write_text('{"opened": 1}')
    with pytest.raises(StoreError, match=r"cannot be read .*; remove .*/vpn to give it up"):
        folder.read()


def test_only_root_reads_what_is_kept(folder, tmp_path):
    assert stat.S_IMODE((tmp_path / "vpn").stat().st_mode) == 0o700


def test_files_come_back_and_go(folder, tmp_path):
    kept, changed, new = (tmp_path / name for name in ("kept", "changed", "new"))
    kept.write_text("kept")
    changed.write_text("before")
    changed.chmod(0o750)
    module = Module(files=[str(kept), str(changed), str(new)])
    vpn_checkpoint.opened(module, folder)
    changed.write_text("after")
    new.write_text("new")
    done = vpn_checkpoint.restored(module, folder)["restored"]
    assert done == [f"file {changed}: as it was", f"file {new}: removed"]
    assert (changed.read_text(), stat.S_IMODE(changed.stat().st_mode), new.exists()) == ("before", 0o750, False)
    assert vpn_checkpoint.restored(module, folder) == {"restored": []}


def test_an_open_checkpoint_stays_what_it_was(folder, tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)])
    first = vpn_checkpoint.opened(module, folder)
    path.write_text("half-way")
    assert vpn_checkpoint.opened(module, folder) == first
    vpn_checkpoint.restored(module, folder)
    assert path.read_text() == "before"


def test_confirmed_keeps_the_change(folder, tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)])
    vpn_checkpoint.opened(module, folder)
    path.write_text("after")
    vpn_checkpoint.confirmed(module, folder)
    assert vpn_checkpoint.restored(module, folder) == {"restored": []}
    assert path.read_text() == "after"


def test_nobody_confirms(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(vpn_checkpoint, "LOOK", 0.01)
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)], rollback_after=1)
    vpn_checkpoint.opened(module, folder)
    path.write_text("after")
    assert vpn_checkpoint.watched(module, folder)["restored"] == [f"file {path}: as it was"]
    assert path.read_text() == "before"
    for late in (vpn_checkpoint.confirmed, vpn_checkpoint.extended):
        with pytest.raises(StoreError, match="went back by itself at .*, as nobody had confirmed"):
            late(module, folder)
    # Whoever was slow has changed something since.
    path.write_text("late")
    assert vpn_checkpoint.restored(module, folder)["restored"] == [f"file {path}: as it was"]
    # The next run begins anew.
    vpn_checkpoint.opened(module, folder)
    vpn_checkpoint.confirmed(module, folder)


def test_a_run_after_one_that_was_gone_back_from_notes_what_there_is_by_then(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(vpn_checkpoint, "LOOK", 0.01)
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)], rollback_after=1)
    vpn_checkpoint.opened(module, folder)
    vpn_checkpoint.watched(module, folder)
    path.write_text("by hand")
    vpn_checkpoint.opened(module, folder)
    path.write_text("after")
    vpn_checkpoint.restored(module, folder)
    assert path.read_text() == "by hand"


def test_more_time(folder):
    module = Module(rollback_after=600)
    with pytest.raises(StoreError, match="no open checkpoint that could be given more time"):
        vpn_checkpoint.extended(module, folder)
    vpn_checkpoint.opened(module, folder)
    before = folder.read().deadline
    vpn_checkpoint.extended(Module(rollback_after=1200), folder)
    assert folder.read().deadline > before + 500


def test_who_watches_ends_when_somebody_confirms(folder, monkeypatch):
    monkeypatch.setattr(vpn_checkpoint, "LOOK", 0.01)
    module = Module(rollback_after=600)
    vpn_checkpoint.opened(module, folder)
    results = []
    watch = threading.Thread(target=lambda: results.append(vpn_checkpoint.watched(module, folder)))
    watch.start()
    time.sleep(0.1)
    # One is enough.
    assert vpn_checkpoint.watched(module, folder) == {"restored": []}
    assert watch.is_alive()
    vpn_checkpoint.confirmed(module, folder)
    watch.join(5)
    assert results == [{"restored": []}]


def test_another_boot_has_another_clock(folder):
    early = dataclasses.replace(FULL, deadline=0.1)
    assert not early.expired
    assert dataclasses.replace(early, boot=_checkpoint.boot()).expired
    assert not dataclasses.replace(early, boot=_checkpoint.boot(), deadline=0).expired


def test_what_fails_does_not_keep_the_rest_from_coming_back(folder, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)])
    vpn_checkpoint.opened(module, folder)
    path.write_text("after")
    monkeypatch.setattr(_checkpoint_back.Back, "_devices_back", _fails)
    with pytest.raises(StoreError, match="could not go back all the way: no such device.*stays open"):
        vpn_checkpoint.restored(module, folder)
    assert path.read_text() == "before"
    assert folder.read()


def _fails(_self):
    raise StoreError("no such device")


@pytest.fixture
def frr(tmp_path):
    """A module that looks after the file of a service, and that file."""
    path = tmp_path / "frr.conf"
    return Module(services=[{"path": str(path), "mark": "ours", "unit": "frr.service"}]), path


def test_the_file_of_a_service_goes_back(folder, frr):
    module, path = frr
    path.write_text("stock")
    path.chmod(0o640)
    vpn_checkpoint.opened(module, folder)
    path.write_text("ours")
    assert vpn_checkpoint.restored(module, folder)["restored"] == [f"service frr.service: {path} as it was"]
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("stock", 0o640)
    assert module.commands == ["systemctl reload-or-restart frr.service"]


def test_a_service_that_was_not_there_is_stopped(folder, frr):
    module, path = frr
    vpn_checkpoint.opened(module, folder)
    path.write_text("ours")
    done = vpn_checkpoint.restored(module, folder)["restored"]
    assert done == [f"service frr.service: stopped, {path} removed"]
    assert (path.exists(), module.commands) == (False, ["systemctl disable --now frr.service"])


@pytest.mark.parametrize("state", ["restored", "removed"])
def test_the_file_of_somebody_elses_service_is_left_alone(folder, frr, state):
    module, path = frr
    vpn_checkpoint.opened(module, folder)
    path.write_text("router ospf")
    assert vpn_checkpoint.STATES[state](module, folder) == {"restored": []}
    assert (path.read_text(), module.commands) == ("router ospf", [])


def test_what_carried_nothing_before_is_not_what_the_change_has_broken(monkeypatch):
    """Of established conns those count whose other end answers, or that has no address known."""
    names = ["answers", "silent", "unasked"]
    conns = [_status.ConnStatus(name) for name in names]
    pings = [{"answered": True}, {"answered": False}, None]
    monkeypatch.setattr(_checkpoint_back._info, "device_of", lambda conn, devices: conn)
    monkeypatch.setattr(_checkpoint_back._info, "pings", lambda devices, seconds: pings)
    assert _checkpoint_back._answering(conns, []) == ("answers", "unasked")

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
    _checkpoint_owner,
    _checkpoint_run,
    _checkpoint_unit,
    _devices,
    _lock,
    _routes,
    _rules,
    _status,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError
from ansible_collections.route_based.vpn.plugins.modules import vpn_checkpoint
from fakes.module import run

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
    token="0" * 32,
    who="alice@laptop",
    run="a.run",
    since=1795471427.5,
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
        owner = {"token": "", "owner": "alice@laptop", "run": "", "take_over": ""}
        self.params = {**defaults, **owner, **params}
        self.commands = []

    def open(self, folder):
        """Opens a checkpoint, and has its token from then on."""
        result = _checkpoint_run.opened(self, folder)
        self.params["token"] = result["token"]
        return result

    def get_bin_path(self, _name, opt_dirs=None):
        return None

    def run_command(self, command):
        assert command[:2] == ["timeout", "-k"]
        command = command[4:]
        self.commands.append(" ".join(command))
        return 0, "", ""


@pytest.fixture(autouse=True)
def no_kernel(monkeypatch, tmp_path):
    monkeypatch.setattr(_checkpoint_back._pyroute2, "IMPORT_ERROR", "not there")
    for name in ("units", "booted"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(_checkpoint_unit, name.upper(), str(tmp_path / name))


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
    module.open(folder)
    changed.write_text("after")
    new.write_text("new")
    done = _checkpoint_run.restored(module, folder)["restored"]
    assert done == [f"file {changed}: as it was", f"file {new}: removed"]
    assert (changed.read_text(), stat.S_IMODE(changed.stat().st_mode), new.exists()) == ("before", 0o750, False)
    assert _checkpoint_run.restored(module, folder) == {"restored": []}


def test_an_open_checkpoint_stays_what_it_was(folder, tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)])
    first = module.open(folder)
    path.write_text("half-way")
    assert module.open(folder) == first
    _checkpoint_run.restored(module, folder)
    assert path.read_text() == "before"


def test_confirmed_keeps_the_change(folder, tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)])
    module.open(folder)
    path.write_text("after")
    _checkpoint_run.confirmed(module, folder)
    assert _checkpoint_run.restored(Module(), folder) == {"restored": []}
    assert path.read_text() == "after"


def test_nobody_confirms(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(_checkpoint_run, "LOOK", 0.01)
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)], rollback_after=1)
    module.open(folder)
    path.write_text("after")
    assert _checkpoint_run.watched(module, folder)["restored"] == [f"file {path}: as it was"]
    assert path.read_text() == "before"
    for late in (_checkpoint_run.confirmed, _checkpoint_run.extended):
        with pytest.raises(StoreError, match="went back by itself at .*, as nobody had confirmed"):
            late(module, folder)
    # Whoever was slow has changed something since.
    path.write_text("late")
    assert _checkpoint_run.restored(module, folder)["restored"] == [f"file {path}: as it was"]
    # The next run begins anew.
    after = Module(files=[str(path)])
    after.open(folder)
    _checkpoint_run.confirmed(after, folder)


def test_a_run_after_one_that_was_gone_back_from_notes_what_there_is_by_then(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(_checkpoint_run, "LOOK", 0.01)
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)], rollback_after=1)
    module.open(folder)
    _checkpoint_run.watched(module, folder)
    path.write_text("by hand")
    module = Module(files=[str(path)])
    module.open(folder)
    path.write_text("after")
    _checkpoint_run.restored(module, folder)
    assert path.read_text() == "by hand"


def test_more_time(folder):
    module = Module(rollback_after=600)
    with pytest.raises(StoreError, match="no open checkpoint that could be given more time"):
        _checkpoint_run.extended(module, folder)
    module.open(folder)
    before = folder.read().deadline
    module.params["rollback_after"] = 1200
    _checkpoint_run.extended(module, folder)
    assert folder.read().deadline > before + 500


def test_who_watches_ends_when_somebody_confirms(folder, monkeypatch):
    monkeypatch.setattr(_checkpoint_run, "LOOK", 0.01)
    module = Module(rollback_after=600)
    module.open(folder)
    results = []
    watch = threading.Thread(target=lambda: results.append(_checkpoint_run.watched(module, folder)))
    watch.start()
    time.sleep(0.1)
    assert watch.is_alive()
    _checkpoint_run.confirmed(module, folder)
    watch.join(5)
    assert results == [{"restored": []}]


def test_another_boot_has_another_clock(folder):
    late = dataclasses.replace(FULL, deadline=time.monotonic() + 600)
    assert late.expired
    here = dataclasses.replace(late, boot=_checkpoint.boot())
    assert not here.expired
    assert dataclasses.replace(here, deadline=0.1).expired
    assert not dataclasses.replace(late, deadline=0).expired


def test_what_fails_does_not_keep_the_rest_from_coming_back(folder, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)])
    module.open(folder)
    path.write_text("after")
    monkeypatch.setattr(_checkpoint_back.Back, "_devices_back", _fails)
    with pytest.raises(StoreError, match="could not go back all the way: no such device.*stays open"):
        _checkpoint_run.restored(module, folder)
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
    module.open(folder)
    path.write_text("ours")
    assert _checkpoint_run.restored(module, folder)["restored"] == [f"service frr.service: {path} as it was"]
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("stock", 0o640)
    assert module.commands == ["systemctl reload-or-restart frr.service"]


def test_a_service_that_was_not_there_is_stopped(folder, frr):
    module, path = frr
    module.open(folder)
    path.write_text("ours")
    done = _checkpoint_run.restored(module, folder)["restored"]
    assert done == [f"service frr.service: stopped, {path} removed"]
    assert (path.exists(), module.commands) == (False, ["systemctl disable --now frr.service"])


@pytest.mark.parametrize("state", ["restored", "removed"])
def test_the_file_of_somebody_elses_service_is_left_alone(folder, frr, state):
    module, path = frr
    module.open(folder)
    path.write_text("router ospf")
    assert _checkpoint_run.STATES[state](module, folder) == {"restored": []}
    assert (path.read_text(), module.commands) == ("router ospf", [])


def test_what_carried_nothing_before_is_not_what_the_change_has_broken(monkeypatch):
    """Of established conns those count whose other end answers, or that has no address known."""
    names = ["answers", "silent", "unasked"]
    conns = [_status.ConnStatus(name) for name in names]
    pings = [{"answered": True}, {"answered": False}, None]
    monkeypatch.setattr(_checkpoint_back._info, "device_of", lambda conn, devices: conn)
    monkeypatch.setattr(_checkpoint_back._info, "pings", lambda devices, seconds: pings)
    assert _checkpoint_back._answering(conns, []) == ("answers", "unasked")


class TestWhoseItIs:
    """Two runs at once: the second one is refused, and neither confirms or takes back what the other has changed."""

    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "file"
        path.write_text("before")
        return path

    @pytest.fixture
    def first(self, folder, file):
        """A run with an open checkpoint that has changed something."""
        module = Module(files=[str(file)], rollback_after=600, run="one.run")
        module.open(folder)
        file.write_text("of the first")
        return module

    @pytest.fixture
    def second(self, file):
        return Module(files=[str(file)], rollback_after=600, owner="bob@awx", run="another.run")

    @pytest.mark.parametrize("state", ["opened", "removed"])
    def test_another_run_is_refused_with_these_words(self, folder, file, first, second, state):
        words = (
            r"alice@laptop has a checkpoint open on this host since 20.*Z and has (599|600) s to confirm it; nothing"
        )
        with pytest.raises(StoreError, match=words) as caught:
            _checkpoint_run.STATES[state](second, folder)
        owner = caught.value.result["owner"]
        assert (owner["who"], owner["run"], "token" in owner) == ("alice@laptop", "one.run", False)
        assert file.read_text() == "of the first"
        _checkpoint_run.confirmed(first, folder)
        assert file.read_text() == "of the first"

    @pytest.mark.parametrize("state", ["extended", "confirmed", "restored"])
    @pytest.mark.parametrize("token", ["", "0" * 32])
    def test_nothing_is_done_without_the_token(self, folder, file, first, second, state, token):
        second.params["token"] = token
        with pytest.raises(StoreError, match="the checkpoint cannot be .*alice@laptop has a checkpoint open"):
            _checkpoint_run.STATES[state](second, folder)
        assert file.read_text() == "of the first"
        assert folder.read().token == first.params["token"]

    @pytest.mark.parametrize("way", ["boot", "deadline"])
    def test_one_whose_run_is_dead_is_taken_over_with_what_it_noted(self, folder, file, first, second, way):
        found = folder.read()
        folder.write(dataclasses.replace(found, **{way: "another boot" if way == "boot" else 0.1}))
        second.open(folder)
        with pytest.raises(StoreError, match="another run has taken it over; bob@awx has"):
            _checkpoint_run.confirmed(first, folder)
        with pytest.raises(StoreError, match="cannot be restored"):
            _checkpoint_run.restored(first, folder)
        _checkpoint_run.restored(second, folder)
        assert file.read_text() == "before"

    @pytest.mark.parametrize("take_over", ["one.run", "any"])
    def test_one_is_taken_over_by_whoever_names_its_run(self, folder, first, second, take_over):
        for other in ("another.run", ""):
            second.params["take_over"] = other
            with pytest.raises(StoreError, match="take_over=one.run"):
                second.open(folder)
        second.params["take_over"] = take_over
        second.open(folder)
        assert folder.read().who == "bob@awx"

    def test_whoever_watches_goes_on_when_it_is_taken_over(self, folder, file, first, second, monkeypatch):
        monkeypatch.setattr(_checkpoint_run, "LOOK", 0.01)
        results = []
        watch = threading.Thread(target=lambda: results.append(_checkpoint_run.watched(first, folder)))
        watch.start()
        second.params.update(take_over="any", rollback_after=1)
        second.open(folder)
        watch.join(5)
        assert results == [{"restored": [f"file {file}: as it was"]}]

    def test_a_change_that_another_run_has_closed_is_not_told_to_be_kept_or_taken_back(self, folder, first, second):
        second.params["take_over"] = "any"
        second.open(folder)
        _checkpoint_run.confirmed(second, folder)
        with pytest.raises(StoreError, match="no open checkpoint that could be confirmed: another run, or a person"):
            _checkpoint_run.confirmed(first, folder)
        with pytest.raises(StoreError, match="is not open any more, and nothing was brought back"):
            _checkpoint_run.restored(first, folder)

    @pytest.mark.parametrize("state", ["confirmed", "restored"])
    def test_an_answer_that_was_lost_on_its_way_is_given_again(self, folder, first, state):
        _checkpoint_run.STATES[state](first, folder)
        assert _checkpoint_run.STATES[state](first, folder) in ({}, {"restored": []})
        with pytest.raises(StoreError):
            _checkpoint_run.STATES["restored" if state == "confirmed" else "confirmed"](first, folder)

    def test_two_that_come_at_once(self, folder, file):
        """One of them has it, whatever the order."""
        modules = [Module(files=[str(file)], rollback_after=600, owner=f"run {n}") for n in range(8)]
        opened, refused = [], []

        def attempt(module):
            try:
                opened.append(_checkpoint_run.opened(module, folder)["token"])
            except StoreError as exc:
                refused.append(str(exc))

        threads = [threading.Thread(target=attempt, args=[module]) for module in modules]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(opened), len(refused)) == (1, 7)
        assert folder.read().token == opened[0]

    def test_names_are_shown_as_one_line(self):
        assert _checkpoint_owner.shown("a\x1b[31m\nb\u202e") == "a?[31m?b?"
        assert len(_checkpoint_owner.shown("x" * 1000)) == 100


def test_main_gives_the_token_and_names_the_owner(monkeypatch, tmp_path):
    given = {"folder": str(tmp_path / "vpn"), "path": str(tmp_path / "x.conf"), "files": []}
    monkeypatch.setattr(_checkpoint_back._pluto, "is_installed", lambda _module: False)
    monkeypatch.setattr(_checkpoint_unit, "_systemctl", lambda *_arguments: (0, "", ""))
    first = run(monkeypatch, vpn_checkpoint, state="opened", owner="alice", run="one.run", rollback_after=60, **given)
    assert _checkpoint_owner.TOKEN.fullmatch(first["token"])
    second = run(monkeypatch, vpn_checkpoint, state="opened", owner="bob", rollback_after=60, **given)
    assert (second["failed"], second["owner"]["run"]) == (True, "one.run")
    bad = run(monkeypatch, vpn_checkpoint, state="confirmed", token="x; rm", **given)
    assert "token='x; rm': must match" in bad["msg"]
    assert not run(monkeypatch, vpn_checkpoint, state="confirmed", token=first["token"], **given).get("failed")


def test_what_the_kernel_does_alone_comes_back_before_pluto_is_asked(folder, monkeypatch):
    module = Module()
    module.open(folder)
    order = []
    for step in ("files_back", "firewall_back", "devices_back", "routes_back", "conns_back", "services_back"):
        monkeypatch.setattr(_checkpoint_back.Back, f"_{step}", lambda _self, step=step: order.append(step))
    _checkpoint_run.restored(module, folder)
    assert order == ["files_back", "firewall_back", "devices_back", "routes_back", "conns_back", "services_back"]


def test_a_watcher_tries_again_where_pluto_hangs_and_the_rest_is_back_at_once(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(_checkpoint_run, "LOOK", 0.01)
    monkeypatch.setattr(_checkpoint_run, "RETRY", 0.01)
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)], rollback_after=1)
    module.open(folder)
    path.write_text("after")
    seen = []

    def hangs(_self):
        seen.append(path.read_text())
        if len(seen) < 3:
            raise StoreError("pluto does not answer")

    monkeypatch.setattr(_checkpoint_back.Back, "_conns_back", hangs)
    _checkpoint_run.watched(module, folder)
    assert seen == ["before"] * 3
    assert folder.gone_back()


def test_a_full_disk_keeps_nobody_from_going_back(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(_checkpoint_run, "LOOK", 0.01)
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)], rollback_after=1)
    module.open(folder)
    path.write_text("after")
    replace = _checkpoint._files.replace

    def full(target, text):
        if str(target).startswith(folder.path):
            raise OSError(28, "No space left on device")
        replace(target, text)

    monkeypatch.setattr(_checkpoint._files, "replace", full)
    assert _checkpoint_run.watched(module, folder)["restored"] == [f"file {path}: as it was"]
    with pytest.raises(StoreError, match="went back by itself at 20.*Z"):
        _checkpoint_run.confirmed(module, folder)


@pytest.mark.parametrize("state", ["confirmed", "extended"])
def test_what_comes_in_the_last_moment_counts(folder, tmp_path, monkeypatch, state):
    """While who watches waits for the lock, its owner keeps the change, or has more time for it."""
    monkeypatch.setattr(_checkpoint_run, "LOOK", 5.0)
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)], rollback_after=1)
    module.open(folder)
    path.write_text("after")
    found = folder.read()
    folder.write(dataclasses.replace(found, deadline=time.monotonic() - 1))
    results = []
    with _lock.held("vpn_checkpoint"):
        watch = threading.Thread(target=lambda: results.append(_checkpoint_run._back_if_expired(module, folder)))
        watch.start()
        time.sleep(0.2)
        if state == "confirmed":
            folder.close(module.params["token"], "confirmed")
        else:
            folder.write(dataclasses.replace(found, deadline=time.monotonic() + 600))
    watch.join(10)
    assert (results, path.read_text(), folder.gone_back()) == ([None], "after", "")


def test_a_module_that_has_the_lock_is_waited_for_by_the_watcher(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(_checkpoint_run, "LOOK", 0.01)
    path = tmp_path / "file"
    path.write_text("before")
    module = Module(files=[str(path)], rollback_after=1)
    module.open(folder)
    path.write_text("after")
    results = []
    with _lock.held("ipsec_conn"):
        watch = threading.Thread(target=lambda: results.append(_checkpoint_run.watched(module, folder)))
        watch.start()
        time.sleep(1.3)
        assert (results, path.read_text()) == ([], "after")
    watch.join(5)
    assert path.read_text() == "before"

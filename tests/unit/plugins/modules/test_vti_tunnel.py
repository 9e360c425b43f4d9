# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import sys

import pytest
import yaml
from ansible.module_utils.common import respawn
from ansible_collections.route_based.vpn.plugins.module_utils import _deps, _devices, _pyroute2
from ansible_collections.route_based.vpn.plugins.modules import vti_tunnel
from fakes.kernel import FakeKernel, device
from fakes.module import call, run, twice

WEST = {"name": "west", "local": "192.0.2.1", "remote": "192.0.2.2", "key": "12"}
EAST = {
    "name": "east",
    "local": "192.0.2.1",
    "remote": "192.0.2.3",
    "key": 13,
    "addresses": [{"address": "10.9.0.1/24"}],
}


def test_create(monkeypatch):
    kernel = FakeKernel()
    result = twice(monkeypatch, vti_tunnel, kernel, tunnels=[WEST, EAST])
    assert [(entry["name"], entry["action"]) for entry in result["tunnels"]] == [
        ("west", "created"),
        ("east", "created"),
    ]
    assert result["diff"]["before"] == {}
    assert result["diff"]["after"]["east"]["addresses"] == ["10.9.0.1/24"]
    assert kernel.devices["west"].enabled


@pytest.mark.parametrize(
    ("change", "action"),
    [
        ({"key": 99}, "updated"),
        ({"key": None, "ikey": WEST["key"], "okey": 99}, "updated"),
        ({"key": None, "ikey": 99, "okey": WEST["key"]}, "updated"),
        ({"mtu": 1300}, "updated"),
        ({"parent": "eth0"}, "updated"),
        ({"enabled": False}, "updated"),
        ({"sysctls": {"rp_filter": 2}}, "updated"),
        ({"addresses": [{"address": "fd00::1/64"}]}, "updated"),
        ({"remote": "any"}, "recreated"),
        ({"state": "absent"}, "removed"),
    ],
    ids=str,
)
def test_change(monkeypatch, change, action):
    kernel = FakeKernel()
    twice(monkeypatch, vti_tunnel, kernel, tunnels=[WEST])
    result = twice(monkeypatch, vti_tunnel, kernel, tunnels=[{**WEST, **change}])
    assert [entry["action"] for entry in result["tunnels"]] == [action]
    assert result["tunnels"][0]["reasons"]


def test_purge(monkeypatch):
    kernel = FakeKernel([device(name="theirs", remote="192.0.2.9", key=1, alias="")])
    twice(monkeypatch, vti_tunnel, kernel, tunnels=[WEST, EAST])
    result = twice(monkeypatch, vti_tunnel, kernel, tunnels=[EAST], purge=True)
    assert [(entry["name"], entry["action"]) for entry in result["tunnels"]][1] == ("west", "removed")
    assert set(kernel.devices) == {"theirs", "east"}


def test_bad_input_is_refused_before_anything_is_read(monkeypatch):
    result = call(monkeypatch, vti_tunnel, None, tunnels=[{**WEST, "key": 0}, {**EAST, "mtu": 1}])
    assert result["failed"]
    assert [error.split(":")[0] for error in result["errors"]] == ["tunnels[0] (west)", "tunnels[1] (east)"]
    assert all(error in result["msg"] for error in result["errors"])


def test_device_in_the_way_is_refused_before_anything_is_written(monkeypatch):
    kernel = FakeKernel(others={"east": "bridge"}, read_only=True)
    result = call(monkeypatch, vti_tunnel, kernel, tunnels=[WEST, EAST])
    assert result["failed"]
    assert "kind bridge" in result["errors"][0]


def test_failure_half_way_says_what_was_done_and_what_was_not(monkeypatch):
    others = [{**WEST, "name": f"more{number}", "remote": f"198.51.100.{number + 1}"} for number in range(40)]
    kernel = FakeKernel(fail_on="ip address add 10.9.0.1/24")
    result = call(monkeypatch, vti_tunnel, kernel, tunnels=[WEST, EAST, *others])
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["failed_item"]["name"] == "east"
    assert result["failed_item"]["steps_left"] == ["ip address add 10.9.0.1/24 dev east"]
    assert len(result["failed_item"]["steps_done"]) == 2
    assert "east could not be created" in result["msg"]
    assert "Done: west, more0" in result["msg"]
    # What is in one batch with the failed write is done; nothing is tried after it.
    done, not_done = ({entry["name"] for entry in result[key]} for key in ("done", "not_done"))
    assert "more39" in not_done
    assert done == {name for name, live in kernel.devices.items() if live.enabled} - {"east"}
    assert done | not_done == {"west"} | {other["name"] for other in others}
    kernel.fail_on = ""
    finished = twice(monkeypatch, vti_tunnel, kernel, tunnels=[WEST, EAST, *others])
    assert [entry["action"] for entry in finished["tunnels"]][:2] == ["kept", "updated"]


def test_every_failure_of_a_batch_is_told(monkeypatch):
    result = call(monkeypatch, vti_tunnel, FakeKernel(fail_on="ip link add"), tunnels=[WEST, EAST])
    assert (result["changed"], result["done"]) == (False, [])
    assert result["failed_item"]["name"] == "west"
    assert "ip link add east" in result["not_done"][0]["error"]
    assert "Done: nothing." in result["msg"]


def test_warning(monkeypatch):
    result = call(monkeypatch, vti_tunnel, FakeKernel(rp_filter_all=1), tunnels=[WEST])
    assert "rp_filter 0 of west has no effect" in str(result["warnings"])


def test_examples_are_good_input():
    for task in yaml.safe_load(vti_tunnel.EXAMPLES):
        _devices.from_params(task["route_based.vpn.vti_tunnel"]["tunnels"])


def test_documented_sysctls_are_the_ones_there_are():
    text = " ".join(
        yaml.safe_load(vti_tunnel.DOCUMENTATION)["options"]["tunnels"]["suboptions"]["sysctls"]["description"]
    )
    assert all(f"C({name})" in text for name in _devices.SYSCTLS)


class TestPyroute2:
    def test_missing(self, monkeypatch):
        monkeypatch.setattr(_pyroute2, "IMPORT_ERROR", "ImportError")
        monkeypatch.setattr(_deps, "probe_interpreters_for_module", lambda *_arguments: None)
        result = run(monkeypatch, vti_tunnel, tunnels=[WEST])
        assert "pyroute2 >= 0.7.2" in result["msg"]
        assert "python3-pyroute2" in result["msg"]

    def test_in_another_python(self, monkeypatch):
        def respawn(interpreter):
            print(f'{{"python": "{interpreter}"}}')
            raise SystemExit

        monkeypatch.setattr(_pyroute2, "IMPORT_ERROR", "ImportError")
        monkeypatch.setattr(_deps, "probe_interpreters_for_module", lambda *_arguments: "/usr/bin/python3")
        monkeypatch.setattr(_deps, "respawn_module", respawn)
        assert run(monkeypatch, vti_tunnel, tunnels=[WEST])["python"] == "/usr/bin/python3"

    def test_long_arguments_are_handed_to_another_python(self, monkeypatch, tmp_path):
        """ansible-core's own way is to write them into a pipe that nobody reads yet, of 64 KiB."""
        monkeypatch.setattr(_pyroute2, "IMPORT_ERROR", "ImportError")
        monkeypatch.setattr(_deps, "probe_interpreters_for_module", lambda *_arguments: sys.executable)
        payload = f"import pathlib; pathlib.Path({str(tmp_path / 'size')!r}).write_text(str(len({'x' * 300_000!r})))"
        if hasattr(respawn, "_respawn"):
            monkeypatch.setattr(respawn._respawn, "create_payload", lambda: payload)
        else:
            monkeypatch.setattr(respawn, "_create_payload", lambda: payload)
        pipe = os.pipe
        run(monkeypatch, vti_tunnel, silent=True, tunnels=[WEST])
        assert (tmp_path / "size").read_text() == "300000"
        assert os.pipe is pipe

    @pytest.mark.parametrize("version", ["0.6.13", "0.7.1", "0.5"])
    def test_too_old(self, monkeypatch, version):
        monkeypatch.setattr(_pyroute2, "IMPORT_ERROR", None)
        monkeypatch.setattr(_pyroute2, "installed", lambda: (version, "/usr/lib/pyroute2.py"))
        result = run(monkeypatch, vti_tunnel, tunnels=[WEST])
        assert f"/usr/lib/pyroute2.py is version {version}" in result["msg"]

    @pytest.mark.parametrize("version", ["0.7.2", "0.7.2.post1", "0.9.7", "0.10", "1.0", "unknown"])
    def test_new_enough(self, monkeypatch, version):
        monkeypatch.setattr(_pyroute2, "IMPORT_ERROR", None)
        monkeypatch.setattr(_pyroute2, "installed", lambda: (version, ""))
        assert _deps.require_pyroute2(None) is None

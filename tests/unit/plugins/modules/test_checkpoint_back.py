# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back of a whole gateway: each kind of thing that a change has made, changed or taken away."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _checkpoint,
    _checkpoint_back,
    _checkpoint_run,
    _checkpoint_unit,
    _devices,
    _routes,
    _rules,
)
from fakes import conns
from fakes.kernel import FakeKernel, device, route

ONE = device(name="vti1", kind="vti", local="192.0.2.1", remote="192.0.2.2", key=1, addresses=["10.0.0.1/30"], mtu=1400)
TWO = dataclasses.replace(ONE, name="vti2", remote="192.0.2.3", ikey=2, okey=2, addresses=())
ROUTE = _routes.Route("10.1.0.0/16", device="vti1", protocol=_routes.PROTOCOL)
OTHER = dataclasses.replace(ROUTE, destination="10.2.0.0/16")
RULE = _rules.Rule(7000, destination="10.1.0.0/16", table=77)


class Gateway:
    """A kernel, a pluto, a firewall's program, systemd and files, of which none is real."""

    check_mode = False

    def __init__(self, root: Path, host: conns.Host) -> None:
        self.host = host
        self.kernel = FakeKernel([ONE], routes=[ROUTE], rules=[RULE])
        self.folder = _checkpoint.Folder(str(root / "vpn"))
        self.folder.make()
        self.unit = root / "units/new.service"
        self.table = root / "firewall.nft"
        (root / "firewall").write_text("the program")
        self.loaded = "old table"
        self.commands: list[str] = []
        self.tmpdir = str(root / "tmp")
        self.warn = host.warnings.append
        self.params: dict[str, t.Any] = {
            **{"token": "", "owner": "alice", "run": "", "take_over": "", "rollback_after": 0, "services": []},
            **{"path": str(host.path), "firewall": str(root / "firewall"), "files": [str(self.table), str(self.unit)]},
        }

    def get_bin_path(self, name: str, **_more: t.Any) -> str:
        return f"/usr/sbin/{name}"

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        words = command[4:]
        if words[0] in ("ipsec", "sh", "journalctl"):
            return self.host.pluto.run(command)
        self.commands.append(" ".join(words))
        if words[-1] != str(self.table) or self.loaded == self.table.read_text():
            return 0, "", ""
        self.loaded = self.loaded if "--check" in words else self.table.read_text()
        return 0, "loaded table", ""

    def call(self, state: str) -> dict[str, t.Any]:
        result = _checkpoint_run.STATES[state](self, self.folder)
        self.params["token"] = result.get("token", self.params["token"])
        return result

    def change(self) -> None:
        """Something of each kind."""
        self.host.run(content=conns.text(1, 3, life="9h"), secrets=[{"ids": ["@a", "@b"], "psk": "another one"}])
        changed = dataclasses.replace(self.kernel.devices["vti1"], okey=9, addresses=())
        new = dataclasses.replace(TWO, index=99)
        self.kernel.devices = {"vti1": changed, "vti2": new}
        self.kernel.tables.routes = [OTHER]
        self.kernel.tables.rules.remove(RULE)
        self.kernel.tables.rules.append(dataclasses.replace(RULE, priority=7001))
        self.table.write_text("new table")
        self.loaded = "new table"
        self.unit.write_text("[Unit]\n")

    def state(self) -> tuple[t.Any, ...]:
        """All that there is, without what is another one each time."""
        devices = {name: dataclasses.replace(live, index=0) for name, live in self.kernel.devices.items()}
        files = [path.read_text() if path.exists() else None for path in (self.table, self.unit, self.host.path)]
        return devices, self.kernel.routes, sorted(map(str, self.kernel.rules)), files, sorted(self.host.pluto.conns)


@pytest.fixture
def gateway(tmp_path: Path, host: conns.Host, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """One with a tunnel, whose firewall has a table."""
    monkeypatch.setattr(_checkpoint_unit, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(_checkpoint_back, "UNITS", f"{tmp_path}/units/")
    monkeypatch.setattr(_checkpoint_back, "_answering", lambda found, devices: ())
    (tmp_path / "units").mkdir()
    made = Gateway(tmp_path, host)
    monkeypatch.setattr(_checkpoint_back._netlink, "Netlink", lambda: made.kernel)
    monkeypatch.setattr(_checkpoint_back._pyroute2, "IMPORT_ERROR", None)
    made.table.write_text("old table")
    host.run(content=conns.text(1, 2), secrets=conns.SECRETS)
    return made


def test_all_of_a_change_goes_back(gateway: Gateway) -> None:
    before, secrets = gateway.state(), gateway.host.secrets.read_text()
    gateway.call("opened")
    gateway.change()
    done = gateway.call("restored")["restored"]
    assert gateway.state() == before
    assert gateway.host.secrets.read_text() == secrets
    assert sorted(gateway.host.pluto.conns) == ["c1", "c2"]
    # Each is told, and the table is loaded by its program.
    for kind in (
        "device vti1",
        "device vti2",
        "route 10.1.0.0/16",
        "conn c1",
        "conn c2",
        "conn c3",
        "secrets",
        "firewall",
    ):
        assert [line for line in done if line.startswith(kind)], (kind, done)
    assert f"{gateway.params['firewall']} {gateway.table}" in gateway.commands


def test_a_unit_that_the_change_made_is_disabled_before_it_goes(gateway: Gateway) -> None:
    gateway.call("opened")
    gateway.change()
    gateway.call("restored")
    assert gateway.commands[-2:] == ["systemctl disable new.service", "systemctl daemon-reload"]


def test_settings_of_a_unit_are_no_unit(gateway: Gateway) -> None:
    settings = gateway.unit.parent / "ipsec.service.d/limits.conf"
    gateway.params["files"] += [str(settings), str(settings.parent)]
    gateway.call("opened")
    settings.parent.mkdir(parents=True)
    settings.write_text("[Service]")
    gateway.call("restored")
    assert not settings.parent.exists()
    assert gateway.commands[-1:] == ["systemctl daemon-reload"]
    assert [command for command in gateway.commands if "disable" in command] == []


def test_check_mode_foretells_it_and_does_nothing(gateway: Gateway) -> None:
    gateway.call("opened")
    gateway.change()
    changed = gateway.state()
    gateway.check_mode = gateway.kernel.read_only = True
    gateway.commands.clear()
    foretold = gateway.call("restored")["restored"]
    assert gateway.state() == changed
    assert [command for command in gateway.commands if "--check" not in command] == []
    gateway.check_mode = gateway.kernel.read_only = False
    done = gateway.call("restored")["restored"]
    assert [line.partition(": ")[0] for line in done] == [line.partition(": ")[0] for line in foretold]


def test_a_table_that_the_change_made_is_removed(gateway: Gateway) -> None:
    gateway.table.unlink()
    gateway.call("opened")
    gateway.change()
    assert "firewall: removed" in gateway.call("restored")["restored"]
    assert f"{gateway.params['firewall']} --remove" in gateway.commands
    assert not gateway.table.exists()


def test_what_others_have_is_left_alone(gateway: Gateway) -> None:
    """A device without our mark, and a route and a rule of another protocol, made meanwhile."""
    gateway.call("opened")
    theirs = dataclasses.replace(TWO, alias="theirs", group=0, index=98)
    route = dataclasses.replace(OTHER, protocol=4, destination="10.3.0.0/16")
    rule = dataclasses.replace(RULE, protocol=4, priority=500)
    gateway.kernel.devices["vti2"] = theirs
    gateway.kernel.tables.routes.append(route)
    gateway.kernel.tables.rules.append(rule)
    assert gateway.call("restored")["restored"] == []
    assert gateway.kernel.devices["vti2"] == theirs
    assert route in gateway.kernel.routes
    assert rule in gateway.kernel.rules


def test_an_unnumbered_device_goes_back(gateway: Gateway) -> None:
    """To its address on another device, which the change had put on the device itself."""
    inner = device(name="vpn-inner", kind="dummy", addresses=["10.255.0.1/32"], alias=_devices.ALIAS)
    numbered = gateway.kernel.devices["vti1"]
    peer = route(destination="10.255.0.2/32", device="vti1", source="10.255.0.1", protocol=158)
    gateway.kernel.devices["vpn-inner"] = dataclasses.replace(inner, index=50)
    gateway.kernel.devices["vti1"] = dataclasses.replace(numbered, addresses=())
    gateway.kernel.tables.routes = [*gateway.kernel.tables.routes, peer]
    before = set(gateway.kernel.routes)
    gateway.call("opened")
    gateway.kernel.devices["vti1"] = dataclasses.replace(
        numbered, addresses=(_devices.Inner("10.255.0.1/32", "10.255.0.2"),)
    )
    del gateway.kernel.devices["vpn-inner"]
    gateway.kernel.tables.routes.remove(peer)
    done = gateway.call("restored")["restored"]
    assert set(gateway.kernel.routes) == before
    assert {name: [str(inner) for inner in live.addresses] for name, live in gateway.kernel.devices.items()} == {
        "vpn-inner": ["10.255.0.1/32"],
        "vti1": [],
    }
    assert [line for line in done if line.startswith("device vpn-inner")]

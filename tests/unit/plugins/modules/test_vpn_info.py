# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _devices,
    _firewall_state,
    _info,
    _main_conf,
    _ping,
    _pluto,
    _routes,
    _status,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError
from ansible_collections.route_based.vpn.plugins.modules import vpn_info
from fakes.module import taken
from fakes.pluto import VERSIONS, FakePluto

ENDS = {"left": "192.0.2.1", "right": "192.0.2.2", "mark": "5/0xffffffff"}
PAIR = (_devices.Inner("10.99.0.1/32", "10.99.0.2"),)
VTI = _devices.Device("vti5", local="192.0.2.1", remote="192.0.2.2", ikey=5, okey=5, mtu=1400, index=7, addresses=PAIR)
ROUTE = _routes.Route("10.0.0.0/8", device="vti5")


class FakeKernel:
    """What vpn_info reads from netlink."""

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        pass

    def info(self):
        routes = (ROUTE, _routes.Route("fe80::/64", device="vti5"), _routes.Route("10.7.0.0/16", protocol=4))
        return _info.Kernel((VTI,), routes, {"vti5": "red"}, {"vti5": {"rx_bytes": 7}})


@pytest.fixture(params=VERSIONS)
def fake(request, tmp_path, monkeypatch):
    fake = FakePluto(tmp_path, request.param)
    for name in ("a", "b"):
        fake.load(name, ENDS if name == "a" else {**ENDS, "mark": "6/0xffffffff"})
    monkeypatch.setattr(vpn_info._deps, "require_pyroute2", lambda module: None)
    monkeypatch.setattr(vpn_info._netlink, "Netlink", FakeKernel)
    monkeypatch.setattr(_pluto, "PID_FILE", str(tmp_path / "none"))
    return fake


@pytest.fixture
def run(fake, monkeypatch, capsys):
    def run(**params):
        arguments = {"ANSIBLE_MODULE_ARGS": {**params, "_ansible_check_mode": True}}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(arguments).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, args: fake.run(args))
        with pytest.raises(SystemExit):
            vpn_info.main()
        return taken(vpn_info, json.loads(capsys.readouterr().out))

    return run


def test_all_conns_joined_with_device_and_routes(run, fake):
    fake.conns["a"].up = True
    result = run()
    assert not result["changed"]
    first, second = result["conns"]
    assert (first["name"], first["established"], first["since"]) == ("a", True, 1001)
    assert (first["in_bytes"], first["out_bytes"]) == (84, 168)
    assert (first["local"], first["remote"], first["mark_out"]) == ("192.0.2.1", "192.0.2.2", "5/0xffffffff")
    assert (first["device"]["name"], first["device"]["mtu"], first["device"]["okey"]) == ("vti5", 1400, 5)
    assert [route["destination"] for route in first["routes"]] == ["10.0.0.0/8"]
    assert (second["name"], second["established"], second["since"]) == ("b", False, None)
    assert second["device"] is None
    assert fake.writes == []


def test_devices_and_routes(run, fake):
    result = run(names=["b", "a"])
    (device,) = result["devices"]
    assert (device["name"], device["master"], device["counters"]) == ("vti5", "red", {"rx_bytes": 7})
    assert (device["conns"], device["remote"]) == (["a"], "192.0.2.2")
    assert [route["destination"] for route in result["routes"]] == ["10.0.0.0/8"]


def test_without_names_pluto_is_not_asked(run, fake):
    result = run(names=[])
    assert [call for call in fake.calls if "ipsec" in call] == []
    assert (result["conns"], len(result["devices"])) == ([], 1)


def test_the_last_error_of_the_log(run, fake):
    fake.log = '1795493567.1 gw pluto[9]: "a" #1: authentication failed: no PSK found\n'
    first, second = run(names=["a", "b"])["conns"]
    assert (first["last_error"], first["last_error_at"]) == ("authentication failed: no PSK found", 1795493567)
    assert (second["last_error"], second["last_error_at"]) == (None, None)
    assert run(names=["a"], log_seconds=0)["conns"][0]["last_error"] is None


def test_a_log_file_of_plutos_own(run, fake, monkeypatch, tmp_path):
    (tmp_path / "pluto.log").write_text('Nov 24 05:00:00.1: "a" #1: authentication failed: no PSK found\n')
    (tmp_path / "main.conf").write_text(f"config setup\n  logfile={tmp_path}/pluto.log\n")
    monkeypatch.setattr(_main_conf, "MAIN", str(tmp_path / "main.conf"))
    assert run(names=["a"])["conns"][0]["last_error"] == "authentication failed: no PSK found"


def test_peers_are_asked_through_their_devices(run, fake, monkeypatch):
    asked = []

    def ping(targets, seconds):
        asked.append((list(targets), seconds))
        return dict.fromkeys(asked[-1][0], 12.5) if seconds > 1 else {}

    monkeypatch.setattr(_ping, "ping", ping)
    first, second = run(ping=3)["conns"]
    assert first["ping"] == {"address": "10.99.0.2", "answered": True, "ms": 12.5}
    assert second["ping"] is None
    assert asked == [([_ping.Target(7, "10.99.0.1", "10.99.0.2")], 3.0)]
    assert run(ping=0.5)["conns"][0]["ping"] == {"address": "10.99.0.2", "answered": False, "ms": None}


def test_nobody_is_asked_by_default(run, fake, monkeypatch):
    monkeypatch.setattr(_ping, "_socket", None)
    assert [conn["ping"] for conn in run()["conns"]] == [None, None]


@pytest.fixture
def firewall(tmp_path):
    """A program that prints what is in the file state, and its table beside it."""
    program = tmp_path / "firewall"
    program.write_text("")
    program.chmod(0o755)
    (tmp_path / "firewall.nft").write_text("table")
    return program


@pytest.mark.parametrize(
    ("said", "watched", "state", "problems"),
    [
        ("loaded", True, "loaded", []),
        ("loaded", False, "loaded", ["does not run, so the nftables table stays away"]),
        ("missing", True, "missing", ["table inet route_based_vpn is missing: nothing holds back clear packets"]),
        ("missing", False, "missing", ["is missing", "does not run"]),
        ("changed", True, "changed", ["was changed by something else than the role"]),
        ("outdated", True, "outdated", ["is older than its file"]),
        ("unknown", True, "unknown", ["cannot be compared"]),
        ("anything\nelse", True, "unknown", ["cannot be compared"]),
        ("", True, "unknown", ["cannot be compared"]),
    ],
)
def test_a_missing_or_changed_table_is_a_problem(run, fake, firewall, monkeypatch, said, watched, state, problems):
    plain = fake.run

    def command(args):
        if args[0] == str(firewall):
            assert args[1:] == ["--state", f"{firewall}.nft"]
            return (0 if said else 1), f"{said}\n", ""
        if args[0] == "systemctl":
            assert args[-1] == _firewall_state.WATCH
            return (0 if watched else 3), "", ""
        return plain(args)

    monkeypatch.setattr(fake, "run", command)
    found = run(names=[], firewall=str(firewall))["firewall"]
    assert (found["state"], found["watched"], len(found["problems"])) == (state, watched, len(problems))
    for text, problem in zip(problems, found["problems"], strict=True):
        assert text in problem
        assert "run the playbook site" in problem


def test_without_the_roles_firewall_there_is_nothing_to_tell(run, tmp_path):
    assert run(names=[], firewall=str(tmp_path / "none"))["firewall"] is None


def test_a_table_without_its_program_is_a_problem(run, fake, firewall, monkeypatch):
    firewall.unlink()
    monkeypatch.setattr(fake, "run", lambda args: (3, "", ""))
    found = run(names=[], firewall=str(firewall))["firewall"]
    assert (found["state"], found["watched"], len(found["problems"])) == ("unknown", False, 2)


def test_names_are_shown_in_their_order_loaded_or_not(run):
    conns = run(names=["b", "nosuch"])["conns"]
    assert [(conn["name"], conn["loaded"]) for conn in conns] == [("b", True), ("nosuch", False)]
    assert run(names=[])["conns"] == []


def test_every_documented_field_is_returned(run, fake, monkeypatch):
    import yaml

    fake.conns["a"].up = True
    monkeypatch.setattr(_ping, "ping", lambda targets, seconds: {})
    documented = yaml.safe_load(vpn_info.RETURN)["conns"]["contains"]
    found = run(ping=1)["conns"][0]
    assert set(found["ping"]) == set(documented["ping"]["contains"])
    assert set(found) == set(documented)
    assert set(found["device"]) == set(documented["device"]["contains"])
    assert set(found["sas"][0]) == set(documented["sas"]["sample"][0])


def test_every_documented_field_of_the_firewall_is_returned(run, firewall):
    import yaml

    documented = yaml.safe_load(vpn_info.RETURN)["firewall"]["contains"]
    assert set(_firewall_state.look(lambda args: (0, "loaded", ""), str(firewall))) == set(documented)


def test_a_pluto_that_would_not_survive_a_restart(run, fake):
    import yaml

    links = [{"ifname": f"d{n}", "flags": ["UP"], "addr_info": [{"local": "10.255.0.1"}]} for n in range(60)]
    fake.told = {"ip": (0, json.dumps(links), ""), "systemctl": (0, "LimitNOFILESoft=1024\n", "")}
    found = run()["restart"]
    assert set(found) == set(yaml.safe_load(vpn_info.RETURN)["restart"]["contains"])
    assert (found["addresses"], found["open_files"]) == (1, 1024)
    assert ["60 devices have the address" in text for text in found["problems"]] == [True] * (fake.version == "5.2")


def test_waiting_fails_at_once_for_a_conn_that_is_not_loaded(run):
    result = run(names=["a", "nosuch"], wait_established=60)
    assert result["failed"]
    assert result["msg"] == "not loaded in pluto: nosuch"


def test_pluto_that_does_not_run(run, fake):
    fake.running = False
    assert "pluto is not running" in run()["msg"]


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self, fake, up_at: float) -> None:
        self.now, self.fake, self.up_at = 0.0, fake, up_at

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        self.fake.conns["a"].up = self.now >= self.up_at


def test_waiting(fake):
    clock = Clock(fake, 3)
    _info.wait(_pluto.Pluto(fake.run), ["a"], 10, clock, clock.sleep)
    assert 3 <= clock.now < 4


def test_waiting_in_vain_names_who_and_why(fake):
    clock = Clock(fake, 3)
    with pytest.raises(StoreError, match=r"not established after 10 s: b \(pluto is not at it; 192\.0\.2\.2"):
        _info.wait(_pluto.Pluto(fake.run), None, 10, clock, clock.sleep)


def test_nobody_waits_for_a_template(fake):
    del fake.conns["a"], fake.conns["b"]
    fake.load("any", {"left": "192.0.2.1", "right": "%any"})
    _info.wait(_pluto.Pluto(fake.run), ["any"], 10, lambda: 0.0, lambda seconds: pytest.fail("slept"))


def conn_with(**fields) -> _status.ConnStatus:
    return _status.ConnStatus("c", {"c": _status.Part(local="192.0.2.1", remote="192.0.2.2", **fields)})


def test_the_device_is_the_named_one_or_the_one_with_the_marks():
    other = _devices.Device("vti6", local="192.0.2.9", remote="192.0.2.8", ikey=5, okey=5)
    marks = {"mark_in": "5/0xffffffff", "mark_out": "5/0xffffffff"}
    assert _info.device_of(conn_with(interface="vti6", **marks), [VTI, other]) is other
    assert _info.device_of(conn_with(interface="gone", **marks), [VTI, other]) is None
    assert _info.device_of(conn_with(**marks), [other, VTI]) is VTI
    assert _info.device_of(conn_with(**marks), [other]) is other
    assert _info.device_of(conn_with(mark_in="5/0xffffffff", mark_out="7/0xffffffff"), [VTI]) is None
    assert _info.device_of(conn_with(), [VTI]) is None

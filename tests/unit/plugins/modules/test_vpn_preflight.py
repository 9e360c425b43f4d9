# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as a whole, on a host of files and programs made up; test_preflight.py has each check."""

from __future__ import annotations

import functools
import json
import os
import time

import pytest
import yaml
from ansible.module_utils import basic
from ansible_collections.route_based.vpn.plugins.module_utils import _files, _limits, _main_conf, _preflight, _xfrm
from ansible_collections.route_based.vpn.plugins.modules import vpn_preflight
from fakes.module import run
from fakes.pluto import VERSIONS, FakePluto

VTI = {"name": "vti01", "local": "192.0.2.1", "remote": "198.51.100.1", "key": 5}
UDP_500 = "header\n 1: 00000000:01F4 00000000:0000 07 0:0 0:0 0 0 0 111 2 0 0\n"


class FakeHost:
    """Programs that are there, by name: (exit code, stdout, stderr). It is a gateway on which nothing is wrong."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.calls, self.policies = folder, [], []
        self.write("run/systemd/system/.keep", "")
        self.write("proc/sys/net/ipv4/ip_forward", "1\n")
        self.write("proc/sys/net/ipv4/conf/all/rp_filter", "0\n")
        self.write("ipsec.d/.keep", "")
        self.path = str(folder / "ipsec.d/ours.conf")
        self.programs = {
            "unshare": lambda _args: (0, "", ""),
            "ip": lambda _args: (0, "[]", ""),
            "ipsec": lambda args: (0, "Libreswan 5.2\n", "") if args == ["--version"] else (33, "", "not running\n"),
            "python3": lambda _args: (0, "0.7.7\n", ""),
            "apt-get": None,
        }
        monkeypatch.setattr(_main_conf, "MAIN", str(folder / "ipsec.conf"))
        monkeypatch.setattr(_xfrm, "tunnel_policies", lambda: self.policies)
        monkeypatch.setattr(_preflight.sys, "executable", "/fake/python3")
        monkeypatch.setattr(_preflight, "SYSTEM_PYTHONS", ("/usr/fake/python3",))
        monkeypatch.setattr(_preflight, "look", functools.partial(_preflight.look, root=str(folder)))
        monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", self.get_bin_path)
        monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda _module, args: self.run(args))

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def get_bin_path(self, arg, required=False, opt_dirs=None):
        name = os.path.basename(arg)
        return os.path.join("/fake", arg) if name in self.programs else None

    def run(self, args):
        assert args[:2] == ["timeout", "-k"]
        args = args[4:]
        self.calls.append(args)
        return self.programs[os.path.basename(args[0])](args[1:])


@pytest.fixture
def host(tmp_path, monkeypatch):
    return FakeHost(tmp_path, monkeypatch)


@pytest.fixture
def preflight(host, monkeypatch):
    def preflight(**arguments):
        return run(monkeypatch, vpn_preflight, **{"path": host.path, **arguments})

    return preflight


def test_a_gateway_that_is_well(preflight, host):
    result = preflight(conns=["site-b"], devices=[VTI], now=time.time(), forwards=True)
    assert not result.get("failed")
    assert (result["changed"], result["problems"], result["warnings"]) == (False, [], [])
    assert (result["versions"]["libreswan"], result["versions"]["pyroute2"]) == ("5.2", "0.7.7")
    assert [call[-1] for call in host.calls if call[0].endswith("python3")] == [_preflight.PYROUTE2_VERSION]


def test_check_mode_looks_just_the_same(preflight, host):
    host.write("ipsec.d/old.conf", "conn site-b\n")
    assert preflight(conns=["site-b"], check=True) == preflight(conns=["site-b"])


def test_a_bare_host_becomes_a_gateway(preflight, host):
    del host.programs["ipsec"]
    host.programs["python3"] = lambda _args: (1, "", "ModuleNotFoundError: No module named 'pyroute2'\n")
    result = preflight(conns=["site-b"], devices=[VTI])
    assert result["problems"] == []
    assert (result["versions"]["libreswan"], result["versions"]["pyroute2"]) == (None, None)
    result = preflight(installs=False)
    assert result["msg"].startswith("2 problems: (1) pyroute2 is missing, and nothing installs it: ")
    del host.programs["apt-get"]
    assert preflight()["msg"].startswith(
        "2 problems: (1) pyroute2 is missing, and nothing installs it, as there is no "
    )


def test_pyroute2_of_the_system_will_do(preflight, host):
    answers = iter([(1, "", "No module named 'pyroute2'"), (0, "0.7.2\n", "")])
    host.programs["python3"] = lambda _args: next(answers)
    assert preflight()["versions"]["pyroute2"] == "0.7.2"


def test_a_mark_of_our_own_is_free_and_one_of_somebody_else_is_not(preflight, host):
    host.write("ipsec.d/ours.conf", f"{_files.HEADER}\nconn goes\n  mark=5/0xffffffff\n  auto=start\n")
    host.policies = [_xfrm.Policy("192.0.2.1", "203.0.113.9", 5, 0xFFFFFFFF)]
    host.write("ipsec.conf", f"include {host.folder}/ipsec.d/*.conf\n")
    assert preflight(conns=["comes"], devices=[VTI])["problems"] == []
    host.write("ipsec.d/theirs.conf", "conn theirs\n  mark=0x5\n  auto=add\n")
    (problem,) = preflight(conns=["comes"], devices=[VTI], fail=False)["problems"]
    assert problem["check"] == "mark"
    assert f"the mark of conn theirs in {host.folder}/ipsec.d/theirs.conf: " in problem["message"]
    (host.folder / "ipsec.d/theirs.conf").unlink()
    (host.folder / "ipsec.d/ours.conf").unlink()
    assert "the mark of an IPsec policy" in preflight(conns=["comes"], devices=[VTI])["msg"]


def test_a_tunnel_takes_over_the_mark_of_one_of_ours_that_pluto_has(preflight, host):
    status = (
        '"{0}": 0.0.0.0/0===192.0.2.1...203.0.113.9===0.0.0.0/0; unrouted; eroute owner: #0\n'
        '"{0}":   nflog-group: unset; mark: 5/0xffffffff, 5/0xffffffff; vti-iface:unset; vti-routing:no;\n'
    )
    loaded = "goes"
    host.programs["ipsec"] = lambda args: (
        (0, "Libreswan 5.2\n", "") if args == ["--version"] else (0, status.format(loaded), "")
    )
    host.write("ipsec.d/ours.conf", f"{_files.HEADER}\nconn goes\n  mark=5/0xffffffff\n  auto=start\n")
    host.write("ipsec.conf", f"include {host.folder}/ipsec.d/*.conf\n")
    assert preflight(conns=["comes"], devices=[VTI])["problems"] == []
    loaded = "theirs"
    assert "the mark of conn theirs, which pluto has loaded: " in preflight(conns=["comes"], devices=[VTI])["msg"]


def test_a_rule_by_fwmark_and_kube_proxy_are_warnings(preflight, host):
    rules = json.dumps([{"priority": 100, "fwmark": "0x5"}])
    host.programs["ip"] = lambda args: (0, rules if "rule" in args and "-4" in args else "[]", "")
    host.write("proc/7/comm", "kube-proxy\n")
    result = preflight(devices=[VTI, {**VTI, "name": "kube", "remote": "198.51.100.2", "key": "0x4000"}])
    assert [warning.partition(":")[0] for warning in result["warnings"]] == ["device vti01", "device kube"]


def test_everything_at_once(preflight, host):
    host.programs["unshare"] = lambda _args: (2, "", "Error: Unknown device type.\n")
    host.programs["ip"] = lambda _args: (0, json.dumps([{"ifname": "vti01", "link_type": "ether"}]), "")
    host.programs["ipsec"] = lambda _args: (0, "Linux strongSwan U5.9.8/K6.1\n", "")
    host.programs["python3"] = lambda _args: (0, "0.6.9\n", "")
    (host.folder / "run/systemd/system/.keep").unlink()
    (host.folder / "run/systemd/system").rmdir()
    host.write("proc/net/udp", UDP_500)
    host.write("proc/sys/net/ipv4/ip_forward", "0\n")
    host.write("proc/sys/net/ipv4/conf/all/rp_filter", "1\n")
    host.write("ipsec.d/old.conf", "conn site-b\n")
    host.write("ipsec.d/ours.conf", "conn mine\n")
    six = {"name": "six", "local": "2001:db8::1", "remote": "2001:db8::2"}
    arguments = {"conns": ["site-b", "site-c"], "devices": [VTI, six], "now": 0, "forwards": True}
    result = preflight(**arguments)
    assert result["failed"]
    checks = ["systemd", "kernel", "kernel", "pyroute2", "libreswan", "ike", "clock", "file", "conn", "device"]
    assert [problem["check"] for problem in result["problems"]] == checks
    assert result["msg"].startswith("10 problems: (1) systemd is not running ")
    assert all(problem["message"] in result["msg"] for problem in result["problems"])
    assert [warning.split(" is ")[0] for warning in result["warnings"]] == [
        "net.ipv4.ip_forward",
        "net.ipv4.conf.all.rp_filter",
    ]
    looked = preflight(**arguments, fail=False)
    assert not looked.get("failed")
    assert looked["problems"] == result["problems"]


def test_the_kernel_is_tried_in_a_namespace_of_its_own(preflight, host):
    preflight(devices=[VTI, {"name": "six", "local": "2001:db8::1"}])
    tried = [" ".join(call) for call in host.calls if call[0].endswith("unshare")]
    assert tried == [
        "/fake/unshare --net /fake/ip link add name vti-trial type vti local 192.0.2.1 remote 198.51.100.1 key 1",
        "/fake/unshare --net /fake/ip link add name vti-trial type vti6 local 2001:db8::1 remote 2001:db8::2 key 1",
    ]
    assert not any(set(call) & {"add", "set", "delete"} for call in host.calls if call[0] == "/fake/ip")


@pytest.mark.parametrize("missing", ["ip", "unshare"])
def test_a_program_that_is_missing(preflight, host, missing):
    del host.programs[missing]
    assert f"there is no program {missing}; install iproute2" in preflight(devices=[VTI])["msg"]


@pytest.mark.parametrize("version", VERSIONS)
def test_conns_that_pluto_has(preflight, host, tmp_path, version):
    pluto = FakePluto(tmp_path, version)
    pluto.load("site-b", {"left": "192.0.2.1", "right": "192.0.2.2"})
    pluto.load("mine", {"left": "192.0.2.1", "right": "192.0.2.3"})
    host.programs["ipsec"] = lambda args: pluto.run(_limits.command(["ipsec", *args], 60))
    # pluto holds the port, though its process is not to be seen.
    host.write("proc/net/udp", UDP_500)
    host.write("ipsec.d/ours.conf", f"{_preflight._files.HEADER}\nconn mine\n")
    result = preflight(conns=["site-b", "mine"])
    assert [problem["check"] for problem in result["problems"]] == ["conn"]
    assert result["msg"].startswith("1 problem: conn site-b: a foreign conn is in the way: pluto has one ")
    assert pluto.writes == []


def test_devices_without_a_name(preflight):
    result = preflight(devices=[{"local": "192.0.2.1"}], fail=False)
    assert result["msg"] == "devices[0] (None): name=None: is missing"


def test_every_documented_field_is_returned(preflight):
    documented = yaml.safe_load(vpn_preflight.RETURN)
    result = preflight(now=0)
    assert set(documented) <= set(result)
    assert set(result["versions"]) == set(documented["versions"]["contains"])
    assert set(result["problems"][0]) == set(documented["problems"]["contains"])


def test_the_checks_are_the_documented_ones():
    documented = yaml.safe_load(vpn_preflight.RETURN)["problems"]["contains"]["check"]["description"][0]
    assert all(f"V({check})" in documented for check in _preflight.CHECKS)


def test_a_pluto_that_hangs_is_one_of_the_problems(preflight, host, tmp_path):
    pluto = FakePluto(tmp_path)
    pluto.hangs = True
    host.programs["ipsec"] = lambda args: pluto.run(_limits.command(["ipsec", *args], 60))
    assert "pluto does not answer: 'ipsec whack --status' was ended after 60 s" in preflight()["msg"]

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each check, with the message that a person would read."""

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _deps,
    _devices,
    _main_conf,
    _preflight,
    _restart,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from ansible_collections.route_based.vpn.plugins.module_utils._preflight import Host, Wanted

GOOD = Host(python="3.9.2", kernel="6.1.0-18-amd64", pyroute2="0.7.2", ipsec="Linux Libreswan 4.10 (XFRM) on 6.1.0")
BARE = dataclasses.replace(GOOD, pyroute2=None, ipsec=None)
OURS = "/etc/ipsec.d/route_based_vpn.conf"
VTI = _devices.Device("vti01", "vti", "192.0.2.1", "198.51.100.1")
SIX = _devices.Device("vti6", "vti6", "2001:db8::1", "2001:db8::2")
WANT = Wanted(conns=("site-b",), devices=(VTI,))
# From `ip -json -details link show` of iproute2 6.15, without the fields that nobody looks at.
LINKS = [
    {"ifname": "lo", "link_type": "loopback"},
    {"ifname": "eth0", "link_type": "ether", "group": "default"},
    {
        "ifname": "ip_vti0",
        "link": None,
        "linkinfo": {"info_kind": "vti", "info_data": {"remote": "any", "local": "any"}},
    },
    {
        "ifname": "vti01",
        "link": "wan",
        "link_type": "ipip",
        "linkinfo": {
            "info_kind": "vti",
            "info_data": {"remote": "198.51.100.1", "local": "192.0.2.1", "link": "wan", "ikey": "0.0.0.5"},
        },
    },
    {
        "ifname": "six",
        "link": None,
        "ifalias": "route_based.vpn: mine",
        "linkinfo": {"info_kind": "vti6", "info_data": {"remote": "any", "local": "2001:db8::1"}},
    },
]


def found(want, host):
    return [(problem["check"], problem["message"]) for problem in _preflight.problems(want, host)]


def live(**fields):
    device = _devices.Device(**{"name": "vti01", "kind": "vti", "alias": "", **fields})
    return dataclasses.replace(GOOD, devices={device.name: device})


def test_all_tunnels_are_not_taken_away_by_a_mistake():
    has = dataclasses.replace(GOOD, own=frozenset(f"t{n}" for n in range(7)))
    none = Wanted(none_allowed=False)
    ((check, message),) = found(none, has)
    assert (check, f"{OURS} has 7 (t0, t1, t2, t3, t4, ...)" in message) == ("none", True)
    assert "gateway_no_tunnels" in message
    assert found(none, GOOD) == []
    assert found(Wanted(), has) == []
    assert found(dataclasses.replace(none, conns=("t0",)), has) == []


def test_what_is_wanted_is_weighed_and_what_is_there_is_told():
    shared = [{"name": f"t{n}", "local": "192.0.2.1", "remote": f"198.51.100.{n}"} for n in range(60)]
    for entry in shared:
        entry["addresses"] = [{"address": "10.255.0.1/32", "peer": f"10.255.1.{entry['name'][1:]}"}]
    want = _preflight.wanted(params(devices=shared))
    assert want.addresses == ("10.255.0.1",) * 60
    new = dataclasses.replace(GOOD, ipsec="Libreswan 5.2")
    ((check, message),) = found(want, new)
    assert (check, "60 devices have the address 10.255.0.1" in message) == ("restart", True)
    assert found(want, GOOD) == []
    # What this run takes away does not stand in its way.
    as_it_is = dataclasses.replace(new, restart=_restart.Restart(("10.255.0.1",) * 60, 1024))
    assert found(WANT, as_it_is) == []
    assert ["60 devices" in text for text in _preflight.warnings(WANT, as_it_is)] == [True]


def test_addresses_beyond_the_limit_of_files_that_the_host_is_to_get():
    many = tuple(f"10.{n // 250}.{n % 250}.1" for n in range(1000))
    host = dataclasses.replace(GOOD, restart=_restart.Restart((), 1024))
    assert found(dataclasses.replace(WANT, addresses=many, open_files=8192), host) == []
    ((check, message),) = found(dataclasses.replace(WANT, addresses=many), host)
    assert (check, "may open 1024 files" in message) == ("restart", True)


def test_nothing_is_in_the_way():
    assert found(WANT, GOOD) == []
    assert found(Wanted(), GOOD) == []
    assert _preflight.warnings(WANT, GOOD) == []


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        (
            {"python": "3.8.10"},
            "Python 3.8.10 is older than 3.9, which the modules need: install a newer one, and name it in "
            "ansible_python_interpreter",
        ),
        (
            {"systemd": False},
            "systemd is not running (there is no /run/systemd/system), and pluto, firewall, devices and routes are "
            "brought up by its units: use a host that was booted with systemd",
        ),
        (
            {"refusals": {"vti": "Error: Unknown device type"}},
            "kernel 6.1.0-18-amd64, device of kind vti, tried in a network namespace of its own: Error: Unknown device "
            "type; load the module ip_vti, or install the package with the kernel's extra modules",
        ),
        (
            {"refusals": {"vti6": "RTNETLINK answers: Operation not supported"}},
            "kernel 6.1.0-18-amd64, device of kind vti6, tried in a network namespace of its own: RTNETLINK answers: "
            "Operation not supported; load the module ip6_vti, or install the package with the kernel's extra modules",
        ),
        (
            {"refusals": {"vti": "unshare: unshare failed: Operation not permitted"}},
            "kernel 6.1.0-18-amd64, device of kind vti, tried in a network namespace of its own: unshare: unshare "
            "failed: Operation not permitted; run as root (become: true), a container with CAP_SYS_ADMIN and "
            "CAP_NET_ADMIN",
        ),
        (
            {"refusals": {"vti": "there is no program ip"}},
            "kernel 6.1.0-18-amd64, device of kind vti, tried in a network namespace of its own: there is no program "
            "ip; install iproute2 and util-linux",
        ),
        (
            {"pyroute2": "0.6.13"},
            "pyroute2 0.6.13 is older than 0.7.2, which the modules for devices and routes need: install a newer "
            "python3-pyroute2",
        ),
        (
            {"ipsec": "Linux Libreswan 4.3 (XFRM) on 5.10.0"},
            "libreswan 4.3 is older than 4.10, the oldest that the modules work with: upgrade it",
        ),
        (
            {"ipsec": "Linux strongSwan U5.9.8/K6.1.0-18-amd64\nUniversity of Applied Sciences\n"},
            "the program ipsec is not libreswan's, it says 'Linux strongSwan U5.9.8/K6.1.0-18-amd64 University of "
            "Applied Sciences': remove what it belongs to, install libreswan",
        ),
        (
            {"ike": ("charon (process 812)",)},
            "UDP port 500 is held by charon (process 812) and pluto is not running: another IKE daemon would take "
            "pluto's packets; stop and disable it",
        ),
        (
            {"file": ("/etc/ipsec.d/route_based_vpn.conf was not written by this module",)},
            "/etc/ipsec.d/route_based_vpn.conf was not written by this module",
        ),
    ],
)
def test_what_is_wrong_with_the_host(host, problem):
    ((_check, message),) = found(WANT, dataclasses.replace(GOOD, **host))
    assert message == problem


def test_missing_packages_are_no_problem_where_they_are_installed():
    assert found(WANT, BARE) == []
    without_installing = found(dataclasses.replace(WANT, installs=False), BARE)
    assert without_installing == [
        ("pyroute2", "pyroute2 is missing, and nothing installs it: install python3-pyroute2, 0.7.2 or newer"),
        ("libreswan", "libreswan is missing, and nothing installs it: install libreswan, 4.10 or newer"),
    ]
    elsewhere = found(WANT, dataclasses.replace(BARE, apt=False))
    assert [message for _check, message in elsewhere] == [
        "pyroute2 is missing, and nothing installs it, as there is no apt-get on this host: install python3-pyroute2, "
        "0.7.2 or newer",
        "libreswan is missing, and nothing installs it, as there is no apt-get on this host: install libreswan, 4.10 "
        "or newer",
    ]


@pytest.mark.parametrize("pyroute2", ["0.7.2", "0.7.12", "0.9.7.post1", "1.0", "unknown"])
def test_versions_of_pyroute2_that_will_do(pyroute2):
    assert found(WANT, dataclasses.replace(GOOD, pyroute2=pyroute2)) == []


@pytest.mark.parametrize("ipsec", ["Libreswan 5.2", "Linux Libreswan 4.10 (netkey) on 6.1", "Libreswan v5.3.1-2-gabc"])
def test_versions_of_libreswan_that_will_do(ipsec):
    assert found(WANT, dataclasses.replace(GOOD, ipsec=ipsec)) == []


def test_the_least_versions_are_those_of_the_modules():
    assert _deps.MINIMUM == _preflight.PYROUTE2_MIN
    assert tuple(_deps.SYSTEM_PYTHONS) == _preflight.SYSTEM_PYTHONS


def test_pluto_itself_may_hold_the_port():
    assert found(WANT, dataclasses.replace(GOOD, ike=("pluto (process 5)",))) == []
    running = dataclasses.replace(GOOD, ike=("a program that cannot be seen from here",), loaded=frozenset())
    assert found(WANT, running) == []


def test_the_clock():
    host = dataclasses.replace(GOOD, clock=1795471427.5)
    want = dataclasses.replace(WANT, now=1795471427.5 + 300)
    assert found(want, host) == []
    assert found(dataclasses.replace(want, now=1795471427.5 + 3600), host) == [
        (
            "clock",
            "the clock says 2026-11-23 22:03:47Z and is 3600 s behind the controller's, more than 300 s: certificates "
            "would be judged by the wrong time; set it right, with chrony or systemd-timesyncd",
        )
    ]
    ((_check, message),) = found(dataclasses.replace(want, now=1795471427.5 - 31, clock_skew=30), host)
    assert "is 31 s ahead of the controller's, more than 30 s" in message
    assert found(dataclasses.replace(want, now=None), host) == []


def test_a_conn_in_another_file():
    around = _main_conf.Around(conns={"site-b": "/etc/ipsec.d/old.conf", "other": "/etc/ipsec.conf"})
    for host in (GOOD, dataclasses.replace(GOOD, own=frozenset(["site-b"]), loaded=frozenset(["site-b"]))):
        assert found(WANT, dataclasses.replace(host, around=around)) == [
            (
                "conn",
                "conn site-b: a foreign conn is in the way: /etc/ipsec.d/old.conf has one of this name, and libreswan "
                "would load the first that it meets; remove or rename one",
            )
        ]


def test_a_conn_that_was_loaded_by_hand():
    host = dataclasses.replace(GOOD, loaded=frozenset(["site-b", "other"]))
    assert found(WANT, host) == [
        (
            "conn",
            f"conn site-b: a foreign conn is in the way: pluto has one of this name loaded, which is not in {OURS}; "
            "rename the tunnel, or find out what has loaded it",
        )
    ]
    assert found(WANT, dataclasses.replace(host, own=frozenset(["site-b"]))) == []


def test_a_device_of_another_kind():
    assert found(WANT, live(kind="dummy")) == [
        (
            "device",
            "device vti01: a device of this name exists, and it is no VTI device but of kind dummy; give the tunnel "
            "another interface",
        )
    ]


def test_a_foreign_device_with_other_ends():
    assert found(WANT, live(local="192.0.2.1", remote="203.0.113.9", link="wan")) == [
        (
            "device",
            "device vti01: a VTI device of this name exists that this collection did not make, and it is local "
            "192.0.2.1 remote 203.0.113.9 dev wan instead of local 192.0.2.1 remote 198.51.100.1; give the tunnel "
            "another interface",
        )
    ]
    assert found(WANT, live(local="192.0.2.1", remote="203.0.113.9", alias="route_based.vpn")) == []
    assert found(WANT, live(local="192.0.2.1", remote="198.51.100.1")) == []


def test_the_ends_are_another_device_s():
    host = live(name="theirs", local="192.0.2.1", remote="198.51.100.1")
    assert found(WANT, host) == [
        (
            "device",
            "device vti01: the device theirs, which this collection did not make, is local 192.0.2.1 remote "
            "198.51.100.1 already, and only one VTI device can be, whatever its key; find out what "
            "needs it, and give one of the two another local or remote end",
        )
    ]
    # Ours leaves or moves when it is not listed any more; a link tells two devices apart.
    assert found(WANT, live(name="old", local="192.0.2.1", remote="198.51.100.1", alias="route_based.vpn")) == []
    assert found(WANT, live(name="theirs", local="192.0.2.1", remote="198.51.100.1", link="wan")) == []


def test_a_listed_device_that_has_the_ends_of_another_is_named_once():
    other = _devices.Device("theirs", "vti", "192.0.2.1", "203.0.113.9")
    want = dataclasses.replace(WANT, devices=(VTI, other))
    ((_check, message),) = found(want, live(name="theirs", local="192.0.2.1", remote="198.51.100.1"))
    assert message.startswith("device theirs: a VTI device of this name exists")


def test_the_kinds_that_the_kernel_has_to_make():
    assert Wanted().kinds == ["vti"]
    assert Wanted(devices=(SIX,)).kinds == ["vti6"]
    assert Wanted(devices=(SIX, VTI)).kinds == ["vti", "vti6"]


def test_all_problems_at_once():
    host = dataclasses.replace(GOOD, systemd=False, python="3.8.1", pyroute2="0.6", ike=("charon (process 1)",))
    problems = _preflight.problems(WANT, host)
    assert [problem["check"] for problem in problems] == ["python", "systemd", "pyroute2", "ike"]
    text = _preflight.failure(problems)
    assert text.startswith("4 problems: (1) Python 3.8.1 is older than 3.9, ")
    assert "; (4) UDP port 500 is held by charon (process 1) " in text
    assert _preflight.failure(problems[:1]).startswith("1 problem: Python 3.8.1 ")


def test_warnings():
    host = dataclasses.replace(GOOD, ip_forward="0", rp_filter="1")
    strict = (
        "net.ipv4.conf.all.rp_filter is 1 (strict), and the kernel takes the higher one of it and the device's: "
        "packets are dropped that come in by another device than the way back to their source leads out by; set it to "
        "0, or to 2 (loose)"
    )
    assert _preflight.warnings(WANT, host) == [strict]
    assert _preflight.warnings(dataclasses.replace(WANT, forwards=True), host) == [
        "net.ipv4.ip_forward is 0: the host forwards no packet between the tunnels and the networks behind it; set it "
        "to 1",
        strict,
    ]
    assert _preflight.warnings(WANT, dataclasses.replace(host, rp_filter="2")) == []


# --- reading -------------------------------------------------------------------------------------------------------


def params(**given):
    return {
        "conns": [],
        "devices": [],
        "path": OURS,
        "now": None,
        "clock_skew": 300,
        "installs": True,
        "forwards": False,
        "open_files": 0,
        "listen_first": False,
        "none_allowed": True,
        "fail": True,
        **given,
    }


def test_the_options():
    want = _preflight.wanted(
        params(
            conns=["a"],
            devices=[
                {"name": "vti01", "local": "192.0.2.1", "remote": "198.51.100.1", "key": 5, "addresses": []},
                {"name": "road", "local": "2001:db8:0::1", "link": "wan"},
                {"name": "gone", "state": "absent"},
            ],
        )
    )
    assert want.conns == ("a",)
    assert [(d.name, d.kind, d.local, d.remote, d.link) for d in want.devices] == [
        ("vti01", "vti", "192.0.2.1", "198.51.100.1", ""),
        ("road", "vti6", "2001:db8::1", "any", "wan"),
    ]


def test_options_that_are_refused():
    entries = [{"local": "192.0.2.1"}, {"name": "vti01", "local": "here", "remote": "192.0.2.300"}]
    with pytest.raises(InputErrors) as refused:
        _preflight.wanted(params(devices=entries))
    assert [str(error) for error in refused.value.errors] == [
        "devices[0] (None): name=None: is missing",
        "devices[1] (vti01): local='here': is neither an IPv4 or IPv6 address nor any",
        "devices[1] (vti01): remote='192.0.2.300': is neither an IPv4 or IPv6 address nor any",
    ]


def test_live_devices():
    devices = _preflight.live_devices(json.dumps(LINKS))
    assert [(d.name, d.kind, d.local, d.remote, d.link, d.owned) for d in devices.values()] == [
        ("lo", "loopback", "any", "any", "", False),
        ("eth0", "ether", "any", "any", "", False),
        ("ip_vti0", "vti", "any", "any", "", False),
        ("vti01", "vti", "192.0.2.1", "198.51.100.1", "wan", False),
        ("six", "vti6", "2001:db8::1", "any", "", True),
    ]
    assert _preflight.live_devices("") == {}


UDP = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer\n"
    "  512: 00000000:01F4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 {} 2 000000 0\n"
    "  524: 00000000:1194 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 999 2 000000 0\n"
)


def test_who_holds_the_port(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net/udp").write_text(UDP.format(111))
    (tmp_path / "net/udp6").write_text(UDP.format(222))
    fds = tmp_path / "812/fd"
    fds.mkdir(parents=True)
    (fds / "0").symlink_to("/dev/null")
    (fds / "5").symlink_to("socket:[111]")
    (tmp_path / "812/comm").write_text("charon\n")
    holders = list(_preflight._holders(str(tmp_path), 500))
    assert holders == ["charon (process 812)", "a program that cannot be seen from here"]
    assert list(_preflight._holders(str(tmp_path), 501)) == []
    assert list(_preflight._holders(str(tmp_path / "nothing"), 500)) == []


@pytest.fixture
def etc(tmp_path, monkeypatch):
    (tmp_path / "ipsec.d").mkdir()
    monkeypatch.setattr(_main_conf, "MAIN", str(tmp_path / "ipsec.conf"))
    return tmp_path


def test_conns_of_our_file_and_of_others(etc):
    ours = etc / "ipsec.d/ours.conf"
    ours.write_text(f"{_preflight._files.HEADER}\nconn a\n  left=192.0.2.1\nconn b\n")
    (etc / "ipsec.d/theirs.conf").write_text("conn c\n  auto=add\n")
    (etc / "ipsec.conf").write_text(f"conn d\ninclude {etc}/ipsec.d/*.conf\n")
    around, own, reasons = _preflight._conf_files(str(ours))
    assert around.conns == {"d": f"{etc}/ipsec.conf", "c": f"{etc}/ipsec.d/theirs.conf"}
    assert (set(own.conns), reasons) == ({"a", "b"}, ())


def test_files_that_libreswan_will_read_once_it_is_installed(etc):
    (etc / "ipsec.d/theirs.conf").write_text("conn c\n  mark=9\n  auto=add\n")
    around, own, reasons = _preflight._conf_files(str(etc / "ipsec.d/ours.conf"))
    assert around.conns == {"c": f"{etc}/ipsec.d/theirs.conf"}
    assert around.option("c", "mark") == "9"
    assert (own.conns, reasons) == ({}, ())


def test_a_file_that_is_not_ours_and_is_not_read(etc):
    ours = etc / "ipsec.d/ours.conf"
    ours.write_text("conn a\n")
    (etc / "ipsec.conf").write_text("config setup\n")
    _around, own, (not_read, not_ours) = _preflight._conf_files(str(ours))
    assert own.conns == {}
    assert not_read == f"{etc}/ipsec.conf does not include {ours}: choose a path that it includes, or add one"
    assert not_ours.startswith(f"{ours} was not written by this module (its first line is not '# Managed by Ansible")

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The updown hook against an ip that refuses what the real one refuses, with environments that pluto 4.10 and 5.2 gave
to it in the lab (data/updown/VERSION/CASE/NUMBER-VERB.env), in the order in which they came."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests/unit/data/updown"
HOOK = ROOT / "roles/gateway/files/updown"
CASES = sorted(str(case.relative_to(DATA)) for case in DATA.glob("*/*"))
Environment = dict[str, str]

DEVICE = "192.1.2.45 192.1.2.23"
BASE: Environment = {
    "PLUTO_VERB": "up-client",
    "PLUTO_CONNECTION": "a",
    "PLUTO_CONN_KIND": "CK_PERMANENT",
    "PLUTO_ME": "192.1.2.45",
    "PLUTO_PEER": "192.1.2.23",
    "PLUTO_MY_CLIENT": "10.0.2.0/24",
    "PLUTO_PEER_CLIENT": "10.0.1.0/24",
    "CONNMARK_IN": "5/0xffffffff",
    "CONNMARK_OUT": "6/0xffffffff",
    "SPI_IN": "0x1",
    "SPI_OUT": "0x2",
    "VTI_IFACE": "vti05",
    "VTI_ROUTING": "yes",
    "VTI_SHARED": "no",
}


class Host:
    """A gateway: the hook beside its neighbours, a fake ip, devices and sysctls as files."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        self.home.mkdir()
        shutil.copy(HOOK, self.home / "updown")
        for folder in ("sys/class/net", "proc/sys/net/ipv4/conf/all", "run/pluto", "bin", "drop-ins"):
            (root / folder).mkdir(parents=True)
        (root / "proc/sys/net/ipv4/conf/all/rp_filter").write_text("0\n")
        (root / "bin/ip").write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/unit/fakes/ip.py "$@"\n')
        (root / "bin/ip").chmod(0o755)
        self.pluto(110)

    def pluto(self, pid: int, start: int = 1000, age: float = 0) -> None:
        """A pluto with this process number runs from now on; its files may be as old as a clock that was set says."""
        pid_file, stat = self.root / "run/pluto/pluto.pid", self.root / f"proc/{pid}/stat"
        stat.parent.mkdir(exist_ok=True)
        fields = ["S", "1", *["0"] * 17, str(start), *["0"] * 20]
        stat.write_text(f"{pid} (a pluto) {' '.join(fields)}\n")
        pid_file.write_text(f"{pid}\n")
        for path in (pid_file, stat):
            os.utime(path, (time.time() - age,) * 2)

    @property
    def state(self) -> Path:
        """Where the hook notes what the pluto that runs needs."""
        (folder,) = (self.root / "state").iterdir()
        return folder

    def command(self, environment: Environment) -> dict[str, t.Any]:
        """What subprocess needs to run the hook, with nothing in its environment but what is given."""
        own = {
            "VPN_PATH": f"{self.root}/bin:/usr/bin:/bin",
            "VPN_STATE": f"{self.root}/state",
            "VPN_ROOT": str(self.root),
            "VPN_DROP_INS": f"{self.root}/drop-ins",
            "FAKE_ROOT": str(self.root),
        }
        return {"args": [str(self.home / "updown")], "env": {**environment, **own}, "text": True}

    def call(self, environment: Environment, status: int = 0) -> str:
        """Runs the hook once; what it said."""
        done = subprocess.run(
            **self.command(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=30,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def verbs(self, names: str, **changes: str) -> str:
        """Several verbs of one conn."""
        return "".join(self.call({**BASE, **changes, "PLUTO_VERB": f"{name}-client"}) for name in names.split())

    def table(self, name: str) -> list[str]:
        """Lines of the fake kernel's routes, rules, addresses or log."""
        path = self.root / name
        return path.read_text().splitlines() if path.exists() else []

    def devices(self) -> dict[str, str]:
        """Devices that are up, with their ends."""
        found = (self.root / "sys/class/net").iterdir()
        return {device.name: (device / "ends").read_text() for device in found if (device / "up").exists()}

    def device(self, name: str, alias: str, number: int = 768) -> None:
        """A device that somebody else made."""
        path = self.root / "sys/class/net" / name
        path.mkdir()
        for file, text in (("ifalias", alias), ("type", number), ("ends", "made before")):
            (path / file).write_text(f"{text}\n")
        for family in ("ipv4", "ipv6"):
            (self.root / f"proc/sys/net/{family}/conf/{name}").mkdir(parents=True)

    def references(self) -> list[str]:
        """What the hook counts."""
        state = self.root / "state"
        paths = [path for path in self.state.iterdir() if path.name[0] != "."] if state.exists() else []
        return sorted(path.name for path in paths if path.read_text() != "# gone\n")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A gateway with nothing on it."""
    return Host(tmp_path)


def recorded(case: str) -> list[Environment]:
    """The environments of a case, in their order."""
    paths = sorted((DATA / case).iterdir())
    return [dict(line.split("=", 1) for line in path.read_text().splitlines()) for path in paths]


def small(environment: Environment) -> Environment:
    """As libreswan 5.4 hands it over (facts of its source, not recorded): only its own list, and a PATH."""
    kept = {key: value for key, value in environment.items() if key not in ("PLUTO_CLIENT_FAMILY",)}
    return {**kept, "PATH": "/usr/bin:/bin", "PLUTO_DNS_RESOLVER": "", "UPDOWN_DEBUG": ""}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("version_of", [dict, small])
def test_recorded(host: Host, case: str, version_of: t.Callable[[Environment], Environment]) -> None:
    before = [x for x in recorded(case) if not x["PLUTO_VERB"].startswith(("down", "unroute"))]
    first = before[0]
    assert [host.call(version_of(x)) for x in before] == ["", "", ""]
    ends = {
        "CK_PERMANENT": f"{first['PLUTO_ME']} {first['PLUTO_PEER']}",
        "CK_INSTANCE": f"{first['PLUTO_ME']} 0.0.0.0",
    }
    assert host.devices() == {first["VTI_IFACE"]: ends[first["PLUTO_CONN_KIND"]]}
    assert len(host.table("routes")) == 1
    # The first verb does everything, in one batch.
    assert len([line for line in host.table("log") if line.startswith("link add")]) == 1
    assert len([line for line in host.table("log") if line.startswith("route")]) == 1
    after = recorded(case)[len(before) :]
    assert [host.call(version_of(x)) for x in after] == [""] * len(after)
    assert (host.table("routes"), host.table("rules"), host.references()) == ([], [], [])
    assert bool(host.devices()) is (first["PLUTO_CONN_KIND"] == "CK_INSTANCE")


def test_all_that_a_conn_asks_for(host: Host) -> None:
    """Device with both keys, MTU, address, sysctls; route with metric, source and MTU."""
    host.verbs(
        "up prepare route", VTI_IP="10.0.2.1/24", PLUTO_METRIC="50", PLUTO_MTU="1300", PLUTO_MY_SOURCEIP="10.0.2.1"
    )
    assert host.table("log") == [
        "link add vti05 mtu 1300 type vti local 192.1.2.45 remote 192.1.2.23 okey 6 ikey 5",
        "link set vti05 alias route_based.vpn:vti_192.1.2.45_192.1.2.23_6_5 group 4501",
        "link set vti05 up",
        "address replace 10.0.2.1/24 dev vti05",
        "route replace 10.0.1.0/24 dev vti05 proto 159 metric 50 mtu 1300 src 10.0.2.1",
    ]
    conf = host.root / "proc/sys/net/ipv4/conf/vti05"
    assert [(conf / key).read_text() for key in ("disable_policy", "rp_filter", "forwarding")] == ["1\n", "0\n", "1\n"]
    assert (host.root / "proc/sys/net/ipv6/conf/vti05/disable_policy").read_text() == "1\n"


def test_the_higher_rp_filter_counts(host: Host) -> None:
    (host.root / "proc/sys/net/ipv4/conf/all/rp_filter").write_text("1\n")
    host.verbs("up")
    assert (host.root / "proc/sys/net/ipv4/conf/vti05/rp_filter").read_text() == "2\n"


def test_one_call_for_all_verbs(host: Host) -> None:
    """5.4 can do with one verb without a suffix."""
    assert host.call({**BASE, "PLUTO_VERB": "prepare-route-up"}) == ""
    assert len(host.table("routes")) == 1
    host.verbs("down unroute")
    assert host.devices() == {}


V6 = {"PLUTO_ME": "2001:db8::1", "PLUTO_PEER": "2001:db8::2", "PLUTO_MY_CLIENT": "fd00:2::/64"}
AROUND = [
    ({"PLUTO_PEER_CLIENT": "0.0.0.0/0"}, "to 192.1.2.23/32", "", 0),
    ({"PLUTO_PEER_CLIENT": "192.1.2.0/24"}, "to 192.1.2.23/32", "to 192.1.2.0/24 ", 24),
    ({"PLUTO_PEER_CLIENT": "192.0.0.0/7"}, "to 192.1.2.23/32", "to 192.0.0.0/7 ", 7),
    ({**V6, "PLUTO_PEER_CLIENT": "::/0"}, "to 2001:db8::2/128", "", 0),
    ({**V6, "PLUTO_PEER_CLIENT": "2001:db8::/32"}, "to 2001:db8::2/128", "to 2001:db8::/32 ", 32),
]


@pytest.mark.parametrize(("conn", "peer", "to", "length"), AROUND)
def test_networks_that_the_peer_is_in(host: Host, conn: Environment, peer: str, to: str, length: int) -> None:
    """They must not take the tunnel's own packets."""
    network = [
        f"{to}lookup main suppress_prefixlength {length} priority 30158 protocol 159",
        f"{to}lookup 159 priority 30159 protocol 159",
    ]
    outer = [f"{peer} lookup main priority 30157 protocol 159"]
    assert host.verbs("up prepare route", **conn) == ""
    assert host.table("rules") == outer + network
    assert [line.split()[2] for line in host.table("routes")] == ["159"]
    # Another one to the same peer needs the same rules, and keeps them; so does one from elsewhere to the same network.
    host.verbs("up route", **conn, PLUTO_CONNECTION="b")
    host.verbs("up route", **{**conn, "PLUTO_MY_CLIENT": "10.99.0.0/16"}, PLUTO_CONNECTION="c")
    host.verbs("down unroute", **conn)
    host.verbs("down unroute", **conn, PLUTO_CONNECTION="b")
    assert host.table("rules") == outer + network
    host.verbs("down unroute", **{**conn, "PLUTO_MY_CLIENT": "10.99.0.0/16"}, PLUTO_CONNECTION="c")
    assert (host.table("rules"), host.table("routes"), host.devices()) == ([], [], {})


def test_rules_of_two_networks_with_one_peer_and_of_two_peers_with_one_network(host: Host) -> None:
    whole, part = {"PLUTO_PEER_CLIENT": "0.0.0.0/0"}, {"PLUTO_PEER_CLIENT": "192.1.2.0/24", "PLUTO_CONNECTION": "b"}
    other = {**whole, "PLUTO_PEER": "198.51.100.7", "VTI_IFACE": "vti06", "PLUTO_CONNECTION": "c", "PLUTO_METRIC": "9"}
    for conn in (whole, part, other):
        host.verbs("up route", **conn)
    assert len(host.table("rules")) == 6
    host.verbs("down unroute", **whole)
    # What the other two need is there: the ways to both peers, and both networks.
    assert len(host.table("rules")) == 6
    host.verbs("down unroute", **part)
    assert sorted(line.split()[1] for line in host.table("rules")) == ["159", "198.51.100.7/32", "main"]
    host.verbs("down unroute", **other)
    assert (host.table("rules"), host.table("routes"), host.devices()) == ([], [], {})


@pytest.mark.parametrize("client", ["10.0.0.0/8", "192.1.3.0/24", "192.1.2.24/32", "fd00::/8"])
def test_networks_that_the_peer_is_not_in(host: Host, client: str) -> None:
    host.verbs("up", PLUTO_PEER_CLIENT=client)
    assert host.table("rules") == []


@pytest.mark.parametrize(
    "conn", [{"PLUTO_PEER_CLIENT": "192.1.2.23/32"}, {**V6, "PLUTO_PEER_CLIENT": "2001:db8::2/128"}]
)
def test_a_route_to_the_peer_itself_is_refused(host: Host, conn: Environment) -> None:
    output = host.call({**BASE, **conn, "PLUTO_VERB": "up-host"}, status=1)
    assert "would send the tunnel's own packets into the tunnel; write networks, or vti-routing=no" in output
    assert (host.table("log"), host.references()) == ([], [])
    assert host.verbs("up", **conn, VTI_ROUTING="no") == ""


def test_ipv6(host: Host) -> None:
    ends = {"PLUTO_ME": "2001:db8::1", "PLUTO_PEER": "2001:db8::2", "PLUTO_PEER_CLIENT": "fd00:2::/64"}
    assert host.call({**BASE, **ends, "PLUTO_VERB": "up-client-v6", "VTI_IP": "fd00:1::1/64"}) == ""
    assert "type vti6 local 2001:db8::1 remote 2001:db8::2" in host.table("log")[0]
    assert host.table("routes") == ["fd00:2::/64 table main metric 0: fd00:2::/64 dev vti05 proto 159"]
    host.call({**BASE, **ends, "PLUTO_VERB": "down-client-v6"})
    assert host.devices() == {}


def test_device_goes_with_the_last_conn(host: Host) -> None:
    host.verbs("up route")
    host.verbs("up route", PLUTO_CONNECTION="b", PLUTO_PEER_CLIENT="10.9.0.0/16")
    host.verbs("down unroute")
    assert (len(host.table("routes")), list(host.devices())) == (1, ["vti05"])
    host.verbs("down unroute", PLUTO_CONNECTION="b", PLUTO_PEER_CLIENT="10.9.0.0/16")
    assert (host.table("routes"), host.devices()) == ([], {})


def test_route_goes_with_the_last_conn_that_shares_it(host: Host) -> None:
    """pluto gives the second of two conns with one selector neither prepare nor route, and no unroute."""
    host.verbs("prepare route up")
    host.verbs("up", PLUTO_CONNECTION="b")
    host.verbs("down unroute")
    assert len(host.table("routes")) == 1
    host.verbs("down", PLUTO_CONNECTION="b")
    assert (host.table("routes"), host.devices()) == ([], {})


def test_what_waits_for_a_packet_keeps_its_route(host: Host) -> None:
    """down alone: the trap is still there, so packets have to run into the device."""
    host.verbs("prepare route", SPI_IN="0x0", SPI_OUT="0x0")
    host.verbs("prepare up")
    host.verbs("down")
    assert len(host.table("routes")) == 1
    host.verbs("unroute")
    assert (host.table("routes"), host.devices()) == ([], {})


@pytest.mark.parametrize("changes", [{"VTI_SHARED": "yes"}, {"PLUTO_CONN_KIND": "CK_INSTANCE"}])
def test_device_for_many_peers_stays(host: Host, changes: Environment) -> None:
    host.verbs("up route", **changes)
    other = {"PLUTO_PEER": "192.1.2.99", "PLUTO_PEER_CLIENT": "10.7.0.9/32", "PLUTO_CONNECTION": "a", **changes}
    assert host.verbs("up route", **other) == ""
    assert host.devices() == {"vti05": "192.1.2.45 0.0.0.0"}
    host.verbs("down unroute", **changes)
    assert [x.split()[0] for x in host.table("routes")] == ["10.7.0.9/32"]
    host.verbs("down unroute", **other)
    assert (host.table("routes"), list(host.devices())) == ([], ["vti05"])


@pytest.mark.parametrize("alias", ["route_based.vpn", "", "of the administrator"])
def test_preloaded_device_is_completed_and_stays(host: Host, alias: str) -> None:
    host.device("vti05", alias)
    host.verbs("up route", VTI_IP="10.0.2.1/24")
    assert host.table("log")[0] == "link set vti05 up"
    assert host.table("addresses") == ["10.0.2.1/24 dev vti05"]
    host.verbs("down unroute", VTI_IP="10.0.2.1/24")
    assert (host.table("routes"), list(host.devices())) == ([], ["vti05"])


def test_lost_address_and_route_come_back(host: Host) -> None:
    host.verbs("up route", VTI_IP="10.0.2.1/24")
    for table in ("addresses", "routes"):
        (host.root / table).write_text("")
    host.verbs("up", VTI_IP="10.0.2.1/24", SPI_IN="0x7")
    assert (len(host.table("addresses")), len(host.table("routes"))) == (1, 1)


def test_lost_device_comes_back(host: Host) -> None:
    """Also between two verbs of one bring-up."""
    host.verbs("up")
    shutil.rmtree(host.root / "sys/class/net/vti05")
    for family in ("ipv4", "ipv6"):
        shutil.rmtree(host.root / f"proc/sys/net/{family}/conf/vti05")
    host.verbs("prepare")
    assert host.devices() == {"vti05": DEVICE}


def test_the_roles_device_comes_back_as_the_role_wrote_it(host: Host) -> None:
    (host.home / "restore.conf").write_text("# Written by the role\ndevices vti01 vti05\ndevice vti05 ...\n")
    restore = host.home / "restore"
    restore.write_text(
        f'#!/bin/sh\necho "$1" >{host.root}/restored\nmkdir {host.root}/sys/class/net/vti05\n'
        f"cd {host.root}/sys/class/net/vti05 && echo 768 >type && echo route_based.vpn >ifalias\n"
    )
    restore.chmod(0o755)
    host.verbs("up")
    assert host.table("restored") == [str(host.home / "restore.conf")]
    assert host.table("log") == ["link set vti05 up", "route replace 10.0.1.0/24 dev vti05 proto 159"]
    host.verbs("down")
    assert (host.root / "sys/class/net/vti05").exists()


def test_references_of_a_pluto_that_ended_count_no_more(host: Host) -> None:
    host.verbs("up route")
    host.verbs("up route", PLUTO_CONNECTION="gone", PLUTO_PEER_CLIENT="10.9.0.0/16")
    assert len(host.references()) == 2
    host.pluto(4711)
    assert host.verbs("up route") == ""
    assert len(host.references()) == 1
    host.verbs("down unroute")
    assert (host.references(), host.devices()) == ([], {})


def test_a_device_for_other_ends_is_made_anew_unless_somebody_needs_it(host: Host) -> None:
    host.verbs("up")
    output = host.call({**BASE, "PLUTO_CONNECTION": "b", "PLUTO_PEER": "192.1.2.99"}, status=1)
    assert "vti05 has other ends or another mark" in output
    assert "vti-shared=yes and one mark" in output
    assert (host.devices(), host.references()) == ({"vti05": DEVICE}, ["vti05,a,192.1.2.23,10.0.2.0_24,10.0.1.0_24"])
    host.pluto(4711)
    host.verbs("up", PLUTO_PEER="192.1.2.99")
    assert host.devices() == {"vti05": "192.1.2.45 192.1.2.99"}


def test_many_at_once(host: Host) -> None:
    """Conns that share a device come and go side by side: what stays is what somebody needs, and none fails."""

    def at_once(verb: str, numbers: range) -> None:
        running = [
            subprocess.Popen(
                **host.command(
                    {
                        **BASE,
                        "PLUTO_VERB": f"{verb}-client",
                        "PLUTO_CONNECTION": f"c{number}",
                        "PLUTO_PEER_CLIENT": f"10.1.{number}.0/24",
                    }
                )
            )
            for number in numbers
        ]
        assert [process.wait(timeout=60) for process in running] == [0] * len(running)

    for _attempt in range(3):
        at_once("up", range(8))
        assert len(host.table("routes")) == 8
        at_once("down", range(7))
        assert (len(host.table("routes")), len(host.references())) == (1, 1)
        at_once("down", range(7, 8))
        assert (host.table("routes"), host.references(), host.devices()) == ([], [], {})


def test_who_came_while_the_device_went_gets_it_back(host: Host) -> None:
    """The other conn wrote its reference, and saw the device, before this one removed it: its ip does that here."""
    host.verbs("up")
    reference = host.state / "vti05,late,192.1.2.23,10.0.2.0_24,10.9.0.0_16"
    commands = host.table("log")
    text = "\n".join(["# 0x1.0x2 ", *commands[:-1], "route replace 10.9.0.0/16 dev vti05 proto 159"])
    (host.root / "late").write_text(text + "\n")
    wrapper = (
        f'#!/bin/sh\ncase $* in *-force*-) cp {host.root}/late {reference} ;; esac\nexec {host.root}/bin/real "$@"\n'
    )
    (host.root / "bin/ip").rename(host.root / "bin/real")
    (host.root / "bin/ip").write_text(wrapper)
    (host.root / "bin/ip").chmod(0o755)
    host.verbs("down")
    assert host.devices() == {"vti05": DEVICE}
    assert [x.split()[0] for x in host.table("routes")] == ["10.9.0.0/16"]


@pytest.mark.parametrize("refused", ["link add", "address", "route replace"])
def test_what_ip_refuses_is_told_and_nothing_is_left(host: Host, refused: str) -> None:
    output = host.call({**BASE, "VTI_IP": "10.0.2.1/24", "FAKE_REFUSE": refused}, status=1)
    assert "Operation not permitted" in output
    assert "route_based.vpn: up-client of a: ip could not set up vti05, see the lines above" in output
    assert (host.references(), host.devices(), host.table("routes")) == ([], {}, [])


HOSTILE = ["v;touch hacked", "$(touch hacked)", "`touch hacked`", "a b", "../a", "-rf", "*", "a\ntouch hacked", "é"]
HOSTILE += ["'", '"']


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_conn_names_and_ids_do_no_harm(host: Host, name: str) -> None:
    ids = {"PLUTO_MY_ID": name, "PLUTO_PEER_ID": name, "PLUTO_PEER_CA": name, "PLUTO_CONNECTION": name}
    host.verbs("up route", **ids)
    assert len(host.references()) == 1
    host.verbs("down unroute", **ids)
    assert (host.references(), host.devices()) == ([], {})
    assert not list(host.root.rglob("hacked"))
    assert not Path("hacked").exists()


@pytest.mark.parametrize("name", [*HOSTILE, "a" * 16, "ip_vti0", "ip6_vti0", "-a", "vti.5", "a/b"])
def test_hostile_device_names_are_refused(host: Host, name: str) -> None:
    assert "is not a name for a device" in host.call({**BASE, "VTI_IFACE": name}, status=1)
    assert (host.table("log"), host.references()) == ([], [])


@pytest.mark.parametrize(
    "option",
    ["PLUTO_ME", "PLUTO_PEER", "PLUTO_PEER_CLIENT", "PLUTO_MY_CLIENT", "VTI_IP", "CONNMARK_IN", "CONNMARK_OUT",
     "PLUTO_METRIC", "PLUTO_MTU", "PLUTO_MY_SOURCEIP"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["10.0.0.1\nlink del eth0", "1;id", "1 dev eth0", "$(id)"])
def test_hostile_values_are_refused(host: Host, option: str, value: str) -> None:
    assert f"{option} has characters that do not belong there" in host.call({**BASE, option: value}, status=1)
    assert (host.table("log"), host.references()) == ([], [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"CONNMARK_IN": ""}, "vti-interface=vti05 needs a mark="),
        ({"CONNMARK_OUT": ""}, "vti-interface=vti05 needs a mark="),
        ({"PLUTO_PEER": ""}, "PLUTO_ME, PLUTO_PEER or PLUTO_PEER_CLIENT is missing"),
    ],
)
def test_incomplete(host: Host, changes: Environment, message: str) -> None:
    assert message in host.call({**BASE, **changes}, status=1)


def test_a_device_that_is_no_vti(host: Host) -> None:
    host.device("vti05", "", number=1)
    assert "the device vti05 is no VTI" in host.call(BASE, status=1)
    assert host.table("log") == []


def test_a_lease_is_an_address_of_the_device(host: Host) -> None:
    lease = {"PLUTO_CFG_CLIENT": "1", "PLUTO_MY_SOURCEIP": "10.9.0.7", "PLUTO_MY_CLIENT": "10.9.0.7/32"}
    host.device("vti05", "route_based.vpn")
    host.verbs("prepare route up", **lease)
    assert host.table("addresses") == ["10.9.0.7/32 dev vti05"]
    host.verbs("down unroute", **lease)
    assert host.table("addresses") == []


def test_drop_ins(host: Host) -> None:
    """They see what the hook sees; what they say is told; that they fail breaks nothing; they hold nobody up."""
    for name, text in (
        (
            "10-good",
            f'exec >>{host.root}/seen; echo "$PLUTO_VERB $VTI_IFACE $PATH"; ls {host.root}/sys/class/net',
        ),
        ("20-bad", "echo something; exit 3"),
        ("30-lasts", "sleep 20 &"),
        ("40-not-executable", "exit 1"),
    ):
        path = host.root / "drop-ins" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o644 if "not" in name else 0o755)
    output = host.verbs("up")
    assert output.splitlines() == [
        f"route_based.vpn: up-client of a: {host.root}/drop-ins/20-bad ended with exit status 3",
        f"route_based.vpn: up-client of a: {host.root}/drop-ins/20-bad: something",
    ]
    host.verbs("down")
    path = f"{host.root}/bin:/usr/bin:/bin"
    # The device is there when they are called, first and last.
    assert host.table("seen") == [f"up-client vti05 {path}", "vti05", f"down-client vti05 {path}", "vti05"]


def test_without_vti_it_is_libreswans_own_script(host: Host) -> None:
    ipsec = host.root / "bin/ipsec"
    ipsec.write_text(f'#!/bin/sh\necho "$@" "$PLUTO_VERB" >{host.root}/stock\nexit 7\n')
    ipsec.chmod(0o755)
    host.call({**BASE, "VTI_IFACE": ""}, status=7)
    assert host.table("stock") == ["_updown up-client"]


def test_it_is_a_shell_script_for_any_shell() -> None:
    for shell in ("dash", "bash"):
        subprocess.run([shell, "-n", str(HOOK)], check=True, env={**os.environ})


class TestWhichPlutoItIs:
    """By its process number and start time: a clock that was set, forward or back, makes no call another pluto's."""

    OTHER: t.ClassVar[Environment] = {"PLUTO_CONNECTION": "b", "PLUTO_PEER_CLIENT": "10.9.0.0/16"}

    @pytest.mark.parametrize("age", [-1e6, -1, 0, 1, 1e6])
    def test_a_clock_that_was_set_withdraws_nothing(self, host: Host, age: float) -> None:
        """Also between two verbs, and with routes of other conns that go with pluto."""
        (host.home / "established.conf").write_text("b 10.7.0.0/16 dev vti05 proto 158\n")
        host.verbs("prepare route up", **self.OTHER)
        before = host.table("routes")
        assert any("10.7.0.0/16" in line for line in before)
        host.pluto(110, age=age)
        host.verbs("prepare route up")
        assert (host.references(), len(host.table("routes"))) == (sorted(host.references()), len(before) + 1)
        assert len(host.references()) == 2
        assert set(before) < set(host.table("routes"))

    def test_another_one_with_the_same_number(self, host: Host) -> None:
        """As after a reboot, or in a container."""
        host.verbs("up", **self.OTHER)
        host.pluto(110, start=2000)
        host.verbs("up")
        assert len(host.references()) == 1
        host.verbs("down")
        assert host.devices() == {}

    def test_one_that_has_removed_its_file_already(self, host: Host) -> None:
        """It takes its conns down while it ends."""
        host.verbs("prepare route up")
        (host.root / "run/pluto/pluto.pid").unlink()
        host.verbs("down unroute")
        assert (host.references(), host.devices(), host.table("routes")) == ([], {}, [])


class TestWhereNothingCanBeNoted:
    """/run is full or read-only: the tunnel works, one line says so, and nothing is removed that others may need."""

    @pytest.fixture
    def no_folder(self, host: Host) -> Path:
        """As a read-only one: no folder can be made, which a file in its place does for root, too."""
        (host.root / "state").write_text("")
        return host.root / "state"

    def test_the_tunnel_comes_up_and_one_line_tells(self, host: Host, no_folder: Path) -> None:
        output = host.call({**BASE, "VTI_IP": "10.0.2.1/24"})
        assert output.count("cannot write to") == 1
        assert (list(host.devices()), len(host.table("routes"))) == (["vti05"], 1)

    @pytest.mark.parametrize("client", ["10.0.1.0/24", "0.0.0.0/0"])
    def test_what_another_conn_may_need_stays(self, host: Host, no_folder: Path, client: str) -> None:
        host.verbs("up route", PLUTO_PEER_CLIENT=client)
        host.verbs("up route", PLUTO_PEER_CLIENT=client, PLUTO_CONNECTION="b")
        tables = (host.devices(), host.table("routes"), host.table("rules"))
        host.verbs("down unroute", PLUTO_PEER_CLIENT=client)
        assert (host.devices(), host.table("routes"), host.table("rules")) == tables

    def test_no_block_is_set_that_nobody_could_lift(self, host: Host, no_folder: Path) -> None:
        host.verbs("prepare route up")
        host.verbs("prepare route up", PLUTO_CONNECTION="b", VTI_IFACE="vti06", PLUTO_PEER="192.1.2.24")
        host.verbs("down")
        assert host.table("policies") == []

    def test_routes_of_conns_that_are_up_are_not_withdrawn(self, host: Host, no_folder: Path) -> None:
        """No folder means that it cannot be told whether this pluto is a new one."""
        (host.home / "established.conf").write_text("b 10.7.0.0/16 dev vti05 proto 158\n")
        host.verbs("up", PLUTO_CONNECTION="b")
        host.verbs("up")
        assert any("10.7.0.0/16" in line for line in host.table("routes"))

    def test_drop_ins_are_called(self, host: Host, no_folder: Path) -> None:
        program = host.root / "drop-ins/10"
        program.write_text(f"#!/bin/sh\necho something\n: >{host.root}/called\n")
        program.chmod(0o755)
        host.verbs("up")
        assert (host.root / "called").exists()

    def test_a_folder_that_fills_up_keeps_what_is_needed(self, host: Host) -> None:
        """An empty reference, which takes no room, counts."""
        host.verbs("up", PLUTO_CONNECTION="b")
        for path in host.state.iterdir():
            path.write_text("")
        host.verbs("up")
        host.verbs("down")
        assert list(host.devices()) == ["vti05"]


class TestRoutesThatGoWithAConn:
    """What established.conf says: routes that are there only while their conn is established."""

    LINES = (
        "# Written by the role.\n"
        "a 10.7.0.0/16 dev vti05 metric 100 proto 157\n"
        "b 10.7.0.0/16 dev vti06 metric 200 proto 157\n"
        "ab 10.8.0.0/16 dev vti05 proto 157\n"
    )
    FIRST = "10.7.0.0/16 table main metric 100: 10.7.0.0/16 dev vti05 metric 100 proto 157"
    SECOND = "10.7.0.0/16 table main metric 200: 10.7.0.0/16 dev vti06 metric 200 proto 157"
    NO_ROUTING: t.ClassVar[Environment] = {"VTI_ROUTING": "no"}
    OTHER: t.ClassVar[Environment] = {
        "VTI_ROUTING": "no",
        "VTI_IFACE": "vti06",
        "PLUTO_CONNECTION": "b",
        "PLUTO_PEER": "192.1.2.24",
    }

    @pytest.fixture(autouse=True)
    def written(self, host: Host) -> None:
        """The role has written it."""
        (host.home / "established.conf").write_text(self.LINES)

    @pytest.mark.parametrize("order", ["up prepare route", "prepare route up"], ids=["4.10", "5.2"])
    def test_they_come_and_go(self, host: Host, order: str) -> None:
        host.verbs(order, **self.NO_ROUTING)
        assert host.table("routes") == [self.FIRST]
        # It stays routed: the next packet, or pluto by itself, brings it up again.
        host.verbs("down", **self.NO_ROUTING)
        assert host.table("routes") == []
        host.verbs(order, **self.NO_ROUTING, SPI_IN="0x3")
        assert host.table("routes") == [self.FIRST]
        host.verbs("down unroute", **self.NO_ROUTING)
        assert host.table("routes") == []

    def test_those_of_another_conn_stay(self, host: Host) -> None:
        host.verbs("prepare route up", **self.NO_ROUTING)
        host.verbs("prepare route up", **self.OTHER)
        assert host.table("routes") == [self.FIRST, self.SECOND]
        host.verbs("down", **self.NO_ROUTING)
        assert host.table("routes") == [self.SECOND]

    def test_what_waits_for_its_first_packet_has_none(self, host: Host) -> None:
        host.verbs("prepare route", **self.NO_ROUTING, SPI_IN="0x0", SPI_OUT="0x0")
        assert host.table("routes") == []

    def test_they_end_with_pluto(self, host: Host) -> None:
        host.verbs("prepare route up", **self.NO_ROUTING)
        host.verbs("prepare route up", **self.OTHER)
        host.pluto(111)
        host.verbs("prepare route up", **self.OTHER, SPI_IN="0x7")
        assert host.table("routes") == [self.SECOND]

    def test_they_go_where_the_rest_fails(self, host: Host) -> None:
        host.call({**BASE, "FAKE_REFUSE": "route replace 10.0.1.0/24"}, status=1)
        assert host.table("routes") == []


class TestPacketsOfAConnThatWent:
    """What the kernel would ask pluto about, and pluto before 5.4 would take for another conn's: see hold()."""

    OTHER: t.ClassVar[Environment] = {
        "VTI_IFACE": "vti06",
        "PLUTO_CONNECTION": "b",
        "PLUTO_PEER": "192.1.2.24",
        "CONNMARK_OUT": "7/0xffffffff",
        "VTI_ROUTING": "no",
    }
    BLOCKED: t.ClassVar[list[str]] = [
        "0.0.0.0/0 0.0.0.0/1 out 6 0xffffffff",
        "0.0.0.0/0 128.0.0.0/1 out 6 0xffffffff",
    ]

    @pytest.mark.parametrize("order", ["up prepare route", "prepare route up"], ids=["4.10", "5.2"])
    def test_they_run_into_a_block_until_it_is_back(self, host: Host, order: str) -> None:
        host.verbs(order)
        host.verbs(order, **self.OTHER)
        assert host.table("policies") == []
        host.verbs("down")
        assert host.table("policies") == self.BLOCKED
        # What waits for a packet has no SA yet.
        host.verbs("prepare route", SPI_IN="0x0", SPI_OUT="0x0")
        assert host.table("policies") == self.BLOCKED
        host.verbs("prepare up", SPI_IN="0x3")
        assert host.table("policies") == []

    def test_none_is_left_of_what_is_released(self, host: Host) -> None:
        host.verbs("prepare route up")
        host.verbs("prepare route up", **self.OTHER)
        host.verbs("down unroute")
        assert host.table("policies") == []

    def test_none_is_left_of_a_pluto_that_ended(self, host: Host) -> None:
        host.verbs("prepare route up")
        host.verbs("prepare route up", **self.OTHER)
        host.verbs("down")
        host.pluto(111)
        host.verbs("prepare route up", **self.OTHER, SPI_IN="0x7")
        assert host.table("policies") == []

    def test_the_only_conn_is_the_right_one(self, host: Host) -> None:
        host.verbs("prepare route up")
        host.verbs("prepare route up", **self.OTHER)
        host.verbs("down unroute", **self.OTHER)
        host.verbs("down")
        assert host.table("policies") == []

    @pytest.mark.parametrize("shared", [{"VTI_SHARED": "yes"}, {"PLUTO_CONN_KIND": "CK_INSTANCE"}, {}])
    def test_a_mark_that_others_have_is_not_blocked(self, host: Host, shared: Environment) -> None:
        host.verbs("prepare route up", **shared)
        host.verbs("prepare route up", **shared, PLUTO_CONNECTION="b", PLUTO_PEER_CLIENT="10.0.3.0/24")
        host.verbs("down", **shared)
        assert host.table("policies") == []

    def test_ipv6(self, host: Host) -> None:
        host.verbs("prepare route up", PLUTO_PEER_CLIENT="2001:db8:1::/48", VTI_ROUTING="no")
        host.verbs("prepare route up", **self.OTHER)
        host.verbs("down", PLUTO_PEER_CLIENT="2001:db8:1::/48", VTI_ROUTING="no")
        assert host.table("policies") == ["::/0 ::/1 out 6 0xffffffff", "::/0 8000::/1 out 6 0xffffffff"]

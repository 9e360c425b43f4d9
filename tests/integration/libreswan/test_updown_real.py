# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The updown hook on a real kernel with the real ip: what pluto handed over, replayed in a network namespace."""

import contextlib
import json
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HOOK = HERE / "updown"
CASES = sorted(str(case.relative_to(HERE / "data")) for case in (HERE / "data").glob("*/*"))
NETNS = "updown"
BASE = {
    "PLUTO_CONNECTION": "a",
    "PLUTO_CONN_KIND": "CK_PERMANENT",
    "PLUTO_ME": "192.0.2.1",
    "PLUTO_PEER": "192.0.2.2",
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


def ip(*words):
    """What ip says of the namespace."""
    done = subprocess.run(["ip", "-n", NETNS, "-j", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout or "[]")


def start(environment, state):
    """Begins a call of the hook with nothing but this environment."""
    return subprocess.Popen(
        ["ip", "netns", "exec", NETNS, "env", "-i", f"VPN_STATE={state}", *(f"{k}={v}" for k, v in environment.items()),
         str(HOOK)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def call(environment, state, status=0):
    """One call of the hook; what it said."""
    process = start(environment, state)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == status, output
    return output


@pytest.fixture(autouse=True)
def namespace(tmp_path):
    """A network namespace of the test's own; no other device of the node is in it."""
    subprocess.run(["ip", "netns", "add", NETNS], check=True)
    try:
        for command in (
            "link set lo up",
            "link add out0 type dummy",
            "link set out0 up",
            "address add 192.1.2.250/24 dev out0",
            "address add 2001:db8::1/64 dev out0 nodad",
            "route add default via 192.1.2.1 dev out0",
        ):
            subprocess.run(["ip", "-n", NETNS, *command.split()], check=True)
        yield
    finally:
        subprocess.run(["ip", "netns", "del", NETNS], check=True)


@pytest.mark.parametrize("case", CASES)
def test_recorded(case, tmp_path):
    calls = [
        dict(line.split("=", 1) for line in path.read_text().splitlines())
        for path in sorted((HERE / "data" / case).iterdir())
    ]
    first = calls[0]
    up = [x for x in calls if not x["PLUTO_VERB"].startswith(("down", "unroute"))]
    assert [call(x, tmp_path) for x in up] == ["", "", ""]
    (link,) = ip("-d", "link", "show", "type", "vti")[-1:]
    data = link["linkinfo"]["info_data"]
    many = first["PLUTO_CONN_KIND"] == "CK_INSTANCE"
    assert (link["ifname"], link["mtu"], "UP" in link["flags"]) == (first["VTI_IFACE"], 1400, True)
    assert (data["local"], data["remote"]) == (first["PLUTO_ME"], "any" if many else first["PLUTO_PEER"])
    whole = first["PLUTO_PEER_CLIENT"] == "0.0.0.0/0"
    routes = ip("route", "show", "table", "159" if whole else "main", "proto", "159")
    assert [x["dev"] for x in routes] == [first["VTI_IFACE"]]
    with contextlib.suppress(KeyError):
        inet = [x for entry in ip("address", "show", "dev", link["ifname"]) for x in entry["addr_info"]]
        assert first["VTI_IP"] in [f"{x['local']}/{x['prefixlen']}" for x in inet]
    # The tunnel's own packets never go into it.
    assert ip("route", "get", first["PLUTO_PEER"])[0]["dev"] == "out0"
    assert ip("route", "get", "198.51.100.7")[0]["dev"] == (first["VTI_IFACE"] if whole else "out0")
    assert [call(x, tmp_path) for x in calls[len(up) :]] == ["", ""]
    assert ip("route", "show", "table", "all", "proto", "159") == []
    assert [rule for rule in ip("rule") if rule.get("protocol") == "159"] == []
    assert bool([x for x in ip("link", "show", "type", "vti") if x["ifname"] == first["VTI_IFACE"]]) is many
    left = [path for path in tmp_path.glob("*/*") if path.name[0] != "."]
    assert [path.name for path in left if path.read_text() != "# gone\n"] == []


def test_many_at_once(tmp_path):
    def at_once(verb, numbers):
        running = []
        for number in numbers:
            conn = {"PLUTO_CONNECTION": f"c{number}", "PLUTO_PEER_CLIENT": f"10.1.{number}.0/24"}
            running.append(start({**BASE, **conn, "PLUTO_VERB": f"{verb}-client"}, tmp_path))
        outputs = [process.communicate(timeout=60)[0] for process in running]
        assert [process.returncode for process in running] == [0] * len(running), outputs

    for _attempt in range(3):
        at_once("up", range(6))
        assert len(ip("route", "show", "proto", "159")) == 6
        at_once("down", range(5))
        assert len(ip("route", "show", "proto", "159")) == 1
        at_once("down", [5])
        assert [x for x in ip("link", "show", "type", "vti") if x["ifname"] == "vti05"] == []


def test_ipv6(tmp_path):
    ends = {
        "PLUTO_ME": "2001:db8::1",
        "PLUTO_PEER": "2001:db8::2",
        "PLUTO_PEER_CLIENT": "::/0",
        "VTI_IP": "fd00:1::1/64",
    }
    assert call({**BASE, **ends, "PLUTO_VERB": "up-client-v6"}, tmp_path) == ""
    assert ip("-6", "route", "get", "2001:db8::2")[0]["dev"] == "out0"
    assert ip("-6", "route", "get", "2001:db8:99::7")[0]["dev"] == "vti05"
    assert call({**BASE, **ends, "PLUTO_VERB": "down-client-v6"}, tmp_path) == ""
    assert [rule for rule in ip("-6", "rule") if rule.get("protocol") == "159"] == []


def test_a_network_that_the_peer_is_in(tmp_path):
    conn = {**BASE, "PLUTO_ME": "192.1.2.250", "PLUTO_PEER": "198.51.100.7", "PLUTO_PEER_CLIENT": "198.51.0.0/16"}
    assert call({**conn, "PLUTO_VERB": "up-client"}, tmp_path) == ""
    assert ip("route", "get", "198.51.100.7")[0]["dev"] == "out0"
    assert ip("route", "get", "198.51.100.8")[0]["dev"] == "vti05"
    assert ip("route", "get", "198.52.0.1")[0]["dev"] == "out0"
    subprocess.run(["ip", "-n", NETNS, "route", "add", "198.51.7.0/24", "dev", "lo"], check=True)
    assert ip("route", "get", "198.51.7.1")[0]["dev"] == "lo"
    assert call({**conn, "PLUTO_VERB": "down-client"}, tmp_path) == ""
    assert ip("route", "get", "198.51.100.8")[0]["dev"] == "out0"
    assert [rule for rule in ip("rule") if rule.get("protocol") == "159"] == []


def test_an_address_and_a_route_that_were_lost_come_back(tmp_path):
    conn = {**BASE, "VTI_IP": "10.0.2.1/24", "PLUTO_VERB": "up-client"}
    call(conn, tmp_path)
    subprocess.run(["ip", "-n", NETNS, "address", "flush", "dev", "vti05"], check=True)
    assert ip("route", "show", "proto", "159") == []
    call({**conn, "SPI_IN": "0x3"}, tmp_path)
    assert [x["dst"] for x in ip("route", "show", "proto", "159")] == ["10.0.1.0/24"]
    assert "10.0.2.1" in [x["local"] for x in ip("address", "show", "dev", "vti05")[0]["addr_info"]]


def test_what_the_kernel_refuses_is_told_and_nothing_is_left(tmp_path):
    output = call({**BASE, "PLUTO_VERB": "up-client", "PLUTO_MY_SOURCEIP": "10.255.0.9"}, tmp_path, status=1)
    assert "Command failed" in output
    assert "ip could not set up vti05, see the lines above" in output
    assert ip("route", "show", "proto", "159") == []
    assert [x for x in ip("link", "show", "type", "vti") if x["ifname"] == "vti05"] == []

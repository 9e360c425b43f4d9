# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Devices without addresses, which use one that stands once on the host."""

from __future__ import annotations

import pytest

OWN = {"4": "10.255.0.1", "6": "fd99::1"}
LENGTH = {"4": 32, "6": 128}


def holder(family):
    return {"name": "vpn-inner", "kind": "dummy", "addresses": [{"address": f"{OWN[family]}/{LENGTH[family]}"}]}


def ends(number):
    return {"name": f"vti{number}", "local": "192.0.2.1", "remote": f"192.0.2.{number}", "key": number}


def peer(family, number):
    return f"10.255.0.{number}" if family == "4" else f"fd99::{number}"


def numbered(family, number):
    address = {"address": f"{OWN[family]}/{LENGTH[family]}", "peer": peer(family, number)}
    return {**ends(number), "addresses": [address]}


def unnumbered(family, number, **more):
    return {**ends(number), "unnumbered": {"address": OWN[family], "peer": peer(family, number)}, **more}


def network(family, number, **more):
    destination = f"10.0.{number}.0/24" if family == "4" else f"fd0{number}::/48"
    return {"destination": destination, "device": f"vti{number}", "guard": True, **more}


def way(kernel, family, address):
    """How the kernel reaches an address: device and source."""
    found = kernel.ip(f"-{family} route get {address}")[0]
    return found["dev"], found["prefsrc"]


def ways(kernel, family, number):
    """How the kernel reaches the peer and the network behind it."""
    inside = f"10.0.{number}.5" if family == "4" else f"fd0{number}::5"
    return [way(kernel, family, address) for address in (peer(family, number), inside)]


@pytest.mark.parametrize("family", ["4", "6"])
class TestUnnumbered:
    """Everything once for inner addresses of each family."""

    def test_the_address_is_there_once_and_is_the_source(self, kernel, family):
        done = kernel.tunnels(unnumbered(family, 2), unnumbered(family, 3), holder(family))
        assert [entry[:2] for entry in done] == [(name, "created") for name in ("vti2", "vti3", "vpn-inner")]
        kernel.routes(network(family, 2, source=OWN[family]), network(family, 3, source=OWN[family]))
        assert kernel.sh("ip address show").count(f"{OWN[family]}/") == 1
        assert ways(kernel, family, 2) == [("vti2", OWN[family])] * 2
        assert ways(kernel, family, 3) == [("vti3", OWN[family])] * 2

    def test_from_numbered_and_back(self, kernel, family):
        """As a host was before, and as it is taken back to."""
        kernel.tunnels(numbered(family, 2), numbered(family, 3))
        kernel.routes(network(family, 2), network(family, 3), purge=True)
        before = sorted(kernel.everything().splitlines())
        kernel.tunnels(holder(family), unnumbered(family, 2), unnumbered(family, 3), purge=True)
        inside = kernel.ip(f"-{family} route get {'10.0.2.5' if family == '4' else 'fd02::5'}")[0]
        assert inside["dev"] == "vti2"
        kernel.routes(network(family, 2, source=OWN[family]), network(family, 3, source=OWN[family]), purge=True)
        assert ways(kernel, family, 2) == [("vti2", OWN[family])] * 2
        kernel.tunnels(numbered(family, 2), numbered(family, 3), purge=True)
        kernel.routes(network(family, 2), network(family, 3), purge=True)
        assert sorted(kernel.everything().splitlines()) == before

    def test_what_is_taken_away_by_hand_comes_back(self, kernel, family):
        wanted = (holder(family), unnumbered(family, 2), unnumbered(family, 3))
        kernel.tunnels(*wanted)
        for command in (
            "ip link del vpn-inner",
            "ip link set vpn-inner down",
            f"ip address add {peer(family, 77)}/{LENGTH[family]} dev vti2",
            f"ip -{family} route del {peer(family, 2)} dev vti2",
            "ip link set vti2 down",
            "ip link del vti3",
        ):
            kernel.sh(command)
            assert {entry[1] for entry in kernel.tunnels(*wanted)} - {"kept"}, command
            found = [way(kernel, family, peer(family, number)) for number in (2, 3)]
            assert found == [("vti2", OWN[family]), ("vti3", OWN[family])], command

    def test_a_change_of_the_site_s_own_number(self, kernel, family):
        kernel.tunnels(holder(family), unnumbered(family, 2))
        kernel.routes(network(family, 2, source=OWN[family]))
        new = "10.255.0.8" if family == "4" else "fd99::8"
        other = {**holder(family), "addresses": [{"address": f"{new}/{LENGTH[family]}"}]}
        kernel.tunnels(other, {**unnumbered(family, 2), "unnumbered": {"address": new, "peer": peer(family, 2)}})
        kernel.routes(network(family, 2, source=new))
        assert ways(kernel, family, 2) == [("vti2", new)] * 2

    def test_purge_leaves_nothing(self, kernel, family):
        before = sorted(kernel.everything().splitlines())
        kernel.tunnels(holder(family), unnumbered(family, 2))
        done = kernel.tunnels(purge=True)
        assert {entry[:2] for entry in done} == {("vpn-inner", "removed"), ("vti2", "removed")}
        assert sorted(kernel.everything().splitlines()) == before

    def test_vpn_info_tells_it(self, kernel, family):
        kernel.tunnels(holder(family), unnumbered(family, 2))
        found = kernel.call("vpn_info", names=[])["devices"]
        assert [(d["name"], d["unnumbered"]) for d in found] == [
            ("vti2", f"{OWN[family]} peer {peer(family, 2)}"),
        ]


def test_a_dummy_of_somebody_else_is_refused(kernel):
    kernel.sh("ip link add vpn-inner type dummy")
    assert "it is not ours but of kind dummy" in kernel.refuse("vti_tunnel", tunnels=[holder("4")])


def test_an_address_that_no_device_has_is_told(kernel):
    message = kernel.refuse("vti_tunnel", tunnels=[unnumbered("4", 2)])
    assert "unnumbered.address='10.255.0.1': no device of this host has this address" in message

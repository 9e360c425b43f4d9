# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the variables of an inventory to links and tunnels: golden values, and what stays when hosts come and go."""

from __future__ import annotations

import typing as t

import hypothesis
import pytest
from ansible_collections.route_based.vpn.plugins.plugin_utils import _links, _rollout, _sites
from hypothesis import strategies as st

Hosts = dict[str, dict[str, t.Any]]


def hosts(*ids: int, **common: t.Any) -> Hosts:
    """Sites of these ids, each with one network."""
    return {
        f"s{n}": {"vpn_site_id": n, "vpn_address": f"192.0.2.{n}", "vpn_networks": [f"10.0.{n}.0/24"], **common}
        for n in ids
    }


def plan(inventory: Hosts) -> _sites.Plan:
    """The plan of an inventory without problems, by way of the text that Ansible hands on."""
    found, errors = _sites.plan(inventory)
    assert not errors
    assert _sites.from_json(found.to_json()) == found
    # ansible-core 2.17 makes a value of a text that looks like one.
    assert found.to_json()[0] not in "{["
    return found


def tunnels(inventory: Hosts, name: str) -> dict[str, dict[str, t.Any]]:
    """The tunnels of a host by name."""
    return {x["name"]: x for x in _links.Links(plan(inventory)).tunnels(name)}


def names(inventory: Hosts) -> set[str]:
    """All links of an inventory."""
    return {link.name for link in _links.Links(plan(inventory)).all()}


def test_both_ends_of_a_link() -> None:
    inventory = hosts(3, 7)
    assert tunnels(inventory, "s3") == {
        "link-3-7": {
            "name": "link-3-7",
            "local": "192.0.2.3",
            "remote": "192.0.2.7",
            "local_id": "@site3",
            "remote_id": "@site7",
            "mark": 7,
            "interface": "vti7",
            "unnumbered": {"address": "10.255.0.3", "peer": "10.255.0.7"},
            "mtu": 1400,
            "routes": ["10.0.7.0/24"],
            "auth": "key",
            "auto": "start",
            "peer": "s7",
        }
    }
    assert tunnels(inventory, "s7") == {
        "link-3-7": {
            "name": "link-3-7",
            "local": "192.0.2.7",
            "remote": "192.0.2.3",
            "local_id": "@site7",
            "remote_id": "@site3",
            "mark": 3,
            "interface": "vti3",
            "unnumbered": {"address": "10.255.0.7", "peer": "10.255.0.3"},
            "mtu": 1400,
            "routes": ["10.0.3.0/24"],
            "auth": "key",
            "auto": "add",
            "peer": "s3",
        }
    }


def test_a_host_that_is_no_site_has_no_links() -> None:
    inventory = {**hosts(1, 2), "other": {"gateway_tunnels": []}}
    assert not tunnels(inventory, "other")
    assert not tunnels(inventory, "nobody")


def test_secrets_instead_of_keys_name_no_peer() -> None:
    tunnel = tunnels(hosts(1, 2, vpn_auth="psk"), "s1")["link-1-2"]
    assert (tunnel["auth"], "peer" in tunnel) == ("psk", False)


def test_hub_and_spoke() -> None:
    inventory = hosts(1, 2, 3, 4, vpn_topology="hub_and_spoke")
    inventory["s2"]["vpn_hub"] = True
    assert names(inventory) == {"link-1-2", "link-2-3", "link-2-4"}
    assert tunnels(inventory, "s1")["link-1-2"]["routes"] == [
        "10.0.2.0/24", "10.0.3.0/24", "10.0.4.0/24", "10.255.0.0/16"
    ]  # fmt: skip
    assert tunnels(inventory, "s2")["link-1-2"]["routes"] == ["10.0.1.0/24"]
    # A spoke calls its hub, whatever their ids are.
    assert [tunnels(inventory, name)["link-1-2"]["auto"] for name in ("s1", "s2")] == ["start", "add"]
    assert [tunnels(inventory, name)["link-2-3"]["auto"] for name in ("s2", "s3")] == ["add", "start"]


def test_transit_may_be_said_in_one_network() -> None:
    inventory = hosts(1, 2, 3, vpn_topology="hub_and_spoke", vpn_transit_networks=["10.0.0.0/8"])
    inventory["s1"]["vpn_hub"] = True
    assert tunnels(inventory, "s3")["link-1-3"]["routes"] == ["10.0.1.0/24", "10.0.0.0/8", "10.255.0.0/16"]


def test_several_hubs() -> None:
    inventory = hosts(1, 2, 3, 4, vpn_topology="hub_and_spoke")
    for name in ("s1", "s2"):
        inventory[name]["vpn_hub"] = True
    inventory["s4"]["vpn_transit_hub"] = "s2"
    assert names(inventory) == {"link-1-2", "link-1-3", "link-1-4", "link-2-3", "link-2-4"}
    assert "10.0.4.0/24" in tunnels(inventory, "s3")["link-1-3"]["routes"]
    assert tunnels(inventory, "s4")["link-1-4"]["routes"] == ["10.0.1.0/24"]
    assert "10.0.3.0/24" in tunnels(inventory, "s4")["link-2-4"]["routes"]


def test_meshes_and_further_links() -> None:
    inventory = hosts(1, 2, 3, 4, 5, vpn_topology="none")
    for name in ("s1", "s2", "s3"):
        inventory[name]["vpn_meshes"] = ["north"]
    inventory["s5"]["vpn_links"] = ["s1"]
    assert names(inventory) == {"link-1-2", "link-1-3", "link-2-3", "link-1-5"}
    assert set(tunnels(inventory, "s1")) == {"link-1-2", "link-1-3", "link-1-5"}
    assert not tunnels(inventory, "s4")


def test_a_link_of_two_spokes_is_not_gone_through_the_hub() -> None:
    inventory = hosts(1, 2, 3, vpn_topology="hub_and_spoke")
    inventory["s1"]["vpn_hub"] = True
    inventory["s2"]["vpn_links"] = ["s3"]
    assert tunnels(inventory, "s2")["link-1-2"]["routes"] == ["10.0.1.0/24", "10.255.0.0/16"]
    assert tunnels(inventory, "s2")["link-2-3"]["routes"] == ["10.0.3.0/24"]


def test_ways_are_the_routes_of_all_tunnels() -> None:
    inventory = hosts(1, 2, 3, 4, vpn_topology="hub_and_spoke")
    inventory["s1"]["vpn_hub"] = True
    inventory["s2"]["vpn_links"] = ["s3"]
    links = _links.Links(plan(inventory))
    for name, site in links.by_name.items():
        routes = {(route, x["interface"]) for x in links.tunnels(name) for route in x["routes"]}
        assert {(network, f"vti{peer.id}") for network, peer in links.ways(site).items()} == routes


def test_text_of_inventories_that_have_nothing_else() -> None:
    inventory = hosts(1, 2, vpn_topology="hub_and_spoke", vpn_networks_overlap="no", vpn_mtu="1380")
    inventory["s2"].update({"vpn_site_id": "02", "vpn_hub": "true"})
    inventory["s1"].update({"vpn_hub": "False", "vpn_mtu": 1380, "vpn_networks_overlap": False})
    found = plan(inventory)
    assert [(site.id, site.hub) for site in found.sites] == [(1, False), (2, True)]
    assert (found.mtu, found.overlap) == (1380, False)


def test_behind_nat() -> None:
    inventory = hosts(1, 2)
    inventory["s2"]["vpn_local_address"] = "10.9.9.9"
    assert tunnels(inventory, "s1")["link-1-2"]["remote"] == "192.0.2.2"
    assert tunnels(inventory, "s1")["link-1-2"]["auto"] == "add"
    assert (tunnels(inventory, "s2")["link-1-2"]["local"], tunnels(inventory, "s2")["link-1-2"]["auto"]) == (
        "10.9.9.9",
        "start",
    )


def test_ipv6() -> None:
    inventory = hosts(1, 2, vpn_inner_network="fd00:1::/64")
    for number in (1, 2):
        inventory[f"s{number}"]["vpn_address"] = f"2001:db8::{number}"
    tunnel = tunnels(inventory, "s1")["link-1-2"]
    assert tunnel["unnumbered"] == {"address": "fd00:1::1", "peer": "fd00:1::2"}


ids = st.lists(st.integers(1, 60_000), min_size=2, max_size=12, unique=True)


def net(number: int) -> dict[str, t.Any]:
    """A site's variables, from its id alone."""
    low, high = number % 256, number // 256
    return {"vpn_site_id": number, "vpn_address": f"198.18.{high}.{low}", "vpn_networks": [f"10.{high}.{low}.0/24"]}


@hypothesis.given(ids, st.randoms(use_true_random=False))
def test_stable_when_hosts_come_go_and_change_places(numbers: list[int], random: t.Any) -> None:
    inventory = {f"s{number}": net(number) for number in numbers}
    kept = numbers[: max(2, len(numbers) // 2)]
    shuffled = list(kept)
    random.shuffle(shuffled)
    smaller = {f"renamed{number}": net(number) for number in shuffled}
    for number in kept:
        before, after = tunnels(inventory, f"s{number}"), tunnels(smaller, f"renamed{number}")
        assert set(after) <= set(before)
        for name, tunnel in after.items():
            assert {**tunnel, "peer": ""} == {**before[name], "peer": ""}


@hypothesis.given(ids)
def test_both_ends_mirror_each_other(numbers: list[int]) -> None:
    links = _links.Links(plan({f"s{number}": net(number) for number in numbers}))
    for link in links.all():
        one, two = (links.tunnel(link, site) for site in (link.one, link.two))
        assert (one["local"], one["remote"]) == (two["remote"], two["local"])
        assert (one["local_id"], one["remote_id"]) == (two["remote_id"], two["local_id"])
        assert one["unnumbered"]["address"] == two["unnumbered"]["peer"]
        assert one["unnumbered"]["peer"] == two["unnumbered"]["address"]
        assert sorted([one["auto"], two["auto"]]) == ["add", "start"]


def test_text_that_is_no_plan() -> None:
    with pytest.raises(ValueError, match="is not a plan of the lookup"):
        _sites.from_json("{}")


def conn(name: str, auto: str = "start", right: str = "192.0.2.1") -> dict[str, t.Any]:
    """A conn as tunnel_parts gives it, as far as it counts here."""
    return {"name": name, "keywords": {"auto": auto, "right": right}}


def test_due_are_those_whose_both_ends_are_done() -> None:
    found = plan(hosts(1, 2, 3))
    conns = [conn("link-1-2"), conn("link-1-3", "ondemand")]
    assert _rollout.due(found, "s1", conns, ["s1"], []) == []
    assert _rollout.due(found, "s1", conns, ["s1", "s3"], []) == ["link-1-3"]
    # The host of s2 is down, and its link was down before.
    assert _rollout.due(found, "s1", conns, ["s1", "s3"], ["link-1-2"]) == ["link-1-2", "link-1-3"]


def test_due_are_peers_beyond_the_inventory_that_are_called() -> None:
    found = plan(hosts(1, 2))
    conns = [conn("partner"), conn("caller", "add"), conn("keyless", "ignore"), conn("roadwarriors", "add", "%any")]
    assert _rollout.due(found, "s1", conns, [], []) == ["partner"]
    assert _rollout.due(found, "s1", conns, [], ["caller", "keyless"]) == ["partner", "caller"]


def test_due_counts_tunnels_written_by_hand_at_both_ends() -> None:
    found = _sites.Plan(by_hand=(("b", "to-a", "a", "to-b"),))
    assert _rollout.due(found, "a", [conn("to-b")], ["a"], []) == []
    assert _rollout.due(found, "b", [conn("to-a")], ["a", "b"], []) == ["to-a"]


def seen(**changes: t.Any) -> dict[str, t.Any]:
    """A tunnel in good health, as vpn_info shows it."""
    return {
        "name": "link-1-2",
        "loaded": True,
        "established": True,
        "interface": "vti2",
        "last_error": None,
        "device": {"name": "vti2", "enabled": True},
        "routes": [{"destination": "10.0.2.0/24"}, {"destination": "10.255.0.2/32"}],
        "ping": {"address": "10.255.0.2", "answered": True, "ms": 1.0},
        **changes,
    }


ROUTES = [{"destination": "10.0.2.0/24", "device": "vti2"}, {"destination": "10.0.9.0/24", "device": "vti9"}]
PROBLEMS: list[tuple[dict[str, t.Any], list[str]]] = [
    ({}, []),
    ({"ping": None}, []),
    ({"loaded": False}, ["link-1-2: is not loaded in pluto"]),
    (
        {"established": False, "last_error": "NO_PROPOSAL_CHOSEN"},
        ["link-1-2: is not established; pluto says: NO_PROPOSAL_CHOSEN"],
    ),
    ({"device": None}, ["link-1-2: its device vti2 is not there"]),
    ({"device": {"name": "vti2", "enabled": False}}, ["link-1-2: its device vti2 is down"]),
    ({"routes": []}, ["link-1-2: no route into vti2 for 10.0.2.0/24"]),
    (
        {"ping": {"address": "10.255.0.2", "answered": False, "ms": None}},
        ["link-1-2: 10.255.0.2, the other end of vti2, does not answer a ping"],
    ),
]


def test_routes_are_the_same_however_they_are_written() -> None:
    routes = [
        {"destination": "10.255.0.2", "device": "vti2"},
        {"destination": "10.0.8.0/24", "device": "vti2", "state": "absent"},
        {"destination": "10.0.8.0/24", "device": "vti2", "table": 7},
    ]
    assert _rollout.problems([seen()], routes) == []


@pytest.mark.parametrize(("changes", "expected"), PROBLEMS)
def test_problems_of_a_tunnel(changes: dict[str, t.Any], expected: list[str]) -> None:
    assert _rollout.problems([seen(**changes)], ROUTES) == expected

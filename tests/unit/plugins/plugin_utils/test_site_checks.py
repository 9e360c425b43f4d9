# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every problem that an inventory can have, with the words that a person reads."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.route_based.vpn.plugins.plugin_utils import _site_checks, _sites

Hosts = dict[str, dict[str, t.Any]]
SECRET = "a secret of the test, long enough"
MASTER = "a master secret of the test that protects nothing"
SITES: Hosts = {
    "a": {"vpn_site_id": 1, "vpn_address": "192.0.2.1", "vpn_networks": ["10.0.1.0/24"]},
    "b": {"vpn_site_id": 2, "vpn_address": "192.0.2.2", "vpn_networks": ["10.0.2.0/24"]},
}
TUNNEL = {"name": "x", "local": "192.0.2.1", "remote": "203.0.113.9", "mark": 900, "psk": SECRET}
INNER = "c: gateway_tunnels[0] ('x'): "
OTHER_END = "gateway_tunnels[0] of a, the other end,"
FAR_END = {**TUNNEL, "local": "203.0.113.9", "remote": "192.0.2.1"}


def problems(inventory: Hosts) -> list[str]:
    """All of them as text."""
    plan, errors = _sites.plan(inventory)
    _plan, more = _site_checks.check(inventory, plan)
    found = [str(error) for error in [*errors, *more]]
    assert not [text for text in found if SECRET in text or MASTER in text]
    return found


def changed(**changes: dict[str, t.Any]) -> Hosts:
    """Two good sites with some variables changed, or further hosts."""
    inventory = copy.deepcopy(SITES)
    for name, variables in changes.items():
        inventory.setdefault(name, {}).update(variables)
    return inventory


def of_a(**changes: t.Any) -> dict[str, dict[str, t.Any]]:
    """One hand-written tunnel of host a."""
    return {"a": {"gateway_tunnels": [{**TUNNEL, **changes}]}}


CASES: dict[str, tuple[dict[str, dict[str, t.Any]], list[str]]] = {
    "nothing": ({}, []),
    "same_id": (
        {"b": {"vpn_site_id": 1}},
        ["b: vpn_site_id=1: a has it already; marks, names and addresses come from it"],
    ),
    "same_id_of_a_site_with_other_problems": (
        {"b": {"vpn_site_id": 1, "vpn_address": None}},
        [
            "b: vpn_address=None: is missing: the address that the other sites reach it at",
            "b: vpn_site_id=1: a has it already; marks, names and addresses come from it",
        ],
    ),
    "id_0": ({"b": {"vpn_site_id": 0}}, ["b: vpn_site_id=0: is not a number from 1"]),
    "id_of_truth": (
        {"b": {"vpn_site_id": True}},
        ["b: vpn_site_id=True: is true or false; a number is needed"],
    ),
    "id_of_other_digits": (
        {"b": {"vpn_site_id": "\N{SUPERSCRIPT TWO}"}},
        ["b: vpn_site_id='\N{SUPERSCRIPT TWO}': is a text; a number is needed"],
    ),
    "same_id_in_other_words": (
        {"b": {"vpn_site_id": "01"}},
        ["b: vpn_site_id='01': a has it already; marks, names and addresses come from it"],
    ),
    "id_of_text": (
        {"b": {"vpn_site_id": "two"}},
        ["b: vpn_site_id='two': is a text; a number is needed"],
    ),
    "no_room": (
        {"b": {"vpn_site_id": 255}, "a": {"vpn_inner_network": "10.255.0.0/24"}},
        [
            "b: vpn_inner_network='10.255.0.0/16': is '10.255.0.0/24' for a; it has to be the same for all sites",
            "b: vpn_site_id=255: has no address in vpn_inner_network=10.255.0.0/24, which has room for ids up to 254",
        ],
    ),
    "bad_address": (
        {"b": {"vpn_address": "192.0.2.300"}},
        ["b: vpn_address='192.0.2.300': is not an IPv4 or IPv6 address"],
    ),
    "same_address": (
        {"b": {"vpn_address": "192.0.2.1"}},
        ["b: vpn_address='192.0.2.1': a has it already; the kernel keeps one VTI for a pair of addresses"],
    ),
    "same_address_in_other_words": (
        {"a": {"vpn_address": "2001:db8::1"}, "b": {"vpn_address": "2001:DB8:0::1"}},
        ["b: vpn_address='2001:DB8:0::1': a has it already; the kernel keeps one VTI for a pair of addresses"],
    ),
    "address_of_the_host_itself": (
        {"b": {"vpn_address": "127.0.0.1"}},
        ["b: vpn_address='127.0.0.1': is loopback or link-local: no packet of another site comes to it"],
    ),
    "behind_nat_in_a_network_of_another_site": (
        {"b": {"vpn_local_address": "10.0.1.7"}},
        [
            "b: vpn_local_address='10.0.1.7': is in 10.0.1.0/24 of a, to which the host would send what is for its own "
            "network"
        ],
    ),
    "behind_nat_in_its_own_network": ({"b": {"vpn_local_address": "10.0.2.7"}}, []),
    "families_behind_nat": (
        {"b": {"vpn_local_address": "fd00::2"}},
        ["b: vpn_local_address='fd00::2': is not of the same address family as vpn_address=192.0.2.2"],
    ),
    "families": (
        {"b": {"vpn_address": "2001:db8::2"}},
        ["b: vpn_address='2001:db8::2': is not of the address family of a (192.0.2.1), which it has a link to"],
    ),
    "host_bits": (
        {"b": {"vpn_networks": ["10.0.2.1/24"]}},
        ["b: vpn_networks[0]='10.0.2.1/24': has host bits set; the network is 10.0.2.0/24"],
    ),
    "everything": (
        {"b": {"vpn_networks": ["0.0.0.0/0"]}},
        ["b: vpn_networks[0]='0.0.0.0/0': would take in the outer addresses of all sites"],
    ),
    "multicast": (
        {"b": {"vpn_networks": ["224.0.0.0/4"]}},
        ["b: vpn_networks[0]='224.0.0.0/4': is multicast, loopback or link-local"],
    ),
    "networks_of_text": (
        {"b": {"vpn_networks": "10.0.2.0/24"}},
        ["b: vpn_networks='10.0.2.0/24': is a text; a list is needed: [10.0.2.0/24]"],
    ),
    "overlap": (
        {"b": {"vpn_networks": ["10.0.0.0/16"]}},
        [
            "a: vpn_networks='10.0.1.0/24': shares addresses with 10.0.0.0/16 of b; "
            "where that is meant, say vpn_networks_overlap: true"
        ],
    ),
    "overlap_that_is_meant": (
        {"a": {"vpn_networks_overlap": True}, "b": {"vpn_networks_overlap": True, "vpn_networks": ["10.0.0.0/16"]}},
        [],
    ),
    "overlap_of_no_truth": (
        {"a": {"vpn_networks_overlap": 1}, "b": {"vpn_networks_overlap": 1}},
        ["a: vpn_networks_overlap=1: is a number; true or false is needed"],
    ),
    "own_networks_may_nest": ({"b": {"vpn_networks": ["10.0.2.0/24", "10.0.2.128/25"]}}, []),
    "overlap_around_a_nested_one": (
        {"b": {"vpn_networks": ["10.8.0.0/16", "10.8.8.0/24"]}, "a": {"vpn_networks": ["10.8.8.128/25"]}},
        [
            "a: vpn_networks='10.8.8.128/25': shares addresses with 10.8.8.0/24 of b; "
            "where that is meant, say vpn_networks_overlap: true"
        ],
    ),
    "outer_address_inside": (
        {"b": {"vpn_networks": ["192.0.2.0/28"]}},
        [
            "b: vpn_networks='192.0.2.0/28': has the outer address 192.0.2.1 of a in it, "
            "whose own packets would go astray",
            "b: vpn_networks='192.0.2.0/28': has the outer address 192.0.2.2 of b in it, "
            "whose own packets would go astray",
        ],
    ),
    "outer_address_as_network": (
        {"b": {"vpn_networks": ["192.0.2.1/32"]}},
        [
            "b: vpn_networks='192.0.2.1/32': has the outer address 192.0.2.1 of a in it, "
            "whose own packets would go astray"
        ],
    ),
    "outer_address_in_transit": (
        {
            "a": {"vpn_topology": "hub_and_spoke", "vpn_transit_networks": ["192.0.0.0/8"], "vpn_hub": True},
            "b": {"vpn_topology": "hub_and_spoke", "vpn_transit_networks": ["192.0.0.0/8"]},
        },
        [
            "a: vpn_transit_networks='192.0.0.0/8': has the outer address 192.0.2.1 of the hub a in it, "
            "whose own packets would go astray"
        ],
    ),
    "inner_network": (
        {"b": {"vpn_networks": ["10.255.3.0/24"]}},
        ["b: vpn_networks='10.255.3.0/24': shares addresses with vpn_inner_network=10.255.0.0/16; choose another one"],
    ),
    "topology": (
        {"a": {"vpn_topology": "ring"}, "b": {"vpn_topology": "ring"}},
        ["a: vpn_topology='ring': is none of mesh, hub_and_spoke, none"],
    ),
    "no_hub": (
        {"a": {"vpn_topology": "hub_and_spoke"}, "b": {"vpn_topology": "hub_and_spoke"}},
        ["a: vpn_topology='hub_and_spoke': needs a site with vpn_hub=true"],
    ),
    "transit_hub": (
        {"b": {"vpn_transit_hub": "a"}},
        ["b: vpn_transit_hub='a': is no site with vpn_hub=true"],
    ),
    "links": (
        {"b": {"vpn_links": ["c", "b"]}},
        [
            "b: vpn_links='c': is no site: no host of that name has a vpn_site_id",
            "b: vpn_links='b': is the site itself",
        ],
    ),
    "mtu": (
        {"a": {"vpn_mtu": 9}, "b": {"vpn_mtu": 9}},
        ["a: vpn_mtu=9: is no number of bytes from 68 to 65515"],
    ),
    "proposal": (
        {"a": {"gateway_ike": "des-md5;dh2"}, "b": {"gateway_ike": "des-md5;dh2"}},
        [
            f"{name}: gateway_ike='des-md5;dh2': has 'des', which libreswan 4.10 and 5.2 do not both know"
            for name in "ab"
        ],
    ),
    "proposals_differ": (
        {"b": {"gateway_esp": "aes256-sha2_256"}},
        ["b: gateway_esp='aes256-sha2_256': is 'aes_gcm256' for a; sites need the same"],
    ),
    "no_master": (
        {"a": {"vpn_auth": "psk", "gateway_psk_master": MASTER}, "b": {"vpn_auth": "psk"}},
        [
            "b: gateway_psk_master='...': has less than 32 bytes; with vpn_auth=psk all secrets are derived from it",
        ],
    ),
    "other_master": (
        {
            "a": {"vpn_auth": "psk", "gateway_psk_master": MASTER},
            "b": {"vpn_auth": "psk", "gateway_psk_master": MASTER + "!"},
        },
        [
            "b: gateway_psk_master='...': is not that of a; both ends of a link derive its secret from the same one",
        ],
    ),
    "hand_written_refused": (
        of_a(psk="short"),
        ["a: gateway_tunnels[0] ('x'): psk='...': has 5 bytes; a secret against guessing needs 20 or more"],
    ),
    "hand_written_without_secret": (
        {"a": {"gateway_tunnels": [{key: value for key, value in TUNNEL.items() if key != "psk"}]}},
        [
            "a: gateway_tunnels[0] ('x'): psk='...': is missing: the two ends need one secret of theirs, or "
            "gateway_psk_master; the master secret has to have 32 bytes or more"
        ],
    ),
    "hand_written_mark": (
        of_a(mark=2, interface="vti900"),
        ["a: gateway_tunnels[0] ('x'): mark=2: is that of the link to site 2 (b); choose one that no site id gives"],
    ),
    "hand_written_device": (
        of_a(interface="vti2"),
        [
            "a: gateway_tunnels[0] ('x'): interface='vti2': is that of the link to site 2 (b); "
            "choose one that no site id gives"
        ],
    ),
    "hand_written_name": (
        of_a(name="link-1-2"),
        [
            "a: gateway_tunnels[0] ('link-1-2'): name='link-1-2': is that of the link to site 2 (b); "
            "choose one that no site id gives"
        ],
    ),
    "hand_written_ends": (
        of_a(remote="192.0.2.2"),
        [
            "a: gateway_tunnels[0] ('x'): remote='192.0.2.2': is that of the link to site 2 (b); "
            "choose one that no site id gives"
        ],
    ),
    "hand_written_route": (
        of_a(routes=["10.0.2.0/24"]),
        ["a: gateway_tunnels[0] ('x'): routes[0]='10.0.2.0/24': is where the link to site 2 (b) leads already"],
    ),
    "further_route": (
        {"a": {"gateway_routes": [{"destination": "10.0.2.0/24", "device": "eth0"}]}},
        [
            "a: gateway_routes[0] (10.0.2.0/24): destination='10.0.2.0/24': is where the link to site 2 (b) leads "
            "already"
        ],
    ),
    "further_route_of_another_metric": (
        {"a": {"gateway_routes": [{"destination": "10.0.2.0/24", "device": "eth0", "metric": 7}]}},
        [],
    ),
    "further_route_refused": (
        {"a": {"gateway_routes": [{"destination": "there", "device": "eth0"}]}},
        ["a: gateway_routes[0] (there): destination='there': is not a network like 10.0.0.0/8 or 2001:db8::/32"],
    ),
    "rules_that_are_none": (
        {"a": {"gateway_rules": [{}]}},
        ["a: gateway_rules=[{}]: is no list that vti_route takes: KeyError('priority')"],
    ),
    "two_wildcards": (
        {
            "c": {
                "gateway_certificates": [{"name": "c"}],
                "gateway_roadwarriors": [
                    {"name": f"r{n}", "local": "192.0.2.3", "pool": f"10.9.{n}.0/24", "mark": 800 + n} for n in (1, 2)
                ],
            }
        },
        [
            "c: gateway_roadwarriors[1] ('r2'): local='192.0.2.3': gateway_roadwarriors[0] has it already; "
            "the kernel keeps one VTI without a remote address for a local one"
        ],
    ),
    "mirrored": ({**of_a(), "c": {"gateway_tunnels": [FAR_END]}}, []),
    "mirrored_but_ids": (
        {**of_a(remote_id="@c"), "c": {"gateway_tunnels": [FAR_END]}},
        [
            "c: gateway_tunnels[0] ('x'): local_id='203.0.113.9': gateway_tunnels[0] of a, the other end, "
            "has remote_id='@c'"
        ],
    ),
    "mirrored_but_secret": (
        {**of_a(), "c": {"gateway_tunnels": [{**FAR_END, "psk": SECRET + "!"}]}},
        ["c: gateway_tunnels[0] ('x'): psk='...': gateway_tunnels[0] of a, the other end, has another one"],
    ),
    "mirrored_but_proposal": (
        {**of_a(), "c": {"gateway_tunnels": [{**FAR_END, "esp": "aes256-sha2_256"}]}},
        [
            "c: gateway_tunnels[0] ('x'): esp='aes256-sha2_256': gateway_tunnels[0] of a, the other end, "
            "has esp='aes_gcm256'"
        ],
    ),
    "inner_networks_alike": (
        {
            **of_a(addresses=["10.9.0.1/30", "fd00::1/126"]),
            "c": {"gateway_tunnels": [{**FAR_END, "addresses": ["10.9.0.2/30", "fd00::2/126"]}]},
        },
        [],
    ),
    "inner_peers_alike": (
        {
            **of_a(addresses=[{"address": "10.9.0.1/32", "peer": "10.9.0.2"}]),
            "c": {"gateway_tunnels": [{**FAR_END, "addresses": [{"address": "10.9.0.2/32", "peer": "10.9.0.1"}]}]},
        },
        [],
    ),
    "inner_of_one_end": (
        {**of_a(addresses=["10.9.0.1/30"]), "c": {"gateway_tunnels": [{**FAR_END, "addresses": []}]}},
        [],
    ),
    "inner_of_another_kind": (
        {**of_a(addresses=["10.9.0.1/30"]), "c": {"gateway_tunnels": [{**FAR_END, "addresses": ["fd00::2/126"]}]}},
        [],
    ),
    "inner_the_same": (
        {**of_a(addresses=["10.9.0.1/30"]), "c": {"gateway_tunnels": [{**FAR_END, "addresses": ["10.9.0.1/30"]}]}},
        [f"{INNER}addresses='10.9.0.1/30': {OTHER_END} has the same inner address; give each end one of its own"],
    ),
    "inner_elsewhere": (
        {**of_a(addresses=["10.9.0.1/30"]), "c": {"gateway_tunnels": [{**FAR_END, "addresses": ["10.9.0.6/30"]}]}},
        [f"{INNER}addresses='10.9.0.6/30': {OTHER_END} has no address in 10.9.0.4/30, but in 10.9.0.0/30"],
    ),
    "inner_peer_elsewhere": (
        {
            **of_a(addresses=[{"address": "10.9.0.1/32", "peer": "10.9.0.2"}]),
            "c": {"gateway_tunnels": [{**FAR_END, "addresses": [{"address": "10.9.0.2/32", "peer": "10.9.0.3"}]}]},
        },
        [f"{INNER}addresses='10.9.0.2/32': {OTHER_END} has not its peer=10.9.0.3, but 10.9.0.1"],
    ),
    "mirrored_but_nobody_calls": (
        {**of_a(auto="add"), "c": {"gateway_tunnels": [{**FAR_END, "auto": "add"}]}},
        [
            "c: gateway_tunnels[0] ('x'): auto='add': gateway_tunnels[0] of a, the other end, has auto='add': "
            "neither of them calls"
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_problems(name: str) -> None:
    changes, expected = CASES[name]
    assert problems(changed(**changes)) == expected


@pytest.mark.parametrize(
    "proposal",
    ["aes_gcm256-sha2_512;dh19", "aes_gcm256", "aes256-sha2_256;modp2048", "aes-128-sha1,aes256+aes128-sha2;dh14+dh20"],
)
def test_proposals_that_are_known(proposal: str) -> None:
    assert not _site_checks.proposals("a", {"gateway_ike": proposal})


@pytest.mark.parametrize(
    "proposal",
    [
        "aes512",
        "aes256-md5;dh19",
        "aes256-sha2;dh2",
        "blowfish",
        "aes256;modp1024",
        "aes256-",
        "aes256;",
        "aes256,",
        ";dh19",
    ],
)
def test_proposals_that_one_of_them_does_not_know(proposal: str) -> None:
    assert _site_checks.proposals("a", {"gateway_tunnels": [{"ike": proposal}]})

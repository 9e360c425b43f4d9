# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a gateway's tunnels to devices, routes, conns and secrets: golden values, and every refusal with its message."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _versions
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from ansible_collections.route_based.vpn.plugins.plugin_utils import _tunnels

WIKI = {
    "name": "routed-vpn",
    "local": "192.1.2.45",
    "remote": "192.1.2.23",
    "mark": 5,
    "interface": "vti01",
    "addresses": ["10.0.1.1/24"],
    "routes": ["10.0.0.0/8"],
    "psk": "a secret of the test",
}


def tunnel(**changes: t.Any) -> dict[str, t.Any]:
    """The wiki's tunnel with some options changed; an option set to ... is left out."""
    changed = {**copy.deepcopy(WIKI), **changes}
    return {key: value for key, value in changed.items() if value is not ...}


def keywords(version: str = "4.10", **changes: t.Any) -> dict[str, str]:
    """The keywords of the one conn that a tunnel gives."""
    checked = _tunnels.normalise([tunnel(**changes)])
    host = _tunnels.Host(_versions.version(version), "/hook", "aes_gcm256-sha2_512;dh19", "aes_gcm256")
    return _tunnels.conns(checked, host)[0]["keywords"]


def test_the_wikis_conn() -> None:
    assert keywords() == {
        "left": "192.1.2.45",
        "leftsubnet": "0.0.0.0/0",
        "right": "192.1.2.23",
        "rightsubnet": "0.0.0.0/0",
        "leftid": "192.1.2.45",
        "rightid": "192.1.2.23",
        "authby": "secret",
        "ikev2": "insist",
        "ike": "aes_gcm256-sha2_512;dh19",
        "esp": "aes_gcm256",
        "mark": "5/0xffffffff",
        "vti-interface": "vti01",
        "vti-routing": "no",
        "vti-shared": "no",
        "leftvti": "10.0.1.1/24",
        "leftupdown": "/hook",
        "auto": "start",
        "connalias": "_route_based_vpn",
    }


@pytest.mark.parametrize(("version", "word", "value"), [("4.10", "ikev2", "insist"), ("5.2", "keyexchange", "ikev2")])
def test_keywords_that_were_renamed_in_5_0(version: str, word: str, value: str) -> None:
    words = keywords(version)
    assert words[word] == value
    assert len({"ikev2", "keyexchange"} & set(words)) == 1


def test_marks_of_their_own_for_each_direction() -> None:
    words = keywords(mark=..., mark_in=6, mark_out="0x7/0xff")
    assert (words["mark-in"], words["mark-out"]) == ("6/0xffffffff", "7/0x000000ff")
    assert "mark" not in words
    device = _tunnels.devices(_tunnels.normalise([tunnel(mark=..., mark_in=6, mark_out=7)]))[0]
    assert (device["ikey"], device["okey"]) == (6, 7)


@pytest.mark.parametrize("value", ["12345", "west.example.com"])
def test_ids_that_libreswan_would_look_up(value: str) -> None:
    with pytest.raises(InputErrors, match=f"write @{value}"):
        keywords(local_id=value)
    assert keywords(local_id="@west")["leftid"] == "@west"


def test_options_pass_through_and_are_quoted_where_they_need_it() -> None:
    words = keywords(options={"dpddelay": 10, "encapsulation": True, "connalias": "a b"})
    assert (words["dpddelay"], words["encapsulation"], words["connalias"]) == ("10", "yes", '"a b _route_based_vpn"')


def test_ipv6_selectors_follow_the_outer_family() -> None:
    words = keywords(local="2001:db8::1", remote="2001:db8::2")
    assert words["leftsubnet"] == words["rightsubnet"] == "::/0"


def test_device_and_routes() -> None:
    checked = _tunnels.normalise([tunnel(interface=..., addresses=[{"address": "10.0.1.1/32", "peer": "10.0.1.2"}])])
    assert _tunnels.devices(checked) == [
        {
            "name": "vti5",
            "local": "192.1.2.45",
            "remote": "192.1.2.23",
            "ikey": 5,
            "okey": 5,
            "mtu": 1400,
            "addresses": [{"address": "10.0.1.1/32", "peer": "10.0.1.2"}],
        }
    ]
    assert _tunnels.routes(checked) == [{"destination": "10.0.0.0/8", "device": "vti5", "guard": True}]


BAD = [
    (tunnel(name="x y"), "name='x y': a conn name is"),
    (tunnel(name="x\ny"), "a conn name is"),
    (tunnel(name='x"y'), "a conn name is"),
    (tunnel(name="x'y;id"), "a conn name is"),
    (tunnel(name="x" * 65), "a conn name is"),
    (tunnel(name="default"), "a conn name is"),
    (tunnel(name=...), "name=None: is required"),
    (tunnel(foo=1), "foo='...': is not an option here"),
    (tunnel(local="192.0.2.300"), "is not an IPv4 or IPv6 address"),
    (tunnel(local="192.0.2.0/24"), "is not an IPv4 or IPv6 address"),
    (tunnel(local="0.0.0.0"), "is the unspecified address"),
    (tunnel(remote="224.0.0.5"), "multicast"),
    (tunnel(remote="2001:db8::1"), "is not of the same address family as local=192.1.2.45"),
    (tunnel(remote="192.1.2.45"), "is the local address too"),
    (tunnel(remote=...), "remote=None: is required"),
    (tunnel(mark=0), "mark=0: mark 0 means no mark"),
    (tunnel(mark=-1), "mark=-1"),
    (tunnel(mark="5/0x2"), "has bits outside its mask"),
    (tunnel(mark="five"), "is not a mark"),
    (tunnel(mark=2**32), "is wider than 32 bits"),
    (tunnel(mark=...), "is missing: write mark="),
    (tunnel(mark=True), "mark=True: is true or false; a text or a number is needed"),
    (tunnel(routes="10.0.0.0/8"), "routes='10.0.0.0/8': is a text; a list is needed: [10.0.0.0/8]"),
    (tunnel(psk=12345), "psk='...': is a number; a text is needed"),
    (tunnel(interface="vti 1"), "a device name is"),
    (tunnel(interface="v" * 16), "a device name is"),
    (tunnel(interface="ip_vti0"), "fallback device"),
    (tunnel(interface="v;id"), "a device name is"),
    (tunnel(addresses=["10.0.0.1"]), "addresses[0]='10.0.0.1': needs a prefix length"),
    (tunnel(addresses=["10.0.0.1/255.255.255.0"]), "write the prefix length as a number"),
    (tunnel(addresses=[{"address": "10.0.0.1/32", "peer": "x"}]), "addresses[0]='x'"),
    (tunnel(addresses=[7]), "addresses[0]=7: is neither"),
    (tunnel(routes=["10.0.0.1/8"]), "has host bits set; the network is 10.0.0.0/8"),
    (tunnel(routes=["everything"]), "is not a network"),
    (tunnel(routes=["0.0.0.0/0"]), "would send the tunnel's own packets into the tunnel"),
    (tunnel(metric=-1), "metric=-1: is out of range"),
    (tunnel(metric=4278198272), "metric=4278198272: is out of range"),
    (tunnel(dpd_delay=3601), "dpd_delay=3601: is out of range"),
    (tunnel(dpd_timeout=0), "dpd_timeout=0: is out of range"),
    (tunnel(failover=True, routes=[]), "failover=True: has no routes"),
    (tunnel(preset="oracle"), "preset='oracle': "),
    (tunnel(mtu=67), "is out of range: 68 to 65515"),
    (tunnel(mtu="big"), "mtu='big': is a text; a number is needed"),
    (tunnel(local_id="@west east"), "is not an id"),
    (tunnel(local_id="a#b"), "is not an id"),
    (tunnel(psk="short"), "psk='...': has 5 bytes"),
    (tunnel(auto="route"), "is none of start, ondemand, add, ignore"),
    (tunnel(ike="aes\n\tleftupdown=id"), "is not a libreswan proposal"),
    (tunnel(esp="aes 256"), "is not a libreswan proposal"),
    (tunnel(options={"dpddelay": "3\n\tleftupdown=id"}), "options.dpddelay='3\\n\\tleftupdown=id': holds a control"),
    (tunnel(options={"dpddelay": "3\r"}), "holds a control character"),
    (tunnel(options={"dpddelay": 'a"b'}), "without a double quote"),
    (tunnel(options={"dpddelay": "ü"}), "is ASCII text"),
    (tunnel(options={"dpddelai": 7}), "options.dpddelai='7': is no keyword of libreswan; did you mean dpddelay?"),
    (tunnel(options={"ikelifetme": "8h"}), "did you mean ikelifetime?"),
    (tunnel(options={"leftsendcrt": "always"}), "did you mean leftsendcert?"),
    (tunnel(options={"left updown": "x"}), "is not the name of a libreswan keyword"),
    (tunnel(options={"leftupdown": "/x"}), "commands of your own go into /etc/route_based_vpn/updown.d"),
    (tunnel(options={"vti_routing": "yes"}), "the hook of this collection has that part"),
    (tunnel(options={"leftsubnet": "10.0.0.0/8"}), "is no option here: both selectors are all addresses"),
    (tunnel(options={"rightid": "@x"}), "write remote_id, an option of the tunnel itself"),
    (tunnel(options={"type": "transport"}), "sets it to what a tunnel with a device of its own needs"),
    *[(tunnel(remote=any_), "is no address of a peer; for clients that come from anywhere") for any_ in ("%any", "::")],
    ("a string", "is not a dict: write name"),
]


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_refused(bad: t.Any, message: str) -> None:
    with pytest.raises(InputErrors) as caught:
        _tunnels.normalise([tunnel(name="good", remote="192.1.2.99", interface="vti99", mark=99), bad])
    text = str(caught.value)
    assert message in text
    assert "gateway_tunnels[1]" in text
    assert WIKI["psk"] not in text


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(InputErrors) as caught:
        _tunnels.normalise([tunnel(mark=0, mtu=1), tunnel(name="a b")])
    assert [(error.item, error.option) for error in caught.value.errors] == [
        ("gateway_tunnels[0] ('routed-vpn')", "mark"),
        ("gateway_tunnels[0] ('routed-vpn')", "mtu"),
        ("gateway_tunnels[1] ('a b')", "name"),
    ]


@pytest.mark.parametrize(
    ("second", "option"),
    [
        (tunnel(remote="192.1.2.24", interface="vti02"), "name"),
        (tunnel(name="b", remote="192.1.2.24"), "interface"),
        (tunnel(name="b", interface="vti02", mark=6), "remote"),
        (tunnel(name="b", remote="192.1.2.24", interface="vti02"), "mark"),
        (tunnel(name="b", remote="192.1.2.24", interface="vti02", mark="0x5/0xff"), "mark"),
    ],
)
def test_two_tunnels_that_cannot_be_on_one_host(second: dict[str, t.Any], option: str) -> None:
    with pytest.raises(InputErrors) as caught:
        _tunnels.normalise([tunnel(), second])
    assert option in [error.option for error in caught.value.errors]
    assert "gateway_tunnels[0] has it already" in str(caught.value)


def test_two_secrets_for_one_pair_of_ids() -> None:
    ids = {"local_id": "@west", "remote_id": "@east"}
    other = tunnel(name="b", remote="192.1.2.24", interface="vti02", mark=6, psk="another secret of the test", **ids)
    with pytest.raises(InputErrors, match="is not the secret of") as caught:
        _tunnels.normalise([tunnel(**ids), other])
    assert "another secret" not in str(caught.value)


def test_not_a_list() -> None:
    with pytest.raises(InputErrors, match="is not a list"):
        _tunnels.normalise({"name": "x"})


def test_dead_peer_detection_of_its_own() -> None:
    words = keywords("4.10", dpd_delay=10, dpd_timeout=20)
    assert (words["dpddelay"], words["retransmit-timeout"], words["dpdaction"]) == ("10", "20", "restart")
    assert "dpddelay" not in keywords(dpd_delay=0)


def test_routes_that_fail_over() -> None:
    first = tunnel(metric=100, failover=True)
    more = {"name": "b", "mark": 6, "interface": "vti06", "remote": "192.1.2.24", "addresses": []}
    second = tunnel(**more, metric=200, failover=True)
    assert _tunnels.routes(_tunnels.normalise([first, second])) == [
        {"destination": "10.0.0.0/8", "device": "vti01", "guard": True, "metric": 100, "conn": first["name"]},
        {"destination": "10.0.0.0/8", "device": "vti06", "guard": True, "metric": 200, "conn": "b"},
    ]
    with pytest.raises(
        InputErrors, match=r"routes\[0\]='10.0.0.0/8': gateway_tunnels\[0\] has it already with the same"
    ):
        _tunnels.normalise([first, {**second, "metric": 100}])


@pytest.mark.parametrize(
    ("one", "two", "clash"),
    [
        ("169.254.10.2/30", "169.254.10.1/30", True),
        ("169.254.10.2/30", "169.254.10.6/30", False),
        ("10.0.0.1/16", "10.0.7.1/24", True),
        ("10.0.0.1/32", "10.0.0.1/32", False),
        ({"address": "10.0.0.1/24", "peer": "10.0.0.2"}, "10.0.0.9/24", False),
        ("fd00::1/64", "fd00::2/64", True),
        ("fd00::1/64", "10.0.0.1/24", False),
    ],
)
def test_inner_networks_that_overlap(one: object, two: object, clash: bool) -> None:
    second = tunnel(name="b", mark=6, interface="vti06", remote="192.1.2.24", routes=[], addresses=[two])
    tunnels = [tunnel(addresses=[one]), second]
    if not clash:
        assert len(_tunnels.normalise(tunnels)) == 2
        return
    with pytest.raises(InputErrors, match=r"gateway_tunnels\[[01]\] .* overlaps with .*; each device needs"):
        _tunnels.normalise(tunnels)


def unnumbered(number: int, **changes: t.Any) -> dict[str, t.Any]:
    """A tunnel to another peer, which uses the one inner address of the host."""
    own = {"name": f"t{number}", "remote": f"192.1.2.{number}", "mark": number, "interface": f"vti{number}"}
    loan = {"address": "10.255.0.1", "peer": f"10.255.0.{number}"}
    return tunnel(**{**own, "addresses": ..., "unnumbered": loan, "routes": [f"10.{number}.0.0/16"], **changes})


def test_unnumbered_tunnels_share_one_address() -> None:
    checked = _tunnels.normalise([unnumbered(2), unnumbered(3, routes=["10.3.0.0/16", "fd03::/48"]), tunnel()])
    holder, *devices = _tunnels.devices(checked)
    assert holder == {"name": "vpn-inner", "kind": "dummy", "addresses": [{"address": "10.255.0.1/32"}]}
    assert [(d["addresses"], d.get("unnumbered")) for d in devices] == [
        ([], {"address": "10.255.0.1", "peer": "10.255.0.2"}),
        ([], {"address": "10.255.0.1", "peer": "10.255.0.3"}),
        ([{"address": "10.0.1.1/24"}], None),
    ]
    assert [(r["destination"], r.get("source")) for r in _tunnels.routes(checked)] == [
        ("10.2.0.0/16", "10.255.0.1"),
        ("10.3.0.0/16", "10.255.0.1"),
        # The kernel chooses one of the family.
        ("fd03::/48", None),
        ("10.0.0.0/8", None),
    ]
    host = _tunnels.Host(_versions.version("5.2"), "/hook", "aes_gcm256-sha2_512;dh19", "aes_gcm256")
    assert "leftvti" not in _tunnels.conns(checked, host)[0]["keywords"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unnumbered": {"address": "10.255.0.1"}}, "is no dict of address and peer"),
        ({"unnumbered": {"address": "10.255.0.1/32", "peer": "10.255.0.2"}}, "is not an IPv4 or IPv6 address"),
        ({"unnumbered": {"address": "10.255.0.1", "peer": "fd00::2"}}, "is no other address of the family of 10.255"),
        ({"unnumbered": {"address": "10.255.0.1", "peer": "10.255.0.1"}}, "is no other address of the family of"),
        ({"unnumbered": "10.255.0.1"}, "unnumbered='10.255.0.1': is a text; a dict is needed"),
        ({"addresses": ["10.0.1.1/24"]}, "has no place at a tunnel that is unnumbered"),
        ({"bgp": {"remote_as": 65001}}, "give addresses instead of unnumbered"),
    ],
    ids=str,
)
def test_refused_of_unnumbered_tunnels(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputErrors, match=message):
        _tunnels.normalise([unnumbered(2, **changes)])


def test_two_unnumbered_tunnels_to_one_peer() -> None:
    again = unnumbered(3, unnumbered={"address": "10.255.0.1", "peer": "10.255.0.2"})
    with pytest.raises(InputErrors, match=r"unnumbered.peer='10.255.0.2': gateway_tunnels\[0\] has it already"):
        _tunnels.normalise([unnumbered(2), again])

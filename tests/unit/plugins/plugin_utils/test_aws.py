# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an AWS VPN connection to two tunnels: which one carries the traffic, NAT, lifetimes, what is put over both."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from ansible_collections.route_based.vpn.plugins.plugin_utils import _aws, _presets, _tunnels

DATA = Path(__file__).parents[2] / "data/aws"
BGP, STATIC = ((DATA / f"vpn-{name}.xml").read_text() for name in ("bgp", "static"))
SECRET = "NOT_a_real_secret"


def tunnels(text: str = BGP, **wish: t.Any) -> list[dict[str, t.Any]]:
    return _aws.tunnels(text, _aws.Wish(**{"routes": ["10.1.0.0/16"], "mark": 100, **wish}))


def each(found: list[dict[str, t.Any]], *options: str) -> list[tuple[t.Any, ...]]:
    """Some options of both tunnels."""
    return [tuple(tunnel.get(option) for option in options) for tunnel in found]


@pytest.mark.parametrize(
    ("prefer", "sessions"),
    [
        ("1", [(200, 100), (100, 200)]),
        (1, [(200, 100), (100, 200)]),
        ("2", [(100, 200), (200, 100)]),
        ("both", [(100, 100), (100, 100)]),
    ],
)
def test_the_preferred_tunnel_with_bgp(prefer: t.Any, sessions: list[tuple[int, int]]) -> None:
    found = tunnels(prefer=prefer)
    assert [(tunnel["bgp"]["local_preference"], tunnel["bgp"]["med"]) for tunnel in found] == sessions
    assert each(found, "metric", "failover") == [(None, None)] * 2


@pytest.mark.parametrize(("prefer", "metrics"), [("1", (100, 200)), (2, (200, 100))])
def test_the_preferred_tunnel_with_static_routes(prefer: t.Any, metrics: tuple[int, int]) -> None:
    found = tunnels(STATIC, prefer=prefer)
    assert each(found, "metric", "failover", "bgp") == [(metric, True, None) for metric in metrics]


def test_names_marks_and_devices() -> None:
    assert each(tunnels(name="aws", mark="7"), "name", "mark") == [("aws-1", 7), ("aws-2", 8)]
    assert [tunnel["interface"] for tunnel in _tunnels.normalise(tunnels(mark=7))] == ["vti7", "vti8"]


def test_behind_an_elastic_ip() -> None:
    for tunnel in tunnels(local="10.9.0.10"):
        assert (tunnel["local"], tunnel["local_id"], tunnel["mtu"]) == ("10.9.0.10", "203.0.113.10", 1438)
        assert tunnel["options"] == {"encapsulation": "yes"}
    assert each(tunnels(local="203.0.113.10"), "options", "mtu") == [(None, 1446)] * 2


def test_lifetimes_and_dead_peers_of_the_xml() -> None:
    text = BGP.replace(">28800<", ">14400<").replace(">3600<", ">1800<").replace(">10</int", ">15</int")
    found = tunnels(text.replace(">3</ret", ">5</ret"))
    expected = ({"ikelifetime": "14400s", "salifetime": "1800s"}, 15, 31)
    assert each(found, "options", "dpd_delay", "dpd_timeout") == [expected] * 2
    assert each(tunnels(BGP.replace(">3</ret", ">1</ret")), "dpd_delay", "dpd_timeout") == [(10, 7)] * 2


def test_hold_time_of_the_xml() -> None:
    found = tunnels(BGP.replace("time>30<", "time>10<"))
    assert [(x["bgp"]["hold_time"], x["bgp"]["keepalive"]) for x in found] == [(10, 3)] * 2


def test_override() -> None:
    override = {
        "esp": "aes256-sha2_512;modp2048",
        "auto": "ondemand",
        "options": {"encapsulation": "yes", "salifetime": "30m"},
        "bgp": {"advertise": ["10.9.0.0/16"], "hold_time": 9},
    }
    for tunnel in tunnels(BGP.replace(">3600<", ">1800<"), override=override):
        assert (tunnel["esp"], tunnel["auto"]) == ("aes256-sha2_512;modp2048", "ondemand")
        assert tunnel["options"] == override["options"]
        assert tunnel["mtu"] == 1406
        assert (tunnel["bgp"]["advertise"], tunnel["bgp"]["hold_time"]) == (["10.9.0.0/16"], 9)
        assert tunnel["bgp"]["remote_as"] == 64512
        assert "keepalive" not in tunnel["bgp"]
    assert each(tunnels(override={"mtu": 1300}), "mtu") == [(1300,), (1300,)]
    assert each(tunnels(override=None), "mtu") == [(1446,), (1446,)]


def test_with_certificates_no_secret_is_needed() -> None:
    text = BGP
    for number in ("one", "two"):
        text = text.replace(f"<pre_shared_key>{SECRET}.of_tunnel_{number}_</pre_shared_key>", "")
    certificates = {"auth": "certificate", "certificate": "gateway", "remote_id": "CN=vpn-0abc"}
    for tunnel in tunnels(text, override=certificates):
        assert "psk" not in tunnel
        assert "local_id" not in tunnel
        assert tunnel["remote_id"] == "CN=vpn-0abc"


@pytest.mark.parametrize(
    "found",
    [
        tunnels(),
        tunnels(STATIC, prefer=2),
        tunnels(local="10.9.0.10", prefer="both", override={"bgp": {"advertise": ["10.9.0.0/16"]}}),
        tunnels(STATIC, override={"esp": "aes256-sha2_256;modp2048", "firewall": ["accept"]}),
    ],
)
def test_the_role_takes_them(found: list[dict[str, t.Any]]) -> None:
    checked = _tunnels.normalise(found)
    assert [tunnel["mtu"] for tunnel in checked] == [tunnel["mtu"] for tunnel in found]
    for tunnel in checked:
        assert tunnel["ike"] == _presets.IKE
        assert tunnel["dpd_timeout"] == 15
        assert {"ikelifetime", "salifetime"} <= set(tunnel["options"])


BAD: list[tuple[dict[str, t.Any], str]] = [
    ({"routes": None}, "options: routes=None: is no list of the networks behind AWS, like ['10.1.0.0/16']"),
    ({"routes": []}, "routes=[]: is no list of the networks"),
    ({"routes": "10.1.0.0/16"}, "routes='10.1.0.0/16': is no list"),
    ({"routes": ["10.1.0.1/16"]}, "routes[0]='10.1.0.1/16': has host bits set; the network is 10.1.0.0/16"),
    ({"mark": None}, "mark=None: is no number: the mark of the first tunnel, and the second one has the next"),
    ({"mark": True}, "mark=True: is no number"),
    ({"mark": "5/0xff"}, "mark='5/0xff': is no number"),
    ({"mark": 0}, "mark=0: mark 0 means no mark"),
    ({"mark": 2**32 - 1}, "mark=4294967296: is wider than 32 bits"),
    ({"name": "a b"}, "name='a b-1': a conn name is"),
    ({"name": "x" * 63}, "a conn name is"),
    ({"text": BGP.replace(' id="vpn-0abc1230000000001"', "")}, "name='': is needed, as vpn_connection has no id"),
    ({"local": "10.9.0.300"}, "local='10.9.0.300': is not an IPv4 or IPv6 address"),
    ({"local": "2001:db8::1"}, "local='2001:db8::1': is no IPv4 address, as the outer addresses of the XML are"),
    ({"local": "198.51.100.12"}, "local='198.51.100.12': is the address of AWS in ipsec_tunnel[1]"),
    ({"prefer": "3"}, "prefer='3': is none of 1, 2, both"),
    ({"prefer": True}, "prefer=True: is none of"),
    (
        {"text": STATIC, "prefer": "both"},
        "prefer='both': is for BGP, and this connection has static routes: AWS answers",
    ),
    ({"text": STATIC, "override": {"bgp": {}}}, "override.bgp='...': is for a connection with BGP"),
    ({"override": ["mtu"]}, "override='list': is no dict of options of gateway_tunnels"),
    ({"override": {"psk": SECRET}}, "override.psk='...': comes from the XML, or from the options of this filter"),
    ({"override": {"interface": "vti1"}}, "override.interface='...': comes from"),
    ({"override": {"esp": "serpent256"}}, "override.esp='serpent256': has the cipher 'serpent256', whose overhead is"),
]


@pytest.mark.parametrize(("wish", "message"), BAD)
def test_refused_and_without_a_secret(wish: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputErrors) as caught:
        tunnels(**wish)
    assert message in str(caught.value)
    assert len(caught.value.errors) == 1
    assert SECRET not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize("option", ["routes", "mark", "name", "local", "prefer"])
def test_the_xml_in_the_wrong_place(option: str) -> None:
    for value in (BGP, [BGP], BGP.replace("\n", "")):
        with pytest.raises(InputErrors) as caught:
            tunnels(**{"text": BGP, option: value})
        assert SECRET not in str(caught.value) + repr(caught.value.errors)


def test_what_is_wrong_in_the_xml_and_in_the_options_is_said_at_once() -> None:
    with pytest.raises(InputErrors) as caught:
        tunnels(BGP.replace("65010", "x", 1), mark=0, prefer=3, routes=[], override={"name": "x"})
    assert [error.option for error in caught.value.errors] == [
        "customer_gateway/bgp/asn",
        "override.name",
        "prefer",
        "routes",
        "mark",
    ]

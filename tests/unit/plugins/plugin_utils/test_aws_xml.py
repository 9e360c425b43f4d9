# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The XML of an AWS VPN connection: what is read from it, and everything that is refused, with its message."""

from __future__ import annotations

import traceback
import typing as t
from pathlib import Path

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from ansible_collections.route_based.vpn.plugins.plugin_utils import _aws_xml
from hypothesis import given
from hypothesis import strategies as st

DATA = Path(__file__).parents[2] / "data/aws"
BGP, STATIC = ((DATA / f"vpn-{name}.xml").read_text() for name in ("bgp", "static"))
SECRET = "NOT_a_real_secret"
BOMB = '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><vpn_connection>&b;</vpn_connection>'
OUTSIDE = '<!DOCTYPE vpn_connection SYSTEM "file:///etc/passwd"><vpn_connection/>'
ONE, TWO = (f"NOT_a_real_secret.of_tunnel_{number}_" for number in ("one", "two"))


def without(element: str, text: str = BGP, count: int = 1) -> str:
    """The text without the first elements of a name."""
    for _time in range(count):
        start = text.index(f"<{element}>")
        text = text[:start] + text[text.index(f"</{element}>", start) + len(element) + 3 :]
    return text


def test_a_connection_with_bgp() -> None:
    found = _aws_xml.connection(BGP)
    assert (found.id, found.static) == ("vpn-0abc1230000000001", False)
    assert found.tunnels[1] == _aws_xml.Tunnel(
        outer="203.0.113.10",
        remote="198.51.100.12",
        inner="169.254.10.6/30",
        neighbor="169.254.10.5",
        psk=TWO,
        numbers={"ikelifetime": 28800, "salifetime": 3600, "interval": 10, "retries": 3},
        bgp={"local_as": 65010, "remote_as": 64512, "hold_time": 30},
    )
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        STATIC,
        # Either sign is enough.
        without("vpn_connection_attributes", STATIC),
        BGP.replace(
            "<ipsec_tunnel>",
            "<vpn_connection_attributes>NoBGPVPNConnection</vpn_connection_attributes>\n<ipsec_tunnel>",
            1,
        ),
    ],
)
def test_a_connection_with_static_routes(text: str) -> None:
    found = _aws_xml.connection(text)
    assert found.static
    assert [tunnel.bgp for tunnel in found.tunnels] == [{}, {}]


def test_line_ends_blanks_and_a_byte_order_mark() -> None:
    odd = "\ufeff" + BGP.replace("\n", "\r\n").replace(ONE, f"\n {ONE} \n")
    assert _aws_xml.connection(odd) == _aws_xml.connection(BGP)


def test_without_secrets_where_none_is_asked_for() -> None:
    found = _aws_xml.connection(without("pre_shared_key", count=2), with_psk=False)
    assert [tunnel.psk for tunnel in found.tunnels] == ["", ""]


INSIDE = "customer_gateway/tunnel_inside_address"
BAD = [
    ("", "CustomerGatewayConfiguration: is empty: save the CustomerGatewayConfiguration of 'aws ec2"),
    (" \n", "is empty"),
    ("x" * ((1 << 20) + 1), "has 1048577 characters, and such a file has a few thousand"),
    (BGP[: len(BGP) // 2], "CustomerGatewayConfiguration: ends in the middle in line 54, column 19: save"),
    ('{"VpnConnections": []}', "is no XML: not well-formed (invalid token) in line 1, column 1: save the"),
    (BGP + "<x/>", "junk after document element"),
    ("<a>" * 20 + "</a>" * 20, "has elements 17 deep"),
    (BOMB, "has a document type (<!DOCTYPE), which could do harm"),
    (OUTSIDE, "has a document type"),
    (BGP.replace('"?>\n', '"?>\n<!DOCTYPE vpn_connection>\n', 1), "has a document type"),
    ("<vpn_connection>&bomb;</vpn_connection>", "undefined entity"),
    ("<vpn_connection>\ud800</vpn_connection>", "is no text of Unicode characters"),
    ("<vpnConnection/>", "has 'vpnConnection' as its outermost element, and not vpn_connection"),
    ("<vpn_connection/>", "vpn_connection: ipsec_tunnel=0: is the number of its tunnels, and a connection has 2"),
    (without("ipsec_tunnel"), "ipsec_tunnel=1: is the number of its tunnels"),
    (without("tunnel_outside_address"), "customer_gateway/tunnel_outside_address/ip_address=None: is missing: save"),
    (without("pre_shared_key"), "ipsec_tunnel[0]: ike/pre_shared_key=None: is missing"),
    (without("dead_peer_detection", count=2), "ipsec_tunnel[1]: ipsec/dead_peer_detection/interval=None: is missing"),
    (without("bgp"), "ipsec_tunnel[0]: customer_gateway/bgp/asn=None: is missing"),
    (BGP.replace("203.0.113.10", "2001:db8::1"), "ip_address='2001:db8::1': is no IPv4 address; a tunnel with IPv6"),
    (BGP.replace("203.0.113.10", "203.0.113.300"), "is no IPv4 address"),
    (BGP.replace("203.0.113.10", "198.51.100.11"), "ip_address='198.51.100.11': is that of the customer_gateway, too"),
    (BGP.replace("198.51.100.12", "198.51.100.11"), "ip_address='198.51.100.11': is that of ipsec_tunnel[0], too"),
    (BGP.replace("169.254.10.6", "169.254.10.2"), "ipsec_tunnel[1]: customer_gateway/tunnel_inside_address/ip_address"),
    (BGP.replace("169.254.10.2<", "169.254.5.2<"), f"{INSIDE}='169.254.5.2/30': is of 169.254.5.0/30, which AWS keeps"),
    (BGP.replace("169.254.10.2<", "10.0.0.2<"), f"{INSIDE}='10.0.0.2/30': is not from 169.254.0.0 to 169.254.255.255"),
    (BGP.replace("dr>30<", "dr>29<"), f"{INSIDE}='169.254.10.2/29': is no /30, which AWS's tunnels have inside"),
    (BGP.replace("dr>30<", "dr>99<"), f"{INSIDE}/network_cidr='99': is no number from 1 to 32"),
    (
        BGP.replace("169.254.10.1<", "169.254.10.5<"),
        "is not the other host of 169.254.10.0/30, which the customer_gate",
    ),
    (BGP.replace("169.254.10.1<", "169.254.10.2<"), "='169.254.10.2/30': is not the other host of 169.254.10.0/30"),
    (BGP.replace("169.254.10.1<", "169.254.10.3<"), "is the network or broadcast address of 169.254.10.0/30"),
    (BGP.replace(ONE, "0" + ONE), "ike/pre_shared_key='...': is no secret of AWS, which has 8 to 64 letters"),
    (BGP.replace(ONE, SECRET + "-"), "is no secret of AWS"),
    (BGP.replace(ONE, f"{SECRET}\n\tid"), "is no secret of AWS"),
    (BGP.replace(ONE, SECRET * 5), "is no secret of AWS"),
    (BGP.replace(ONE, "short_1"), "is no secret of AWS"),
    (BGP.replace(">28800<", ">8h<"), "ike/lifetime='8h': is no number from 60 to 86400"),
    (BGP.replace(">3600<", ">-1<"), "ipsec/lifetime='-1': is no number from 60 to 86400"),
    (BGP.replace(">10</int", ">0</int"), "ipsec/dead_peer_detection/interval='0': is no number from 1 to 3600"),
    (BGP.replace("65010", "4294967296"), "customer_gateway/bgp/asn='4294967296': is no number from 1 to 4294967295"),
    (BGP.replace("64512", "٣"), "vpn_gateway/bgp/asn='٣': is no number"),
    (BGP.replace("time>30<", "time>2<"), "vpn_gateway/bgp/hold_time='2': is no number from 3 to 65535"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_refused_and_without_a_secret(text: str, message: str) -> None:
    with pytest.raises(InputErrors) as caught:
        _aws_xml.connection(text)
    assert message in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown + repr(caught.value) + repr(caught.value.errors)


def test_everything_wrong_is_said_at_once() -> None:
    text = without("pre_shared_key", BGP.replace("65010", "x").replace(">3600<", "><").replace(TWO, "-"))
    with pytest.raises(InputErrors) as caught:
        _aws_xml.connection(text)
    assert [(error.item, error.option) for error in caught.value.errors] == [
        (f"ipsec_tunnel[{number}]", option)
        for number in (0, 1)
        for option in ("ike/pre_shared_key", "ipsec/lifetime", "customer_gateway/bgp/asn")
    ]


@given(
    st.one_of(st.text(), st.text().map(lambda text: f"<vpn_connection>{text}</vpn_connection>"), st.integers(0, 5000))
)
def test_any_text_is_refused_in_words(text: t.Union[str, int]) -> None:
    """An integer is how much of a good file there is."""
    given_text = BGP[: min(text, len(BGP) - 20)] if isinstance(text, int) else text
    with pytest.raises(InputErrors) as caught:
        _aws_xml.connection(given_text)
    assert SECRET not in str(caught.value)

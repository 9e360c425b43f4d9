# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""BGP sessions: what is refused and why, what the template of frr.conf is given, and what it makes of that."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import jinja2
import pytest
from ansible_collections.route_based.vpn.plugins.filter import bgp_problems, frr_foreign, tunnel_parts
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from ansible_collections.route_based.vpn.plugins.plugin_utils import _bgp, _tunnels

ROLE = Path(__file__).parents[4] / "roles/gateway"
DATA = Path(__file__).parents[2] / "data/frr"
SETTINGS = {"asn": 65010, "networks": ["10.0.1.0/24"], "maximum_paths": 1}


def tunnel(number: int = 1, **changes: t.Any) -> dict[str, t.Any]:
    """A tunnel with BGP; an option that is ... is left out."""
    raw = {
        "name": f"cloud-{number}",
        "local": "192.0.2.1",
        "remote": f"198.51.100.{number}",
        "mark": 100 + number,
        "addresses": [f"169.254.1{number}.2/30"],
        "routes": ["10.100.0.0/16"],
        "psk": "a secret of the test",
        "bgp": {"remote_as": 64512},
        **changes,
    }
    return {key: value for key, value in raw.items() if value is not ...}


def parts(*tunnels: dict[str, t.Any], **settings: t.Any) -> dict[str, t.Any]:
    """What the template gets."""
    return _bgp.parts(_tunnels.normalise(list(tunnels)), {**SETTINGS, **settings})


def session(**changes: t.Any) -> dict[str, t.Any]:
    """The one session of a tunnel whose bgp is changed."""
    return t.cast("dict[str, t.Any]", parts(tunnel(bgp={"remote_as": 64512, **changes}))["neighbors"][0])


def test_defaults() -> None:
    assert session() == {
        "remote_as": 64512,
        "neighbor": "169.254.11.1",
        "local_as": 0,
        "own_as": 65010,
        "hold_time": 30,
        "keepalive": 10,
        "bfd": False,
        "bfd_interval": 300,
        "bfd_multiplier": 3,
        "local_preference": 100,
        "med": None,
        "prepend": 0,
        "advertise": ["10.0.1.0/24"],
        "maximum_prefix": 1000,
        "password": "",
        "ttl_security": False,
        "accept": ["10.100.0.0/16"],
        "name": "cloud-1",
        "interface": "vti101",
        "family": 4,
    }


@pytest.mark.parametrize(
    ("addresses", "neighbor"),
    [
        (["169.254.11.2/30"], "169.254.11.1"),
        (["169.254.11.1/30"], "169.254.11.2"),
        (["10.9.0.0/31"], "10.9.0.1"),
        ([{"address": "10.255.0.1/32", "peer": "10.255.0.2"}], "10.255.0.2"),
        (["10.9.0.1/24", "10.8.0.2/30"], "10.8.0.1"),
    ],
)
def test_the_neighbour_that_the_addresses_leave_no_doubt_of(addresses: list[t.Any], neighbor: str) -> None:
    assert parts(tunnel(addresses=addresses))["neighbors"][0]["neighbor"] == neighbor


BAD = [
    ({"bgp": {}}, "bgp.remote_as=None: is required"),
    ({"bgp": {"remote_as": "64512"}}, "bgp.remote_as='64512': is a text; a number is needed"),
    ({"bgp": {"remote_as": True}}, "bgp.remote_as=True: is true or false; a number is needed"),
    ({"bgp": {"remote_as": 0}}, "bgp.remote_as=0: is out of range"),
    ({"bgp": {"remote_as": 2**32}}, "is out of range: 1 to 4294967295"),
    ({"bgp": {"remote_as": 1, "asn": 2}}, "bgp.asn='...': is not an option here; these are: remote_as"),
    ({"bgp": {"remote_as": 1, "hold_time": 2}}, "bgp.hold_time=2: is out of range"),
    ({"bgp": {"remote_as": 1, "hold_time": 9, "keepalive": 5}}, "bgp.keepalive=5: leaves no time in hold_time=9"),
    ({"bgp": {"remote_as": 1, "bfd": "yes"}}, "bgp.bfd='yes': is a text; true or false is needed"),
    ({"bgp": {"remote_as": 1, "bfd_interval": 5}}, "bgp.bfd_interval=5: is out of range: 10 to 60000"),
    ({"bgp": {"remote_as": 1, "prepend": 11}}, "bgp.prepend=11: is out of range: 0 to 10"),
    ({"bgp": {"remote_as": 1, "neighbor": "x"}}, "bgp.neighbor='x': is not an IPv4 or IPv6 address"),
    ({"bgp": {"remote_as": 1, "advertise": ["10.0.0.1/8"]}}, "bgp.advertise[0]='10.0.0.1/8': has host bits set"),
    ({"bgp": {"remote_as": 1, "maximum_prefix": 0}}, "bgp.maximum_prefix=0: is out of range: 1 to 4294967295"),
    ({"bgp": {"remote_as": 1, "maximum_prefix": "9"}}, "bgp.maximum_prefix='9': is a text; a number is needed"),
    ({"bgp": {"remote_as": 1, "ttl_security": 1}}, "bgp.ttl_security=1: is a number; true or false is needed"),
    ({"bgp": {"remote_as": 1, "password": 12345678}}, "bgp.password='...': is a number; a text is needed"),
    ({"addresses": ["10.9.0.1/24"]}, "bgp.neighbor=None: is required, as no entry of addresses is a /30"),
    ({"addresses": ["10.9.0.1/240"]}, "addresses[0]='10.9.0.1/240': is not an address"),
    ({"addresses": []}, "bgp.neighbor=None: is required"),
    ({"routes": []}, "routes=[]: is empty: with bgp it says what is accepted"),
    ({"routes": ["fd00::/8"]}, "routes[0]='fd00::/8': is not of the family of bgp.neighbor=169.254.11.1"),
    ({"failover": True}, "failover=True: is for static routes"),
    ({"metric": 100}, "metric=100: is for static routes"),
    ({"bgp": "yes"}, "bgp='yes': is a text; a dict is needed"),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=str)
def test_what_is_refused(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputErrors) as caught:
        _tunnels.normalise([tunnel(**changes)])
    assert message in str(caught.value)
    assert "gateway_tunnels[0] ('cloud-1')" in str(caught.value)


@pytest.mark.parametrize(
    "password",
    ["short-7", "x" * 81, "two words of it", "a\nneighbor x", "a\tb-secret", "p\u00e4sswort-x", "secret\x00-x", ""],
)
def test_a_password_that_frr_cannot_be_given_is_refused_and_not_shown(password: str) -> None:
    with pytest.raises(InputErrors) as caught:
        _tunnels.normalise([tunnel(bgp={"remote_as": 1, "password": password})])
    assert "bgp.password='...': must be 8 to 80 printable ASCII characters without blanks" in str(caught.value)
    assert not password or password not in str(caught.value)


def test_a_password_is_in_no_message_about_other_options() -> None:
    """Whatever else is refused, also in the settings of the host."""
    bad = tunnel(bgp={"remote_as": 1, "password": "not-a-secret-1", "prepend": 99, "nosuch": 1})
    with pytest.raises(InputErrors) as caught:
        _tunnels.normalise([bad])
    assert "not-a-secret-1" not in str(caught.value)
    good = tunnel(bgp={"remote_as": 65010, "password": "not-a-secret-1", "ttl_security": True})
    with pytest.raises(InputErrors) as caught:
        parts(good, tunnel(2, bgp={"remote_as": 1, "neighbor": "169.254.11.1", "password": "not-a-secret-2"}))
    assert "not-a-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("remote_as", "config", "message"),
    [
        (65010, [], "must not be set for a peer of the same AS"),
        (64512, ["router bgp 65010", " neighbor 169.254.11.1 ebgp-multihop 3"], "contradicts ebgp-multihop"),
    ],
)
def test_ttl_security_where_frr_does_not_take_it(remote_as: int, config: list[str], message: str) -> None:
    with pytest.raises(InputErrors, match=message) as caught:
        parts(tunnel(bgp={"remote_as": remote_as, "ttl_security": True}), config=config)
    assert "tunnel 'cloud-1': bgp.ttl_security=True" in str(caught.value)
    assert parts(tunnel(bgp={"remote_as": remote_as}), config=config)
    other = [line.replace("169.254.11.1", "169.254.99.1") for line in config]
    assert parts(tunnel(bgp={"remote_as": 64512, "ttl_security": True}), config=other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"asn": None}, "gateway_bgp_asn=None: is required, as no tunnel names a local_as"),
        ({"asn": ""}, "gateway_bgp_asn=None: is required"),
        ({"asn": "x"}, "gateway_bgp_asn='x': is no AS number"),
        ({"asn": 0}, "gateway_bgp_asn=0: is no AS number"),
        ({"maximum_paths": 0}, "gateway_bgp_maximum_paths=0: is out of range: 1 to 64"),
        ({"router_id": "x"}, "gateway_bgp_router_id='x': is no IPv4 address"),
        ({"networks": ["10.0.0.1/8"]}, "gateway_bgp_networks[0]='10.0.0.1/8': has host bits set"),
    ],
    ids=str,
)
def test_settings_that_are_refused(settings: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputErrors) as caught:
        parts(tunnel(), **settings)
    assert message in str(caught.value)


def test_one_neighbour_of_two_tunnels_is_refused() -> None:
    with pytest.raises(InputErrors, match="is the neighbor of tunnel 'cloud-1' already"):
        parts(tunnel(), tunnel(2, bgp={"remote_as": 1, "neighbor": "169.254.11.1"}))


def test_the_as_number_is_that_of_the_tunnels_where_the_host_names_none() -> None:
    own = {"remote_as": 1, "local_as": 65099}
    assert parts(tunnel(bgp=own), tunnel(2, bgp=own), asn="")["asn"] == 65099
    with pytest.raises(InputErrors, match="the tunnels name 65098, 65099"):
        parts(tunnel(bgp=own), tunnel(2, bgp={**own, "local_as": 65098}), asn=None)
    assert parts(tunnel(bgp=own), asn="65010")["neighbors"][0]["local_as"] == 65099


def test_no_tunnel_no_bgp() -> None:
    assert parts(tunnel(bgp=...)) == {}


def test_what_is_learned_is_guarded_all_the_same() -> None:
    """No static route, but a guard, and the firewall knows by which devices it may leave."""
    found = tunnel_parts.tunnel_parts([tunnel(), tunnel(2)], bgp=SETTINGS)
    assert found["routes"] == [{"destination": "10.100.0.0/16", "type": "unreachable", "metric": 4278198272}]
    assert found["firewall"]["ways"] == [
        {"network": "10.100.0.0/16", "device": "vti101"},
        {"network": "10.100.0.0/16", "device": "vti102"},
    ]
    unguarded = tunnel_parts.tunnel_parts([tunnel(guard=False)], bgp=SETTINGS)
    assert (unguarded["routes"], unguarded["firewall"]["ways"]) == ([], [])
    # vti_route takes a guard once.
    static = tunnel(2, bgp=..., failover=True, metric=5)
    assert len(tunnel_parts.tunnel_parts([tunnel(), static], bgp=SETTINGS)["routes"]) == 1


def test_ipv6() -> None:
    six = tunnel(addresses=["fd00::2/126"], routes=["fd00:100::/32"], bgp={"remote_as": 1, "neighbor": "fd00::1"})
    found = parts(six, networks=["10.0.1.0/24", "fd00:1::/64"])
    assert found["networks"] == {"ipv4": [], "ipv6": ["fd00:1::/64"]}
    assert found["neighbors"][0]["family"] == 6


CASES = {
    "active-passive": (
        [
            tunnel(bgp={"remote_as": 64512, "local_preference": 200, "med": 100}),
            tunnel(2, bgp={"remote_as": 64512, "med": 200, "prepend": 2}),
        ],
        {},
    ),
    "ecmp-bfd": (
        [
            tunnel(bgp={"remote_as": 64512, "bfd": True}),
            tunnel(2, bgp={"remote_as": 64512, "bfd": True, "bfd_interval": 500, "local_as": 65020, "advertise": []}),
        ],
        {"maximum_paths": 2, "config": ["ip prefix-list mine seq 5 permit any"]},
    ),
    "limits": (
        [
            tunnel(
                bgp={"remote_as": 64512, "maximum_prefix": 50, "password": 'not!a"secret\\#1', "ttl_security": True}
            ),
            tunnel(2, bgp={"remote_as": 64512, "local_as": 65020, "password": "not-a-secret-2", "bfd": True}),
        ],
        {},
    ),
    "ipv6": (
        [tunnel(addresses=["fd00::2/126"], routes=["fd00:100::/32"], bgp={"remote_as": 1, "neighbor": "fd00::1"})],
        {"networks": ["fd00:1::/64"]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    """In FRR's own words and order: these files were taken by FRR 8.4 and 10.3, and read back from them the same."""
    tunnels, settings = CASES[case]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    made = environment.get_template("frr.conf.j2").render(__gateway_parts={"bgp": parts(*tunnels, **settings)})
    path = DATA / f"{case}.conf"
    assert made == path.read_text()


def test_problems() -> None:
    sessions = parts(tunnel(), tunnel(2))["neighbors"]
    peers = {"169.254.11.1": {"state": "Established"}, "169.254.12.1": {"state": "Active"}}
    told = json.dumps({"ipv4Unicast": {"peers": peers}, "ipv6Unicast": {}})
    assert bgp_problems.bgp_problems(told, sessions) == [
        "cloud-2: BGP session with 169.254.12.1 is Active, not established"
    ]
    peers["169.254.12.1"]["state"] = "Idle (PfxCt)"
    told = json.dumps({"ipv4Unicast": {"peers": peers}})
    assert bgp_problems.bgp_problems(told, sessions) == [
        "cloud-2: BGP session with 169.254.12.1 is closed, as the peer sent more prefixes than "
        "bgp.maximum_prefix=1000; raise it, or ask the peer"
    ]
    assert len(bgp_problems.bgp_problems("", sessions)) == 2
    assert bgp_problems.bgp_problems("Exiting: failed to connect to any daemons.", sessions) == [
        "FRR does not tell its sessions: Exiting: failed to connect to any daemons."
    ]


@pytest.mark.parametrize(
    ("conf", "lines"),
    [
        ("", []),
        ("# default to using syslog.\n!\nlog syslog informational\n", []),
        ("frr version 8.4.4\nfrr defaults traditional\nhostname west\nservice integrated-vtysh-config\n!\nend\n", []),
        ("router ospf\n network 10.0.0.0/8 area 0\n", ["router ospf", "network 10.0.0.0/8 area 0"]),
        ("route-map route_based_vpn-a-in permit 10\nrouter ospf\n", []),
        # The lines are shown, and may hold somebody's secret.
        (
            "router bgp 1\n neighbor 10.0.0.1 password Secret of mine\n ip ospf message-digest-key 1 md5 Secret\n",
            ["router bgp 1", "neighbor 10.0.0.1 password ...", "ip ospf message-digest-key 1 ..."],
        ),
    ],
)
def test_what_somebody_else_wrote(conf: str, lines: list[str]) -> None:
    assert frr_foreign.frr_foreign(conf, "route_based_vpn") == lines

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the nftables table is made of: sets without overlaps, rules that cannot end their line, segment sizes."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import jinja2
import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.filter.firewall_sets import firewall_sets
from ansible_collections.route_based.vpn.plugins.module_utils import _devices
from ansible_collections.route_based.vpn.plugins.plugin_utils import _firewall

ROLE = Path(__file__).parents[4] / "roles/gateway"

WAYS = [
    {"network": "10.0.0.0/8", "device": "vti01"},
    {"network": "10.1.0.0/16", "device": "vti01"},
    {"network": "10.1.0.0/16", "device": "vti02"},
    {"network": "fd00::/8", "device": "vti01"},
]


def test_sets() -> None:
    assert firewall_sets(WAYS, local=["10.7.0.0/16", "10.7.1.0/24"]) == {
        "guarded4": ["10.0.0.0/8"],
        "ways4": ['10.0.0.0/8 . "vti01"', '10.1.0.0/16 . "vti02"'],
        "local4": ["10.7.0.0/16"],
        "guarded6": ["fd00::/8"],
        "ways6": ['fd00::/8 . "vti01"'],
        "local6": [],
    }


def test_networks_that_the_host_has_a_way_of_its_own_to() -> None:
    live = [
        {"dst": "default", "gateway": "192.1.2.1", "dev": "eth0"},
        {"dst": "10.0.2.0/24", "dev": "lan0"},
        {"dst": "10.9.0.7", "dev": "vti02"},  # of the hook
        {"dst": "10.3.3.3", "gateway": "10.0.2.9", "dev": "lan0"},
        {"dst": "10.4.0.0/16", "nexthops": [{"dev": "lan0"}, {"dev": "lan1"}]},
        {"dst": "10.0.0.0/8", "dev": "eth0"},  # the guarded network itself: what must not be
        {"type": "unreachable", "dst": "10.5.0.0/16"},
        {"dst": "172.16.0.0/16", "dev": "lan0"},
        {"dst": "fd00:1::/64", "dev": "lan0"},
    ]
    sets = firewall_sets(WAYS, live=live)
    assert sets["ways4"] == [
        '10.0.0.0/8 . "vti01"',
        '10.1.0.0/16 . "vti02"',
        '10.0.2.0/24 . "lan0"',
        '10.3.3.3/32 . "lan0"',
        '10.4.0.0/16 . "lan0"',
        '10.4.0.0/16 . "lan1"',
    ]
    assert sets["ways6"] == ['fd00::/8 . "vti01"', 'fd00:1::/64 . "lan0"']


def test_bad_local_networks() -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        firewall_sets(WAYS, local=["10.7.0.1/16", "office"])
    for text in ("gateway_firewall_local[0]", "gateway_firewall_local[1]", "'office'"):
        assert text in str(caught.value)


def test_parts() -> None:
    tunnels = [
        {"interface": "vti01", "mtu": 1400, "firewall": ["tcp dport 6666 drop"]},
        {"interface": "vti02", "mtu": 1400, "firewall": []},
        {"interface": "vti03", "mtu": 1300, "firewall": [{"rule": "udp dport { 1, 2 } drop", "direction": "out"}]},
    ]
    routes: list[dict[str, t.Any]] = [
        {"destination": "10.0.0.0/8", "device": "vti01", "guard": True},
        {"destination": "10.2.0.0/16", "device": "vti02", "guard": False},
        {"destination": "10.3.0.0/16", "nexthops": [{"device": "vti01"}, {"device": "vti02"}], "guard": True},
        {"destination": "10.4.0.0/16", "device": "vti01", "state": "absent"},
        # For what a rule sends to that table; by where packets go, the way to whoever manages the host would be closed.
        {"destination": "0.0.0.0/0", "device": "vti01", "table": 100, "guard": True},
    ]
    assert _firewall.parts(tunnels, routes, [("10.9.0.0/24", "vti03")]) == {
        "rules": [
            {"device": "vti01", "rule": "tcp dport 6666 drop", "direction": "in"},
            {"device": "vti03", "rule": "udp dport { 1, 2 } drop", "direction": "out"},
        ],
        "sessions": [],
        "mss": [
            {"mtu": 1300, "devices": ["vti03"], "size4": 1260, "size6": 1240},
            {"mtu": 1400, "devices": ["vti01", "vti02"], "size4": 1360, "size6": 1340},
        ],
        "ways": [
            {"network": "10.0.0.0/8", "device": "vti01"},
            {"network": "10.3.0.0/16", "device": "vti01"},
            {"network": "10.3.0.0/16", "device": "vti02"},
            {"network": "10.9.0.0/24", "device": "vti03"},
        ],
    }


def session(neighbor: str, bfd: bool = False) -> dict[str, t.Any]:
    """The bgp of a checked tunnel, as far as the firewall cares."""
    return {"bgp": {"neighbor": neighbor, "bfd": bfd}}


def sessions(*tunnels: dict[str, t.Any]) -> list[str]:
    """The rules that let in what the tunnels need."""
    whole = [{"interface": f"vti0{n}", "mtu": 1400, "firewall": [], **x} for n, x in enumerate(tunnels, start=1)]
    return t.cast("list[str]", _firewall.parts(whole, [])["sessions"])


def test_each_session_is_let_in_from_its_neighbour_by_its_device_alone() -> None:
    found = sessions(session("169.254.11.1"), session("fd00::1", bfd=True), {"bgp": None}, {})
    assert found == [
        'iifname "vti01" ip saddr 169.254.11.1 tcp dport 179 counter accept comment "BGP"',
        'iifname "vti02" ip6 saddr fd00::1 tcp dport 179 counter accept comment "BGP"',
        'iifname "vti02" ip6 saddr fd00::1 udp dport { 3784, 4784 } counter accept comment "BFD"',
    ]


def test_an_ike_port_of_ones_own_is_let_in() -> None:
    peer = {"remote": "192.0.2.2", "options": {"leftikeport": "4501"}}
    assert sessions(peer, {"options": {"leftikeport": "4502"}}) == [
        'ip saddr 192.0.2.2 udp dport 4501 counter accept comment "IKE"',
        'udp dport 4502 counter accept comment "IKE"',
    ]
    for port in ("0", "65536", "4501; flush ruleset", "yes", ""):
        assert sessions({**peer, "options": {"leftikeport": port}}) == []


def table(policy: str) -> str:
    """The table as the template has it for a tunnel with BGP and BFD."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    tunnel = {"interface": "vti01", "mtu": 1400, "firewall": [], **session("169.254.11.1", bfd=True)}
    return environment.get_template("firewall.nft.j2").render(
        __gateway_parts={"firewall": _firewall.parts([tunnel], [])},
        __gateway_sets=_firewall.sets(WAYS, []),
        gateway_firewall_policy=policy,
        gateway_firewall_input=["tcp dport 22 accept"],
    )


def chain(text: str, name: str) -> list[str]:
    """The rules of a chain, without what says when it is asked."""
    lines = text.partition(f"chain {name} {{")[2].partition("\n\t}")[0].splitlines()
    return [line.strip() for line in lines if line.strip() and "type filter" not in line and "#" not in line]


def test_all_that_passes_is_asked_of_tunnels_and_guard() -> None:
    """What comes in, what is forwarded, and what the host sends itself."""
    text = table("accept")
    assert chain(text, "input")[0] == "jump from_tunnels"
    assert chain(text, "forward") == ["jump from_tunnels", "jump to_tunnels", "jump guard"]
    assert chain(text, "output") == ["jump to_tunnels", "jump guard"]
    assert [line.split(" counter")[0] for line in chain(text, "guard")] == [
        'oifname "lo" accept',
        "rt ipsec exists accept",
        "ip daddr . oifname @ways4 accept",
        "ip daddr @local4 accept",
        "ip daddr @guarded4",
        "ip6 daddr . oifname @ways6 accept",
        "ip6 daddr @local6 accept",
        "ip6 daddr @guarded6",
    ]


def test_policy_drop_lets_in_what_the_host_and_its_sessions_need() -> None:
    """Before what is dropped, and only from where it may come."""
    text = table("drop")
    before = text.partition("chain input {")[2].partition('counter comment "dropped"')[0]
    for line in (
        'udp sport 67 udp dport 68 counter accept comment "DHCP"',
        'ip6 daddr fe80::/10 udp dport 546 counter accept comment "DHCPv6"',
        'iifname "vti01" ip saddr 169.254.11.1 tcp dport 179 counter accept comment "BGP"',
        'iifname "vti01" ip saddr 169.254.11.1 udp dport { 3784, 4784 } counter accept comment "BFD"',
        "meta l4proto { icmp, icmpv6 } accept",
        "tcp dport 22 accept",
    ):
        assert before.count(line) == 1
    # Nobody behind a tunnel gives the host an address.
    others = f"meta iifgroup != {{ {_devices.GROUP}, {_devices.GROUP + 1} }}"
    assert [line.strip().startswith(others) for line in before.splitlines() if '"DHCP' in line] == [True, True]
    assert '"BGP"' not in table("accept")


@pytest.mark.parametrize(
    "rule",
    [
        "",
        " ",
        5,
        None,
        [],
        {},
        {"direction": "in"},
        {"rule": "drop", "direction": "sideways"},
        {"rule": "drop", "chain": "input"},
        "drop; accept",
        "drop # comment",
        "drop }",
        "} chain x {",
        "tcp dport { 1, 2 drop",
        "drop\nflush ruleset",
        "drop\r",
        'log prefix "a',
    ],
)
def test_what_is_no_rule(rule: t.Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        _firewall.rule(rule)


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("tcp port 22 allow", "ends with 'allow', which nftables does not know: write accept"),
        ("ip saddr 10.0.0.1 deny", "write drop"),
        ("tcp port 22 accept", "has 'tcp port', which nftables does not know: write 'tcp dport'"),
        ("udp dst-port 53 accept", "write 'udp dport'"),
    ],
)
def test_the_language_of_other_firewalls(rule: str, wanted: str) -> None:
    with pytest.raises(ValueError, match=re.escape(wanted)):
        _firewall.rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        'log prefix "a; b # c" drop',
        "tcp dport { 1, 2 } counter drop",
        "ip6 saddr fd00::1 drop",
        'drop comment "tcp port 22 allow"',
        '"eth0"',
        "jump deny",
    ],
)
def test_what_is_a_rule(rule: str) -> None:
    assert _firewall.rule(rule) == {"rule": rule, "direction": "in"}

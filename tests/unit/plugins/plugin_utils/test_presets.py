# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Presets of clouds: the values as their owners publish them, what a user writes wins, and addresses that a cloud would
not have."""

from __future__ import annotations

import copy
import typing as t
from pathlib import Path

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _mtu
from ansible_collections.route_based.vpn.plugins.plugin_utils import _presets, _tunnels

ROOT = Path(__file__).parents[4]
TUNNEL: dict[str, t.Any] = {
    "name": "cloud-1",
    "local": "203.0.113.10",
    "remote": "198.51.100.11",
    "mark": 100,
    "addresses": ["169.254.21.2/30"],
    "routes": ["10.1.0.0/16"],
    "psk": "NOT_a_real_secret.of_tunnel_one_",
}

AWS_BGP = {"remote_as": 64512, "hold_time": 30, "keepalive": 10, "maximum_prefix": 5000}


def tunnel(**changes: t.Any) -> dict[str, t.Any]:
    """A tunnel with some options changed; an option set to ... is left out."""
    return {key: value for key, value in {**copy.deepcopy(TUNNEL), **changes}.items() if value is not ...}


@pytest.mark.parametrize(
    ("preset", "values", "lifetimes", "bgp"),
    [
        ("aws", (10, 15, 1446), ("28800s", "3600s"), AWS_BGP),
        ("azure", (15, 30, 1390), ("28800s", "27000s"), {"remote_as": 65515, "hold_time": 180, "keepalive": 60}),
        ("gcp", (10, 15, 1406), ("36000s", "10800s"), {"hold_time": 60, "keepalive": 20}),
    ],
)
def test_values(preset: str, values: tuple[int, int, int], lifetimes: tuple[str, str], bgp: dict[str, int]) -> None:
    found = _presets.filled(tunnel(preset=preset, bgp={}))
    assert found == tunnel(
        ike="aes_gcm256-sha2_384;dh20",
        esp="aes_gcm256;dh20",
        dpd_delay=values[0],
        dpd_timeout=values[1],
        mtu=values[2],
        options={"ikelifetime": lifetimes[0], "salifetime": lifetimes[1]},
        bgp=bgp,
    )


@pytest.mark.parametrize("preset", _presets.PRESETS)
def test_the_role_takes_them(preset: str) -> None:
    (found,) = _tunnels.normalise([tunnel(preset=preset, bgp={"remote_as": 64513, "local_as": 65010})])
    assert found["bgp"]["neighbor"] == "169.254.21.1"
    assert found["options"]["salifetime"] == f"{_presets.PRESETS[preset].salifetime}s"


@pytest.mark.parametrize("preset", _presets.PRESETS)
def test_every_preset_names_its_sources_and_the_documentation_its_values(preset: str) -> None:
    cloud = _presets.PRESETS[preset]
    assert cloud.sources
    assert all(source.startswith("https://") for source in cloud.sources)
    text = (ROOT / "docs/clouds.md").read_text()
    for value in (cloud.ike, cloud.esp, cloud.ikelifetime, cloud.salifetime, *cloud.bgp.values(), *cloud.sources):
        assert str(value) in text, value


def test_what_the_user_writes_wins() -> None:
    own = tunnel(
        ike="aes256-sha2_256;modp2048",
        esp="aes256-sha2_256;modp2048",
        mtu=1300,
        dpd_delay=5,
        dpd_timeout=7,
        options={"salifetime": "1800s", "mobike": "no"},
        bgp={"remote_as": 64513, "keepalive": 3},
    )
    found = _presets.filled({**own, "preset": "aws"})
    assert found.pop("options") == {"ikelifetime": "28800s", "salifetime": "1800s", "mobike": "no"}
    assert found.pop("bgp") == {"remote_as": 64513, "keepalive": 3, "hold_time": 30, "maximum_prefix": 5000}
    assert found == {key: value for key, value in own.items() if key not in ("options", "bgp")}


def test_bgp_is_only_there_where_the_user_has_it() -> None:
    assert "bgp" not in _presets.filled(tunnel(preset="azure"))


def test_a_hold_time_of_ones_own_takes_the_keepalive_along() -> None:
    assert _presets.filled(tunnel(preset="azure", bgp={"hold_time": 30}))["bgp"] == {
        "remote_as": 65515,
        "hold_time": 30,
    }


@pytest.mark.parametrize("name", ["keylife", "lifetime", "ipsec-lifetime", "ipsec_lifetime", "salifetime"])
def test_a_lifetime_by_any_of_its_names(name: str) -> None:
    options = _presets.filled(tunnel(preset="aws", options={name: "1h"}))["options"]
    assert options == {"ikelifetime": "28800s", name: "1h"}


def test_the_users_tunnel_is_not_changed_and_one_without_preset_stays() -> None:
    own = tunnel(preset="aws", options={}, bgp={})
    before = copy.deepcopy(own)
    _presets.filled(own)
    assert own == before
    assert _presets.filled(tunnel()) == tunnel()


@pytest.mark.parametrize("name", ["amazon", "AWS", "", None, 1, ["aws"]])
def test_unknown_presets(name: t.Any) -> None:
    for function in (_presets.filled, lambda raw: _presets.problems(raw, name)):
        with pytest.raises(ValueError, match="is no preset; these are: aws, azure, gcp"):
            function(tunnel(preset=name))


@pytest.mark.parametrize("wrong", [{"options": ["x"]}, {"options": None}, {"bgp": "x"}, {"esp": 5}, {"remote": 5}])
def test_wrong_types_are_left_for_the_role_to_refuse(wrong: dict[str, t.Any]) -> None:
    found = _presets.filled(tunnel(preset="aws", **wrong))
    assert {key: found[key] for key in wrong} == wrong
    assert _presets.problems(tunnel(addresses=[7, None, "x", "1.2.3.4"], **wrong), "aws") == []
    assert _presets.problems(tunnel(addresses="x", bgp={"neighbor": 7}), "gcp") == []


# AWS's table: MTU without NAT-T and with it, then the longest TCP segments of IPv4 and IPv6, without NAT-T and with it.
AWS_TABLE = [
    ("aes_gcm256", 1446, 1438, (1406, 1386), (1398, 1378)),
    ("aes256-sha1", 1438, 1422, (1398, 1378), (1382, 1362)),
    ("aes256-sha2_256", 1438, 1422, (1398, 1378), (1382, 1362)),
    ("aes256-sha2_384", 1422, 1422, (1382, 1362), (1382, 1362)),
    ("aes256-sha2_512", 1422, 1406, (1382, 1362), (1366, 1346)),
]


@pytest.mark.parametrize(("esp", "plain", "natted", "segments", "natted_segments"), AWS_TABLE)
def test_the_table_of_aws(
    esp: str, plain: int, natted: int, segments: tuple[int, int], natted_segments: tuple[int, int]
) -> None:
    aws = _presets.PRESETS["aws"]
    assert (_presets.mtu(aws, f"{esp};dh20", False), _presets.mtu(aws, esp, True)) == (plain, natted)
    assert (_mtu.mss(plain, 4), _mtu.mss(plain, 6)) == segments
    assert (_mtu.mss(natted, 4), _mtu.mss(natted, 6)) == natted_segments


def test_sizes_of_the_others() -> None:
    gcp, azure = _presets.PRESETS["gcp"], _presets.PRESETS["azure"]
    assert [_presets.mtu(gcp, gcp.esp, natted) for natted in (False, True)] == [1406, 1398]
    assert _presets.mtu(gcp, gcp.esp, False, 6) == 1386
    assert _presets.filled(tunnel(preset="gcp", local="2001:db8::1", remote="2001:db8::2"))["mtu"] == 1386
    # A segment of 1350 bytes, whatever the cipher.
    assert {_presets.mtu(azure, esp, True) - 40 for esp, *_rest in AWS_TABLE} == {1350}


@pytest.mark.parametrize(
    ("changes", "natted"),
    [
        ({}, False),
        ({"local": "10.0.0.5"}, True),
        ({"local": "10.0.0.5", "remote": "10.9.9.9"}, False),
        ({"local_id": "192.0.2.200"}, True),
        ({"local_id": "203.0.113.10"}, False),
        ({"local_id": "@west"}, False),
        ({"options": {"encapsulation": "yes"}}, True),
        ({"options": {"encapsulation": True}}, True),
        ({"options": {"encapsulation": "no"}, "local": "10.0.0.5"}, False),
        ({"options": {"encapsulation": "auto"}, "local": "10.0.0.5"}, True),
        ({"local": ...}, False),
    ],
)
def test_nat_takes_its_bytes(changes: dict[str, t.Any], natted: bool) -> None:
    assert _presets.filled(tunnel(preset="aws", **changes))["mtu"] == (1438 if natted else 1446)


@pytest.mark.parametrize("esp", ["serpent256", "", "aes gcm"])
def test_a_cipher_that_is_not_known_counts_as_the_least_favourable(esp: str) -> None:
    assert _presets.filled(tunnel(preset="aws", esp=esp))["mtu"] == 1422


BGP = {"remote_as": 64512}
PROBLEMS = [
    ("aws", {"addresses": ["10.0.0.2/30"]}, "addresses[0]", "is not from 169.254.0.0 to 169.254.255.255, where AWS"),
    ("aws", {"addresses": ["169.254.5.2/30"]}, "addresses[0]", "is of 169.254.5.0/30, which AWS keeps for itself"),
    ("aws", {"addresses": ["169.254.169.254/30"]}, "addresses[0]", "is of 169.254.169.252/30"),
    ("aws", {"addresses": ["169.254.6.2/24"]}, "addresses[0]", "is no /30, which AWS's tunnels have inside: write 169"),
    ("aws", {"addresses": ["169.254.6.4/30"]}, "addresses[0]", "is the network or broadcast address of 169.254.6.4/30"),
    (
        "aws",
        {"addresses": ["fd00::2/126", {"address": "169.254.6.2/32", "peer": "169.254.6.5"}]},
        "addresses[1]",
        "is not of one /30 with its peer 169.254.6.5",
    ),
    ("aws", {"bgp": {"neighbor": "10.0.0.1"}}, "bgp.neighbor", "is not from 169.254.0.0 to 169.254.255.255"),
    (
        "azure",
        {"bgp": BGP, "addresses": ["169.254.23.2/30"]},
        "addresses[0]",
        "is not from 169.254.21.0 to 169.254.22.",
    ),
    (
        "azure",
        {"bgp": BGP, "addresses": [{"address": "169.254.21.2/32", "peer": "169.254.20.1"}]},
        "addresses[0]",
        "is not from 169.254.21.0",
    ),
    ("azure", {"bgp": {"neighbor": "169.254.1.1"}}, "bgp.neighbor", "is not from 169.254.21.0 to 169.254.22.255"),
    ("azure", {"bgp": {"local_as": 65515}}, "bgp.local_as", "is reserved by Azure: choose another AS number"),
    ("azure", {"bgp": {"bfd": True}}, "bgp.bfd", "speak no BFD"),
    ("gcp", {"bgp": BGP, "addresses": ["10.0.0.2/30"]}, "addresses[0]", "where Google Cloud has its link-local"),
    ("gcp", {"bgp": {"neighbor": "169.254.169.254"}}, "bgp.neighbor", "is of 169.254.169.252/30, which Google Cloud"),
]


@pytest.mark.parametrize(("preset", "changes", "option", "reason"), PROBLEMS)
def test_problems(preset: str, changes: dict[str, t.Any], option: str, reason: str) -> None:
    (found,) = _presets.problems(tunnel(**changes), preset)
    assert found[0] == option
    assert reason in found[2]


@pytest.mark.parametrize(
    ("preset", "changes"),
    [
        ("aws", {"addresses": ["169.254.6.2/30"], "bgp": {"neighbor": "169.254.6.1"}}),
        ("aws", {"addresses": [{"address": "169.254.6.2/32", "peer": "169.254.6.1"}]}),
        ("aws", {"addresses": ["fd00::2/126"]}),
        # The address of the GatewaySubnet.
        ("azure", {"addresses": ["10.9.9.1/32"], "bgp": {"neighbor": "10.1.255.30", "local_as": 65010}}),
        ("azure", {"addresses": ["169.254.1.2/32"], "bgp": {"neighbor": "169.254.22.255"}}),
        ("azure", {"addresses": ["169.254.1.2/30"]}),
        ("gcp", {"addresses": ["169.254.0.2/30"], "bgp": {"neighbor": "169.254.0.1", "bfd": True}}),
        # Without BGP the inner addresses are nobody's business.
        ("gcp", {"addresses": ["10.0.0.2/24"]}),
    ],
)
def test_no_problems(preset: str, changes: dict[str, t.Any]) -> None:
    assert _presets.problems(tunnel(**changes), preset) == []


@pytest.mark.parametrize(
    ("seconds", "timeout"), [(0, 1), (1, 1), (2, 1), (3, 1), (4, 3), (16, 15), (20, 15), (31, 15), (32, 31), (900, 63)]
)
def test_when_libreswan_gives_up(seconds: int, timeout: int) -> None:
    assert _presets.probes(seconds) == timeout

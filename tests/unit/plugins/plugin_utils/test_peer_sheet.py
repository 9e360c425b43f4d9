# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sheets for peers: golden ones, data/peer_sheet/*.yml and *.txt; proposals in strongSwan's words; never a secret."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.filter.peer_views import DOCUMENTATION, RETURN, peer_views
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from ansible_collections.route_based.vpn.plugins.plugin_utils import _peer_sheet
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[4]
DATA = ROOT / "tests/unit/data/peer_sheet"
SECRET = "SECRET-of-the-test-never-shown"
CASES = sorted(path.stem for path in DATA.glob("*.yml"))
GROUPS = "ecp256-ecp384-ecp521-curve25519-modp4096-modp3072-modp2048-modp8192"
TUNNEL = {"name": "partner", "local": "192.0.2.1", "remote": "198.51.100.7", "mark": 5, "psk": SECRET}


def tunnel(**changes: t.Any) -> dict[str, t.Any]:
    """A tunnel with some options changed; an option set to ... is left out."""
    return {key: value for key, value in {**TUNNEL, **changes}.items() if value is not ...}


def view(host: t.Optional[dict[str, t.Any]] = None, **changes: t.Any) -> dict[str, t.Any]:
    """The view of the one tunnel."""
    found = peer_views([tunnel(**changes)], "west", **(host or {}))
    assert len(found) == 1
    return found[0]


def sheet(peer_view: dict[str, t.Any]) -> str:
    """As the template module renders it."""
    loader = jinja2.FileSystemLoader(ROOT / "playbooks/templates")
    options: dict[str, t.Any] = {"trim_blocks": True, "keep_trailing_newline": True}
    environment = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, **options)
    return environment.get_template("peer_sheet.txt.j2").render(peer_view=peer_view)


def snippet(text: str, name: str) -> str:
    """What is between the markers of a snippet."""
    found = re.search(rf"(?ms)^#### BEGIN {re.escape(name)}\n(.*?)^#### END {re.escape(name)}$", text)
    assert found
    return found[1]


def golden(case: str) -> str:
    data = yaml.safe_load((DATA / f"{case}.yml").read_text())
    (found,) = peer_views([data["tunnel"]], "west", **data["host"])
    return sheet(found)


@pytest.mark.parametrize("case", CASES)
def test_golden_sheets(case: str) -> None:
    assert golden(case) == (DATA / f"{case}.txt").read_text()


@pytest.mark.parametrize("case", CASES)
def test_form_of_sheets(case: str) -> None:
    text = golden(case)
    assert SECRET.partition("-the-")[0] not in text
    assert text.isascii()
    assert [line for line in text.splitlines() if len(line) > 100 or line != line.rstrip()] == []
    assert "\n\n\n\n" not in text
    assert text.count("#### BEGIN") == text.count("#### END")
    assert text.endswith("\n")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=24, max_size=60))
def test_no_secret_in_a_view(secret: str) -> None:
    found = view(psk=secret)
    assert secret not in repr(found)
    assert found["secret_bytes"] == len(secret.encode())


@pytest.mark.parametrize("bad", [{"psk": "short-SECRET"}, {"psk": SECRET, "mark": 0, "mtu": 1}])
def test_no_secret_in_an_error_and_all_that_is_wrong(bad: dict[str, t.Any]) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        peer_views([tunnel(**bad)], "west", networks=["10.0.0.1/8", "everything"], address="nowhere")
    text = str(caught.value)
    assert "SECRET" not in text
    assert "host bits set; the network is 10.0.0.0/8" in text
    assert "west: networks[1]='everything': is not a network" in text
    assert "west: address='nowhere': is not an IPv4 or IPv6 address" in text
    assert ("has 12 bytes" if "mark" not in bad else "mark 0 means no mark") in text
    assert caught.value.__cause__ is None


def test_length_of_a_secret_and_derived_ones() -> None:
    assert view()["secret_bytes"] == len(SECRET)
    found = view(psk=...)
    assert found["secret_bytes"] is None
    assert "derived from a master secret of ours" in sheet(found)


def test_managed_peers_get_no_sheet() -> None:
    by_address = tunnel(name="a", remote="2001:db8::2", local="2001:db8::1", mark=1)
    by_name = tunnel(name="b", remote="198.51.100.8", mark=2, auth="key", peer="east", psk=...)
    left = [tunnel(), by_name, by_address]
    host = {"managed": ["2001:db8::2", "198.51.100.9"]}
    assert [found["name"] for found in peer_views(left, "west", **host)] == ["partner"]
    assert [found["name"] for found in peer_views(left, "west")] == ["partner", "a"]


IKE = [
    ("aes_gcm256-sha2_512;dh19", "aes256gcm16-prfsha512-ecp256"),
    ("AES_GCM256-SHA2_512-DH19", "aes256gcm16-prfsha512-ecp256"),
    ("aes_gcm256", f"aes256gcm16-prfsha512-prfsha256-{GROUPS}"),
    ("aes256-sha2_256;modp2048", "aes256-sha256-modp2048"),
    ("aes256-sha2;dh14", "aes256-sha256-modp2048"),
    ("aes256+aes_cbc_128-sha2_512+sha2_256-dh14+dh19", "aes256-aes128-sha512-sha256-modp2048-ecp256"),
    ("aes256;dh31", "aes256-sha512-sha256-curve25519"),
    ("aes-sha1;dh5", "aes256-aes128-sha1-modp1536"),
    ("aes_gcm-sha2_256;dh20", "aes256gcm16-aes128gcm16-prfsha256-ecp384"),
    ("aes_gcm_a128-sha384;ecp_521", "aes128gcm8-prfsha384-ecp521"),
    ("aes_gcm_12_192-sha2_256;dh16", "aes192gcm12-prfsha256-modp4096"),
    ("aes_gcm_128-sha2_256;dh19", "aes128gcm16-prfsha256-ecp256"),
    ("chacha20_poly1305-sha2_256;curve25519", "chacha20poly1305-prfsha256-curve25519"),
    ("aes_gcm256-none-sha2_512-dh19", "aes256gcm16-prfsha512-ecp256"),
    ("aes256-sha1_96-sha2_256-dh14", "aes256-sha1-prfsha256-modp2048"),
    ("aes256-sha2_256_128;dh14", "aes256-sha256-prfsha512-prfsha256-modp2048"),
    ("aes_ctr256-aes_xcbc;dh24", "aes256ctr-aesxcbc-modp2048s256"),
    ("3des-sha1;modp2048,camellia256-sha384;dh15", "3des-sha1-modp2048,camellia256-sha384-modp3072"),
    ("aes_gcm256-sha2_512;dh19,aes256-sha2_512;dh19", "aes256gcm16-prfsha512-ecp256,aes256-sha512-ecp256"),
]


# The same as what libreswan 4.10's algparse reads in each, in swanctl's words.
@pytest.mark.parametrize(("text", "words"), IKE)
def test_ike_proposals_in_the_words_of_strongswan(text: str, words: str) -> None:
    assert _peer_sheet.strongswan_proposal(text, "ike") == words


ESP = [
    ("aes_gcm256", "aes256gcm16-ecp256"),
    ("aes_gcm", "aes128gcm16-aes256gcm16-ecp256"),
    ("aes_gcm256-none", "aes256gcm16-ecp256"),
    ("aes_gcm256;dh20", "aes256gcm16-ecp384"),
    ("aes_gcm256;none", "aes256gcm16"),
    ("aes_gcm256;dh20+none", "aes256gcm16-ecp384,aes256gcm16"),
    ("aes256-sha2_256;modp2048", "aes256-sha256-modp2048"),
    ("aes256-sha2_256-modp2048+dh15", "aes256-sha256-modp2048-modp3072"),
    ("aes256", "aes256-sha512-sha256-ecp256"),
    ("aes", "aes128-aes256-sha512-sha256-ecp256"),
    ("aes_ccm_b256", "aes256ccm12-ecp256"),
    ("aes_ccm_16_128", "aes128ccm16-ecp256"),
    ("chacha20poly1305", "chacha20poly1305-ecp256"),
    ("null-sha1", "null-sha1-ecp256"),
    ("aes128-aes_cmac", "aes128-aescmac-ecp256"),
    ("aes_gcm256,aes256+aes128-sha2_512", "aes256gcm16-ecp256,aes256-aes128-sha512-ecp256"),
]


@pytest.mark.parametrize(("text", "words"), ESP)
def test_esp_proposals_in_the_words_of_strongswan(text: str, words: str) -> None:
    assert _peer_sheet.strongswan_proposal(text, "esp", ["ecp256"]) == words


@pytest.mark.parametrize("text", ["aes_gcm256", "aes_gcm256;dh19", "aes_gcm256;dh19+none", "aes_gcm256;none"])
def test_esp_proposals_without_pfs(text: str) -> None:
    assert _peer_sheet.strongswan_proposal(text, "esp", None) == "aes256gcm16"


REFUSED = [
    ("ike", "serpent256-sha1;dh14", "'serpent256' is no cipher"),
    ("ike", "aes_ccm256-sha1;dh14", "'aes_ccm256' is no cipher for ike"),
    ("ike", "null-sha1;dh14", "'null' is no cipher for ike"),
    ("ike", "aes512-sha1;dh14", "'aes512' is no cipher"),
    ("ike", "aes_gcm160-sha1;dh14", "'aes_gcm160' is no cipher"),
    ("ike", "aes_gcm_16256-sha1;dh14", "is no cipher"),
    ("ike", "aesgcm256-sha1;dh14", "is no cipher"),
    ("ike", "aes-256-sha1;dh14", "'256' is no integrity or PRF"),
    ("ike", "aes256-whirlpool;dh14", "'whirlpool' is no integrity or PRF"),
    ("ike", "aes256-sha2_256;dh99", "'dh99' is no group"),
    ("ike", "aes256-sha2_256;ml_kem_768", "'ml_kem_768' is no group"),
    ("ike", "aes256-sha2_256;dh19;dh20", "'dh19;dh20' is no group"),
    ("ike", "aes256-sha2_256-dh19;dh20", "has more parts"),
    ("ike", "aes256-sha2_256;none", "has no group for IKE"),
    ("ike", "aes256+aes_gcm256-sha2_256;dh14", "mixes ciphers"),
    ("ike", "aes_gcm256-sha1_96-sha2_256;dh14", "do not go together"),
    ("ike", "aes256-none-sha2_256;dh14", "do not go together"),
    ("ike", "aes256-sha2_256+none;dh14", "do not go together"),
    ("ike", "aes256-", "'' is no integrity or PRF"),
    ("ike", "aes256;", "'' is no group"),
    ("ike", "aes256,", "'' is no cipher"),
    ("ike", "", "'' is no cipher"),
    ("esp", "aes_gcm256-sha2_512", "do not go together"),
    ("esp", "aes256-none", "do not go together"),
    ("esp", "null-none", "do not go together"),
    ("esp", "aes_gmac256", "'aes_gmac256' is no cipher for esp"),
    ("esp", "aes256-hmac_sha2_256_truncbug", "is no integrity"),
    ("esp", "aes_gcm256-dh19", "'dh19' is no integrity"),
    ("esp", "aes256-sha1-esn", "'esn' is no group"),
    ("esp", "aes256-sha1-dh14-dh15", "has more parts"),
]


@pytest.mark.parametrize(("kind", "text", "reason"), REFUSED)
def test_never_a_wrong_guess(kind: str, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        _peer_sheet.strongswan_proposal(text, kind)


def test_what_has_to_be_translated_by_hand_says_so() -> None:
    found = view(ike="aes256-sha2_256;dh99", esp="aes_gcm256")
    assert found["ike"] == {
        "libreswan": "aes256-sha2_256;dh99",
        "strongswan": "",
        "reason": "'dh99' is no group that is known to mean the same to strongSwan",
    }
    # PFS would take its group.
    assert found["esp"]["strongswan"] == ""
    text = sheet(found)
    assert "to be translated by hand: 'dh99' is no group" in text
    conf = snippet(text, "swanctl.conf")
    assert "    proposals = IKE-PROPOSAL\n" in conf
    assert "        esp_proposals = ESP-PROPOSAL\n" in conf
    assert all(line.startswith("#") for line in conf.splitlines() if "by hand" in line or "known to" in line)


@pytest.mark.parametrize("keyword", ["phase2", "esn", "sha2_truncbug", "ms-dh-downgrade"])
def test_keywords_that_change_what_is_proposed(keyword: str) -> None:
    found = view(options={keyword: "yes"})
    assert found["esp"]["reason"] == f"our conn has {keyword.replace('_', '-')}=, too"
    assert found["ike"]["strongswan"] == "aes256gcm16-prfsha512-ecp256"
    assert found["options"] == {keyword.replace("_", "-"): "yes"}


def test_pfs_takes_the_group_of_ike_where_esp_names_none() -> None:
    assert view()["esp"]["strongswan"] == "aes256gcm16-ecp256"
    assert view(ike="aes256-sha2_256;dh14+dh15")["esp"]["strongswan"] == "aes256gcm16-modp2048-modp3072"
    assert view(esp="aes_gcm256;dh20")["esp"]["strongswan"] == "aes256gcm16-ecp384"
    without = view(options={"pfs": False})
    assert (without["pfs"], without["esp"]["strongswan"]) == (False, "aes256gcm16")
    assert "    pfs=no\n" in snippet(sheet(without), "ipsec.conf")


@pytest.mark.parametrize(
    ("options", "ike", "esp"),
    [
        ({}, (28800, True), (28800, True)),
        ({"ikelifetime": "1h", "salifetime": 600}, (3600, False), (600, False)),
        ({"ipsec_lifetime": "30m"}, (28800, True), (1800, False)),
        ({"keylife": "1d"}, (28800, True), (86400, False)),
        ({"lifetime": "1.5h"}, (28800, True), (None, False)),
    ],
)
def test_lifetimes(options: dict[str, t.Any], ike: t.Any, esp: t.Any) -> None:
    found = view(options=options)
    lives = [found["lifetimes"][kind] for kind in ("ike", "esp")]
    assert [(life["seconds"], life["default"]) for life in lives] == [ike, esp]
    assert found["options"] == {}
    conf = snippet(sheet(found), "swanctl.conf")
    assert (f"life_time = {esp[0]}s" in conf) is (esp[0] is not None)


@pytest.mark.parametrize(
    ("entry", "yours", "words"),
    [
        ("172.31.1.1/30", "172.31.1.2", "172.31.1.2/30"),
        ("172.31.1.2/30", "172.31.1.1", "172.31.1.1/30"),
        ("172.31.1.1/31", "172.31.1.0", "172.31.1.0/31"),
        ("fd00::1/127", "fd00::", "fd00::/127"),
        ("fd00::1/126", "", ""),
        ("10.0.1.1/24", "", ""),
        ("10.0.1.1/32", "", ""),
        ({"address": "10.0.1.1/32", "peer": "10.0.1.2"}, "10.0.1.2", "10.0.1.2/32 peer 10.0.1.1/32"),
        ({"address": "fd00::1/128", "peer": "fd00::2"}, "fd00::2", "fd00::2/128 peer fd00::1/128"),
    ],
)
def test_inner_addresses_from_the_other_end(entry: t.Any, yours: str, words: str) -> None:
    (inner,) = view(addresses=[entry])["inner"]
    assert (inner["yours"], inner["words"]) == (yours, words)
    device = snippet(sheet(view(addresses=[entry])), "device")
    assert f"ip address add {words or 'YOUR-INNER'}" in device


@pytest.mark.parametrize(
    ("local", "remote", "address", "seen", "nat"),
    [
        ("192.0.2.1", "198.51.100.7", "203.0.113.9", "192.0.2.1", False),
        ("10.1.2.3", "198.51.100.7", "203.0.113.9", "203.0.113.9", True),
        ("10.1.2.3", "198.51.100.7", "2001:db8::1", "", True),
        ("10.1.2.3", "198.51.100.7", "", "", True),
        ("100.64.0.1", "198.51.100.7", "", "", True),
        ("10.1.2.3", "192.168.0.1", "203.0.113.9", "10.1.2.3", False),
        ("fd00::1", "2001:db8::1", "", "", True),
    ],
)
def test_nat(local: str, remote: str, address: str, seen: str, nat: bool) -> None:
    found = view({"address": address}, local=local, remote=remote)
    assert found["our"] == {"address": seen, "local": local, "nat": nat, "id": local}
    assert f"remote {seen or 'OUR-ADDRESS'}\n" in snippet(sheet(found), "device")


def test_names_that_strongswan_would_read_otherwise() -> None:
    assert peer_views([tunnel(name="a.b")], "west.example.com")[0]["conn"] == "west_example_com-a_b"


def test_the_kernel_takes_one_mark_for_both_ways() -> None:
    found = view(mark=..., mark_in=6, mark_out="0x7/0xff")
    assert (found["mark"], found["interface"]) == (7, "vti7")


@pytest.mark.parametrize(
    ("auto", "strongswan", "libreswan"),
    [("start", 0, "add"), ("ondemand", 1, "start"), ("add", 1, "start"), ("ignore", 0, "add")],
)
def test_one_end_calls(auto: str, strongswan: int, libreswan: str) -> None:
    text = sheet(view(auto=auto))
    assert snippet(text, "swanctl.conf").count("start_action = start") == strongswan
    assert f"    auto={libreswan}\n" in snippet(text, "ipsec.conf")


def test_dead_peers() -> None:
    found = view({"dpd_delay": 0})
    assert (found["dpd_delay"], found["dpd_timeout"]) == (0, 60)
    assert "dpd" not in snippet(sheet(found), "swanctl.conf") + snippet(sheet(found), "ipsec.conf")
    found = view(options={"dpddelay": 10, "retransmit_timeout": "2m"})
    assert (found["dpd_delay"], found["dpd_timeout"], found["options"]) == (10, 120, {})


def test_lists_and_their_errors() -> None:
    with pytest.raises(InputErrors, match="is not a list of tunnels"):
        _peer_sheet.views("tunnels", _peer_sheet.Host("west", "aes256", "aes256"))
    assert peer_views([], "west") == []


def test_defaults_are_those_of_the_role() -> None:
    """They stand in the playbook, in the filter and in its documentation."""
    role = yaml.safe_load((ROOT / "roles/gateway/defaults/main.yml").read_text())
    playbook = (ROOT / "playbooks/peer_sheets.yml").read_text()
    documented = yaml.safe_load(DOCUMENTATION)["options"]
    found = re.findall(r"(\w+)=gateway_(\w+) \| default\('?(.*?)'?\)", playbook)
    assert {name for name, _variable, _value in found} > {"ike", "esp", "dpd_delay", "dpd_timeout", "certificate_type"}
    for name, variable, value in found:
        # A host has no AS number unless it says one.
        if name not in ("folder", "asn"):
            assert value == str(role[f"gateway_{variable}"]) == str(documented[name]["default"])
    assert role["gateway_key_folder"] == "{{ inventory_dir }}/.vpn_keys"
    assert peer_views([tunnel(ike=documented["ike"]["default"], esp=documented["esp"]["default"])], "w") == peer_views(
        [tunnel()], "w"
    )


def test_bgp() -> None:
    found = view({"asn": 65010}, addresses=["172.31.1.1/30"], routes=["10.0.3.0/24"], bgp={"remote_as": 65020})
    assert (found["bgp"]["our_as"], found["bgp"]["your_as"], found["bgp"]["neighbor"]) == (65010, 65020, "172.31.1.2")
    own = {"remote_as": 65020, "local_as": 65099}
    assert view(addresses=["172.31.1.1/30"], routes=["10.0.3.0/24"], bgp=own)["bgp"]["our_as"] == 65099


def test_dead_peer_detection_of_the_tunnel() -> None:
    found = view(dpd_delay=10, dpd_timeout=15)
    assert (found["dpd_delay"], found["dpd_timeout"]) == (10, 15)
    found = view(dpd_delay=10, options={"dpddelay": "7"})
    assert (found["dpd_delay"], found["dpd_timeout"]) == (7, 60)


def test_the_documented_sample() -> None:
    documented = yaml.safe_load(RETURN)["_value"]["sample"]
    options = {"local_id": "@west", "remote_id": "@partner", "psk": "x" * 44, "routes": ["10.0.3.0/24"]}
    assert [view({"networks": ["10.0.1.0/24"]}, addresses=["172.31.1.1/30"], **options)] == documented

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How tunnels prove who they are: keywords and secrets of each way, and every refusal."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.filter.derived_psk import derived_psk
from ansible_collections.route_based.vpn.plugins.filter.tunnel_parts import tunnel_parts
from ansible_collections.route_based.vpn.plugins.plugin_utils import _auth

MASTER = "m" * 32
OWN = {"ckaid": "ab" * 20, "type": "ecdsa", "public_key": "0s" + "A" * 60, "epoch": "1"}
EAST = {**OWN, "ckaid": "cd" * 20, "public_key": "0s" + "B" * 60}


def tunnel(name: str = "a", mark: int = 5, **more: t.Any) -> dict[str, t.Any]:
    return {"name": name, "local": "192.0.2.1", "remote": f"192.0.2.{mark + 10}", "mark": mark, **more}


def keywords(given: dict[str, t.Any], **host: t.Any) -> dict[str, str]:
    words = tunnel_parts([given], **host)["conns"][0]["keywords"]
    shown = ("leftid", "rightid", "leftckaid", "leftcert", "leftsendcert", "rightecdsakey", "rightrsasigkey", "authby")
    return {key: words[key] for key in (*shown, "auto") if key in words}


def test_a_secret_is_derived_where_none_is_given() -> None:
    here = tunnel_parts([tunnel(local_id="@west", remote_id="@east")], psk_master=MASTER)
    there = tunnel_parts([tunnel(local_id="@east", remote_id="@west")], psk_master=MASTER)
    assert here["secrets"] == [{"ids": ["@west", "@east"], "psk": there["secrets"][0]["psk"]}]
    assert here["secrets"][0]["psk"] == derived_psk(MASTER, ["@east", "@west"])
    rotated = tunnel_parts([tunnel(local_id="@west", remote_id="@east")], psk_master=MASTER, psk_epoch="2")
    assert rotated["secrets"][0]["psk"] == derived_psk(MASTER, ["@east", "@west"], "2") != here["secrets"][0]["psk"]


def test_a_second_tunnel_of_the_same_pair_has_its_secret_too() -> None:
    ids = {"local_id": "@west", "remote_id": "@east"}
    parts = tunnel_parts([tunnel("a", 5, **ids), tunnel("b", 6, **ids)], psk_master=MASTER)
    assert [secret["ids"] for secret in parts["secrets"]] == [["@west", "@east"]] * 2
    assert len({secret["psk"] for secret in parts["secrets"]}) == 1


def test_given_secrets_stay_as_they_are() -> None:
    odd = "with \"quotes\", 'others', #, \n and a line end"
    parts = tunnel_parts([tunnel(psk=odd)], psk_master=MASTER)
    assert parts["secrets"] == [{"ids": ["192.0.2.1", "192.0.2.15"], "psk": odd}]
    assert keywords(tunnel(psk=odd)) == {
        "leftid": "192.0.2.1",
        "rightid": "192.0.2.15",
        "authby": "secret",
        "auto": "start",
    }


def test_raw_keys() -> None:
    given = tunnel(auth="key", peer="east")
    assert keywords(given, own_key=OWN, keys={"east": EAST}) == {
        "leftid": "192.0.2.1",
        "rightid": "192.0.2.15",
        "leftckaid": OWN["ckaid"],
        "rightecdsakey": EAST["public_key"],
        "authby": "ecdsa",
        "auto": "start",
    }
    parts = tunnel_parts([given], own_key=OWN, keys={"east": EAST})
    assert (parts["secrets"], parts["waiting"]) == ([], [])


def test_a_peer_without_a_key_yet_is_waited_for() -> None:
    given = [tunnel("a", 5, auth="key", peer="east"), tunnel("b", 6, auth="key", peer="north")]
    parts = tunnel_parts(given, own_key=OWN, keys={"east": EAST})
    assert parts["waiting"] == [{"name": "b", "peer": "north"}]
    assert [conn["keywords"]["auto"] for conn in parts["conns"]] == ["start", "ignore"]


def test_before_the_host_has_a_key_nothing_is_refused() -> None:
    parts = tunnel_parts([tunnel(auth="key", peer="east")])
    assert parts["waiting"] == [{"name": "a", "peer": "east"}]


def test_a_key_of_an_unmanaged_peer() -> None:
    rsa = {**OWN, "type": "rsa"}
    given = tunnel(auth="key", remote_key={"type": "rsa", "public_key": EAST["public_key"]})
    words = keywords(given, own_key=rsa)
    assert (words["rightrsasigkey"], words["authby"]) == (EAST["public_key"], "rsa-sha2")


def test_certificates() -> None:
    given = tunnel(auth="certificate", remote_id="C=DE, CN=east")
    assert keywords(given, certificate="gateway") == {
        "leftid": "%fromcert",
        "rightid": '"C=DE, CN=east"',
        "leftcert": "gateway",
        "leftsendcert": "always",
        "authby": "rsa-sha2",
        "auto": "start",
    }
    named = tunnel(auth="certificate", remote_id="@east", local_id="@west", certificate="other")
    words = keywords(named, certificate="gateway", certificate_type="ecdsa")
    assert (words["leftcert"], words["leftid"], words["authby"]) == ("other", "@west", "ecdsa")


REFUSED = [
    ([tunnel()], {}, "psk='...': is missing"),
    ([tunnel()], {"psk_master": "short"}, "32 bytes or more"),
    ([tunnel(local_id="@a", remote_id="@a")], {"psk_master": MASTER}, "two different ids"),
    ([tunnel(psk="x")], {}, "20 or more"),
    ([tunnel(psk="x" * 1025)], {}, "longer than 1024"),
    ([tunnel(auth="magic")], {}, "none of psk, key, certificate"),
    ([tunnel(auth="key", peer="east", psk="y" * 20)], {}, "belongs to auth=psk"),
    ([tunnel(psk="y" * 20, peer="east")], {}, "belongs to auth=key"),
    ([tunnel(psk="y" * 20, certificate="c")], {}, "belongs to auth=certificate"),
    ([tunnel(auth="key")], {}, "either peer"),
    ([tunnel(auth="key", peer="east", remote_key={})], {}, "either peer"),
    ([tunnel(auth="key", peer="../x")], {}, "is not a name"),
    ([tunnel(auth="key", remote_key={"type": "dsa", "public_key": "x"})], {}, "rsa or ecdsa"),
    ([tunnel(auth="key", remote_key={"type": "rsa", "public_key": "0s\n"})], {}, "0s and base64"),
    ([tunnel(auth="key", peer="east")], {"own_key": OWN, "keys": {"east": {**EAST, "type": "rsa"}}}, "one type"),
    ([tunnel(auth="certificate", remote_id="@e")], {}, "gateway_certificates names none"),
    ([tunnel(auth="certificate")], {"certificate": "c"}, "remote_id=None: is missing"),
    ([tunnel(auth="certificate", remote_id="@e", certificate="a b")], {}, "is not a name"),
    ([tunnel(psk="y" * 20, remote_id="C=DE, CN=x")], {}, "no id that a secret"),
    ([tunnel(psk="y" * 20, remote_id="@east:")], {}, "remote_id='@east:': is no id that a secret"),
    ([tunnel(psk="y" * 20, remote_id="a;b")], {}, "is not an id"),
    ([tunnel("a", 5, psk="y" * 20, local_id="@w", remote_id="@e"), tunnel("b", 6, local_id="@w", remote_id="@e")],
     {"psk_master": MASTER}, "is not the secret of gateway_tunnels[0]"),
    ([tunnel(psk="y" * 20)], {"nonsense": 1}, "no option of nonsense"),
]  # fmt: skip


@pytest.mark.parametrize(("tunnels", "host", "words"), REFUSED)
def test_refused_and_never_with_a_secret(tunnels: t.Any, host: t.Any, words: str) -> None:
    with pytest.raises(AnsibleFilterError) as info:
        tunnel_parts(tunnels, **host)
    assert words in str(info.value)
    assert "y" * 20 not in str(info.value)
    assert MASTER not in str(info.value)


def test_credentials_do_not_show_the_master() -> None:
    assert MASTER not in repr(_auth.Credentials(psk_master=MASTER))


def test_an_address_may_end_with_a_colon_though_a_secret_follows():
    assert _auth.checked(Refusing(), {"psk": "y" * 20}, {"local_id": "2001:db8:1::", "remote_id": ""})["auth"] == "psk"


class Refusing:
    def refuse(self, option, value, reason):
        raise AssertionError((option, value, reason))

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter aws_tunnels: golden tunnels in data/aws/*.json, conns from them, and errors as a person reads them."""

from __future__ import annotations

import inspect
import json
import traceback
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.route_based.vpn.plugins.filter.aws_tunnels import (
    DOCUMENTATION,
    EXAMPLES,
    RETURN,
    aws_tunnels,
)
from ansible_collections.route_based.vpn.plugins.filter.tunnel_parts import tunnel_parts

DATA = Path(__file__).parents[2] / "data/aws"
CASES = sorted(path.stem for path in DATA.glob("*.xml"))
SECRET = "NOT_a_real_secret"


def text(case: str = "vpn-bgp") -> str:
    return (DATA / f"{case}.xml").read_text()


def tunnels(xml: t.Any = None, **options: t.Any) -> list[dict[str, t.Any]]:
    return aws_tunnels(text() if xml is None else xml, **{"routes": ["10.1.0.0/16"], "mark": 100, **options})


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    assert tunnels(text(case)) == json.loads((DATA / f"{case}.json").read_text())


def test_cases() -> None:
    assert CASES == ["vpn-bgp", "vpn-static"]


@pytest.mark.parametrize("version", ["4.10", "5.2"])
def test_conns_and_secrets(version: str) -> None:
    parts = tunnel_parts(tunnels(text("vpn-static"), local="10.9.0.10"), version=version)
    words = parts["conns"][0]["keywords"]
    expected = {
        "left": "10.9.0.10",
        "leftid": "203.0.113.10",
        "right": "192.0.2.11",
        "rightid": "192.0.2.11",
        "ike": "aes_gcm256-sha2_384;dh20",
        "esp": "aes_gcm256;dh20",
        "mark": "100/0xffffffff",
        "vti-interface": "vti100",
        "leftvti": "169.254.44.10/30",
        "dpddelay": "10",
        "retransmit-timeout": "15",
        "ikelifetime": "28800s",
        "salifetime": "3600s",
        "encapsulation": "yes",
        "auto": "start",
    }
    assert {key: words[key] for key in expected} == expected
    assert [secret["ids"] for secret in parts["secrets"]] == [
        ["203.0.113.10", "192.0.2.11"],
        ["203.0.113.10", "192.0.2.12"],
    ]


def test_of_a_text_that_is_no_str() -> None:
    """Ansible hands over types of its own."""

    class Text(str):
        __slots__ = ()

    assert tunnels(Text(text())) == tunnels()


@pytest.mark.parametrize(
    ("xml", "options", "message"),
    [
        (text()[:900], {}, "aws_tunnels: CustomerGatewayConfiguration: ends in the middle in line 27, column"),
        ("<!DOCTYPE x>", {}, "aws_tunnels: CustomerGatewayConfiguration: has a document type (<!DOCTYPE), which could"),
        (None, {"routes": None, "mark": None}, "aws_tunnels: options: routes=None: is no list of the networks behind"),
        (
            text().replace(SECRET, "0"),
            {},
            "aws_tunnels: ipsec_tunnel[0]: ike/pre_shared_key='...': is no secret of AWS",
        ),
        (text("vpn-static"), {"prefer": "both"}, "write 1 or 2, or make a connection with BGP"),
    ],
)
def test_refused_and_without_a_secret(xml: t.Optional[str], options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        tunnels(xml, **options)
    assert message in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown + repr(caught.value)
    assert "of_tunnel_" not in shown + repr(caught.value)


def test_options_are_the_documented_ones() -> None:
    documented = yaml.safe_load(DOCUMENTATION)["options"]
    parameters = inspect.signature(aws_tunnels).parameters
    assert list(documented)[1:] == list(parameters)[1:]
    assert parameters["prefer"].default == documented["prefer"]["default"]
    assert [task["hosts"] for task in yaml.safe_load(EXAMPLES)] == ["gateway", "instance"]


def test_the_documented_sample() -> None:
    (sample,) = yaml.safe_load(RETURN)["_value"]["sample"]
    assert {**tunnels()[0], "psk": sample["psk"]} == sample

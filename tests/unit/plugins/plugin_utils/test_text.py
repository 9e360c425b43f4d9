# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No character of what hosts say does anything to the screen, the page or the order of what stands there."""

from __future__ import annotations

import dataclasses
import typing as t
import unicodedata
from xml.etree import ElementTree

import pytest
from ansible_collections.route_based.vpn.plugins.plugin_utils import _bgp, _drawing, _report, _sites, _text
from hypothesis import given
from hypothesis import strategies as st

EVIL = "\u202egood\u202c\x1b[2K\x9b1A\x00\u2066\u200b\u2028\ufeff"
WRITTEN = "\\u202egood\\u202c\\x1b[2K\\x9b1A\\x00\\u2066\\u200b\\u2028\\ufeff"


def harmful(text: str) -> list[str]:
    """The characters of a text that could do harm."""
    return [x for x in text if unicodedata.category(x) in ("Cc", "Cf", "Cs", "Zl", "Zp") and x not in "\n\t"]


def test_each_is_written_out_and_the_rest_stays() -> None:
    assert _text.harmless(EVIL) == WRITTEN
    assert _text.harmless("Zürich \u00a0 Москва 東京 🦊\n\t") == "Zürich \u00a0 Москва 東京 🦊\n\t"
    assert harmful(_text.harmless("".join(map(chr, range(0x110000))))) == []


@given(st.text())
def test_whatever_comes_is_harmless_and_stays_so(text: str) -> None:
    once = _text.harmless(text)
    assert harmful(once) == []
    assert _text.harmless(once) == once
    assert "\n" not in _text.one_line(text)


def test_a_long_message_is_cut_off() -> None:
    assert _text.one_line("x" * 5000) == "x" * 2000 + " ... (5000 characters)"
    assert _text.one_line("a\n  b\tc\r\n") == "a b c\\x0d"
    assert _text.one_line(None) == "None"


@dataclasses.dataclass(frozen=True)
class Event:
    """As ansible-core has them."""

    msg: str
    trace: str
    more: tuple[t.Any, ...] = ()


def test_errors_of_ansible_too() -> None:
    event = Event("a\nb\x1b", "a\nb\x1b", (Event("\u202e", ""),))
    assert _text.harmless_within({"\x1b": [event]}) == {
        "\\x1b": [Event("a b\\x1b", "a\nb\\x1b", (Event("\\u202e", ""),))],
    }


def test_drawing_and_diagram() -> None:
    sites = [
        {"id": 1, "name": EVIL, "hub": False, "state": "up", "problems": [EVIL]},
        {"id": 2, "name": "b", "hub": False, "state": "up"},
    ]
    links = [{"name": EVIL, "ends": [EVIL, "b"], "state": "down", "problems": [EVIL]}]
    drawing = _drawing.svg(sites, links)
    # Also where characters are written as XML writes them.
    read = "".join(ElementTree.fromstring(drawing).itertext())
    assert harmful(drawing) == harmful(read) == []
    assert WRITTEN in read
    diagram = _drawing.mermaid(sites, links)
    assert harmful(diagram) == []
    # Mermaid, too, has a way to write a character by its number.
    assert "#8238;" not in diagram


def test_report() -> None:
    plan = _sites.Plan(tuple(_sites.Site(n, x, f"192.0.2.{n}", f"192.0.2.{n}") for n, x in ((1, EVIL), (2, "b"))))
    infos = {EVIL: {"msg": f"a\n{EVIL}"}, "b": {"msg": [EVIL]}}
    foretold = {"b": [{"failed": True, "msg": EVIL}, {"conns": [{"name": EVIL, "action": EVIL, "reasons": [EVIL]}]}]}
    made = _report.report(plan, _report.Answers([EVIL, "b"], infos, foretold), 0)
    texts: list[str] = []

    def collect(value: t.Any) -> None:
        if isinstance(value, str):
            texts.append(value)
        for entry in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            collect(entry)

    collect(made)
    assert WRITTEN in "".join(texts)
    assert not [text for text in texts if harmful(text) or "\n" in text]


@pytest.mark.parametrize("told", [EVIL, '["\u202e"]', '{"x": {"peers": 1}}', '{"x": 1}', "1", "[" * 100000])
def test_bgp_sessions_that_a_host_lies_about(told: str) -> None:
    (said,) = _bgp.problems(told, [{"name": "x", "neighbor": "169.254.10.1"}])
    assert said.startswith("FRR does not tell its sessions")
    assert harmful(said) == []


def test_bgp_states_and_foreign_lines() -> None:
    told = '{"ipv4Unicast": {"peers": {"169.254.10.1": {"state": "\\u202eEstablished"}}}}'
    (said,) = _bgp.problems(told, [{"name": "x", "neighbor": "169.254.10.1"}])
    assert said == "x: BGP session with 169.254.10.1 is \\u202eEstablished, not established"
    assert _bgp.foreign("router\u202e ospf", "mark") == ["router\\u202e ospf"]

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _files
from ansible_collections.route_based.vpn.plugins.module_utils import _ipsec_conf as conf
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from hypothesis import given
from hypothesis import strategies as st

DATA = Path(__file__).parents[2] / "data" / "ipsec_conf"
CASES = sorted(path.name for path in DATA.iterdir())


@pytest.mark.parametrize("case", CASES)
def test_golden(case):
    """content.conf amounts to effective.json: options, state and fingerprint of each conn."""
    parsed = conf.parse((DATA / case / "content.conf").read_text())
    found = {}
    for conn in parsed.conns:
        options = conf.effective(parsed, conn.name)
        found[conn.name] = {"state": conf.wanted_state(options), "options": options}
    assert found == json.loads((DATA / case / "effective.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_what_is_rendered_is_read_back(case):
    parsed = conf.parse((DATA / case / "content.conf").read_text())
    again = conf.parse(conf.render(parsed.sections.values()))
    for name in parsed.sections:
        assert conf.effective(again, name) == conf.effective(parsed, name)


BASE = "conn a\n  left=192.0.2.1\n  right=192.0.2.2\n"
REFUSED = [
    # text, words of the reason
    ("conn a\r\n  left=1.1.1.1\r\n", "control character"),
    ("conn a\n  left=1.1.1.1\r\n", "control character"),
    ("conn a\n  left=1.1.1.1\x0b\n", "control character"),
    ("conn a\n  left=1.1.1.1\x00\n", "control character"),
    ("conn a\n  left=1.1.1.1\u2028\n", "control character"),
    ("conn a\n  left=1.1.1.1\x85\n", "control character"),
    ("conn a\n  leftid=@b\u00fccher\n", "not ASCII"),
    ("conn b\u00fccher\n  left=1.1.1.1\n", "not ASCII"),
    ("# a\x07bell\n", "control character"),
    ("config setup\n  uniqueids=no\n", "config setup"),
    ("include /etc/ipsec.d/more.conf\n", "conn NAME"),
    ("ca mine\n  cacert=x\n", "conn NAME"),
    ("version 2\n", "conn NAME"),
    ("left=1.1.1.1\n", "conn NAME"),
    ("conn\n  left=1.1.1.1\n", "conn NAME"),
    ("conn a b\n  left=1.1.1.1\n", "conn NAME"),
    ("  left=1.1.1.1\n", "no 'conn NAME' above"),
    ("conn a;id\n", "letters, digits"),
    ("conn a';id;'\n", "letters, digits"),
    ("conn $(id)\n", "letters, digits"),
    ("conn `id`\n", "letters, digits"),
    ("conn a|b\n", "letters, digits"),
    ("conn a&b\n", "letters, digits"),
    ("conn a/b\n", "letters, digits"),
    ("conn a/0x1\n", "letters, digits"),
    ("conn %foo\n", "letters, digits"),
    ("conn default\n", "letters, digits"),
    ("conn -a\n", "letters, digits"),
    ('conn "a"\n', "letters, digits"),
    ("conn a{b}\n", "letters, digits"),
    ("conn " + "a" * 65 + "\n", "letters, digits"),
    ("conn " + "a" * 4096 + "\n", "letters, digits"),
    (BASE + "  leftid\n", "no 'keyword=value'"),
    (BASE + "  leftid = @a b\n", "no 'keyword=value'"),
    (BASE + '  leftid="@a\n', "no 'keyword=value'"),
    (BASE + '  leftid=@a"\n', "no 'keyword=value'"),
    (BASE + '  leftid="@a"b\n', "no 'keyword=value'"),
    (BASE + '  leftid="a"b"\n', "no 'keyword=value'"),
    (BASE + "  leftsubnets={10.0.0.0/8\n", "no 'keyword=value'"),
    (BASE + "  leftsubnets=10.0.0.0/8}\n", "no 'keyword=value'"),
    (BASE + "  leftsubnets={{10.0.0.0/8}}\n", "no 'keyword=value'"),
    (BASE + '  leftsubnets={"10.0.0.0/8"}\n', "no 'keyword=value'"),
    (BASE + "  leftid=@a #comment\n", "no 'keyword=value'"),
    (BASE + "  leftid='@a'\n", "quote"),
    (BASE + "  leftid=\"CN='a'\"\n", "quote"),
    (BASE + "  leftid=\n", "is empty"),
    (BASE + '  leftid=""\n', "is empty"),
    (BASE + "  leftupdown=\n", "is empty"),
    (BASE + "  leftid=@" + "a" * 4096 + "\n", "longer than"),
    (BASE + "  LEFTID=@a\n", "lower case"),
    (BASE + "  left id=@a\n", "no 'keyword=value'"),
    (BASE + "  left;id=@a\n", "lower case"),
    (BASE + "  =@a\n", "no 'keyword=value'"),
    (BASE + "  mark=0\n", "mark 0"),
    (BASE + "  mark=0x0/0xff\n", "mark 0"),
    (BASE + "  mark=-1\n", "mark=-1"),
    (BASE + "  mark=-1/0xffffffff\n", "mark=-1"),
    (BASE + "  mark-in=0\n", "mark 0"),
    (BASE + "  mark-out=-1\n", "mark=-1"),
    (BASE + "  mark=5/0xf0\n", "bits outside"),
    (BASE + "  mark=foo\n", "not a mark"),
    (BASE + "  mark=5/\n", "not a mark"),
    (BASE + "  mark=5/0xg\n", "not a mark"),
    (BASE + "  mark=4294967296\n", "32 bits"),
    (BASE + "  mark=1/0x100000000\n", "not a mark"),
    (BASE + "  vti-interface=vti;id\n  mark=1/0xffffffff\n", "device name"),
    (BASE + "  vti-interface=vti.0\n  mark=1/0xffffffff\n", "device name"),
    (BASE + "  vti-interface=abcdefghijklmnop\n  mark=1/0xffffffff\n", "device name"),
    (BASE + "  vti-interface=ip_vti0\n  mark=1/0xffffffff\n", "fallback"),
    (BASE + "  vti-interface=vti0\n  auto=add\n", "needs a mark"),
    (BASE + "  vti-interface=vti0\n  mark=1/0xff\n  type=transport\n  auto=add\n", "type=tunnel"),
    (BASE + "  vti-interface=vti0\n  mark=1/0xff\n  type=passthrough\n  auto=add\n", "type=tunnel"),
    ("conn b\n  vti-interface=vti0\n" + BASE + "  also=b\n  auto=add\n", "needs a mark"),
    ("conn %default\n  type=transport\n" + BASE + "  vti-interface=v\n  mark=1\n  auto=add\n", "type=tunnel"),
    (BASE + BASE, "already on line 1"),
    ("conn %default\n  auto=add\nconn %default\n", "already on line 1"),
    (BASE + "  left=192.0.2.3\n", "on line 2"),
    (BASE + "  also=b\n", "no such conn"),
    (BASE + "  also=b;c\n", "letters, digits"),
    (BASE + "  also=a\n", "takes in itself"),
    ("conn b\n  also=a\n" + BASE + "  also=b\n", "takes in itself"),
    ("conn b\n  left=192.0.2.9\n" + BASE + "  also=b\n", "also=b"),
    ("conn b\n  ike=x\nconn c\n  ike=y\n" + BASE + "  also=b\n  also=c\n", "also=c"),
    (BASE + "  auto=yes\n", "none of"),
    (BASE + "  auto=up\n", "none of"),
    ("conn a\n  left=192.0.2.1\n  right=%any\n  auto=start\n", "a peer has to come"),
    ("conn a\n  left=192.0.2.1\n  right=%any\n  auto=ondemand\n", "a peer has to come"),
]


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_refused(text, words):
    with pytest.raises(InputErrors) as info:
        conf.parse(text)
    assert words in str(info.value)


def test_all_mistakes_are_told_at_once_with_conn_keyword_and_value():
    text = "conn a\n  mark=0\n  vti-interface=a/b\nconn b\n  auto=maybe\n"
    with pytest.raises(InputErrors) as info:
        conf.parse(text)
    assert [str(error) for error in info.value.errors] == [
        "content line 2 (conn a): mark='0': "
        "mark 0 means no mark, and the tunnel would take all the traffic of the host",
        "content line 3 (conn a): vti-interface='a/b': a device name is 1 to 15 letters, digits, '_' or '-'",
        "content line 5 (conn b): auto='maybe': is none of ignore, add, start, ondemand, route",
    ]


@given(st.from_regex(r"[a-z][a-z-]{0,9}", fullmatch=True), st.text() | st.text(st.sampled_from("a{}\"'#= \t\n\r;$5")))
def test_no_value_gets_out_of_its_line(key, value):
    """Whatever passes option_reason() is read back as this keyword with this value and nothing else."""
    if conf.option_reason(key, value) or key in ("also", "auto", "vti-interface", *conf.MARKS):
        return
    text = conf.render([conf.Conn("a", (conf.Option(key, value),))])
    parsed = conf.parse(text)
    assert list(parsed.sections) == ["a"]
    assert [(o.key, o.value) for o in parsed.sections["a"].options] == [(key, value)]


@given(st.text(st.sampled_from("conn ab=\t\"'{}#\n\r5%")))
def test_any_text_is_parsed_or_refused_as_input_error(text):
    try:
        parsed = conf.parse(text)
    except InputErrors:
        return
    again = conf.parse(conf.render(parsed.sections.values()))
    assert again.sections.keys() == parsed.sections.keys()


def test_comments_and_auto_do_not_change_a_fingerprint():
    one = conf.parse(BASE + "  auto=add # now\n")
    two = conf.parse("# Bücher\n" + BASE + "  # later\n  auto=start\n")
    prints = {conf.fingerprint("a", conf.effective(parsed, "a")) for parsed in (one, two)}
    assert len(prints) == 1


@pytest.mark.parametrize(
    "text",
    [
        BASE + "  ike=x\n  auto=add\n",
        "conn %default\n  ike=x\n" + BASE,
        "conn b\n  ike=x\n" + BASE + "  also=b\n",
        BASE.replace("192.0.2.2", "192.0.2.3"),
    ],
)
def test_what_matters_changes_a_fingerprint(text):
    one, two = conf.parse(BASE), conf.parse(text)
    assert conf.fingerprint("a", conf.effective(one, "a")) != conf.fingerprint("a", conf.effective(two, "a"))


def test_the_header_is_written_once():
    text = conf.with_header("conn a")
    assert text == f"{_files.HEADER}\nconn a\n"
    assert conf.with_header(text) == text
    assert _files.owned(text)
    assert not _files.owned("conn a\n" + _files.HEADER)

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the installed libreswan reads is what was meant: nothing more, nothing less, nothing else."""

from __future__ import annotations

import random
import re
import string
import subprocess
from pathlib import Path

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _conn_list, _ipsec_conf
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from conftest import conn

FILE = Path("/tmp/meant.conf")
# What readwriteconf prints as it was written, on both versions.
VERBATIM = ("left", "right", "leftupdown", "vti-interface", "mark", "mark-in", "mark-out", "leftsubnets", "rightupdown")
PLAIN = string.ascii_letters + string.digits
#: Everything that can be typed, and what could be taken for something else more often.
NASTY = string.printable + "\"'#{}=\n\r\t\\$`;% " * 4 + "\u00fc\u2028\x00"


class Maker:
    """Random conns, the same for a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self, letters, most):
        return "".join(self.random.choice(letters) for _n in range(self.random.randint(1, most)))

    def name(self):
        return self.random.choice(PLAIN) + self.text(PLAIN + "._-", 30)

    def address(self):
        return ".".join(str(self.random.randint(1, 223)) for _n in range(4))

    def nasty(self):
        # One in two is harmless, or hardly anything would get past the checks.
        return self.text(NASTY if self.random.random() < 0.5 else PLAIN + " /-=;$()#", 40)

    def options(self):
        options = {"left": self.address(), "right": self.address(), "leftupdown": self.nasty()}
        more = {
            "mark": self.random.randint(1, 0xFFFFFFFF),
            "vti-interface": self.text(PLAIN + "_-", 15),
            "leftsubnets": [f"{self.address()}/32" for _n in range(self.random.randint(1, 3))],
            "rightupdown": self.nasty(),
        }
        return {**options, **{key: value for key, value in more.items() if self.random.random() < 0.7}}


def read_back():
    """The conns that the installed libreswan sees in the file, each as a dict of the options that it prints."""
    done = subprocess.run(["ipsec", "readwriteconf", "--config", FILE], capture_output=True, text=True, check=False)
    conns, current = {}, {}
    for line in done.stdout.splitlines():
        if line.startswith("conn "):
            current = conns.setdefault(line[5:], {})
        # 5.2 prints "auto=" without a line end behind it.
        match = re.fullmatch(r"\t(?:auto=\t)?([a-z-]+)=(.*)", line)
        if match:
            current[match.group(1)] = match.group(2).strip('"')
    return conns


def accepted():
    """Whether the installed libreswan takes the file, as the module asks it."""
    done = subprocess.run(
        ["ipsec", "addconn", "--checkconfig", "--config", FILE], capture_output=True, text=True, check=False
    )
    return not done.returncode and not done.stderr


def test_what_is_read_back_is_what_was_meant():
    passed = 0
    for seed in range(120):
        maker = Maker(seed)
        conns = {maker.name(): maker.options() for _n in range(maker.random.randint(1, 3))}
        wanted = [{"name": name, "state": "loaded", "options": options} for name, options in conns.items()]
        try:
            sections, _states, _absent = _conn_list.sections_of(wanted, maker.random.choice([(4, 10), (5, 2)]))
        except InputErrors:
            continue
        FILE.write_text(_ipsec_conf.render(sections))
        found = read_back()
        assert sorted(found) == sorted(conns), (seed, FILE.read_text())
        for section in sections:
            meant = {option.key: option.value for option in section.options if option.key in VERBATIM}
            seen = {key: value for key, value in found[section.name].items() if key in VERBATIM}
            assert seen == meant, (seed, FILE.read_text())
        passed += 1
    assert passed > 20


def test_no_text_makes_a_conn_or_a_keyword_of_its_own():
    passed = 0
    for seed in range(200):
        maker = Maker(seed)
        ends = "left=192.0.2.1\n  right=192.0.2.2"
        text = f"conn a\n  {ends}\n  leftupdown={maker.nasty()}\n  rightupdown={maker.nasty()}\n"
        try:
            parsed = _ipsec_conf.parse(text)
        except InputErrors:
            continue
        FILE.write_text(_ipsec_conf.with_header(text))
        if not accepted():
            continue
        found = read_back()
        assert list(found) == list(parsed.sections) == ["a"], (seed, text)
        meant = {option.key: option.value for option in parsed.sections["a"].options}
        assert {key: found["a"].get(key) for key in meant} == meant, (seed, text)
        passed += 1
    assert passed > 20


IDS = ["@west", "@a#b", "C=DE, O=Ex #1, CN=west", "@west.example.com", "192.0.2.1", "2001:db8::1", "me@example.com"]


def test_ids_are_those_that_pluto_has(libreswan):
    done = libreswan.conns(*(conn(f"c{n}", n, leftid=value) for n, value in enumerate(IDS, 1)))
    assert not done.get("failed"), done.get("msg")
    status = libreswan.sh("ipsec whack --status")
    for number, value in enumerate(IDS, 1):
        (line,) = (line for line in status.splitlines() if re.search(rf'"c{number}": .*\.\.\.', line))
        shown = re.search(r"===[^\[<]*(?:<[^>]*>)?(?:\[(.*?)\])?(?:---\S*)?\.\.\.", line)
        # A DN is printed with a backslash in front of what could end it.
        assert value in (shown.group(1) or line).replace("\\", ""), line


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mark": 5}, "mark: 5/0xffffffff, 5/0xffffffff"),
        ({"mark": ..., "mark_in": 6, "mark_out": "0x7/0xff"}, "mark: 6/0xffffffff, 7/0x"),
        (
            {"vti_interface": "vti7", "vti_routing": False, "vti_shared": True},
            "vti-iface:vti7; vti-routing:no; vti-shared:yes",
        ),
        ({"vti_interface": "vti7", "leftvti": "10.0.0.1"}, "vti-iface:vti7"),
        ({"dpddelay": 10, "dpdaction": "restart", "retransmit_timeout": "30s"}, "dpddelay:10s; retransmit-timeout:30s"),
        ({"ikelifetime": "4h", "salifetime": 3600}, "ike_life: 14400s; ipsec_life: 3600s"),
        ({"keyexchange": ..., "ikev2": "insist"}, "policy: IKEv2"),
    ],
)
def test_pluto_has_what_was_meant_in_whatever_words(libreswan, options, expected):
    given_conn = conn("a", 1)
    given_conn["options"].update(options)
    given_conn["options"] = {key: value for key, value in given_conn["options"].items() if value is not ...}
    first = libreswan.conns(given_conn)
    assert not first.get("failed"), first.get("msg")
    assert expected in libreswan.sh("ipsec whack --status")
    assert not libreswan.conns(given_conn)["changed"]


def test_an_obsolete_keyword_is_passed_on_as_a_warning(libreswan):
    text = "conn a\n  left=%defaultroute\n  right=192.0.2.1\n  authby=secret\n  dpdaction=restart\n  auto=add\n"
    done = libreswan.call("ipsec_conn", content=text)
    assert not done.get("failed"), done
    said = [str(warning) for warning in done.get("warnings", ()) if "obsolete keyword ignored" in str(warning)]
    assert len(said) == (libreswan.version >= (5, 0))
    assert list(libreswan.states()) == ["a"]


def test_a_keyword_that_the_installed_version_does_not_know(libreswan):
    """ipsec-interface-managed is one of 5.x, for config setup; interface-ip is a syntax error on 4.10."""
    done = libreswan.conns(conn("a", nosuchkeyword="1"))
    assert "nosuchkeyword" in done["msg"]
    assert "nothing was changed" in done["msg"]
    assert libreswan.states() == {}

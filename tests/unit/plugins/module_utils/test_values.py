# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _values


@pytest.mark.parametrize("name", ["vti01", "a", "A_b-C", "x" * 15, "9"])
def test_interface_name(name):
    assert _values.interface_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 16, "a.b", "a b", "a/b", "ü", "a\n", "ip_vti0", "ip6_vti0"])
def test_interface_name_refused(name):
    with pytest.raises(ValueError, match=r"device"):
        _values.interface_name(name)


@pytest.mark.parametrize("name", ["", "default", "-a", ".a", "a b", "a'b", 'a"b', "a\n", "x" * 65, "a$b", "a;b"])
def test_conn_name_refused(name):
    with pytest.raises(ValueError, match="conn name"):
        _values.conn_name(name)


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\rb", "a\x00b", "a\x7fb"])
def test_control_characters_are_refused(text):
    with pytest.raises(ValueError, match="control character"):
        _values.plain_text(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("FD00:0::/48", "fd00::/48"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_network(text, canonical):
    assert _values.network(text) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("10.0.0.1/24", "10.0.0.1/24"), ("FD00:0::1/64", "fd00::1/64"), ("10.0.0.1/32", "10.0.0.1/32")],
)
def test_interface_address(text, canonical):
    assert _values.interface_address(text) == canonical


@pytest.mark.parametrize(
    ("given", "value", "mask", "text"),
    [
        (5, 5, 0xFFFFFFFF, "5/0xffffffff"),
        ("5", 5, 0xFFFFFFFF, "5/0xffffffff"),
        ("0xC/0xf", 12, 15, "12/0x0000000f"),
        (" 7 ", 7, 0xFFFFFFFF, "7/0xffffffff"),
        ("4294967295", 0xFFFFFFFF, 0xFFFFFFFF, "4294967295/0xffffffff"),
    ],
)
def test_mark(given, value, mask, text):
    parsed = _values.mark(given)
    assert (parsed.value, parsed.mask, str(parsed)) == (value, mask, text)
    assert _values.key(given) == value


@pytest.mark.parametrize(
    "given", ["", "0", 0, -1, "-1", "-1/0xf", "5/4", "5/", "/5", "0x", "1 2", "4294967296", "5/x", "٥"]
)
def test_mark_refused(given):
    with pytest.raises(ValueError, match="."):
        _values.mark(given)


def test_family():
    assert [_values.family(text) for text in ("10.0.0.0/8", "::1", "fd00::/8")] == [4, 6, 6]

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils._conn_options import option_reason

GOOD = [
    ("ikelifetime", "8h"),
    ("salifetime", "3600"),
    ("salifetime", "3600s"),
    ("dpddelay", "0"),
    ("retransmit-interval", "500ms"),
    ("ike", "aes_gcm256-sha2_512;dh19,aes256-sha2_256;modp2048"),
    ("esp", "aes_gcm256,aes256-sha1"),
    ("left", "%defaultroute"),
    ("left", "%eth0"),
    ("left", "2001:db8::1"),
    ("left", "::1"),
    ("right", "vpn.example.com"),
    ("right", "%any"),
    ("leftid", "@west"),
    ("leftid", "@#0a1b"),
    ("leftid", "@[keyid]"),
    ("leftid", "@@west"),
    ("leftid", "%fromcert"),
    ("leftid", "user@example.com"),
    ("leftid", "2001:db8::1"),
    ("leftid", "C=DE, O=Example Corp, CN=west"),
    ("leftid", "2.5.4.6=DE, CN=*"),
    ("leftsubnet", "0.0.0.0/0"),
    ("leftsubnet", "0/0"),
    ("leftsubnet", "10.0.0.1"),
    ("leftsubnet", "10.0.0.0/8,172.16.0.0/12"),
    ("leftsubnet", "10.0.0.0/8/tcp/80"),
    ("leftsubnet", "::/0"),
    ("leftsubnets", "{10.0.0.0/8 2001:db8::/32}"),
    ("rightsubnet", "vhost:%priv"),
    ("leftvti", "10.0.0.1"),
    ("leftvti", "10.0.0.1/30"),
    ("rightvti", "fd00::1/64"),
    ("vti-routing", "no"),
    ("vti-shared", "true"),
    ("mtu", "1400"),
    ("leftupdown", ""),
    ("leftupdown", "/bin/true --a;b"),
    ("narrowing", "whatever libreswan says"),
]
BAD = [
    ("ikelifetime", "8 hours", "is no time"),
    ("ikelifetime", "-1", "is no time"),
    ("salifetime", "0", "0 seconds"),
    ("lifetime", "0h", "0 seconds"),
    ("dpddelay", "ten", "is no time"),
    ("retransmit-timeout", "1y", "is no time"),
    ("ike", "aes 256", "no proposal"),
    ("esp", "aes256;$(id)", "no proposal"),
    ("left", "192.0.2.1 192.0.2.2", "neither an address"),
    ("left", "192.0.2.1;id", "neither an address"),
    ("right", "%", "neither an address"),
    ("right", "{a}", "neither an address"),
    ("leftid", "@west east", "is no id"),
    ("leftid", "@", "is no id"),
    ("leftid", "@west;id", "is no id"),
    ("leftid", "$(id)", "is no id"),
    ("leftid", "@[a b]", "is no id"),
    ("leftid", "@#xyz", "is no id"),
    ("leftid", "west, east", "is no id"),
    ("leftid", "west.example.com", "looked up in DNS"),
    ("leftid", "12345", "looked up in DNS"),
    ("connalias", "88", "bare number"),
    ("leftcert", "5", "bare number"),
    ("leftsubnet", "10.0.0.1/8", "host bits"),
    ("leftsubnet", "10.0.0.0/33", "not a network"),
    ("leftsubnet", "10.0.0.0/255.0.0.0", "prefix length as a number"),
    ("leftsubnet", "10.0.0.0/8,ten", "not a network"),
    ("leftsubnets", "{10.0.0.0/8 10.0.0.1/8}", "host bits"),
    ("leftvti", "10.0.0.1/255.255.255.252", "prefix length"),
    ("leftvti", "0.0.0.0/0", "unspecified"),
    ("leftvti", "vti0", "not an address"),
    ("vti-routing", "maybe", "yes nor no"),
    ("vti-routing", "YES", "lower case"),
    ("vti-shared", "2", "yes nor no"),
    ("mtu", "1", "out of range"),
    ("mtu", "70000", "out of range"),
    ("mtu", "auto", "out of range"),
]


@pytest.mark.parametrize(("key", "value"), GOOD)
def test_good(key, value):
    assert option_reason(key, value) == ""


@pytest.mark.parametrize(("key", "value", "words"), BAD)
def test_bad(key, value, words):
    assert words in option_reason(key, value)


NASTY = ["a\nb", "a\rb", "a\tb", 'a"b', "a'b", "a\x00b", "\u00fc", "\u2028", "a\x1b[0m", "", "a" * 4097]


@pytest.mark.parametrize("value", NASTY)
@pytest.mark.parametrize("key", ["leftid", "leftupdown", "esp", "right", "connalias", "leftcert"])
def test_no_option_takes_what_could_be_read_as_something_else(key, value):
    assert option_reason(key, value) or (key, value) == ("leftupdown", "")

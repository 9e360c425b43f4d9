# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules that speak to pluto, killed before each of their effects: the next run ends where an undisturbed one
does, and tells what it has changed."""

from __future__ import annotations

import re

import pytest
from conftest import CONF, conn
from kills import KILLED_AT, MOST, SECRETS, heals, killed_before


class TestConns:
    """ipsec_conn, with secrets."""

    @pytest.fixture
    def look(self, libreswan):
        def look():
            files = [path.read_text() if path.exists() else None for path in (CONF, CONF.with_suffix(".secrets"))]
            status = libreswan.sh("ipsec whack --status")
            return files, sorted(set(re.findall(r'"(\w+)":.*?===.*?(192\.0\.2\.\d+)', status)))

        return look

    def test_made(self, libreswan, look):
        def begin():
            libreswan.call("ipsec_conn", state="absent", secrets=[])

        rows = heals(begin, lambda: libreswan.conns(conn("a", 1), conn("b", 2), secrets=SECRETS[0]), look)
        assert len(rows) > 3

    def test_changed_and_removed(self, libreswan, look):
        def begin():
            libreswan.conns(conn("a", 1), conn("b", 2), secrets=SECRETS[0])

        rows = heals(begin, lambda: libreswan.conns(conn("a", 3), conn("c", 4), secrets=SECRETS[1]), look)
        assert len(rows) > 3

    def test_taken_away(self, libreswan, look):
        def begin():
            libreswan.conns(conn("a", 1), secrets=SECRETS[0])

        rows = heals(begin, lambda: libreswan.call("ipsec_conn", state="absent", secrets=[]), look)
        assert len(rows) > 2


class TestKeys:
    """ipsec_hostkey: a host has one key in the end, which the module names."""

    def ckaids(self, libreswan):
        return sorted(re.findall(r"ckaid: ([0-9a-f]{40})", libreswan.sh("ipsec showhostkey --list", fails=False)))

    def test_replaced(self, libreswan):
        first = libreswan.call("ipsec_hostkey")["ckaid"]
        for effect in range(1, MOST):
            if not killed_before(effect, lambda first=first: libreswan.call("ipsec_hostkey", replaces=first)):
                break
            done = libreswan.call("ipsec_hostkey", replaces=first)
            assert not done.get("failed"), (KILLED_AT.read_text(), done)
            assert self.ckaids(libreswan) == [done["ckaid"]], KILLED_AT.read_text()
            assert not libreswan.call("ipsec_hostkey", replaces=first)["changed"]
            first = done["ckaid"]
        assert effect > 1

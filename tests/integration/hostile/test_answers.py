# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway whose answers are malformed, or written to deceive who reads them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t

from conftest import NAMES, ROOT, Site, conn, info

# Turns the order of text round; clears a line; goes up; begins a line of its own.
EVIL = "\u202egood is all\u202c\x1b[2K\x1b[1A\x9b2K\nparis: up\u2028"
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def links(name: str) -> list[str]:
    """The names of the links of a host."""
    number = NAMES.index(name) + 1
    return [f"link-{min(number, x)}-{max(number, x)}" for x in range(1, 4) if x != number]


def honest(site: Site, name: str, *more: dict[str, t.Any]) -> None:
    site.answer(name, vpn_info=info(*(conn(link) for link in links(name)), *more))


def test_a_malformed_answer_is_the_row_of_that_host(site: Site) -> None:
    for name in NAMES:
        honest(site, name)
    for lie in (info({"name": 1}), info(conn("link-1-2", since=10**18)), "not JSON", {"conns": {"x": []}}):
        site.answer("berlin", vpn_info=lie)
        done = site.run("route_based.vpn.status", "-e", "site_drift=false")
        assert done.returncode == 0
        page = (site.path / "vpn_report.html").read_text()
        table = done.stdout.partition("Show one table")[2].partition("PLAY RECAP")[0]
        assert re.search(r"link-2-3 +up ", table)
        assert re.search(r"link-1-2 +partly ", table)
        assert re.search(
            r"berlin: .*(the answer of this host is not one of vpn_info|deserialization|MODULE FAILURE)", table
        )
        assert "berlin" in page


def test_what_is_shown_can_do_no_harm(site: Site) -> None:
    for name in NAMES:
        honest(site, name)
    site.answer(
        "berlin",
        vpn_info=info(
            conn("link-1-2", established=False, last_error=EVIL),
            conn(EVIL, remote="paris", last_error="<script>alert(1)</script>"),
        ),
        ipsec_conn={"failed": True, "msg": EVIL},
        vti_tunnel={"changed": True, "tunnels": [{"name": EVIL, "action": "created", "reasons": [EVIL]}], "mtus": {}},
    )
    # In the folder of the inventory, where Ansible would take the page for an inventory.
    done = site.run("route_based.vpn.status", "-e", f"site_report={site.inventory}/vpn_report.html")
    assert done.returncode == 0
    page = (site.inventory / "vpn_report.html").read_text()
    for text in (done.stdout, done.stderr, page):
        assert not HARMFUL.search(text)
        assert not re.search("^paris: up", text, flags=re.MULTILINE)
    assert "\\u202egood is all\\u202c\\x1b[2K" in page
    assert "<script>alert" not in page
    # No end of a tunnel has the name of a site because its host says so.
    assert "? (paris)" in page
    command = [str(ROOT / ".venv/bin/ansible-inventory"), "-i", str(site.inventory), "--list"]
    listed = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(listed.stdout)
    assert sorted(found["gateways"]["hosts"]) == sorted(NAMES)


def test_the_page_takes_the_place_of_nothing_but_a_file(site: Site) -> None:
    """Ansible would put a file there; where root gave /dev/null, the machine would lose it."""
    os.mkfifo(site.path / "device")
    arguments = ("-e", "site_drift=false", "-e")
    done = site.run("route_based.vpn.status", *arguments, f"site_report={site.path}/device")
    assert done.returncode == 2
    assert f"site_report={site.path}/device: it is there and no file" in done.stdout
    assert (site.path / "device").is_fifo()
    assert site.calls("berlin") == []
    before = site.files()
    assert site.run("route_based.vpn.status", *arguments, "site_report=").returncode == 0
    assert site.files() == before

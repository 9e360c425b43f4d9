# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway that answers in place of its key what it likes."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t

import pytest
from conftest import NAMES, ROOT, Site, key

ONE_WAVE = ("-e", '{"site_waves": ["100%"]}')
# What wins over the inventory where it is taken, in each answer of a module of ours.
FACTS = {"gateway_key_folder": "/none/keys", "inventory_hostname": "paris", "gateway_no_log": False, "motd": "hello"}
OURS = ("vpn_preflight", "vpn_checkpoint", "vti_tunnel", "vti_route", "ipsec_conn", "vpn_info")


def inventory(site: Site) -> tuple[dict[str, t.Any], str]:
    """What Ansible takes from the inventory folder, and its warnings."""
    command = [str(ROOT / ".venv/bin/ansible-inventory"), "-i", str(site.inventory), "--list"]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout), done.stderr


def test_keys_are_pinned_and_facts_of_our_modules_never_taken(site: Site) -> None:
    site.answer("berlin", ipsec_hostkey={**key(1), "ansible_facts": FACTS})
    honest = json.loads((site.path / "hosts/berlin/answers.json").read_text())
    interpreter: dict[str, t.Any] = {}
    exec((ROOT / "tests/integration/hostile/interpreter").read_text().rpartition("main()")[0], interpreter)
    lies = {name: {**interpreter["HONEST"][name], "ansible_facts": FACTS} for name in OURS}
    site.answer("berlin", **honest, **lies)
    done = site.run("route_based.vpn.site", *ONE_WAVE)
    assert done.returncode == 0
    assert site.files() == {"inventory/hosts.yml", *(f"inventory/.vpn_keys/{name}.txt" for name in NAMES)}
    for number, name in enumerate(NAMES, start=1):
        kept = json.loads((site.inventory / f".vpn_keys/{name}.txt").read_text())
        assert (kept["host"], kept["ckaid"]) == (name, key(number)["ckaid"])
    # The keys lie in the inventory, and are none.
    found, warnings = inventory(site)
    assert sorted(found["gateways"]["hosts"]) == sorted(NAMES)
    assert warnings == ""

    before = (site.inventory / ".vpn_keys/berlin.txt").read_text()
    for lie in (key(9), {**key(1), "ckaid": key(2)["ckaid"], "public_key": key(2)["public_key"]}):
        for name in NAMES:
            site.answer(name)
        site.answer("berlin", ipsec_hostkey=lie)
        done = site.run("route_based.vpn.site", *ONE_WAVE)
        assert done.returncode != 0
        assert key(1)["ckaid"] in done.stdout
        assert lie["ckaid"] in done.stdout
        assert "the public key has changed" in done.stdout
        assert (site.inventory / ".vpn_keys/berlin.txt").read_text() == before
        # Nothing was changed anywhere.
        assert not [name for name in NAMES if "ipsec_conn" in site.calls(name)]


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (
            {"ckaid": {"hosts": {"berlin": {"vpn_networks": "{{ lookup('pipe', 'touch MARK') }}"}}}},
            "ckaid has to be a text",
        ),
        ({"ckaid": "../../x"}, "must be 40 hexadecimal digits"),
        ({"public_key": "0s\u202e" + "A" * 60}, "must be 0s and base64"),
    ],
)
def test_what_is_no_key_is_not_written(site: Site, lie: dict[str, t.Any], said: str) -> None:
    mark = site.path / "mark"
    site.answer("berlin", ipsec_hostkey=json.loads(json.dumps({**key(1), **lie}).replace("MARK", str(mark))))
    done = site.run("route_based.vpn.site", *ONE_WAVE)
    assert done.returncode != 0
    assert said in " ".join(done.stdout.split())
    assert not (site.inventory / ".vpn_keys/berlin.txt").exists()
    assert not [name for name in NAMES if "ipsec_conn" in site.calls(name)]
    inventory(site)
    site.run("route_based.vpn.peer_sheets")
    assert not mark.exists()
    assert not [name for name in site.files() if "berlin" in name]


def test_files_of_an_earlier_version_move(site: Site) -> None:
    old = site.inventory / "vpn_keys"
    old.mkdir()
    for number, name in enumerate(NAMES, start=1):
        entry = {field: key(number)[field] for field in ("type", "public_key", "ckaid")}
        (old / f"{name}.json").write_text(json.dumps({**entry, "epoch": "1"}))
    done = site.run("route_based.vpn.status", "--limit", "paris", "-e", "site_drift=false")
    assert done.returncode == 0
    assert not old.exists()
    assert {f"inventory/.vpn_keys/{name}.txt" for name in NAMES} <= site.files()

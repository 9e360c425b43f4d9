# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public keys that hosts answer: what is taken for one, where it is kept, and that real Ansible never parses it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.inventory.manager import IGNORED
from ansible_collections.route_based.vpn.plugins.module_utils._errors import VpnError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _key_files, _public_keys

ROOT = Path(__file__).parents[4]
ANSWER = {"type": "ecdsa", "public_key": "0s" + "A" * 60, "ckaid": "ab" * 20}
KEY = {**ANSWER, "epoch": "1"}
OTHER = {**KEY, "public_key": "0s" + "B" * 60, "ckaid": "cd" * 20}
CODE = "{{ lookup('pipe', 'touch MARK') }}"


def folder_of(path: Path, **keys: dict[str, str]) -> _key_files.Folder:
    """A folder with these keys."""
    folder = _key_files.Folder(path)
    for host, key in keys.items():
        folder.keep(host, key)
    return folder


def test_those_that_are_there(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "new", east=KEY)
    assert folder.read(["east", "north"]) == {"east": KEY}
    assert _key_files.Folder(tmp_path / "none").read(["east"]) == {}
    assert oct(folder.path_of("east").stat().st_mode & 0o777) == "0o644"
    assert [path.name for path in folder.path.iterdir()] == ["east.txt"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "dsa"}, "type='dsa': must be one of rsa, ecdsa"),
        ({"public_key": "0s\nx"}, "public_key="),
        ({"public_key": "0s" + "A" * 61}, "public_key="),
        ({"ckaid": "ab" * 19}, "ckaid='abab"),
        ({"ckaid": "AB" * 20}, "must be 40 hexadecimal digits"),
        ({"ckaid": "ab" * 20 + "\n"}, "must be 40 hexadecimal digits"),
        ({"ckaid": {"hosts": {"berlin": {"vpn_networks": CODE}}}}, "ckaid: a text is needed, not a value of type dict"),
        ({"ckaid": None}, "ckaid: a text is needed, not nothing"),
        ({"vars": {"x": CODE}}, "'vars' is not a field of a public key"),
        ({CODE: ""}, "is not a field of a public key"),
    ],
)
def test_an_answer_that_is_no_key(change: dict[str, t.Any], said: str) -> None:
    with pytest.raises(VpnError, match=re.escape(said)) as error:
        _public_keys.of_answer("berlin", {**ANSWER, **change}, "1")
    assert str(error.value).startswith("the answer of berlin: ")


@pytest.mark.parametrize("answer", [None, [], "x", 1, [ANSWER]])
def test_an_answer_of_another_kind(answer: t.Any) -> None:
    with pytest.raises(VpnError, match="the answer of berlin: is not a public key"):
        _public_keys.of_answer("berlin", answer, "1")


def test_an_epoch_that_could_be_anything() -> None:
    with pytest.raises(VpnError, match="epoch='1\\\\n': must be 1 to 64 letters"):
        _public_keys.of_answer("berlin", ANSWER, "1\n")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", json.dumps(KEY), json.dumps({"host": "west", **KEY}), json.dumps({"host": "east", **KEY, "x": 1})],
)
def test_a_file_that_is_not_the_hosts_own(tmp_path: Path, text: str) -> None:
    (tmp_path / "east.txt").write_text(text)
    with pytest.raises(VpnError, match=r"east\.txt"):
        _key_files.Folder(tmp_path).read(["east"])


@pytest.mark.parametrize("name", ["../east", ".east", "east/", "", "a\nb", "a b"])
def test_a_name_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    folder = folder_of(tmp_path, east=KEY)
    for work in (folder.key, folder.remove, lambda name: folder.keep(name, OTHER)):
        with pytest.raises(VpnError, match="not the name of a host"):
            work(name)


def test_a_key_that_changes_unasked_is_shown_beside_the_one_that_is_kept(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, east=KEY)
    with pytest.raises(VpnError) as error:
        folder.keep("east", OTHER)
    assert KEY["ckaid"] in str(error.value)
    assert OTHER["ckaid"] in str(error.value)
    assert "nobody asked for a new one" in str(error.value)
    assert folder.key("east") == KEY
    # The same CKAID does not make another key the same one.
    with pytest.raises(VpnError, match="the public keys of the two differ"):
        folder.keep("east", {**OTHER, "ckaid": KEY["ckaid"]})


def test_a_key_that_is_asked_for(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, east=KEY)
    with pytest.raises(VpnError, match="is still the old one, although gateway_key_epoch is 2 and no longer 1"):
        folder.keep("east", {**KEY, "epoch": "2"})
    assert folder.keep("east", {**OTHER, "epoch": "2"})
    assert not folder.keep("east", {**OTHER, "epoch": "2"})
    assert folder.key("east") == {**OTHER, "epoch": "2"}


def test_no_two_hosts_have_one_key(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, east=KEY)
    with pytest.raises(VpnError, match="west: the public key is that of east"):
        folder.keep("west", KEY)
    folder.path_of("west").write_text(_public_keys.text("west", KEY))
    with pytest.raises(VpnError, match="west: the public key is that of east"):
        folder.read(["east", "west"])


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    folder, target = folder_of(tmp_path / "keys", west=OTHER), tmp_path / "bashrc"
    target.write_text(_public_keys.text("east", KEY))
    folder.path_of("east").symlink_to(target)
    assert folder.keep("east", {**KEY, "public_key": "0s" + "C" * 60, "epoch": "2"})
    assert target.read_text() == _public_keys.text("east", KEY)


def test_predicted_is_what_is_done(tmp_path: Path) -> None:
    folder = _key_files.Folder(tmp_path / "keys")
    assert folder.keep("east", KEY, write=False)
    assert not folder.path.exists()
    folder.keep("east", KEY)
    assert folder.remove("east", write=False)
    assert folder.key("east") == KEY
    assert folder.remove("east")
    assert not folder.remove("east")


def test_files_of_an_earlier_version_move(tmp_path: Path) -> None:
    old, folder = tmp_path / "vpn_keys", _key_files.Folder(tmp_path / ".vpn_keys")
    old.mkdir()
    (old / "east.json").write_text(json.dumps({**KEY, "epoch": 1}))
    (old / "west.json").write_text(json.dumps(OTHER))
    # Before they have moved they are found, so that a run in check mode foretells no new keys.
    assert folder.read(["east", "west"]) == {"east": KEY, "west": OTHER}
    assert folder.move_old(write=False) == ["east", "west"]
    assert folder.move_old() == ["east", "west"]
    assert not old.exists()
    assert folder.read(["east", "west"]) == {"east": KEY, "west": OTHER}
    assert folder.move_old() == []


def test_nothing_moves_where_one_of_them_is_none(tmp_path: Path) -> None:
    for name, key in (("east", KEY), ("west", {**OTHER, "ckaid": {"hosts": {"east": {"x": CODE}}}})):
        (tmp_path / f"{name}.json").write_text(json.dumps(key))
    folder = _key_files.Folder(tmp_path)
    with pytest.raises(VpnError, match=r"west\.json: ckaid: a text is needed"):
        folder.move_old()
    assert folder.key("east") == KEY
    assert (tmp_path / "east.json").exists()
    # Its own run moves a host's file too.
    assert folder.keep("east", KEY)
    assert not (tmp_path / "east.json").exists()


@pytest.mark.parametrize(
    ("name", "parsed"),
    [(".vpn_keys/east.txt", False), ("vpn_keys/east.txt", False), ("vpn_keys/east.json", True), ("a/.b/c.json", False)],
)
def test_what_ansible_takes_for_its_inventory(tmp_path: Path, name: str, parsed: bool) -> None:
    sources = [str(tmp_path), "a,b,", str(tmp_path / "none.yml")]
    assert bool(_key_files.parsed_by_ansible(tmp_path / name, sources, IGNORED)) is parsed
    assert not _key_files.parsed_by_ansible(tmp_path.parent / "elsewhere" / name, sources, IGNORED)


@pytest.mark.parametrize("ignore", ["", ".nothing"])
def test_real_ansible_never_parses_them(tmp_path: Path, ignore: str) -> None:
    """As README says, the inventory is a folder, with the keys in it; whatever the files say, and are."""
    inventory, mark = tmp_path / "inventory", tmp_path / "mark"
    folder = folder_of(inventory / _key_files.FOLDER, berlin=KEY)
    code = CODE.replace("MARK", str(mark))
    (inventory / "hosts.yml").write_text(yaml.safe_dump({"gateways": {"hosts": {"berlin": {}}}}))
    evil = {"ckaid": {"hosts": {"berlin": {"vpn_networks": code}}}}
    folder.path_of("paris").write_text(json.dumps(evil))
    for name in ("rome.json", "rome.yml", "rome", "rome.txt"):
        (folder.path / name).write_text(json.dumps(evil))
    script = folder.path / "oslo"
    script.write_text(f"#!/bin/sh\ntouch {mark}\necho '{{}}'\n")
    script.chmod(0o755)
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", **({"ANSIBLE_INVENTORY_IGNORE": ignore} if ignore else {})}
    command = [str(ROOT / ".venv/bin/ansible-inventory"), "-i", str(inventory), "--list"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    assert sorted(found) == ["_meta", "all", "gateways"]
    assert not found["_meta"].get("hostvars", {}).get("berlin")
    assert "WARNING" not in done.stderr
    command = [str(ROOT / ".venv/bin/ansible"), "-i", str(inventory), "all", "-m", "debug", "-a", "var=vpn_networks"]
    subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert not mark.exists()

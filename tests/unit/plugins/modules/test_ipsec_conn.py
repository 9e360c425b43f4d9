# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat

import pytest
from ansible.module_utils import basic
from ansible_collections.route_based.vpn.plugins.module_utils import _files as conf
from ansible_collections.route_based.vpn.plugins.module_utils import _pluto, _secrets
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors, StoreError
from ansible_collections.route_based.vpn.plugins.modules import ipsec_conn
from fakes.conns import SECRETS, text
from fakes.module import taken


def test_create(host):
    result = host.run(content=text(1, 2))
    assert result["changed"]
    assert result["file"] == "created"
    assert [entry["action"] for entry in result["conns"]] == ["created", "created"]
    assert sorted(host.pluto.conns) == ["c1", "c2"]
    assert all(conn.up for conn in host.pluto.conns.values())
    assert host.pluto.counted("addconn", "c1", "c2") == 1
    assert host.path.read_text() == f"{conf.HEADER}\n{text(1, 2)}"
    assert stat.S_IMODE(host.path.stat().st_mode) == 0o600
    assert list(host.tmp.iterdir()) == []
    assert [path.name for path in host.folder.iterdir()] == ["route_based_vpn.conf"]


def test_create_check_mode_foretells_the_same_and_does_nothing(host):
    foretold = host.run(check=True, content=text(1, 2))
    assert host.pluto.writes == []
    assert not host.path.exists()
    assert host.run(content=text(1, 2)) == foretold


def test_second_run_is_quiet(host):
    host.run(content=text(1, 2))
    serials = host.serials
    result = host.run(content=text(1, 2))
    assert not result["changed"]
    assert result["file"] == "kept"
    assert result["diff"] == {"before": {}, "after": {}}
    assert host.pluto.writes == []
    assert len(host.pluto.calls) == 1
    assert host.serials == serials


def test_change_one_touch_one(host):
    host.run(content=text(1, 2, 3))
    before = host.serials
    changed = text(1, 2, 3).replace("right=192.0.2.2\n", "right=192.0.2.99\n")
    foretold = host.run(check=True, content=changed)
    assert host.pluto.writes == []
    result = host.run(content=changed)
    assert result == foretold
    assert result["conns"][1] == {"name": "c2", "action": "updated", "reasons": ["right: 192.0.2.2 -> 192.0.2.99"]}
    assert host.pluto.writes == [
        ["ipsec", "addconn", "c2"],
        ["ipsec", "whack", "--name", "c2", "--asynchronous", "--initiate"],
    ]
    assert {name for name in before if before[name] != host.serials[name]} == {"c2"}


def test_default_and_also_touch_those_who_use_them(host):
    host.run(content=text(1, 2) + "conn own\n  left=192.0.2.1\n  right=192.0.2.3\n  ikelifetime=1h\n  auto=add\n")
    own = "conn own\n  left=192.0.2.1\n  right=192.0.2.3\n  ikelifetime=1h\n  auto=add\n"
    assert host.actions(content=text(1, 2, life="4h") + own) == {"c1": "updated", "c2": "updated", "own": "kept"}


def test_an_obsolete_keyword_is_a_warning_in_check_mode_too(host):
    obsolete = text(1).replace("conn base\n", "conn base\n  dpdaction=restart\n")
    for check in (True, False):
        host.warnings.clear()
        assert host.run(check=check, content=obsolete)["changed"]
        said = [warning for warning in host.warnings if "obsolete keyword ignored: dpdaction=restart" in warning]
        assert len(said) == (host.pluto.version == "5.2")
        assert all(str(host.path) in warning for warning in said)
    assert list(host.pluto.conns) == ["c1"]


def test_what_libreswan_refuses_is_refused_in_check_mode_too(host):
    for check in (True, False):
        with pytest.raises(StoreError, match="the installed libreswan refuses the conns, nothing was changed"):
            host.run(check=check, content=text(1).replace("conn base\n", "conn base\n  nosuchword=1\n"))
    assert not host.path.exists()


def test_a_file_alone_is_checked_too_except_where_check_mode_has_nobody_to_ask(host, monkeypatch):
    monkeypatch.setattr(_pluto, "is_installed", lambda module: False)
    wrong = text(1).replace("conn base\n", "conn base\n  nosuchword=1\n")
    assert host.run(check=True, content=wrong, load=False)["changed"]
    with pytest.raises(StoreError, match="refuses the conns, nothing was changed"):
        host.run(content=wrong, load=False)
    assert not host.path.exists()


def test_secrets_that_pluto_cannot_read_are_a_failure(host, monkeypatch):
    host.run(content=text(1), secrets=SECRETS)
    before = (host.secrets.read_text(), host.pluto.secrets)
    monkeypatch.setattr(_secrets, "_written", str)
    with pytest.raises(StoreError) as failed:
        host.run(content=text(1), secrets=[{"ids": ["2001:db8:1::", "@b"], "psk": "a secret of the test"}])
    assert "pluto cannot read the secrets of 2001:db8:1:: @b in " in str(failed.value)
    assert "0s" not in str(failed.value)
    assert (host.secrets.read_text(), host.pluto.secrets) == before


def aliased(*numbers):
    """A file as the role writes it: each conn has the alias."""
    return text(*numbers).replace("  auto=", "  connalias=_route_based_vpn\n  auto=")


def deletes(host):
    return [call[3] for call in host.pluto.calls if call[-1] == "--delete"]


def test_all_conns_of_an_alias_go_by_it(host):
    host.run(content=aliased(1, 2, 3))
    assert host.actions(state="absent") == {"c1": "removed", "c2": "removed", "c3": "removed"}
    assert (host.pluto.conns, deletes(host)) == ({}, ["_route_based_vpn"])


def test_an_alias_that_means_others_too_is_not_used(host):
    host.run(content=aliased(1, 2, 3))
    serials = host.serials
    assert host.actions(content=aliased(1)) == {"c1": "kept", "c2": "removed", "c3": "removed"}
    assert (host.serials, deletes(host)) == ({"c1": serials["c1"]}, ["c2", "c3"])
    host.pluto.load("foreign", {"connalias": "_route_based_vpn"})
    host.run(content=aliased(1, 2))
    host.run(state="absent")
    assert list(host.pluto.conns) == ["foreign"]


def test_conns_of_an_earlier_version_keep_their_sas_when_they_get_the_alias(host):
    host.run(content=text(1, 2))
    serials = host.serials
    result = host.run(content=aliased(1, 2))
    assert ([entry["action"] for entry in result["conns"]], result["file"]) == (["kept", "kept"], "updated")
    assert host.serials == serials
    assert not host.run(content=aliased(1, 2))["changed"]
    host.run(state="absent")
    assert (host.pluto.conns, deletes(host)) == ({}, ["c1", "c2"])


def test_another_alias_is_a_change(host):
    host.run(content=aliased(1, 2))
    own = aliased(1, 2).replace("connalias=_route_based_vpn", 'connalias="mine _route_based_vpn"', 1)
    assert host.actions(content=own) == {"c1": "updated", "c2": "kept"}


def test_add_one_remove_one(host):
    host.run(content=text(1, 2))
    before = host.serials
    assert host.actions(content=text(2, 3)) == {"c2": "kept", "c3": "created", "c1": "removed"}
    assert sorted(host.pluto.conns) == ["c2", "c3"]
    assert host.serials["c2"] == before["c2"]
    assert host.pluto.writes[0][-1] == "--delete"


def test_a_comment_changes_the_file_and_no_conn(host):
    host.run(content=text(1))
    serials = host.serials
    result = host.run(content="# a comment\n" + text(1))
    assert (result["changed"], result["file"]) == (True, "updated")
    assert [entry["action"] for entry in result["conns"]] == ["kept"]
    assert host.serials == serials
    assert not host.run(content="# a comment\n" + text(1))["changed"]


def test_states(host):
    content = text(1, auto="start") + "".join(
        f"conn {name}\n  left=192.0.2.1\n  right=192.0.2.2\n  auto={auto}\n"
        for name, auto in (("on", "ondemand"), ("rt", "route"), ("ad", "add"), ("ig", "ignore"))
    )
    host.run(content=content)
    found = {name: (conn.up, conn.routed) for name, conn in host.pluto.conns.items()}
    assert found == {"c1": (True, False), "on": (False, True), "rt": (False, True), "ad": (False, False)}
    assert not host.run(content=content)["changed"]


def test_what_was_unloaded_by_hand_is_loaded_again(host):
    host.run(content=text(1, 2))
    del host.pluto.conns["c1"]
    assert host.run(check=True, content=text(1, 2))["changed"]
    assert host.actions(content=text(1, 2)) == {"c1": "updated", "c2": "kept"}
    assert host.pluto.conns["c1"].up


def test_what_was_taken_down_by_hand_is_initiated_again_not_loaded(host):
    host.run(content=text(1, 2))
    host.pluto.conns["c1"].up = False
    serials = host.serials
    result = host.run(content=text(1, 2))
    assert result["conns"][0]["reasons"] == ["had no state in pluto: initiated again"]
    assert host.pluto.conns["c1"].up
    assert host.serials == serials


def test_what_was_loaded_by_hand_from_the_same_file_is_left_alone(host):
    host.run(content=text(1))
    host.pluto.run(["timeout", "-k", "5", "60", "ipsec", "addconn", "c1"])
    host.pluto.conns["c1"].up = True
    assert not host.run(content=text(1))["changed"]


def test_what_was_loaded_by_hand_from_an_edited_file_is_loaded_again(host):
    host.run(content=text(1))
    good = host.path.read_text()
    host.path.write_text(good.replace("192.0.2.1\n", "192.0.2.77\n"))
    host.pluto.run(["timeout", "-k", "5", "60", "ipsec", "addconn", "c1"])
    host.path.write_text(good)
    assert host.actions(content=text(1)) == {"c1": "updated"}
    assert host.pluto.conns["c1"].options["right"] == "192.0.2.1"


def test_after_a_restart_of_pluto_the_file_tells_what_is_loaded(host):
    host.run(content=text(1, 2))
    host.pluto.restart()
    serials = host.serials
    assert not host.run(content=text(1, 2))["changed"]
    assert host.serials == serials
    changed = text(1, 2).replace("right=192.0.2.2\n", "right=192.0.2.99\n")
    assert host.actions(content=changed) == {"c1": "kept", "c2": "updated"}


def test_without_a_note_the_file_says_nothing_of_what_is_loaded(host):
    host.run(content=text(1))
    host.pluto.restart()
    host.forget()
    assert host.actions(content=text(1)) == {"c1": "updated"}
    assert not host.run(content=text(1))["changed"]


@pytest.mark.parametrize("rubbish", ["", "{", "[]", "{}", '{"pluto": 1}', "null"])
def test_a_spoilt_memory_is_no_memory(host, rubbish):
    host.run(content=text(1))
    for path in host.notes():
        path.write_text(rubbish)
    assert host.actions(content=text(1)) == {"c1": "updated"}
    assert not host.run(content=text(1))["changed"]


def test_absent(host):
    host.run(content=text(1, 2))
    foretold = host.run(check=True, state="absent")
    result = host.run(state="absent")
    assert result == foretold
    assert result["file"] == "removed"
    assert host.pluto.conns == {}
    assert not host.path.exists()
    assert not host.run(state="absent")["changed"]


@pytest.mark.parametrize("params", [{"content": text(1)}, {"state": "absent"}, {"conns": []}])
def test_a_foreign_file_is_neither_overwritten_nor_removed(host, params):
    host.path.write_text("conn mine\n  left=192.0.2.1\n")
    with pytest.raises(StoreError, match="was not written by this module"):
        host.run(**params)
    assert host.path.read_text() == "conn mine\n  left=192.0.2.1\n"
    assert host.pluto.calls == []


def test_a_conn_of_another_file_is_refused(host):
    (host.folder / "other.conf").write_text("conn c1\n  left=192.0.2.1\n")
    with pytest.raises(StoreError, match=r"conn c1: .*other\.conf has a conn of this name"):
        host.run(content=text(1))
    assert host.pluto.writes == []
    assert not host.path.exists()


def test_what_libreswan_refuses_is_not_installed(host):
    host.run(content=text(1))
    good = host.path.read_text()
    with pytest.raises(StoreError, match=r"route_based_vpn\.conf:.*nosuch"):
        host.run(content=text(1) + "conn x\n  nosuch=1\n")
    assert host.path.read_text() == good
    assert host.pluto.writes == []
    assert list(host.tmp.iterdir()) == []


def test_words_on_stderr_are_a_refusal_too(host):
    if host.pluto.version == "4.10":
        with pytest.raises(StoreError, match="Invalid mark value"):
            host.run(content=text(1).replace("mark=1/0xffffffff", "mark=1"))
        assert not host.path.exists()
    else:
        host.run(content=text(1).replace("mark=1/0xffffffff", "mark=1"))


def test_refused_by_pluto_puts_file_and_touched_conns_back(host):
    host.run(content=text(1, 2, 3))
    good, before = host.path.read_text(), host.serials
    broken = text(2, 3).replace("right=192.0.2.2\n", "right=192.0.2.99\n") + "conn bad\n  esp=x-foo\n  auto=add\n"
    with pytest.raises(StoreError, match="did not load 1 of 2 conns: bad: .*is as it was"):
        host.run(content=broken)
    assert host.path.read_text() == good
    assert sorted(host.pluto.conns) == ["c1", "c2", "c3"]
    assert host.pluto.conns["c2"].options["right"] == "192.0.2.2"
    assert all(conn.up for conn in host.pluto.conns.values())
    assert host.serials["c3"] == before["c3"]
    assert not host.run(content=text(1, 2, 3))["changed"]


def test_refused_at_the_first_run_leaves_nothing(host):
    with pytest.raises(StoreError, match="did not load 1 of 2"):
        host.run(content=text(1) + "conn bad\n  esp=x-foo\n  auto=add\n")
    assert not host.path.exists()
    assert host.pluto.conns == {}


def test_a_broken_foreign_file_is_named_and_nothing_is_lost(host):
    host.run(content=text(1))
    good, before = host.path.read_text(), host.serials
    (host.folder / "broken.conf").write_text("conn other\n  foo=bar\n")
    del host.pluto.conns["c1"]
    with pytest.raises(StoreError, match=r"broken\.conf:2"):
        host.run(content=text(1, 2))
    assert host.path.read_text() == good
    (host.folder / "broken.conf").unlink()
    assert host.actions(content=text(1, 2)) == {"c1": "updated", "c2": "created"}
    assert before


@pytest.mark.parametrize("word", ["addconn c2", "--initiate", "--delete"])
def test_pluto_that_dies_halfway(host, word):
    host.run(content=text(1))
    good = host.path.read_text()
    host.pluto.die_at = word
    with pytest.raises(StoreError, match="pluto is not running.*putting things back failed too"):
        host.run(content=text(2))
    assert host.path.read_text() == good
    host.pluto.die_at, host.pluto.running = "", True
    host.pluto.restart()
    assert not host.run(content=text(1))["changed"]


def test_a_disk_that_is_full(host, monkeypatch):
    host.run(content=text(1))
    good, serials = host.path.read_text(), host.serials

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="could not be written, nothing was changed.*No space left"):
        host.run(content=text(1, 2))
    assert host.path.read_text() == good
    assert host.serials == serials
    assert [path.name for path in host.folder.iterdir()] == ["route_based_vpn.conf"]


def test_pluto_that_does_not_run(host):
    host.pluto.running = False
    with pytest.raises(StoreError, match=r"start ipsec\.service first"):
        host.run(content=text(1))
    assert not host.path.exists()
    assert host.run(check=True, content=text(1))["changed"]
    assert "pluto is not running" in host.warnings[0]


def test_load_false_writes_the_file_only(host):
    host.pluto.running = False
    assert host.actions(content=text(1), load=False) == {"c1": "created"}
    assert not host.run(content=text(1), load=False)["changed"]
    assert host.pluto.writes == []
    host.pluto.running = True
    assert host.actions(content=text(1)) == {"c1": "updated"}
    assert host.pluto.conns["c1"].up


@pytest.mark.parametrize("bad", ["conn a\r\n  left=x\r\n", "conn a;id\n", "conn a\n  mark=0\n", "conn a\n  also=b\n"])
def test_bad_input_is_refused_before_anything_is_asked_or_written(host, bad):
    with pytest.raises(InputErrors):
        host.run(content=bad)
    assert host.pluto.calls == []
    assert not host.path.exists()


def test_an_edited_file_of_ours_is_put_right(host):
    host.run(content=text(1, 2))
    host.path.write_text(host.path.read_text() + "conn \u00fc;\n")
    assert host.actions(content=text(1)) == {"c1": "kept", "c2": "removed"}
    assert sorted(host.pluto.conns) == ["c1"]


def conn(name: str, state: str = "started", **options: str) -> dict:
    return {"name": name, "state": state, "options": {"left": "192.0.2.1", **options}}


def test_a_list_of_conns(host):
    first = [conn("a", right="192.0.2.2"), conn("b", "loaded", right="192.0.2.3")]
    assert host.actions(conns=first) == {"a": "created", "b": "created"}
    assert not host.run(conns=first)["changed"]
    assert not host.run(conns=first[:1])["changed"]
    assert host.actions(conns=first[:1], purge=True) == {"a": "kept", "b": "removed"}
    assert host.actions(conns=[conn("a", "absent")]) == {"a": "removed"}
    assert host.pluto.conns == {}


def test_stopped_is_loaded_and_down(host):
    host.run(conns=[conn("a", right="192.0.2.2")])
    serials = host.serials
    stopped = [conn("a", "stopped", right="192.0.2.2")]
    assert host.actions(conns=stopped) == {"a": "updated"}
    assert not host.pluto.conns["a"].up
    assert host.serials == serials
    assert not host.run(conns=stopped)["changed"]


def test_stopped_ends_the_attempts_to_reach_a_peer(host):
    host.pluto.reachable = False
    host.run(conns=[conn("a", right="192.0.2.2")])
    stopped = [conn("a", "stopped", right="192.0.2.2")]
    assert host.actions(conns=stopped) == {"a": "updated"}
    assert not host.pluto.conns["a"].keep_up
    assert not host.run(conns=stopped)["changed"]


def test_secrets_are_written_and_read_before_a_conn_needs_them(host):
    result = host.run(content=text(1), secrets=SECRETS)
    assert result["secrets_file"] == "created"
    assert host.secrets.read_text() == f"{conf.HEADER}\n@a @b : PSK 0sYSBzZWNyZXQgb2YgdGhlIHRlc3Q=\n"
    assert stat.S_IMODE(host.secrets.stat().st_mode) == 0o600
    assert host.pluto.secrets == host.secrets.read_text()
    words = [call[-1] for call in host.pluto.writes]
    assert words.index("--rereadsecrets") < words.index("c1")
    assert not host.run(content=text(1), secrets=SECRETS)["changed"]
    assert host.pluto.writes == []


def test_a_new_secret_touches_no_conn(host):
    host.run(content=text(1), secrets=SECRETS)
    serials = host.serials
    other = [{"ids": ["@a", "@b"], "psk": "another secret"}]
    foretold = host.run(check=True, content=text(1), secrets=other)
    assert host.pluto.writes == []
    result = host.run(content=text(1), secrets=other)
    assert result == foretold
    assert (result["changed"], result["secrets_file"], result["file"]) == (True, "updated", "kept")
    assert host.pluto.writes == [["ipsec", "whack", "--rereadsecrets"]]
    assert host.serials == serials
    assert "YW5vdGhlciBzZWNyZXQ=" in host.pluto.secrets


def test_secrets_alone(host):
    host.run(content=text(1))
    assert host.run(secrets=SECRETS)["changed"]
    assert sorted(host.pluto.conns) == ["c1"]
    assert not host.run(content=text(1))["changed"]
    assert host.secrets.exists()
    assert host.run(secrets=[])["secrets_file"] == "removed"
    assert not host.secrets.exists()
    assert host.pluto.secrets == ""


def test_absent_takes_the_secrets_too(host):
    host.run(content=text(1), secrets=SECRETS)
    assert host.run(state="absent")["secrets_file"] == "removed"
    assert not host.secrets.exists()
    assert not host.path.exists()


def test_a_file_of_secrets_of_somebody_else_is_left_alone(host):
    host.secrets.write_text("@x : PSK mine\n")
    with pytest.raises(StoreError, match="was not written by this module"):
        host.run(content=text(1), secrets=SECRETS)
    assert host.secrets.read_text() == "@x : PSK mine\n"
    assert host.pluto.calls == []


def test_secrets_that_nobody_would_read(host):
    (host.folder.parent / "ipsec.secrets").write_text("# nothing\n")
    with pytest.raises(StoreError, match=r"does not include .*route_based_vpn\.secrets"):
        host.run(content=text(1), secrets=SECRETS)
    assert not host.path.exists()


def test_secrets_are_put_back_with_the_rest(host):
    host.run(content=text(1), secrets=SECRETS)
    good = host.secrets.read_text()
    with pytest.raises(StoreError, match="did not load 1 of 1"):
        host.run(content=text(1) + "conn bad\n  esp=x-foo\n  auto=add\n", secrets=[{"ids": ["@x"], "psk": "no"}])
    assert host.secrets.read_text() == good
    assert host.pluto.secrets == good


def test_a_disk_that_fills_up_between_the_two_files(host, monkeypatch):
    host.run(content=text(1), secrets=SECRETS)
    before = (host.path.read_text(), host.secrets.read_text())
    replace = os.replace

    def full(source: str, target: str) -> None:
        if str(target) == str(host.path) and host.path.read_text() == before[0]:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError, match="nothing was changed.*No space left"):
        host.run(content=text(1, 2), secrets=[{"ids": ["@x"], "psk": "no"}])
    assert (host.path.read_text(), host.secrets.read_text()) == before
    assert sorted(path.name for path in host.folder.iterdir()) == ["route_based_vpn.conf", "route_based_vpn.secrets"]


def test_default_of_another_file_counts(host):
    host.run(content=text(1, 2))
    before = host.serials
    host.main.write_text("conn %default\n  esp=aes_gcm256\n" + host.main.read_text())
    assert host.actions(content=text(1, 2)) == {"c1": "updated", "c2": "updated"}
    assert host.warnings == [f"conn %default of {host.main}: esp: None -> aes_gcm256"]
    assert host.pluto.conns["c1"].options["esp"] == "aes_gcm256"
    assert host.serials != before
    host.warnings.clear()
    assert not host.run(content=text(1, 2))["changed"]
    assert host.warnings == []


def test_default_of_another_file_that_is_newer_than_pluto(host):
    """pluto restarted, and then somebody wrote a %default: what it has loaded is not this text any more."""
    host.run(content=text(1))
    host.pluto.restart()
    assert not host.run(check=True, content=text(1))["changed"]
    (host.folder / "z.conf").write_text("conn %default\n  esp=aes_gcm256\n")
    assert host.actions(content=text(1)) == {"c1": "updated"}


def test_config_setup_changes_are_told_and_restart_nothing(host):
    host.run(content=text(1))
    host.main.write_text(host.main.read_text().replace("/dev/null", "/dev/zero"))
    result = host.run(content=text(1))
    assert not result["changed"]
    assert "config setup changed since pluto started" in host.warnings[0]
    host.pluto.restart()
    host.warnings.clear()
    assert not host.run(content=text(1))["changed"]
    assert host.warnings == []


def test_a_path_that_libreswan_does_not_read(host):
    host.main.write_text("config setup\n")
    with pytest.raises(StoreError, match=r"ipsec\.conf does not include .*route_based_vpn\.conf"):
        host.run(content=text(1))
    assert not host.path.exists()


def test_conns_are_written_in_the_words_of_the_installed_version(host):
    options = {"right": "192.0.2.2", "keyexchange": "ikev2", "dpdaction": "restart", "mark": 5, "leftvti": "10.0.0.1"}
    host.run(conns=[{"name": "a", "state": "loaded", "options": {"left": "192.0.2.1", **options}}])
    loaded = host.pluto.conns["a"].options
    old = host.pluto.version == "4.10"
    assert loaded.get("ikev2") == ("insist" if old else None)
    assert loaded.get("keyexchange") == (None if old else "ikev2")
    assert loaded.get("dpdaction") == ("restart" if old else None)
    assert (loaded["mark"], loaded["leftvti"]) == ("5/0xffffffff", "10.0.0.1/32")


def test_wait_for_established(host):
    host.run(content=text(1), wait_established=5)
    host.pluto.reachable = False
    with pytest.raises(StoreError, match=r"conns are loaded as asked for; not established after 0\.01 s: c2"):
        host.run(content=text(1, 2), wait_established=0.01)
    assert sorted(host.pluto.conns) == ["c1", "c2"]


def test_conns_that_share_the_ike_sa_of_one_that_is_loaded_anew(host):
    """4.10 keeps their SAs, which the peer has ended: nobody would ever notice. 5.2 brings them up again itself."""
    host.run(content=text(1, 2, 3))
    host.pluto.shares = {"c2": "c1", "foreign": "c1"}
    host.pluto.load("foreign", {"left": "192.0.2.200", "right": "192.0.2.9"})
    host.pluto.conns["foreign"].up = True
    before = host.serials
    changed = text(1, 2, 3).replace("right=192.0.2.1\n", "right=192.0.2.99\n")
    foretold = host.run(check=True, content=changed)
    result = host.run(content=changed)
    assert result == foretold
    actions = {entry["name"]: entry["action"] for entry in result["conns"]}
    old = host.pluto.version == "4.10"
    assert actions == {"c1": "updated", "c2": "updated" if old else "kept", "c3": "kept"}
    assert (host.serials["c2"] == before["c2"]) is not old
    assert host.serials["c3"] == before["c3"]
    assert host.pluto.conns["c2"].up
    names = "foreign: the IKE SA is shared" if old else "c2, foreign: the IKE SA is shared"
    assert host.warnings[-1].startswith(names)
    assert ("leaves dead SAs behind" in host.warnings[-1]) is old
    assert not host.run(content=changed)["changed"]


def test_a_new_public_key_gets_to_pluto_though_the_conn_is_up(host):
    for number in (1, 2, 3):
        key = f"0s{number}"
        given = text(1, 2).replace("right=192.0.2.1\n", f"right=192.0.2.1\n  rightecdsakey={key}\n")
        assert host.run(content=given)["changed"] is True
        assert host.pluto.keys["c1"] == key
        assert host.pluto.conns["c1"].up


def run_main(monkeypatch, capsys, host, **params) -> dict:
    arguments = {"ANSIBLE_MODULE_ARGS": {"path": str(host.path), **params}}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(arguments).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    monkeypatch.setattr(basic.AnsibleModule, "run_command", lambda self, args: host.pluto.run(args))
    monkeypatch.setattr(basic.AnsibleModule, "get_bin_path", lambda self, *args, **more: "/usr/sbin/ipsec")
    with pytest.raises(SystemExit):
        ipsec_conn.main()
    return taken(ipsec_conn, json.loads(capsys.readouterr().out))


def test_main(host, monkeypatch, capsys):
    assert run_main(monkeypatch, capsys, host, content=text(1))["changed"]
    assert not run_main(monkeypatch, capsys, host, content=text(1))["changed"]
    refused = run_main(monkeypatch, capsys, host, content="conn a\n  mark=0\n")
    assert refused["failed"]
    assert "mark 0" in refused["msg"]
    assert "any of the following" in run_main(monkeypatch, capsys, host)["msg"]
    assert "mutually exclusive" in run_main(monkeypatch, capsys, host, content="", conns=[])["msg"]

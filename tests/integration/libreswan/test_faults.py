# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Things that break in the middle: nothing is lost, what was up stays up, and the next run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import CONF, conn

SECRETS = [{"ids": ["@a", "@b"], "psk": "a secret of the test"}]


def test_change_one_touch_one(libreswan):
    assert libreswan.conns(conn("a", 1), conn("b", 2), conn("c", 3))["changed"]
    before = libreswan.states()
    done = libreswan.conns(conn("a", 1), conn("b", 2, ikelifetime="4h"), conn("d", 4))
    assert {e["name"]: e["action"] for e in done["conns"]} == {
        "a": "kept", "b": "updated", "d": "created", "c": "removed"
    }  # fmt: skip
    after = libreswan.states()
    assert (after["a"], sorted(after)) == (before["a"], ["a", "b", "d"])
    assert after["b"] != before["b"]
    assert not libreswan.conns(conn("a", 1), conn("b", 2, ikelifetime="4h"), conn("d", 4))["changed"]


def test_an_id_that_ends_with_a_colon_is_read(libreswan):
    done = libreswan.conns(conn("a", 1), secrets=[{"ids": ["2001:db8:1::", "@b"], "psk": "a secret of the test"}])
    assert not done.get("failed"), done
    assert "route_based_vpn.secrets" in libreswan.sh("ipsec whack --rereadsecrets")
    assert "ERROR" not in libreswan.sh("ipsec whack --rereadsecrets")


def test_a_restart_of_pluto_is_no_change(libreswan):
    libreswan.conns(conn("a", 1))
    time.sleep(1)
    libreswan.restart()
    libreswan.wait("ipsec whack --status | grep -q '\"a\"'")
    assert not libreswan.conns(conn("a", 1))["changed"]


def test_loaded_and_unloaded_by_hand(libreswan):
    libreswan.conns(conn("a", 1), conn("b", 2))
    libreswan.sh("ipsec whack --name a --delete; ipsec addconn b")
    done = libreswan.conns(conn("a", 1), conn("b", 2))
    assert {e["name"]: e["action"] for e in done["conns"]} == {"a": "updated", "b": "kept"}


def test_default_of_another_file(libreswan):
    libreswan.conns(conn("a", 1))
    Path("/etc/ipsec.d/other.conf").write_text("conn %default\n\tikelifetime=4h\n")
    done = libreswan.conns(conn("a", 1))
    assert done["conns"][0]["action"] == "updated"
    assert "ike_life: 14400s" in libreswan.sh("ipsec whack --status")
    assert not libreswan.conns(conn("a", 1))["changed"]


def test_pluto_that_does_not_run(libreswan):
    libreswan.conns(conn("a", 1))
    text = CONF.read_text()
    libreswan.sh("systemctl stop ipsec")
    assert "start ipsec.service first" in libreswan.conns(conn("b", 2))["msg"]
    assert CONF.read_text() == text
    assert not libreswan.conns(conn("b", 2), load=False).get("failed")
    libreswan.restart()


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.3])
def test_pluto_that_is_killed_in_the_middle(libreswan, delay):
    """Whatever the moment: the file is one of the two, whole, and the next run brings everything up."""
    libreswan.conns(*(conn(f"old{n}", n) for n in range(1, 21)))
    old = CONF.read_text()
    pid = int(Path("/run/pluto/pluto.pid").read_text())
    wanted = [conn(f"new{n}", n) for n in range(1, 41)]

    def kill():
        libreswan.wait(f"! cmp -s {CONF} - <<'END'\n{old}END", 30)
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)

    Path("/run/systemd/system/ipsec.service.d").mkdir(parents=True, exist_ok=True)
    Path("/run/systemd/system/ipsec.service.d/norestart.conf").write_text("[Service]\nRestart=no\n")
    libreswan.sh("systemctl daemon-reload")
    killer = threading.Thread(target=kill)
    killer.start()
    done = libreswan.conns(*wanted)
    killer.join()
    if done.get("failed"):
        assert "pluto" in done["msg"]
    assert CONF.read_text() == old or sorted(_names(CONF.read_text())) == sorted(c["name"] for c in wanted)
    assert [path.name for path in CONF.parent.iterdir() if path.name.startswith(".")] == []
    Path("/run/systemd/system/ipsec.service.d/norestart.conf").unlink()
    libreswan.sh("systemctl daemon-reload")
    libreswan.restart()
    again = libreswan.conns(*wanted)
    assert not again.get("failed"), again.get("msg")
    assert sorted(libreswan.states()) == sorted(c["name"] for c in wanted)


def _names(text):
    return [line.split()[1] for line in text.splitlines() if line.startswith("conn ")]


def test_a_disk_that_is_full(libreswan):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", "/etc/ipsec.d"], check=True)
    first = libreswan.conns(conn("a", 1), secrets=SECRETS)
    assert not first.get("failed"), first.get("msg")
    before, text = libreswan.states(), CONF.read_text()
    done = libreswan.conns(*(conn(f"c{n}", n) for n in range(1, 100)), secrets=SECRETS)
    assert "No space left" in done["msg"]
    assert "nothing was changed" in done["msg"]
    assert (libreswan.states(), CONF.read_text()) == (before, text)
    assert not libreswan.conns(conn("a", 1), secrets=SECRETS)["changed"]


def test_a_broken_foreign_file_is_named(libreswan):
    libreswan.conns(conn("a", 1))
    before, text = libreswan.states(), CONF.read_text()
    Path("/etc/ipsec.d/broken.conf").write_text("conn other\n\tfoo=bar\n")
    done = libreswan.conns(conn("a", 1), conn("b", 2))
    assert "/etc/ipsec.d/broken.conf" in done["msg"]
    assert (libreswan.states(), CONF.read_text()) == (before, text)
    Path("/etc/ipsec.d/broken.conf").unlink()
    assert not libreswan.conns(conn("a", 1), conn("b", 2)).get("failed")


def test_refused_by_pluto_alone(libreswan):
    """Only pluto sees that an algorithm does not exist: file, secrets and conns are put back."""
    libreswan.conns(conn("a", 1), conn("b", 2), secrets=SECRETS)
    before, text = libreswan.states(), CONF.read_text()
    secrets = Path("/etc/ipsec.d/route_based_vpn.secrets").read_text()
    done = libreswan.conns(
        conn("a", 1), conn("b", 2, esp="aes256-foo"), secrets=[{"ids": ["@x"], "psk": "another secret"}]
    )
    assert "did not load 1 of 1 conns: b" in done["msg"]
    assert "is as it was" in done["msg"]
    assert (libreswan.states()["a"], CONF.read_text()) == (before["a"], text)
    assert sorted(libreswan.states()) == ["a", "b"]
    assert Path("/etc/ipsec.d/route_based_vpn.secrets").read_text() == secrets
    assert not libreswan.conns(conn("a", 1), conn("b", 2), secrets=SECRETS)["changed"]


def test_a_peer_that_is_not_there_holds_nobody_up(libreswan):
    begin = time.monotonic()
    done = libreswan.conns({**conn("a", 1), "state": "started"}, wait_established=2)
    assert time.monotonic() - begin < 20
    assert "not established after 2 s: a" in done["msg"]


def test_what_is_stopped_and_what_waits_for_traffic(libreswan):
    libreswan.conns({**conn("a", 1), "state": "ondemand"})
    assert not libreswan.conns({**conn("a", 1), "state": "ondemand"})["changed"]
    assert libreswan.conns({**conn("a", 1), "state": "stopped"})["changed"]
    assert not libreswan.conns({**conn("a", 1), "state": "stopped"})["changed"]
    assert "prospective" not in libreswan.sh("ipsec whack --status")

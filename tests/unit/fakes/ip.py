# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ip that knows what the updown hook says to it, and a kernel of files below FAKE_ROOT: /sys/class/net for devices,
/addresses, /routes, /rules, /policies with one a line. It refuses what the real one refuses: words that it does not
know, a device that is there or is not, a rule that is there. Every line goes to /log."""

import fcntl
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(os.environ["FAKE_ROOT"])
NET = ROOT / "sys/class/net"


class Refused(Exception):
    """What the kernel answers."""


def lines(name):
    """The entries of a table."""
    path = ROOT / name
    return path.read_text().splitlines() if path.exists() else []


def write(name, entries):
    """Keep a table."""
    (ROOT / name).write_text("".join(f"{entry}\n" for entry in entries))


def need(device):
    """The device has to be there."""
    if not (NET / device).exists():
        raise Refused(f'Cannot find device "{device}"')


def conf(device, family):
    """The sysctls of a device."""
    return ROOT / f"proc/sys/net/{family}/conf/{device}"


def link_add(words):
    """link add NAME mtu N type KIND local A remote B okey N ikey N"""
    name, values = words[0], dict(zip(words[1::2], words[2::2], strict=False))
    if list(values) != ["mtu", "type", "local", "remote", "okey", "ikey"] or values["type"] not in ("vti", "vti6"):
        raise Refused(f"what is {values}?")
    ends = f"{values['local']} {values['remote']}"
    others = [x for x in NET.iterdir() if (x / "ends").exists() and (x / "ends").read_text() == ends]
    if (NET / name).exists() or others:
        raise Refused("RTNETLINK answers: File exists")
    (NET / name).mkdir()
    (NET / name / "ends").write_text(ends)
    (NET / name / "type").write_text({"vti": "768\n", "vti6": "769\n"}[values["type"]])
    (NET / name / "ifalias").write_text("\n")
    (NET / name / "mtu").write_text(values["mtu"])
    for family in ("ipv4", "ipv6"):
        conf(name, family).mkdir(parents=True)
        for key in ("disable_policy", "rp_filter", "forwarding"):
            (conf(name, family) / key).write_text("0")


def link_set(words):
    """link set NAME up | link set NAME alias TEXT group NUMBER"""
    need(words[0])
    if words[1:] == ["up"]:
        (NET / words[0] / "up").touch()
    elif words[1::2] == ["alias", "group"]:
        (NET / words[0] / "ifalias").write_text(words[2] + "\n")
        int(words[4])
    else:
        raise Refused(f"what is {words}?")


def link_del(words):
    """link del NAME: addresses and routes go with it"""
    need(words[0])
    shutil.rmtree(NET / words[0])
    for family in ("ipv4", "ipv6"):
        shutil.rmtree(conf(words[0], family))
    for table in ("addresses", "routes"):
        write(table, [x for x in lines(table) if f"dev {words[0]}" not in x])


def address(verb, words):
    """address replace|del A/LEN dev NAME"""
    if len(words) != 3 or words[1] != "dev":
        raise Refused(f"what is {words}?")
    need(words[2])
    entry = " ".join(words)
    if verb == "del" and entry not in lines("addresses"):
        raise Refused("RTNETLINK answers: Cannot assign requested address")
    write("addresses", [x for x in lines("addresses") if x != entry] + ([entry] if verb == "replace" else []))


def route(verb, words):
    """route replace|del NET dev NAME proto N [table N] [metric N] [mtu N] [src A]"""
    values = dict(zip(words[1::2], words[2::2], strict=False))
    if not set(values) <= {"dev", "proto", "table", "metric", "mtu", "src"} or len(words) % 2 == 0:
        raise Refused(f"what is {words}?")
    need(values["dev"])
    if "src" in values and not any(x.startswith(values["src"] + "/") for x in lines("addresses")):
        raise Refused("RTNETLINK answers: Invalid argument")
    key = f"{words[0]} table {values.get('table', 'main')} metric {values.get('metric', 0)}"
    kept = [x for x in lines("routes") if not x.startswith(key + ":")]
    if verb == "del" and len(kept) == len(lines("routes")):
        raise Refused("RTNETLINK answers: No such process")
    write("routes", kept + ([f"{key}: {' '.join(words)}"] if verb == "replace" else []))


def rule(verb, words):
    """rule add|del ..."""
    entry = " ".join(words)
    if (verb == "add") == (entry in lines("rules")):
        raise Refused("RTNETLINK answers: " + ("File exists" if verb == "add" else "No such file or directory"))
    write("rules", [x for x in lines("rules") if x != entry] + ([entry] if verb == "add" else []))


def policy(verb, words):
    """xfrm policy update|delete src A dst B dir out mark V mask M [action block priority N]: one a selector"""
    values = dict(zip(words[::2], words[1::2], strict=True))
    selector = ["src", "dst", "dir", "mark", "mask"]
    if list(values) != selector + (["action", "priority"] if verb == "update" else []):
        raise Refused(f"what is {values}?")
    int(values["mark"], 0), int(values["mask"], 0)
    entry = " ".join(values[x] for x in selector)
    if verb == "delete" and entry not in lines("policies"):
        raise Refused("RTNETLINK answers: No such file or directory")
    write("policies", [x for x in lines("policies") if x != entry] + ([entry] if verb == "update" else []))


def command(line):
    """One line of a batch."""
    words = line.split()
    if words[:2] in (["link", "add"], ["link", "set"], ["link", "del"]):
        {"add": link_add, "set": link_set, "del": link_del}[words[1]](words[2:])
    elif words[0] in ("address", "route", "rule") and words[1] in ("add", "replace", "del"):
        {"address": address, "route": route, "rule": rule}[words[0]](words[1], words[2:])
    elif words[:2] == ["xfrm", "policy"] and words[2] in ("update", "delete"):
        policy(words[2], words[3:])
    else:
        raise Refused(f"what is {line}?")


def main(arguments):
    """ip [-4|-6] [-force] -batch FILE"""
    lock = (ROOT / "lock").open("w")  # the kernel does one thing after the other
    fcntl.flock(lock, fcntl.LOCK_EX)
    force = "-force" in arguments
    arguments = [x for x in arguments if x not in ("-force", "-4", "-6")]
    if len(arguments) != 2 or arguments[0] != "-batch":
        sys.exit(f"ip: what is {arguments}?")
    text = sys.stdin.read() if arguments[1] == "-" else Path(arguments[1]).read_text()
    status = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        with (ROOT / "log").open("a") as log:
            print(line, file=log)
        try:
            if os.environ.get("FAKE_REFUSE") and os.environ["FAKE_REFUSE"] in line:
                raise Refused("RTNETLINK answers: Operation not permitted")
            command(line)
        except Refused as exc:
            print(f"{exc}\nCommand failed {arguments[1]}:{number}", file=sys.stderr)
            status = 1
            if not force:
                break
    return status


sys.exit(main(sys.argv[1:]))

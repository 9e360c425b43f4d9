# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pluto's restart beside many devices: restarts.py IMAGES SIZES TABLE, next to a lab. pluto has no conns."""

import os
import subprocess
import sys
import time
from pathlib import Path

IMAGES, SIZES, TABLE = sys.argv[1].split(), [int(n) for n in sys.argv[2].split()], Path(sys.argv[3])
NODES = {"debian12": "192.1.2.45", "debian13": "192.1.2.23"}
LIMIT_SECONDS = 60
WAYS = ("the address on each", "the address once")


def on(node, command, text=None, seconds=300):
    """A command's result on a node."""
    ssh = ["ssh", "-F", f"{os.environ['LAB_SESSION']}/ssh_config", node, command]
    return subprocess.run(ssh, input=text, capture_output=True, text=True, timeout=seconds, check=False)


def devices(node, count, way):
    """What ip -batch takes to make so many devices."""
    if way == WAYS[1]:
        yield from ("link add inner type dummy", "link set inner up", "address add 10.255.0.1/32 dev inner")
    for n in range(2, count + 2):
        peer = f"10.255.{n // 256}.{n % 256}"
        yield f"link add vt{n} type vti local {node} remote 198.51.{n // 256}.{n % 256} key {n}"
        if way == WAYS[0]:
            yield f"address add 10.255.0.1 peer {peer} dev vt{n}"
        yield f"link set vt{n} up"
        if way == WAYS[1]:
            yield f"route add {peer} dev vt{n} src 10.255.0.1"


def restart(node):
    """Seconds until the outer address is bound and pluto answers; None where that is not within the limit."""
    on(node, "systemctl stop ipsec; pkill -KILL -x pluto; systemctl reset-failed ipsec", seconds=200)
    begin = time.monotonic()
    on(node, "systemctl start --no-block ipsec")
    while time.monotonic() < begin + LIMIT_SECONDS:
        bound = f"ss -Hlun | grep -q '{node}:4500 ' && timeout 5 ipsec whack --status >/dev/null"
        if on(node, bound).returncode == 0:
            return time.monotonic() - begin
        time.sleep(0.2)
    return None


def memory(node):
    """pluto's resident memory in MB."""
    return int(on(node, "awk '/VmRSS/ {print $2}' /proc/$(pidof pluto)/status").stdout or 0) // 1024


def measured(node, count, way):
    made = on(node, "ip -batch -", "\n".join(devices(node, count, way)) + "\n")
    assert made.returncode == 0, made.stderr
    seconds = restart(node)
    result = "not within a minute" if seconds is None else f"{seconds:.1f} s, {memory(node)} MB"
    listed = "ip -o link show type vti | sed -n 's/^[0-9]*: \\(vt[0-9]*\\)@.*/link del \\1/p'"
    on(node, f"systemctl kill --signal=KILL ipsec; {listed} | ip -batch -; ip link del inner 2>/dev/null; sleep 1")
    return result


def main():
    up = [f"{image}:{image}:{NODES[image]}" for image in IMAGES]
    subprocess.run(["tests/lab/run", "tests/lab/nodes", "up", *up], check=True, stderr=subprocess.DEVNULL)
    versions = {image: on(NODES[image], "ipsec --version").stdout.split()[-1] for image in IMAGES}
    head = [f"{way}, {versions[image]}" for image in IMAGES for way in WAYS]
    rows = [f"| devices | {' | '.join(head)} |", "|---|" + "---|" * len(head)]
    for count in SIZES:
        cells = [measured(NODES[image], count, way) for image in IMAGES for way in WAYS]
        rows.append(f"| {count} | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    TABLE.write_text("\n".join(rows) + "\n")


main()

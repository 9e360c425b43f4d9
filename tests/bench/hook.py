# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the updown hook costs, beside libreswan's own: processes and time of a bring-up and of a teardown, and how long
pluto waited while N peers came up. hook.py N TABLE..., next to a lab with the nodes old, new (measured) and peers.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODES = {"4.10": "192.1.2.2", "5.2": "192.1.2.3"}
PEERS = "192.1.2.4"
HOOKS = {"route_based.vpn": "/root/updown", "stock": "ipsec _updown"}
ROUNDS = 20
SECRET = "0123456789abcdef0123456789abcdef"


def ssh(node, command, text=""):
    """Runs a command on a node; what it says."""
    config = os.environ["LAB_SESSION"] + "/ssh_config"
    done = subprocess.run(["ssh", "-F", config, node, command], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def put(node, path, text):
    """Writes an executable file on a node."""
    ssh(node, f"cat >{path} && chmod 755 {path}", text)


def calls(version, node):
    """Medians of processes and milliseconds of each hook and direction."""
    ssh(node, "mkdir -p /root/env")
    for path in sorted((ROOT / f"tests/unit/data/updown/{version}/permanent").iterdir()):
        number, verb = path.stem.split("-", 1)
        direction = "down" if verb.startswith(("down", "unroute")) else "up"
        put(node, f"/root/env/{direction}{number}", path.read_text())
    put(node, "/root/hook-calls", (ROOT / "tests/bench/hook-calls").read_text())
    hooks = " ".join(f"'{hook}'" for hook in HOOKS.values())
    found = {}
    for line in ssh(node, f"/root/hook-calls {ROUNDS} /root/env {hooks}").splitlines():
        hook, direction, processes, micros = line.rsplit(" ", 3)
        found.setdefault((hook, direction), []).append((int(processes), int(micros) / 1000))
    return {
        key: tuple(statistics.median(column) for column in zip(*values, strict=True)) for key, values in found.items()
    }


def conns(number, mine, keywords):
    """Conn blocks between the hub and each of the peers' addresses."""
    blocks = []
    for index in range(number):
        peer, net = f"192.1.2.{index + 20}", f"10.66.{index}.0/24"
        left, right, hub = (mine, peer, "10.65.0.0/24") if keywords else (peer, mine, "")
        more = "".join(f"\t{line}\n" for line in keywords.format(mark=index + 1).split(";") if line)
        subnets = (hub, net) if keywords else (net, "10.65.0.0/24")
        blocks.append(
            f"conn c{index}\n\tleft={left}\n\tright={right}\n\tleftsubnet={subnets[0]}\n\trightsubnet={subnets[1]}\n"
            f"\tauthby=secret\n\tike=aes_gcm256-sha2_512;dh19\n\tesp=aes_gcm256\n\tauto=add\n{more}\n"
        )
    return "".join(blocks)


def many(version, node, hook, number):
    """Seconds that pluto waited for the hook while the peers came up, and how long all of it took."""
    kx = "ikev2=insist" if version == "4.10" else "keyexchange=ikev2"
    vti = "mark={mark}/0xffffffff;vti-interface=vti{mark};vti-routing=yes;leftupdown=/root/hook-timed"
    put(node, "/root/hook", hook + "\n")
    put(node, "/root/hook-timed", (ROOT / "tests/bench/hook-timed").read_text())
    put(node, "/etc/ipsec.d/bench.conf", conns(number, node, f"{kx};{vti}"))
    theirs = conns(number, node, "").replace(
        "\tauto=add\n", "\tauto=add\n\tkeyexchange=ikev2\n\tleftupdown=%disabled\n"
    )
    put(PEERS, "/etc/ipsec.d/bench.conf", theirs)
    names = " ".join(f"c{index}" for index in range(number))
    for address in (node, PEERS):
        put(address, "/etc/ipsec.d/bench.secrets", f': PSK "{SECRET}"\n')
        ssh(address, f"rm -f /root/waited; systemctl restart ipsec && sleep 2 && ipsec addconn {names} >/dev/null")
    begin = time.monotonic()
    ssh(PEERS, f"for name in {names}; do ipsec whack --asynchronous --initiate --name $name >/dev/null; done")
    while True:
        up = int(ssh(node, "ipsec whack --trafficstatus | grep -c type=ESP || true"))
        if up >= number or time.monotonic() - begin > 900:
            break
        time.sleep(1)
    took = time.monotonic() - begin
    waited = [int(line) for line in ssh(node, "cat /root/waited").split()]
    if up < number:
        sys.exit(f"{version}, {hook}: only {up} of {number} came up")
    ssh(
        node, "systemctl stop ipsec; for d in /sys/class/net/vti[0-9]*; do ip link del ${d##*/}; done 2>/dev/null; true"
    )
    return sum(waited) / 1e6, took, len(waited)


def main(number, table):
    """Both parts, for each libreswan, into a Markdown table."""
    subprocess.run(
        [str(ROOT / "tests/lab/run"), str(ROOT / "tests/lab/nodes"), "up", f"old:debian12:{NODES['4.10']}",
         f"new:debian13:{NODES['5.2']}", f"peers:debian13:{PEERS}"],
        check=True,
    )  # fmt: skip
    for address in range(20, 20 + number):
        ssh(PEERS, f"ip address add 192.1.2.{address}/24 dev eth0")
    rows = ["| libreswan | what | route_based.vpn | stock | |", "|---|---|---|---|---|"]
    for version, node in NODES.items():
        put(node, "/root/updown", (ROOT / "roles/gateway/files/updown").read_text())
        found = calls(version, node)
        for direction, name in (("up", "bring-up (3 verbs)"), ("down", "teardown (2 verbs)")):
            (mine, mine_ms), (stock, stock_ms) = (found[hook, direction] for hook in HOOKS.values())
            rows.append(
                f"| {version} | {name} | {mine:.0f} processes, {mine_ms:.0f} ms "
                f"| {stock:.0f} processes, {stock_ms:.0f} ms | {stock_ms / mine_ms:.1f}x |"
            )
        (mine, took, _n), (stock, took_stock, _m) = (many(version, node, hook, number) for hook in HOOKS.values())
        rows.append(
            f"| {version} | {number} conns brought up: pluto waited for the hook | {mine:.1f} s of {took:.0f} s "
            f"| {stock:.1f} s of {took_stock:.0f} s | {stock / mine:.1f}x |"
        )
        print("\n".join(rows))
    Path(table).write_text("\n".join(rows) + "\n")


main(int(sys.argv[1]), sys.argv[2])

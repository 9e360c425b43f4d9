# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Devices and routes against iproute2, in network namespaces of this process: devices.py PYROUTE2 N TABLE.

Each of the tasks is done by one process of ours and one of the rival's, in turns.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

VERSION, N, TABLE = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
WORK = Path("/tmp/bench")
CALL = [sys.executable, str(Path(__file__).parent / "call.py")]
SYSCTLS = {"disable_policy": 1, "forwarding": 1, "rp_filter": 0}


def remote(number):
    return f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}"


def net(number, base=10):
    return f"{base}.{number // 65536}.{number // 256 % 256}.{number % 256}"


def prepare(count):
    """The same wish in both languages: arguments of the modules, and a batch for ip with a list of sysctls."""
    tunnels = [
        {
            "name": f"vti{number}",
            "local": "192.0.2.1",
            "remote": remote(number),
            "key": number,
            "mtu": 1400,
            "addresses": [{"address": f"{net(number, 11)}/32", "peer": net(number, 12)}],
        }
        for number in range(1, count + 1)
    ]
    routes = [{"destination": f"{net(256 * n)}/24", "device": f"vti{n}"} for n in range(1, count + 1)]
    (WORK / f"tunnels-{count}.json").write_text(json.dumps({"tunnels": tunnels}))
    (WORK / f"routes-{count}.json").write_text(json.dumps({"routes": routes}))
    batch, sysctls = [], []
    for tunnel, route in zip(tunnels, routes, strict=True):
        name, key, inner = tunnel["name"], tunnel["key"], tunnel["addresses"][0]
        batch += [
            f"link add {name} mtu 1400 group 4500 type vti local 192.0.2.1 remote {tunnel['remote']} key {key}",
            f"link set {name} up alias route_based.vpn",
            f"address add {inner['address'][:-3]} peer {inner['peer']}/32 dev {name}",
            f"route add {route['destination']} dev {name} proto 157",
        ]
        sysctls += [f"net/ipv4/conf/{name}/{key} = {value}" for key, value in SYSCTLS.items()]
    (WORK / f"batch-{count}").write_text("\n".join(batch) + "\n")
    (WORK / f"sysctls-{count}").write_text("\n".join(sysctls) + "\n")


def fresh_namespace():
    os.unshare(os.CLONE_NEWNET)
    for command in ("link set lo up", "link add wan type dummy", "link set wan up", "address add 192.0.2.1/24 dev wan"):
        subprocess.run(["ip", *command.split()], check=True)


def measure(*commands):
    """Wall and CPU seconds and the most memory in MB of commands one after another; each has to succeed."""
    wall = cpu = memory = 0
    for command in commands:
        begin = time.monotonic()
        with open(WORK / "out", "w+", encoding="utf-8") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall += time.monotonic() - begin
        cpu += usage.ru_utime + usage.ru_stime
        memory = max(memory, usage.ru_maxrss / 1024)
        if process.returncode:
            sys.exit(f"{command} failed: {(WORK / 'out').read_text()[-2000:]}")
    return wall, cpu, memory


def ours(count, *modules):
    return [[*CALL, module, str(WORK / f"{name}-{count}.json")] for module, name in modules]


def ours_all(count):
    return ours(count, ("vti_tunnel", "tunnels"), ("vti_route", "routes"))


def rival_creates(count):
    return [["ip", "-batch", str(WORK / f"batch-{count}")], ["sysctl", "-q", "-p", str(WORK / f"sysctls-{count}")]]


RIVAL_READS = [["ip", *words.split()] for words in ("-d link", "address", "route show table all")]


def middle(rounds):
    """The round whose ratio is the middle one. A round's numbers were taken right after one another: the speed of a
    shared machine changes within a minute, and the best of each number by itself would compare two machines."""
    return sorted(rounds, key=net_ratio)[len(rounds) // 2]


def net_ratio(numbers):
    start, mine, rival = numbers
    return (mine[0] - start[0]) / rival[0]


def changed():
    return json.loads((WORK / "out").read_text())["changed"]


def compare(count, rounds):
    """Rows: what, and of the middle round the start of the modules, ours, the rival's; each (wall, cpu, memory)."""
    prepare(count)
    creates, reads = [], []
    for _round in range(rounds):
        fresh_namespace()
        rival = measure(*rival_creates(count))
        fresh_namespace()
        start = measure(*ours_all(0))
        creates.append((start, measure(*ours_all(count)), rival))
        kept = measure(*ours_all(count))
        if changed():
            sys.exit("the second run changed something")
        rival = measure(*RIVAL_READS)
        fresh_namespace()
        reads.append((measure(*ours_all(0)), kept, rival))
    return [(f"create {count}", *middle(creates)), (f"no change, {count} exist", *middle(reads))]


def main():
    WORK.mkdir(exist_ok=True)
    prepare(0)
    lines = [
        f"pyroute2 {VERSION}, Python {sys.version.split()[0]}, kernel {os.uname().release}.",
        "",
        "| task | ours, s | iproute2, s | ratio | of ours the modules' start | ours without it | ratio | our CPU, s "
        "| its CPU, s | our memory, MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for what, start, (wall, cpu, memory), (rival, rival_cpu, _memory) in compare(N, 5) + compare(5 * N, 1):
        net = wall - start[0]
        lines.append(
            f"| {what} | {wall:.2f} | {rival:.2f} | {wall / rival:.1f} | {start[0]:.2f} | {net:.2f} "
            f"| {net / rival:.1f} | {cpu:.2f} | {rival_cpu:.2f} | {memory:.0f} |"
        )
    TABLE.write_text("\n".join(lines) + "\n")
    print("\n".join(lines), flush=True)


main()

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an inventory of sites to the tunnels of one host, and to what the modules take: a mesh of 1,000, and the hub of
10,000 spokes. CPU seconds of the controller's Python; Ansible's own work on the variables is not in them."""

from __future__ import annotations

import resource
import sys
import time
import typing as t
from collections.abc import Callable

import yaml
from ansible_collections.route_based.vpn.plugins.filter.tunnel_parts import tunnel_parts
from ansible_collections.route_based.vpn.plugins.plugin_utils import _links, _site_checks, _sites

KEY = {"ckaid": "a" * 40, "type": "ecdsa"}


def inventory(number: int, **common: t.Any) -> dict[str, dict[str, t.Any]]:
    """That many sites with one network each; the first one is a hub where there are any."""
    hosts: dict[str, dict[str, t.Any]] = {}
    for n in range(1, number + 1):
        low, high = n % 256, n // 256
        site = {"vpn_site_id": n, "vpn_address": f"198.18.{high}.{low}", "vpn_networks": [f"10.{high}.{low}.0/24"]}
        hosts[f"s{n}"] = {**site, **common}
    if common:
        hosts["s1"]["vpn_hub"] = True
    return hosts


def timed(function: Callable[[], t.Any]) -> tuple[t.Any, float]:
    """The result, and the CPU seconds that it took."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def main() -> None:
    topology, number = sys.argv[1], int(sys.argv[2])
    if topology == "inventory":
        group = {"hosts": inventory(number), "vars": {"ansible_host": "127.0.0.1", "ansible_port": 1}}
        print(yaml.safe_dump({"gateways": group}))
        return
    hosts = inventory(number, **({"vpn_topology": topology} if topology != "mesh" else {}))
    (plan, errors), read = timed(lambda: _sites.plan(hosts))
    (plan, more), checked = timed(lambda: _site_checks.check(hosts, plan))
    assert not [*errors, *more]
    text = plan.to_json()
    tunnels, drawn = timed(lambda: _links.Links(_sites.from_json(text)).tunnels("s1"))
    parts, split = timed(lambda: tunnel_parts(tunnels, own_key=KEY, keys={}))
    assert len(parts["conns"]) == number - 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"| {topology}, {number:,} sites | {read + checked:.2f} s | {drawn:.2f} s | {split:.2f} s "
        f"| {drawn + split:.2f} s | {memory} MB |"
    )


if __name__ == "__main__":
    main()

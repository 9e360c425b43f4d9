# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hubs with N tunnels as inventories, and the script that plays the first 50 of their peers. Pure."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.route_based.vpn.plugins.plugin_utils import _auth, _links, _sites, _tunnels

REAL = 50
MASTER = "a master secret of the test that protects nothing"
PROPOSALS = ("aes_gcm256-sha2_512;dh19", "aes_gcm256")
#: As ansible_python_interpreter: each module's peak memory in KB, a line each.
MEASURED = """#!/usr/bin/python3
import os, resource, sys
rc = os.spawnv(os.P_WAIT, "/usr/bin/python3", ["python3", *sys.argv[1:]])
with open("/root/rss", "a") as file:
    file.write(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}\\n")
sys.exit(rc)
"""
CROWD_GONE = """
systemctl stop ipsec; rm -f /etc/ipsec.d/crowd.*
for n in $(seq 1 60); do ip link del crowd$n; ip rule del priority $((2000 + n)); done 2>/dev/null
ip address flush dev lo scope global
"""


class Peer(t.NamedTuple):
    """A real peer: the hub's name of the conn, both outer and both inner addresses, both ids and the secret."""

    name: str
    outer: str
    inner_hub: str
    inner_peer: str
    id_hub: str
    id_peer: str
    psk: str


def outer(number: int) -> str:
    """Of peer 1, 2, ...: the first ones are the crowd's, the others nobody's."""
    return (
        f"192.1.2.{99 + number}"
        if number <= REAL
        else f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}"
    )


class Shape:
    """What all hubs have in common."""

    def __init__(self, node: str, count: int) -> None:
        self.node, self.count = node, count
        # The last tunnel is removed by a step, and the one before it may be changed: nobody real has them.
        self.real = min(REAL, count - 2)
        self.peers = self._peers()

    def _peers(self) -> list[Peer]:
        raise NotImplementedError

    def _hosts(self, changed: bool, removed: bool, broken: bool) -> dict[str, dict[str, t.Any]]:
        raise NotImplementedError

    def _numbers(self, removed: bool, broken: bool) -> range:
        """Of the tunnels that are to be there; a small hub has not 100 to spare."""
        return range(1, self.count + 1 - removed - (100 if broken and self.count > 200 else 0))

    def inventory(
        self, changed: bool = False, removed: bool = False, broken: bool = False, python: str = "/usr/bin/python3"
    ) -> dict[str, t.Any]:
        """With one tunnel changed, the last one removed, or many removed and one new that never comes up."""
        hosts = self._hosts(changed, removed, broken)
        hosts["hub"].update(
            {
                "ansible_host": self.node,
                "ansible_user": "root",
                "ansible_python_interpreter": python,
                "ansible_ssh_args": f"-F {os.environ['LAB_SESSION']}/ssh_config -o ControlMaster=auto"
                " -o ControlPersist=60s",
                "ansible_pipelining": True,
            }
        )
        if broken:
            dead = {
                "local": self.node,
                "remote": "198.51.100.99",
                "mark": 70000,
                "auto": "start",
                "psk": "0123456789" * 4,
            }
            hosts["hub"].setdefault("gateway_tunnels", []).append({"name": "dead", **dead})
            hosts["hub"]["gateway_verify_timeout"] = 5
        return {"gateways": {"hosts": hosts, "vars": {"gateway_psk_master": MASTER}}}

    def crowd_script(self) -> str:
        """What makes a node all the real peers at once."""
        lines, conns, secrets = [], [], []
        for n, peer in enumerate(self.peers, 1):
            lines += [
                f"ip address replace {peer.outer}/32 dev lo",
                f"ip link add crowd{n} type vti local {peer.outer} remote {self.node} key {n}",
                f"ip address replace {peer.inner_peer}/32 dev lo",
                f"ip link set crowd{n} up mtu 1400",
                f"sysctl -qw net.ipv4.conf.crowd{n}.disable_policy=1 net.ipv4.conf.crowd{n}.rp_filter=0",
                f"ip rule add from {peer.inner_peer} lookup {2000 + n} priority {2000 + n}",
                f"ip route replace default dev crowd{n} table {2000 + n}",
            ]
            words = {"left": peer.outer, "leftid": peer.id_peer, "right": self.node, "rightid": peer.id_hub}
            words |= {"leftsubnet": "0.0.0.0/0", "rightsubnet": "0.0.0.0/0", "mark": f"{n}/0xffffffff"}
            words |= {"ike": PROPOSALS[0], "esp": PROPOSALS[1], "authby": "secret", "keyexchange": "ikev2"}
            words |= {"dpddelay": "3", "retransmit-timeout": "10", "leftupdown": "/bin/true", "auto": "start"}
            conns.append("\n ".join([f"conn crowd{n}", *(f"{key}={value}" for key, value in words.items())]))
            secrets.append(f'{peer.id_hub} {peer.id_peer} : PSK "{peer.psk}"')
        files = {"conf": "\n".join(conns), "secrets": "\n".join(secrets)}
        written = [f"cat >/etc/ipsec.d/crowd.{kind} <<'END'\n{text}\nEND" for kind, text in files.items()]
        # The hub finds the addresses by ARP, which the crowd answers for every address of its own.
        return "\n".join(["set -e", *lines, *written, "systemctl restart ipsec", ""])


class Sites(Shape):
    """A hub and its spokes, each with one network; numbers are ids, so spoke 2 is the first."""

    def _hosts(self, changed: bool, removed: bool, broken: bool) -> dict[str, dict[str, t.Any]]:
        common = {"vpn_topology": "hub_and_spoke", "vpn_auth": "psk"}
        hosts = {"hub": {**common, "vpn_site_id": 1, "vpn_address": self.node, "vpn_hub": True}}
        for n in self._numbers(removed, broken):
            networks = [f"10.{64 + n // 256}.{n % 256}.0/24"]
            networks += ["172.30.1.0/24"] if changed and n == REAL // 2 else []
            hosts[f"spoke{n}"] = {**common, "vpn_site_id": n + 1, "vpn_address": outer(n), "vpn_networks": networks}
        return hosts

    def _peers(self) -> list[Peer]:
        plan, errors = _sites.plan(
            {k: {**v, "gateway_psk_master": MASTER} for k, v in self._hosts(False, False, False).items()}
        )
        assert not errors, errors
        tunnels = _tunnels.normalise(_links.Links(plan).tunnels("hub")[: self.real])
        return [_peer(tunnel, tunnel["unnumbered"]["address"], tunnel["unnumbered"]["peer"]) for tunnel in tunnels]


class Tunnels(Shape):
    """A hub with hand-written tunnels, each with a /30 of its own, as cloud providers hand them out."""

    def _tunnel(self, n: int, changed: bool) -> dict[str, t.Any]:
        return {
            "name": f"partner{n}",
            "local": self.node,
            "remote": outer(n),
            "local_id": "@hub",
            "remote_id": f"@partner{n}",
            "mark": n,
            "addresses": [f"10.{32 + n // 16384}.{n // 64 % 256}.{n % 64 * 4 + 1}/30"],
            "routes": [f"10.{64 + n // 256}.{n % 256}.0/24"],
            "auto": "add",
            "options": {"ikelifetime": "4h" if changed and n == self.count - 1 else "8h"},
        }

    def _hosts(self, changed: bool, removed: bool, broken: bool) -> dict[str, dict[str, t.Any]]:
        return {"hub": {"gateway_tunnels": [self._tunnel(n, changed) for n in self._numbers(removed, broken)]}}

    def _peers(self) -> list[Peer]:
        tunnels = _tunnels.normalise([self._tunnel(n, False) for n in range(1, self.real + 1)])
        inner = [tunnel["addresses"][0]["address"].partition("/")[0] for tunnel in tunnels]
        return [
            _peer(x, own, f"{own[: own.rindex('.')]}.{int(own.rpartition('.')[2]) + 1}")
            for x, own in zip(tunnels, inner, strict=True)
        ]


def _peer(tunnel: t.Any, inner_hub: str, inner_peer: str) -> Peer:
    own = _auth.Credentials(psk_master=MASTER)
    (secret,) = _auth.secrets([tunnel], own)
    id_hub, id_peer = secret["ids"]
    return Peer(tunnel["name"], str(tunnel["remote"]), inner_hub, inner_peer, id_hub, id_peer, secret["psk"])


SHAPES = {"sites": Sites, "tunnels": Tunnels}

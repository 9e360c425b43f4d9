# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Servers of roadwarriors: one conn and one VTI device for all clients that come with a certificate, each of which gets
an address of a pool. Pure functions over values, as those of _tunnels."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _routes, _values, _versions
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError, InputErrors
from ansible_collections.route_based.vpn.plugins.plugin_utils import _auth, _tunnels

Server = dict[str, t.Any]
Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

VARIABLE = "gateway_roadwarriors"
OPTIONS: dict[str, t.Any] = {
    "name": str,
    "local": str,
    "local_id": str,
    "certificate": str,
    "pool": str,
    "network": str,
    "mark": (str, int),
    "interface": str,
    "addresses": list,
    "mtu": int,
    "dns": list,
    "ike": str,
    "esp": str,
    "firewall": list,
    "options": dict,
}
REQUIRED = ("name", "local", "pool", "mark")
SERVER_DECIDES = "it is decided by the server's own options (local, pool, network, mark, certificate, ...)"
MANAGED = _tunnels.MANAGED | frozenset(
    "rightaddresspool leftaddresspool rightca rekey narrowing leftmodecfgserver rightmodecfgclient modecfgdns "
    "leftsendcert dpdaction".split()
)


def normalise(raw_servers: t.Any, credentials: _auth.Credentials) -> list[Server]:
    """Every option of every server checked, canonical and with its default. Raises InputErrors with all that is
    wrong."""
    if not isinstance(raw_servers, (list, tuple)):
        raise InputErrors([InputError(VARIABLE, "", raw_servers, "is not a list of servers")])
    servers, errors = [], []
    for index, raw in enumerate(raw_servers):
        item = _tunnels.Item(VARIABLE, index, raw)
        if _tunnels.well_formed(item, raw, OPTIONS, REQUIRED):
            servers.append(_normalise_one(item, raw, credentials))
        errors += item.errors
    if errors:
        raise InputErrors(errors)
    return servers


def _normalise_one(item: _tunnels.Item, raw: Server, credentials: _auth.Credentials) -> Server:
    mark = item.check("mark", raw["mark"], _values.mark)
    default_name = f"vti{mark.value}" if mark else "vti"
    server: Server = {
        "name": item.check("name", raw["name"], _values.conn_name),
        "local": item.check("local", raw["local"], _values.address),
        "local_id": item.check("local_id", raw.get("local_id", "%fromcert"), _auth.identity),
        "certificate": raw.get("certificate", credentials.certificate),
        "pool": item.check("pool", raw["pool"], pool),
        "mark": mark,
        "interface": item.check("interface", raw.get("interface", default_name), _values.interface_name),
        "addresses": _tunnels.addresses(item, raw.get("addresses", [])),
        "mtu": raw.get("mtu", 1400),
        "dns": [item.check(f"dns[{n}]", x, _values.address) for n, x in enumerate(raw.get("dns", []))],
        "ike": raw.get("ike"),
        "esp": raw.get("esp"),
        "firewall": raw.get("firewall", []),
        "options": _tunnels.options(item, raw.get("options", {}), MANAGED, SERVER_DECIDES),
    }
    everything = "::/0" if server["pool"] and server["pool"][0].version == 6 else "0.0.0.0/0"
    server["network"] = item.check("network", raw.get("network", everything), _values.network)
    for number, entry in enumerate(server["addresses"]):
        if entry["address"] and server["pool"] and _in_pool(entry["address"], server["pool"]):
            item.refuse(f"addresses[{number}]", entry["address"], "is in the pool: a client would be given it")
    if not server["certificate"]:
        item.refuse("certificate", "", "is missing, and gateway_certificates does not name exactly one")
    _tunnels.check_words(item, server)
    return server


def pool(value: str) -> tuple[t.Any, t.Any]:
    """First and last address of a pool written as C(10.9.0.0/24) or C(10.9.0.10-10.9.0.90). Of a network with more than
    two addresses, all but its own and its broadcast address. ValueError where it is neither."""
    first, dash, last = value.partition("-")
    if not dash:
        net = ipaddress.ip_network(_values.network(value))
        if net.num_addresses > 2**24:
            raise ValueError("has more than 2^24 addresses: libreswan keeps no such pool")
        if net.num_addresses <= 2:
            return net[0], net[-1]
        return net[1], net[-2]
    ends = _values.address(first), _values.address(last)
    if ends[0].version != ends[1].version or int(ends[0]) > int(ends[1]):
        raise ValueError("is no range: write its first and its last address, like 10.9.0.10-10.9.0.90")
    if int(ends[1]) - int(ends[0]) >= 2**24:
        raise ValueError("has more than 2^24 addresses: libreswan keeps no such pool")
    return ends


def _in_pool(value: str, ends: tuple[t.Any, t.Any]) -> bool:
    address = ipaddress.ip_interface(value).ip
    return bool(address.version == ends[0].version and ends[0] <= address <= ends[1])


def networks(server: Server) -> list[Network]:
    """The pool in CIDR form, as few networks as cover it."""
    return list(ipaddress.summarize_address_range(*server["pool"]))


def devices(servers: t.Sequence[Server]) -> list[dict[str, t.Any]]:
    """The C(tunnels) of vti_tunnel: open at the far end, there before the first client."""
    return [
        {
            "name": server["interface"],
            "local": str(server["local"]),
            "remote": "any",
            "ikey": _tunnels.device_key(server["mark"]),
            "okey": _tunnels.device_key(server["mark"]),
            "mtu": server["mtu"],
            "addresses": server["addresses"],
        }
        for server in servers
    ]


def routes(servers: t.Sequence[Server]) -> list[dict[str, t.Any]]:
    """The C(routes) of vti_route: a guard for each pool. The hook adds a route for each client that is there, and what
    is for any other must not leave in the clear."""
    return [
        {"destination": str(network), "type": "unreachable", "metric": _routes.GUARD_METRIC}
        for server in servers
        for network in networks(server)
    ]


def conns(servers: t.Sequence[Server], host: _tunnels.Host) -> list[dict[str, t.Any]]:
    """The conn blocks of ipsec.conf, one a server."""
    return [{"name": server["name"], "keywords": _keywords(server, host)} for server in servers]


def _keywords(server: Server, host: _tunnels.Host) -> dict[str, str]:
    words = {"left": str(server["local"]), "leftid": server["local_id"], "leftcert": server["certificate"]}
    words.update({"leftsendcert": "always", "leftsubnet": server["network"]})
    # Whoever has a certificate of the CA that ours is of; its subject is its name.
    words.update({"right": "%any", "rightid": "%fromcert", "rightca": "%same"})
    words["rightaddresspool"] = "-".join(str(end) for end in server["pool"])
    words.update({"leftmodecfgserver": "yes", "rightmodecfgclient": "yes", "narrowing": "yes"})
    if server["dns"]:
        words["modecfgdns"] = ",".join(str(x) for x in server["dns"])
    words["authby"] = _auth.AUTHBY[host.credentials.certificate_type]
    words.update({"keyexchange": "ikev2", "ike": server["ike"] or host.ike, "esp": server["esp"] or host.esp})
    words.update({"mark": str(server["mark"]), "vti-interface": server["interface"]})
    words.update({"vti-routing": "yes", "vti-shared": "yes"})
    # A client that is gone comes again by itself: nobody calls it.
    words["rekey"] = "no"
    if host.dpd_delay:
        words.update({"dpddelay": str(host.dpd_delay), "retransmit-timeout": str(host.dpd_timeout)})
        words["dpdaction"] = "clear"
    words.update({"leftupdown": host.updown, "auto": "add", **server["options"]})
    return _tunnels.quoted(_versions.for_version(words, host.version))


def clashes(tunnels: t.Sequence[dict[str, t.Any]], servers: t.Sequence[Server]) -> list[InputError]:
    """What a server shares with a tunnel or another server and must not. Its device is open at the far end, so that a
    host has one for each local address."""
    errors = []
    seen = [(tunnel, "gateway_tunnels", index) for index, tunnel in enumerate(tunnels)]
    for index, server in enumerate(servers):
        for other, variable, place in seen:
            for option, same, why in _same(server, other):
                if same:
                    label = f"{VARIABLE}[{index}] ({server['name']!r})"
                    reason = f"{variable}[{place}] has it already{why}"
                    shown = "-".join(map(str, server[option])) if option == "pool" else str(server[option])
                    errors.append(InputError(label, option, shown, reason))
        seen.append((server, VARIABLE, index))
    return errors


def _overlap(one: tuple[t.Any, t.Any], two: tuple[t.Any, t.Any]) -> bool:
    return bool(one[0].version == two[0].version and one[0] <= two[1] and two[0] <= one[1])


def _same(server: Server, other: dict[str, t.Any]) -> list[tuple[str, bool, str]]:
    marks = [other["mark"]] if "mark" in other else [other["mark_in"], other["mark_out"]]
    same_mark = any(x.value & x.mask == server["mark"].value & server["mark"].mask for x in marks)
    both_open = "pool" in other and other["local"] == server["local"]
    return [
        ("name", other["name"] == server["name"], ""),
        ("interface", other["interface"] == server["interface"], ""),
        ("mark", same_mark, "; only the mark tells apart what is for which device"),
        ("pool", "pool" in other and _overlap(server["pool"], other["pool"]), "; two clients would have one address"),
        ("local", both_open, "; the kernel keeps one VTI without a remote address for a local one"),
    ]

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""From an AWS Site-to-Site VPN connection to the two tunnels of a gateway. Pure functions over values."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _values
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors, Refusals
from ansible_collections.route_based.vpn.plugins.plugin_utils import _aws_xml, _presets

GatewayTunnel = dict[str, t.Any]

PREFER = ("1", "2", "both")
# What the XML says for each tunnel, or what an option of the filter is for.
NOT_FOR_BOTH = ("name", "local", "remote", "mark", "mark_in", "mark_out", "interface", "addresses", "routes", "psk")
BETTER, WORSE = 100, 200
CLOUD = _presets.PRESETS["aws"]
ITEM = "options"


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the XML does not say: networks in CIDR form behind AWS, mark of the first tunnel, name of the connection and
    this host's outer address where they are not those of the XML, the tunnel that carries the traffic, and options of
    gateway_tunnels for both tunnels."""

    routes: t.Any
    mark: t.Any
    name: t.Any = ""
    local: t.Any = ""
    prefer: t.Any = "1"
    override: t.Any = dataclasses.field(default_factory=dict, repr=False)


class _Short(Refusals):
    """Shows the beginning of long values alone: somebody may hand over the XML, with its secrets, as an option."""

    def refuse(self, item: str, option: str, value: object, reason: str) -> None:
        """Remember one refused value."""
        text = str(value)
        super().refuse(item, option, value if len(text) <= 80 else f"{text[:40]}...", reason)


def tunnels(text: str, wish: Wish) -> list[GatewayTunnel]:
    """The two tunnels as gateway_tunnels takes them. Raises InputErrors with everything that is wrong in the XML and in
    the wish, and without a secret."""
    refusals = _Short()
    wish = _checked(wish, refusals)
    try:
        connection = _aws_xml.connection(text, wish.override.get("auth", "psk") == "psk")
    except InputErrors as exc:
        raise InputErrors(exc.errors + refusals.errors) from None
    _check_together(wish, connection, refusals)
    refusals.stop_if_any()
    return [_one(number, connection, wish) for number in (1, 2)]


def _checked(wish: Wish, refusals: Refusals) -> Wish:
    """The wish with canonical values; what is refused is noted."""
    override = wish.override if wish.override is not None else {}
    if not isinstance(override, dict):
        refusals.refuse(ITEM, "override", type(override).__name__, "is no dict of options of gateway_tunnels")
        override = {}
    for option in NOT_FOR_BOTH:
        if option in override:
            reason = "comes from the XML, or from the options of this filter, and is not one for both tunnels"
            refusals.refuse(ITEM, f"override.{option}", "...", reason)
    prefer = str(wish.prefer)
    if prefer not in PREFER:
        refusals.refuse(ITEM, "prefer", wish.prefer, f"is none of {', '.join(PREFER)}")
    local = ""
    if wish.local:
        local = refusals.check(ITEM, "local", str(wish.local), lambda value: str(_values.address(value)), "")
        if local and _values.family(local) != 4:
            refusals.refuse(ITEM, "local", local, "is no IPv4 address, as the outer addresses of the XML are")
    esp = str(override.get("esp", CLOUD.esp))
    refusals.check(ITEM, "override.esp", esp, lambda value: _presets.mtu(CLOUD, value, False), 0)
    return Wish(_routes(wish.routes, refusals), _mark(wish.mark, refusals), wish.name, local, prefer, override)


def _routes(values: t.Any, refusals: Refusals) -> list[str]:
    if not isinstance(values, (list, tuple)) or not values:
        refusals.refuse(ITEM, "routes", values, "is no list of the networks behind AWS, like ['10.1.0.0/16']")
        return []
    return [
        refusals.check(ITEM, f"routes[{number}]", str(value), _values.network, "")
        for number, value in enumerate(values)
    ]


def _mark(value: t.Any, refusals: Refusals) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,10}", str(value)):
        reason = "is no number: the mark of the first tunnel, and the second one has the next"
        refusals.refuse(ITEM, "mark", value, reason)
        return 0
    first = int(value)
    for mark in (first, first + 1):
        refusals.check(ITEM, "mark", mark, _values.key, 0)
    return first


def _check_together(wish: Wish, connection: _aws_xml.Connection, refusals: Refusals) -> None:
    name = wish.name or connection.id
    if not name:
        refusals.refuse(ITEM, "name", name, "is needed, as vpn_connection has no id in this XML")
    else:
        refusals.check(ITEM, "name", f"{name}-1", _values.conn_name, "")
    if connection.static and wish.prefer == "both":
        reason = (
            "is for BGP, and this connection has static routes: AWS answers by one tunnel of its choice, and a tunnel "
            "that is down would take half of the traffic with it; write 1 or 2, or make a connection with BGP"
        )
        refusals.refuse(ITEM, "prefer", wish.prefer, reason)
    if connection.static and "bgp" in wish.override:
        reason = "is for a connection with BGP, and this one has static routes (NoBGPVPNConnection)"
        refusals.refuse(ITEM, "override.bgp", "...", reason)
    for number, tunnel in enumerate(connection.tunnels):
        if wish.local == tunnel.remote:
            refusals.refuse(ITEM, "local", wish.local, f"is the address of AWS in ipsec_tunnel[{number}]")


def _one(number: int, connection: _aws_xml.Connection, wish: Wish) -> GatewayTunnel:
    """Tunnel 1 or 2."""
    source = connection.tunnels[number - 1]
    local = wish.local or source.outer
    tunnel: GatewayTunnel = {"name": f"{wish.name or connection.id}-{number}", "local": local, "remote": source.remote}
    if source.psk:
        # Behind NAT AWS knows this host by the address that it is seen at.
        tunnel.update(local_id=source.outer, remote_id=source.remote, psk=source.psk)
    tunnel.update(mark=wish.mark + number - 1, addresses=[source.inner], routes=list(wish.routes), preset="aws")
    tunnel.update(auto="start", dpd_delay=source.numbers["interval"])
    # The first probe is one of them.
    tunnel["dpd_timeout"] = _presets.probes(source.numbers["interval"] * max(1, source.numbers["retries"] - 1))
    options = _options(source, local)
    if options:
        tunnel["options"] = options
    tunnel.update(_bgp(number, source, wish) if source.bgp else _static(number, wish))
    own_session = wish.override.get("bgp")
    if isinstance(own_session, dict) and "hold_time" in own_session:
        # The keepalive of the XML's hold time may be too slow for it; the role has a third of it by default.
        del tunnel["bgp"]["keepalive"]
    for option, value in wish.override.items():
        both = isinstance(value, dict) and isinstance(tunnel.get(option), dict)
        tunnel[option] = {**tunnel[option], **value} if both else value
    tunnel.setdefault("mtu", _presets.mtu(CLOUD, str(tunnel.get("esp", CLOUD.esp)), _presets.nat_t(tunnel)))
    return tunnel


def _options(source: _aws_xml.Tunnel, local: str) -> dict[str, str]:
    options = {
        name: f"{source.numbers[name]}s" for name in _presets.LIFETIMES if source.numbers[name] != getattr(CLOUD, name)
    }
    if local != source.outer:
        # Between an Elastic IP and its host plain ESP may be lost, and nothing tells libreswan of it.
        options["encapsulation"] = "yes"
    return options


def _bgp(number: int, source: _aws_xml.Tunnel, wish: Wish) -> GatewayTunnel:
    preferred = wish.prefer in ("both", str(number))
    session = {
        "remote_as": source.bgp["remote_as"],
        "neighbor": source.neighbor,
        "local_as": source.bgp["local_as"],
        "hold_time": source.bgp["hold_time"],
        "keepalive": max(1, source.bgp["hold_time"] // 3),
        # A higher preference is better for what we send, a lower MED for what AWS sends.
        "local_preference": 200 if preferred and wish.prefer != "both" else 100,
        "med": BETTER if preferred else WORSE,
    }
    return {"bgp": session}


def _static(number: int, wish: Wish) -> GatewayTunnel:
    return {"metric": BETTER if wish.prefer == str(number) else WORSE, "failover": True}

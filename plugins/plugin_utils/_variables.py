# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The variables that this collection reads, so that a name with a typing error is refused: with gateway_tunels a host
would have no tunnels, and lose those that it has. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError
from ansible_collections.route_based.vpn.plugins.plugin_utils import _shapes, _sites

PREFIXES = ("gateway_", "vpn_")
#: Names, or beginnings of names, with one of these prefixes that the user has for something else.
OWN = "gateway_own_variables"
#: The options of the role's entry point main by their type, and those that have choices; a test compares them.
OF_TYPE: tuple[tuple[_shapes.Kinds, str], ...] = (
    (
        bool,
        """
        gateway_no_log gateway_no_tunnels gateway_take_over vpn_canary vpn_hub vpn_networks_overlap
        """,
    ),
    (
        int,
        """
        gateway_bgp_asn gateway_bgp_maximum_paths gateway_dpd_delay gateway_dpd_timeout gateway_rollback_after
        gateway_verify_timeout vpn_mtu vpn_site_id
        """,
    ),
    (
        (int, float),
        """
        gateway_verify_ping
        """,
    ),
    (
        (str, int, float),
        """
        gateway_key_epoch gateway_psk_epoch
        """,
    ),
    (
        str,
        """
        gateway_bgp_router_id gateway_certificate_type gateway_esp gateway_firewall gateway_firewall_policy
        gateway_ike gateway_key_folder gateway_key_type gateway_psk_master vpn_address vpn_answer vpn_auth
        vpn_inner_network vpn_local_address vpn_topology vpn_transit_hub
        """,
    ),
    (
        list,
        """
        gateway_authorities gateway_bgp_config gateway_bgp_networks gateway_certificates gateway_crls
        gateway_firewall_input gateway_firewall_local gateway_own_variables gateway_roadwarriors gateway_routes
        gateway_rules gateway_site_groups gateway_tunnels vpn_links vpn_meshes vpn_networks vpn_transit_networks
        """,
    ),
)
KNOWN: dict[str, _shapes.Kinds] = {name: kinds for kinds, names in OF_TYPE for name in names.split()}
CHOICES = {
    "gateway_certificate_type": ("rsa", "ecdsa"),
    "gateway_firewall": ("nftables", "none"),
    "gateway_firewall_policy": ("accept", "drop"),
    "gateway_key_type": ("ecdsa", "rsa"),
    "vpn_answer": _sites.ANSWERS,
    "vpn_auth": _sites.AUTHS,
    "vpn_topology": _sites.TOPOLOGIES,
}
#: Settings that nothing else checks before a host is spoken to. Secrets, which may come from somewhere slow, and what
#: the plan is made of are not among them.
SETTINGS = tuple(
    name
    for name in sorted(KNOWN)
    if name.startswith("gateway_")
    and name not in ("gateway_psk_master", "gateway_certificates", "gateway_tunnels", "gateway_roadwarriors", OWN)
)
# What the role and its playbooks hand to themselves.
INTERNAL = ("gateway_plan", "gateway_failure", "gateway_drift")


def unknown(host: str, names: t.Iterable[str], own: t.Any) -> list[InputError]:
    """Of all variables of a host those that look like ours and are not. C(own) is its C(gateway_own_variables)."""
    if isinstance(own, str) or not isinstance(own, t.Sequence):
        return [InputError(host, OWN, own, "is not a list of names, or of beginnings of names, of variables")]
    ours = tuple(str(prefix) for prefix in own)
    found = sorted(
        name
        for name in map(str, names)
        if name.startswith(PREFIXES) and name not in KNOWN and name not in INTERNAL and not name.startswith(ours)
    )
    return [InputError(host, name, "...", _reason(name)) for name in found]


def settings(host: str, values: t.Mapping[str, t.Any]) -> list[InputError]:
    """Of a host's C(SETTINGS) those that have a wrong type, or are none of the choices. A text may stand for a number,
    and for true or false, as INI inventories and -e have nothing but text."""
    errors = []
    for name, value in values.items():
        kinds, choices = KNOWN[name], CHOICES.get(name, ())
        if not _shapes.is_a(_meant(value, kinds), kinds):
            errors.append(InputError(host, name, value, _shapes.reason(value, kinds)))
        elif choices and value not in choices:
            errors.append(InputError(host, name, value, f"is none of {', '.join(choices)}"))
    return errors


def _meant(value: t.Any, kinds: _shapes.Kinds) -> t.Any:
    if not isinstance(value, str) or (isinstance(kinds, tuple) and str in kinds):
        return value
    if kinds is bool:
        return _sites.TRUTH.get(value.lower(), value)
    if kinds in (int, (int, float)):
        try:
            return int(value) if kinds is int else float(value)
        except ValueError:
            return value
    return value


def _reason(name: str) -> str:
    meant = _shapes.did_you_mean(name, KNOWN, 0.75)
    return f"is no variable of this collection; {meant}Where it is one of your own, add it to the list {OWN}"

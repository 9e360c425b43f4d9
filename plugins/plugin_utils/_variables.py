# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The variables that this collection reads, so that a name with a typing error is refused: with gateway_tunels a host
would have no tunnels, and lose those that it has. Pure."""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError

PREFIXES = ("gateway_", "vpn_")
#: Names, or beginnings of names, with one of these prefixes that the user has for something else.
OWN = "gateway_own_variables"
#: The options of the role's entry point main; a test compares them.
KNOWN = tuple(
    """
    gateway_authorities gateway_bgp_asn gateway_bgp_config gateway_bgp_maximum_paths gateway_bgp_networks
    gateway_bgp_router_id gateway_certificate_type gateway_certificates gateway_crls gateway_dpd_delay
    gateway_dpd_timeout gateway_esp gateway_firewall gateway_firewall_input gateway_firewall_local
    gateway_firewall_policy gateway_ike gateway_key_epoch gateway_key_folder gateway_key_type gateway_no_log
    gateway_no_tunnels gateway_own_variables gateway_psk_epoch gateway_psk_master gateway_roadwarriors
    gateway_rollback_after gateway_routes gateway_rules gateway_site_groups gateway_take_over gateway_tunnels
    gateway_verify_ping gateway_verify_timeout vpn_address vpn_answer vpn_auth vpn_canary vpn_hub vpn_inner_network
    vpn_links vpn_local_address vpn_meshes vpn_mtu vpn_networks vpn_networks_overlap vpn_site_id vpn_topology
    vpn_transit_hub vpn_transit_networks
    """.split()
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


def _reason(name: str) -> str:
    like = difflib.get_close_matches(name, KNOWN, 1, 0.75)
    meant = f"did you mean {like[0]}? " if like else ""
    return f"is no variable of this collection; {meant}Where it is one of your own, add it to the list {OWN}"

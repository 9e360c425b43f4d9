# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the VPN gateways of public clouds want from a tunnel: one table, and how a tunnel with C(preset) takes what it
does not say from it. Pure functions over values; only the standard library is used."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _mtu, _values

Tunnel = dict[str, t.Any]
Problem = tuple[str, t.Any, str]

# AES-256-GCM with group 20 and PFS: each of the three clouds takes it, and so do the parsers of libreswan 4.10 and 5.2.
# One proposal alone: AWS would pick the weakest of several, Google warns of a choice that changes with a rekey, Azure
# has one policy a connection, and libreswan refuses two groups in esp=.
IKE = "aes_gcm256-sha2_384;dh20"
ESP = "aes_gcm256;dh20"

LINK_LOCAL = ipaddress.ip_network("169.254.0.0/16")
# The largest packet inside is worked out from the cipher; for one that is not known, from the least favourable known.
ESP_LEAST = "aes256-sha2_512"
# libreswan has several names for one thing, and does not take it twice.
LIFETIMES = {
    "ikelifetime": ("ikelifetime", "ike-lifetime"),
    "salifetime": ("salifetime", "ipsec-lifetime", "keylife", "lifetime"),
}
YES, NO = ("yes", "true", "y", "on"), ("no", "false", "n", "off")


@dataclasses.dataclass(frozen=True)
class Preset:
    """What one cloud wants. Times are in seconds, sizes in bytes. C(underlay) is the longest outer packet, C(mtu_max)
    the longest inner one whatever the cipher. C(inside) are the first and the last link-local address that the cloud's
    end may have, C(reserved) /30s out of them, C(only_inside) whether it has to be link-local at all, and C(always)
    whether that holds without BGP, too. C(taken_as) are AS numbers that no customer may have."""

    title: str
    ikelifetime: int
    salifetime: int
    dpd_delay: int
    dpd_timeout: int
    bgp: t.Mapping[str, int]
    inside: tuple[str, str]
    sources: tuple[str, ...]
    ike: str = IKE
    esp: str = ESP
    underlay: int = 1500
    mtu_max: int = 65515
    reserved: tuple[str, ...] = ()
    only_inside: bool = True
    always: bool = False
    bfd: bool = True
    taken_as: tuple[int, ...] = ()


AWS_DOCS = "https://docs.aws.amazon.com"
AZURE_DOCS = "https://learn.microsoft.com/azure/vpn-gateway"
GOOGLE_DOCS = "https://cloud.google.com/network-connectivity/docs"

PRESETS = {
    "aws": Preset(
        title="AWS",
        # Defaults of phase1LifetimeSeconds and phase2LifetimeSeconds, which are their maximum, too.
        ikelifetime=28800,
        salifetime=3600,
        # interval 10, retries 3 of the XML: the first probe after 10 s, gone 20 s later, see probes().
        dpd_delay=10,
        dpd_timeout=15,
        # 64512 is the default of an Amazon side ASN; hold_time 30 of the XML. A transit gateway tells 5,000 routes.
        bgp={"remote_as": 64512, "hold_time": 30, "keepalive": 10, "maximum_prefix": 5000},
        inside=("169.254.0.0", "169.254.255.255"),
        # Constraints of TunnelInsideCidr.
        reserved=(*(f"169.254.{number}.0/30" for number in range(6)), "169.254.169.252/30"),
        always=True,
        sources=(
            f"{AWS_DOCS}/AWSEC2/latest/APIReference/API_VpnTunnelOptionsSpecification.html",
            f"{AWS_DOCS}/vpn/latest/s2svpn/VPNTunnels.html",
            f"{AWS_DOCS}/vpn/latest/s2svpn/CGRequirements.html",
            # Routes advertised from a transit gateway to a customer gateway device.
            f"{AWS_DOCS}/vpn/latest/s2svpn/vpn-limits.html",
            # MTU of each cipher: what is left of 1500 bytes.
            f"{AWS_DOCS}/vpn/latest/s2svpn/cgw-best-practice.html",
        ),
    ),
    "azure": Preset(
        title="Azure",
        # Main mode is fixed at 28800 s; quick mode is 27000 s by default. The two ends need not agree.
        ikelifetime=28800,
        salifetime=27000,
        # Azure's own timeout is 45 s by default, and 30 to 45 s are recommended.
        dpd_delay=15,
        dpd_timeout=30,
        # The gateway's default ASN. Its timers are fixed, and other ones make the session unstable.
        bgp={"remote_as": 65515, "hold_time": 180, "keepalive": 60},
        # "Clamp TCP MSS at 1350", or an MTU of 1400. The firewall clamps to 40 bytes less than the MTU.
        mtu_max=1390,
        # Custom APIPA addresses. Without, the gateway has an address of the GatewaySubnet.
        inside=("169.254.21.0", "169.254.22.255"),
        only_inside=False,
        bfd=False,
        taken_as=(8074, 8075, 12076, 65515, 65517, 65518, 65519, 65520),
        sources=(
            f"{AZURE_DOCS}/vpn-gateway-vpn-faq",
            f"{AZURE_DOCS}/vpn-gateway-about-vpn-devices",
            f"{AZURE_DOCS}/ipsec-ike-policy-howto",
            f"{AZURE_DOCS}/bgp-howto",
        ),
    ),
    "gcp": Preset(
        title="Google Cloud",
        # Of phase 1 and of phase 2, as in Google's interop guides.
        ikelifetime=36000,
        salifetime=10800,
        # "keepalive threshold 10" of the interop guides.
        dpd_delay=10,
        dpd_timeout=15,
        # Cloud Router's default keepalive, and three times that. Its AS number is chosen by who makes it.
        bgp={"hold_time": 60, "keepalive": 20},
        # The gateway MTU. What is left with AES-GCM is 1406, as Google's table has it, and 8 less with NAT-T.
        underlay=1460,
        inside=("169.254.0.0", "169.254.255.255"),
        # The metadata server, 169.254.169.254.
        reserved=("169.254.169.252/30",),
        sources=(
            f"{GOOGLE_DOCS}/vpn/concepts/supported-ike-ciphers",
            f"{GOOGLE_DOCS}/vpn/concepts/mtu-considerations",
            f"{GOOGLE_DOCS}/vpn/how-to/creating-ha-vpn",
            f"{GOOGLE_DOCS}/router/how-to/managing-bgp-timers",
            "https://github.com/GoogleCloudPlatform/community",
        ),
    ),
}


def named(name: t.Any) -> Preset:
    """The preset of a name; ValueError where there is none."""
    if not isinstance(name, str) or name not in PRESETS:
        raise ValueError(f"is no preset; these are: {', '.join(PRESETS)}")
    return PRESETS[name]


def probes(seconds: int) -> int:
    """The retransmit-timeout= by which a peer counts as gone so many seconds after a probe, or some before. libreswan
    sends a probe again after 0.5, 1, 2, 4, 8, 16, 32 and 64 s, and gives up at the first of these times that is not
    before the timeout: with 20 s after 32."""
    return max(1 << n for n in range(7) if n == 0 or 1 << n <= seconds) - (1 if seconds > 1 else 0)


def filled(raw: Tunnel) -> Tunnel:
    """A tunnel as a user wrote it, without C(preset) and with the preset's values for what the user did not write.
    C(options) and C(bgp) are filled key by key, C(bgp) only where the user has one. What has a wrong type stays, to be
    refused with everything else. Raises ValueError for an unknown preset."""
    tunnel = {key: value for key, value in raw.items() if key != "preset"}
    if "preset" not in raw:
        return tunnel
    preset = named(raw["preset"])
    for option in ("ike", "esp", "dpd_delay", "dpd_timeout"):
        tunnel.setdefault(option, getattr(preset, option))
    if isinstance(tunnel.get("options", {}), dict):
        tunnel["options"] = {**_lifetimes(preset, tunnel.get("options", {})), **tunnel.get("options", {})}
    if isinstance(tunnel.get("bgp"), dict):
        tunnel["bgp"] = _bgp(preset, tunnel["bgp"])
    if "mtu" not in tunnel:
        try:
            tunnel["mtu"] = mtu(preset, str(tunnel["esp"]), nat_t(tunnel), _family(tunnel))
        except ValueError:
            tunnel["mtu"] = mtu(preset, ESP_LEAST, nat_t(tunnel), _family(tunnel))
    return tunnel


def _lifetimes(preset: Preset, own: t.Mapping[t.Any, t.Any]) -> dict[str, str]:
    written = {str(key).replace("_", "-") for key in own}
    return {option: f"{getattr(preset, option)}s" for option, names in LIFETIMES.items() if written.isdisjoint(names)}


def _bgp(preset: Preset, own: Tunnel) -> Tunnel:
    defaults = dict(preset.bgp)
    if "hold_time" in own:
        # The cloud's keepalive may be too slow for it; a third of it is the role's default.
        defaults.pop("keepalive", None)
    return {**defaults, **own}


def mtu(preset: Preset, esp: str, with_nat_t: bool, family: int = 4) -> int:
    """The longest packet in bytes that fits into the tunnel with an esp= proposal and outer addresses of a family. The
    longest TCP segment is 40 bytes less, 60 with IPv6 inside. Raises ValueError for a cipher that is not known."""
    kind = "vti6" if family == 6 else "vti"
    return min(preset.mtu_max, _mtu.inner_mtu(_mtu.Auto(esp, with_nat_t), kind, preset.underlay))


def _family(tunnel: Tunnel) -> int:
    remote = _address(tunnel.get("remote"))
    return remote.version if remote is not None else 4


def nat_t(tunnel: Tunnel) -> bool:
    """Whether ESP goes in UDP: as the tunnel says, or as its addresses make it likely."""
    options = tunnel.get("options")
    said = str(options.get("encapsulation", "auto")).lower() if isinstance(options, dict) else "auto"
    if said in YES + NO:
        return said in YES
    local, remote, local_id = (_address(tunnel.get(option)) for option in ("local", "remote", "local_id"))
    behind = _values.is_private(local) and not _values.is_private(remote)
    return local is not None and (behind or local_id not in (None, local))


def _address(value: t.Any) -> t.Any:
    try:
        return ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None


def problems(raw: Tunnel, preset: t.Any) -> list[Problem]:
    """What in a tunnel the cloud would not have: option, value, and the reason with the way out. Malformed values are
    passed over, as they are refused elsewhere. Raises ValueError for an unknown preset."""
    cloud = named(preset)
    bgp = raw.get("bgp") if isinstance(raw.get("bgp"), dict) else None
    found = _inner_problems(raw, cloud) if cloud.always or bgp is not None else []
    return found + (_bgp_problems(bgp, cloud) if bgp is not None else [])


def _inner_problems(raw: Tunnel, cloud: Preset) -> list[Problem]:
    values = raw.get("addresses", [])
    found = []
    for number, value in enumerate(values if isinstance(values, list) else []):
        entry = value if isinstance(value, dict) else {"address": value}
        inner, peer = _interface(entry.get("address")), _address(entry.get("peer"))
        if inner is None or inner.version != 4:
            continue
        reason = inside_problem(cloud, inner, peer)
        if reason:
            found.append((f"addresses[{number}]", value, reason))
    return found


def _bgp_problems(bgp: Tunnel, cloud: Preset) -> list[Problem]:
    found = []
    neighbor = _address(bgp.get("neighbor"))
    reason = _range_problem(cloud, neighbor) if neighbor is not None else ""
    if reason:
        found.append(("bgp.neighbor", bgp["neighbor"], reason))
    if bgp.get("local_as") in cloud.taken_as:
        found.append(("bgp.local_as", bgp["local_as"], f"is reserved by {cloud.title}: choose another AS number"))
    if bgp.get("bfd") is True and not cloud.bfd:
        found.append(("bgp.bfd", True, f"{cloud.title}'s gateways speak no BFD: leave it out"))
    return found


def _interface(value: t.Any) -> t.Any:
    try:
        return ipaddress.ip_interface(value) if isinstance(value, str) and "/" in value else None
    except ValueError:
        return None


def inside_problem(cloud: Preset, inner: ipaddress.IPv4Interface, peer: t.Any = None) -> str:
    """Why the cloud would not have an inner address; empty where it would. With a peer the prefix does not matter, as
    the two addresses say which /30 it is."""
    if not cloud.only_inside:
        # The range is for the other end, which is in one /30 with this one; from another prefix nothing follows for it.
        other = inner.ip if peer is None and inner.network.prefixlen == 30 else peer
        return _range_problem(cloud, other) if other is not None else ""
    subnet = ipaddress.ip_interface(f"{inner.ip}/30").network
    reason = _range_problem(cloud, inner.ip)
    if reason:
        return reason
    if peer is None and inner.network.prefixlen != 30:
        return f"is no /30, which {cloud.title}'s tunnels have inside: write {inner.ip}/30"
    if peer is not None and peer not in subnet:
        return f"is not of one /30 with its peer {peer}, which {cloud.title}'s tunnels have inside"
    if inner.ip not in list(subnet.hosts()):
        return f"is the network or broadcast address of {subnet}, not one of its two hosts"
    return ""


def _range_problem(cloud: Preset, address: t.Any) -> str:
    if address.version != 4 or (not cloud.only_inside and address not in LINK_LOCAL):
        return ""
    first, last = (ipaddress.ip_address(value) for value in cloud.inside)
    if not first <= address <= last:
        return f"is not from {first} to {last}, where {cloud.title} has its link-local addresses"
    for network in cloud.reserved:
        if address in ipaddress.ip_network(network):
            return f"is of {network}, which {cloud.title} keeps for itself: choose another /30 of {LINK_LOCAL}"
    return ""

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the engineer of the far side has to know of a tunnel, seen from there, without the secret; and libreswan's
proposals in the words of strongSwan. Pure functions. The defaults are those of libreswan 4.10 to 5.4."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _mtu, _values
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors, Refusals
from ansible_collections.route_based.vpn.plugins.plugin_utils import _tunnels

IKE, ESP = "ike", "esp"
# libreswan's names (ike_alg_*.c) and swanctl's. AEAD ciphers bring their own integrity.
AEAD = re.compile(r"aes_(gcm|ccm)(?:_(?:(8|12|16)(?=_|$)|([abc])))?(?:_?(128|192|256))?")
ICV = {"a": "8", "b": "12", "c": "16", None: "16"}
SIZED = re.compile(r"(?:(aes_?ctr)|(aes|camellia)(?:_cbc)?)(?:_?(128|192|256))?")
FIXED = {"3des": "3des", "3des_cbc": "3des", "null": "null"}
FIXED.update(dict.fromkeys(("chacha20_poly1305", "chacha20poly1305"), "chacha20poly1305"))
BITS = {"md5": 96, "sha1": 96, "sha2_256": 128, "sha2_384": 192, "sha2_512": 256}
HASHES = {f"{mac}{name}": name.replace("sha2_", "sha") for name in BITS for mac in ("", "hmac_")}
PRFS = {**HASHES, "sha": "sha1", "sha2": "sha256", "sha256": "sha256", "sha384": "sha384", "sha512": "sha512"}
PRFS.update({"aes_xcbc": "aesxcbc", "aes128_xcbc": "aesxcbc"})
INTEGRITY = {**PRFS, **{f"{mac}{name}_{BITS[name]}": HASHES[name] for name in BITS for mac in ("", "hmac_")}}
INTEGRITY.update({"aes_xcbc_96": "aesxcbc", "aes128_xcbc_96": "aesxcbc", "none": "", "null": ""})
INTEGRITY.update({"aes_cmac": "aescmac", "aes_cmac_96": "aescmac"})
GROUPS = {"none": "", "null": "", "dh0": "", "dh31": "curve25519", "curve25519": "curve25519"}
GROUPS.update({"dh22": "modp1024s160", "dh23": "modp2048s224", "dh24": "modp2048s256"})
for _number, _bits in {2: 1024, 5: 1536, 14: 2048, 15: 3072, 16: 4096, 17: 6144, 18: 8192}.items():
    GROUPS.update(dict.fromkeys((f"dh{_number}", f"modp{_bits}"), f"modp{_bits}"))
for _number, _bits in {19: 256, 20: 384, 21: 521}.items():
    GROUPS.update(dict.fromkeys((f"dh{_number}", f"ecp{_bits}", f"ecp_{_bits}"), f"ecp{_bits}"))
# What pluto takes where a proposal names none; 4.10 has the groups in another order.
HASHES_DEFAULT: tuple[str, ...] = ("sha512", "sha256")
GROUPS_DEFAULT = tuple("ecp256 ecp384 ecp521 curve25519 modp4096 modp3072 modp2048 modp8192".split())
# Keywords that say more of the ESP proposals than esp= does.
BY_HAND = ("phase2", "esn", "sha2-truncbug", "ms-dh-downgrade")

LIFETIMES = {IKE: ("ikelifetime",), ESP: ("salifetime", "ipsec-lifetime", "keylife", "lifetime")}
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
NO = ("no", "n", "false", "off")
# What has a place of its own in a view.
SHOWN = frozenset(("pfs", "dpddelay", "retransmit-timeout", "dpdaction", "encapsulation", *sum(LIFETIMES.values(), ())))


class Proposal(t.NamedTuple):
    """One of the proposals of ike= or esp=, in swanctl's words; an empty group is none at all."""

    ciphers: tuple[str, ...]
    prfs: tuple[str, ...]
    integrity: tuple[str, ...]
    groups: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Host:
    """What holds for all tunnels of a host: its name, proposals of tunnels that name none, dead peer detection in
    seconds, its outer address as peers see it where it is behind NAT, the networks behind it, outer addresses of
    hosts that are managed too, its public key (C(type), C(public_key)), the type of the keys of certificates, and
    its AS number or 0."""

    name: str
    ike: str
    esp: str
    dpd_delay: int = 30
    dpd_timeout: int = 60
    address: str = ""
    networks: t.Sequence[str] = ()
    managed: t.Collection[str] = ()
    own_key: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    certificate_type: str = "rsa"
    asn: int = 0


def strongswan_proposal(text: str, kind: str, groups: t.Optional[t.Sequence[str]] = ()) -> str:
    """libreswan's C(ike) or C(esp) proposals as swanctl's proposals or esp_proposals. For ESP, the groups are those of
    the IKE SA, which libreswan takes where esp= names none; None is for pfs=no. ValueError where a word is not known to
    mean the same, or the words do not go together."""
    return ",".join(word for one in text.lower().split(",") for word in _swanctl(_parsed(one, kind), kind, groups))


def ike_groups(text: str) -> tuple[str, ...]:
    """The groups of all IKE proposals, each once."""
    return tuple(dict.fromkeys(group for one in text.lower().split(",") for group in _parsed(one, IKE).groups))


def _parsed(text: str, kind: str) -> Proposal:
    """v2_proposals.c: ciphers[-prf|-integrity[-prf]][-groups] for IKE, ciphers[-integrity][-groups] for ESP, where ';'
    in place of the last '-' makes sure that groups follow."""
    head, semicolon, tail = text.partition(";")
    ciphers, *rest = head.split("-")
    found = [_cipher(name, kind) for name in ciphers.split("+")]
    if len({aead for _words, aead in found}) > 1:
        raise ValueError(f"{ciphers!r} mixes ciphers that need integrity with ciphers that bring it")
    aead, prfs = found[0][1], HASHES_DEFAULT
    integrity: tuple[str, ...] = ("",) if aead else ()
    if rest and (kind == ESP or not set(rest[0].split("+")) <= set(PRFS)):
        integrity = _words(rest.pop(0), INTEGRITY, "integrity or PRF" if kind == IKE else "integrity")
    if rest and kind == IKE:
        prfs = _words(rest.pop(0), PRFS, "PRF")
    integrity = integrity or prfs
    if aead is not (integrity == ("",)) or (not aead and "" in integrity):
        raise ValueError(f"{text!r} has a cipher and an integrity that do not go together")
    if not semicolon and rest:
        semicolon, tail = "-", rest.pop(0)
    if rest:
        raise ValueError(f"{text!r} has more parts than are known")
    groups = _words(tail, GROUPS, "group") if semicolon else (GROUPS_DEFAULT if kind == IKE else ())
    if kind == IKE and "" in groups:
        raise ValueError(f"{text!r} has no group for IKE")
    return Proposal(tuple(dict.fromkeys(word for words, _aead in found for word in words)), prfs, integrity, groups)


def _cipher(name: str, kind: str) -> tuple[tuple[str, ...], bool]:
    """The words of a cipher, two where no key size is said, and whether it is AEAD."""
    sizes: tuple[str, ...] = ("256", "128") if kind == IKE else ("128", "256")
    aead, sized = AEAD.fullmatch(name), SIZED.fullmatch(name)
    if aead and (kind == ESP or aead[1] == "gcm"):
        sizes = (aead[4],) if aead[4] else sizes
        return tuple(f"aes{size}{aead[1]}{aead[2] or ICV[aead[3]]}" for size in sizes), True
    if sized:
        sizes = (sized[3],) if sized[3] else sizes
        return tuple(f"aes{size}ctr" if sized[1] else f"{sized[2]}{size}" for size in sizes), False
    if name in FIXED and (kind == ESP or name != "null"):
        return (FIXED[name],), "poly1305" in name
    raise ValueError(f"{name!r} is no cipher for {kind} that is known to mean the same to strongSwan")


def _words(text: str, known: t.Mapping[str, str], what: str) -> tuple[str, ...]:
    unknown = [name for name in text.split("+") if name not in known]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no {what} that is known to mean the same to strongSwan")
    return tuple(dict.fromkeys(known[name] for name in text.split("+")))


def _swanctl(one: Proposal, kind: str, groups: t.Optional[t.Sequence[str]]) -> list[str]:
    words = [*one.ciphers, *(name for name in one.integrity if name)]
    if kind == IKE:  # strongSwan, too, takes the PRFs from the integrity where it is the same.
        return ["-".join([*words, *(f"prf{x}" for x in one.prfs if one.integrity != one.prfs), *one.groups])]
    wanted = () if groups is None else one.groups or groups
    named = [group for group in wanted if group]
    # An empty group beside others: without PFS is as good to libreswan.
    return (["-".join([*words, *named])] if named else []) + (["-".join(words)] if "" in wanted or not named else [])


def views(raw_tunnels: t.Any, host: Host) -> list[dict[str, t.Any]]:
    """The tunnels to peers that are not managed, in the order of the list, each seen from its peer. Raises InputErrors
    with all that is wrong. Neither an error nor what is returned holds a secret."""
    found = Refusals()
    networks = [found.check(host.name, f"networks[{n}]", x, _values.network, "") for n, x in enumerate(host.networks)]
    address = found.check(host.name, "address", host.address, _values.address, None) if host.address else None
    try:
        tunnels = _tunnels.normalise(raw_tunnels)
    except InputErrors as exc:
        found.errors += exc.errors
    found.stop_if_any()
    managed = {str(value) for value in host.managed}
    unmanaged = (x for x in tunnels if not x.get("peer") and str(x["remote"]) not in managed)
    return [_view(tunnel, host, networks, address) for tunnel in unmanaged]


def _view(tunnel: _tunnels.Tunnel, host: Host, networks: list[str], address: t.Any) -> dict[str, t.Any]:
    options, local, mark = tunnel["options"], tunnel["local"], tunnel["mark_out"].value
    pfs = options.get("pfs", "yes").lower() not in NO
    nat = _values.is_private(local) and not _values.is_private(tunnel["remote"])
    seen = address if nat and address and address.version == local.version else None if nat else local
    inner = _tunnels.inner_addresses(tunnel)
    inside = [*networks, *tunnel["routes"], *(entry["address"] for entry in inner), str(local)]
    return {
        "name": tunnel["name"],
        "host": host.name,
        # For conns of the far side; several of our hosts may have a tunnel of one name.
        "conn": re.sub(r"[^A-Za-z0-9_-]", "_", f"{host.name}-{tunnel['name']}"),
        "family": local.version,
        "families": sorted({_values.family(value) for value in inside}),
        "our": {"address": str(seen or ""), "local": str(local), "nat": nat, "id": tunnel["local_id"]},
        "your": {"address": str(tunnel["remote"]), "id": tunnel["remote_id"]},
        "auth": tunnel["auth"],
        "secret_bytes": len(tunnel["psk"].encode()) if tunnel.get("psk") else None,
        "our_key": {word: host.own_key[word] for word in ("type", "public_key") if word in host.own_key},
        "your_key": tunnel.get("remote_key") or {},
        "certificate_type": host.certificate_type,
        **_proposals(tunnel, host, pfs),
        "pfs": pfs,
        "lifetimes": {kind: _lifetime(options, names) for kind, names in LIFETIMES.items()},
        "selector": "::/0" if local.version == 6 else "0.0.0.0/0",
        "networks": networks,
        "routes": tunnel["routes"],
        "inner": [_inner(entry) for entry in inner],
        "mtu": tunnel["mtu"],
        "mss": {"ipv4": _mtu.mss(tunnel["mtu"], 4), "ipv6": _mtu.mss(tunnel["mtu"], 6)},
        "dpd_delay": _seconds(options.get("dpddelay", str(_first(tunnel["dpd_delay"], host.dpd_delay)))),
        "dpd_timeout": _seconds(
            options.get("retransmit-timeout", str(_first(tunnel["dpd_timeout"], host.dpd_timeout)))
        ),
        "bgp": _bgp_view(tunnel["bgp"], host) if tunnel["bgp"] else None,
        "encapsulation": options.get("encapsulation", "auto"),
        "auto": tunnel["auto"],
        "mark": mark,
        "interface": f"vti{mark}",
        "options": {key: value for key, value in options.items() if key not in SHOWN},
    }


def _first(*values: t.Optional[int]) -> t.Optional[int]:
    return next((value for value in values if value is not None), None)


def _bgp_view(session: t.Mapping[str, t.Any], host: Host) -> dict[str, t.Any]:
    """A BGP session, with 0 for an own AS number that neither tunnel nor host says."""
    words = ("hold_time", "keepalive", "bfd", "bfd_interval", "bfd_multiplier", "maximum_prefix", "ttl_security")
    numbers = {"our_as": session["local_as"] or host.asn, "your_as": session["remote_as"]}
    more = {word: session[word] for word in words}
    return {**numbers, "neighbor": session["neighbor"], "password": bool(session["password"]), **more}


def _proposals(tunnel: _tunnels.Tunnel, host: Host, pfs: bool) -> dict[str, dict[str, str]]:
    """Of IKE and ESP, libreswan's words, and strongSwan's or why there are none."""
    ike, esp = tunnel["ike"] or host.ike, tunnel["esp"] or host.esp
    more = [key for key in BY_HAND if key in tunnel["options"]]
    result = {}
    for kind, text in ((IKE, ike), (ESP, esp)):
        try:
            if kind == ESP and more:
                raise ValueError(f"our conn has {more[0]}=, too")
            words, reason = strongswan_proposal(text, kind, ike_groups(ike) if pfs else None), ""
        except ValueError as exc:
            words, reason = "", str(exc)
        result[kind] = {"libreswan": text, "strongswan": words, "reason": reason}
    return result


def _lifetime(options: t.Mapping[str, str], names: t.Sequence[str]) -> dict[str, t.Any]:
    said = [options[name] for name in names if name in options]
    text = said[0] if said else "8h"
    return {"keyword": names[0], "text": text, "seconds": _seconds(text), "default": not said}


def _seconds(text: str) -> t.Optional[int]:
    """None where it is not a whole number with a unit that is known."""
    found = re.fullmatch(r"([0-9]+)([smhdw]?)", text)
    return int(found[1]) * UNITS[found[2]] if found else None


def _inner(entry: t.Mapping[str, str]) -> dict[str, str]:
    """An inner address from the other end: C(ours), C(yours) where there is one choice, C(network) to choose from, and
    C(words), what comes after C(ip address add)."""
    ours = ipaddress.ip_interface(entry["address"])
    result = {"ours": str(ours.ip), "network": str(ours.network), "yours": entry.get("peer", ""), "words": ""}
    if result["yours"]:
        width = ours.ip.max_prefixlen
        return {**result, "words": f"{result['yours']}/{width} peer {ours.ip}/{width}"}
    others = [host for host in ours.network.hosts() if host != ours.ip] if ours.network.num_addresses <= 4 else []
    if len(others) == 1:
        result.update({"yours": str(others[0]), "words": f"{others[0]}/{ours.network.prefixlen}"})
    return result

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""How the two ends of a tunnel prove who they are: pre-shared keys, raw public keys, certificates. Pure functions."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _secrets, _values
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError

if t.TYPE_CHECKING:
    Tunnel = dict[str, t.Any]

PSK, KEY, CERTIFICATE = "psk", "key", "certificate"
PSK_MIN = 20
# Of each way, the options of a tunnel that belong to it.
OPTIONS = {PSK: ("psk",), KEY: ("peer", "remote_key"), CERTIFICATE: ("certificate",)}
# One grammar for ids: an address, @name or user@name. No blank and no quote may stand in an unquoted value of
# ipsec.conf, and ipsec.secrets has no way to escape them.
ID = re.compile(r"@?[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}")
DN = re.compile(r"[A-Za-z0-9.]+ ?=[A-Za-z0-9 .,=@:/*_-]{1,250}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
PUBLIC_KEY = re.compile(r"0s[A-Za-z0-9+/]{40,4000}={0,2}")
AUTHBY = {"rsa": "rsa-sha2", "ecdsa": "ecdsa"}
KEYWORDS = {"rsa": "rsasigkey", "ecdsa": "ecdsakey"}


@dataclasses.dataclass(frozen=True)
class Credentials:
    """What a host has: a master secret and its epoch, its own raw key (C(ckaid), C(type)), the public keys of peers by
    inventory name (C(type), C(public_key)), the nickname of its certificate and the type of its key."""

    psk_master: str = dataclasses.field(default="", repr=False)
    psk_epoch: str = "1"
    own_key: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    keys: t.Mapping[str, t.Mapping[str, str]] = dataclasses.field(default_factory=dict)
    certificate: str = ""
    certificate_type: str = "rsa"


class Item(t.Protocol):
    """Collects the errors of one tunnel."""

    def refuse(self, option: str, value: object, reason: str) -> None:
        """Note one refused value."""


def identity(value: str) -> str:
    """An id that ipsec.conf and ipsec.secrets take, or a distinguished name; ValueError where it is neither."""
    if not ID.fullmatch(value) and not DN.fullmatch(value) and value != "%fromcert":
        raise ValueError("is not an id: write an address, @name, user@name, or a DN like C=DE, CN=west")
    _values.identity_is_literal(value)
    return value


def checked(item: Item, raw: Tunnel, tunnel: Tunnel) -> Tunnel:
    """The part of a tunnel that says how its ends prove themselves; what is refused goes to the item."""
    auth = raw.get("auth", PSK)
    if auth not in OPTIONS:
        item.refuse("auth", auth, f"is none of {', '.join(OPTIONS)}")
        return {"auth": PSK, "psk": ""}
    for way, options in OPTIONS.items():
        for option in options:
            if way != auth and option in raw:
                item.refuse(option, "..." if option == "psk" else raw[option], f"belongs to auth={way}, not to {auth}")
    if auth == PSK:
        for side in ("local_id", "remote_id"):
            if tunnel[side] and not (ID.fullmatch(tunnel[side]) and _secrets.is_id(tunnel[side])):
                item.refuse(side, tunnel[side], "is no id that a secret can be kept for: an address, a name or @name")
        return {"auth": auth, "psk": _psk(item, raw.get("psk"))}
    if auth == KEY:
        return {"auth": auth, "peer": _peer(item, raw), "remote_key": _remote_key(item, raw)}
    if "local_id" not in raw:
        tunnel["local_id"] = "%fromcert"
    if "remote_id" not in raw:
        item.refuse("remote_id", None, "is missing: with certificates the peer's subject or alternative name is its id")
    return {"auth": auth, "certificate": _name(item, "certificate", raw.get("certificate", ""))}


def _psk(item: Item, value: t.Optional[str]) -> t.Optional[str]:
    # Never the value itself in a message. None: derived from the master secret.
    if value is None:
        return None
    size = len(value.encode())
    if size < PSK_MIN:
        item.refuse("psk", "...", f"has {size} bytes; a secret against guessing needs {PSK_MIN} or more")
    elif size > _secrets.BYTES_MAX:
        item.refuse("psk", "...", f"is longer than {_secrets.BYTES_MAX} bytes")
    return value


def _name(item: Item, option: str, value: str) -> str:
    if value and not NAME.fullmatch(value):
        item.refuse(option, value, "is not a name of letters, digits, '.', '_' or '-'")
    return value


def _peer(item: Item, raw: Tunnel) -> str:
    if ("peer" in raw) == ("remote_key" in raw):
        item.refuse("peer", raw.get("peer"), "write either peer, the inventory name of the other end, or remote_key")
    return _name(item, "peer", raw.get("peer", ""))


def _remote_key(item: Item, raw: Tunnel) -> t.Optional[dict[str, str]]:
    key = raw.get("remote_key")
    if key is None:
        return None
    if set(key) != {"type", "public_key"} or key["type"] not in KEYWORDS:
        item.refuse("remote_key", key, "is a dict of type, rsa or ecdsa, and public_key")
    elif not PUBLIC_KEY.fullmatch(str(key["public_key"])):
        item.refuse("remote_key.public_key", key["public_key"], "is not 0s and base64, as ipsec showhostkey prints it")
    return dict(key)


def different_secrets(tunnels: t.Sequence[Tunnel]) -> list[InputError]:
    """pluto looks a secret up by the two ids alone."""
    errors: list[InputError] = []
    seen: dict[frozenset[str], tuple[int, t.Optional[str]]] = {}
    for index, tunnel in enumerate(tunnels):
        if tunnel["auth"] != PSK:
            continue
        first, psk = seen.setdefault(frozenset((tunnel["local_id"], tunnel["remote_id"])), (index, tunnel["psk"]))
        if psk != tunnel["psk"]:
            label = f"gateway_tunnels[{index}] ({tunnel['name']!r})"
            reason = f"is not the secret of gateway_tunnels[{first}], which has the same two ids; give them other ids"
            errors.append(InputError(label, "psk", "...", reason))
    return errors


def missing(tunnels: t.Sequence[Tunnel], credentials: Credentials) -> list[InputError]:
    """What a tunnel needs and the host does not have, however often it is run."""
    errors = []
    for index, tunnel in enumerate(tunnels):
        label = f"gateway_tunnels[{index}] ({tunnel['name']!r})"
        if tunnel["auth"] == PSK and tunnel["psk"] is None:
            try:
                _derived(tunnel, credentials)
            except ValueError as exc:
                reason = f"is missing: the two ends need one secret of theirs, or gateway_psk_master; {exc}"
                errors.append(InputError(label, "psk", "...", reason))
        elif tunnel["auth"] == CERTIFICATE and not (tunnel["certificate"] or credentials.certificate):
            errors.append(InputError(label, "certificate", "", "is missing, and gateway_certificates names none"))
        elif tunnel["auth"] == KEY:
            remote, own = remote_key(tunnel, credentials), credentials.own_key
            if remote and own and remote["type"] != own["type"]:
                reason = f"is {remote['type']}, and this host's is {own['type']}: libreswan wants one type at both ends"
                errors.append(InputError(label, "peer", tunnel["peer"] or "remote_key", reason))
    return errors


def remote_key(tunnel: Tunnel, credentials: Credentials) -> t.Optional[t.Mapping[str, str]]:
    """The public key of the other end; None where its host has not made one yet."""
    return tunnel["remote_key"] or credentials.keys.get(tunnel["peer"])


def ready(tunnel: Tunnel, credentials: Credentials) -> bool:
    """Whether a conn has all that it needs to be loaded."""
    return tunnel["auth"] != KEY or bool(remote_key(tunnel, credentials) and credentials.own_key)


def words(tunnel: Tunnel, credentials: Credentials) -> dict[str, str]:
    """The keywords of a conn that say who the ends are and how they prove it."""
    ids = {"leftid": tunnel["local_id"], "rightid": tunnel["remote_id"]}
    if tunnel["auth"] == PSK:
        return {**ids, "authby": "secret"}
    if tunnel["auth"] == CERTIFICATE:
        certificate = tunnel["certificate"] or credentials.certificate
        authby = AUTHBY[credentials.certificate_type]
        return {**ids, "leftcert": certificate, "leftsendcert": "always", "authby": authby}
    own, remote = credentials.own_key, remote_key(tunnel, credentials)
    result = dict(ids)
    if own:
        result.update({"leftckaid": own["ckaid"], "authby": AUTHBY[own["type"]]})
    if remote:
        result[f"right{KEYWORDS[remote['type']]}"] = remote["public_key"]
    return result


def secrets(tunnels: t.Sequence[Tunnel], credentials: Credentials) -> list[dict[str, t.Any]]:
    """The C(secrets) of ipsec_conn: ids and secret of each tunnel that has one, or for which one is derived."""
    return [
        {
            "ids": [tunnel["local_id"], tunnel["remote_id"]],
            "psk": tunnel["psk"] if tunnel["psk"] is not None else _derived(tunnel, credentials),
        }
        for tunnel in tunnels
        if tunnel["auth"] == PSK
    ]


def _derived(tunnel: Tunnel, credentials: Credentials) -> str:
    ids = (tunnel["local_id"], tunnel["remote_id"])
    return _secrets.derived_psk(credentials.psk_master, ids, credentials.psk_epoch)

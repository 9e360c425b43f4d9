# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How much of an underlay's MTU is left inside an ESP tunnel. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t

ESP_DEFAULT = "aes_gcm256"
ESP_HEADER, ESP_TRAILER, UDP_HEADER = 8, 2, 8  # SPI and sequence number; padding length and next header
OUTER_HEADER = {"vti": 20, "vti6": 40}
IP_AND_TCP = {4: 40, 6: 60}
# Bytes of integrity check value: RFC 2403, 2404, 4868, 3566, 4494.
INTEGRITY = {
    "md5": 12,
    "sha1": 12,
    "sha": 12,
    "sha2": 16,
    "sha2_256": 16,
    "sha256": 16,
    "sha2_384": 24,
    "sha384": 24,
    "sha2_512": 32,
    "sha512": 32,
    "aes_xcbc": 12,
    "aes_cmac": 12,
    "none": 0,
}
# libreswan's aes_gcm_a and the like: the check value's length is in the name; c, 16 bytes, without.
AEAD = re.compile(r"(?:aes_(?:gcm|ccm)|chacha20_poly1305)(?:_(a|b|c|8|12|16))?_?(?:128|192|256)?")
AEAD_ICV = {"a": 8, "8": 8, "b": 12, "12": 12, "c": 16, "16": 16, None: 16}
BLOCK_CIPHER = re.compile(r"(?:aes_cbc|aes|camellia_cbc|camellia)_?(?:128|192|256)?")
COUNTER_CIPHER = re.compile(r"aes_ctr_?(?:128|192|256)?")
KNOWN = "aes_gcm, aes_ccm, chacha20_poly1305, aes, camellia, aes_ctr, 3des, null"


@dataclasses.dataclass(frozen=True)
class Auto:
    """What an MTU is to be worked out from: the esp= proposal, whether ESP goes in UDP, and the MTU of the underlay in
    bytes, 0 where the kernel is to be asked."""

    esp: str = ESP_DEFAULT
    nat_t: bool = False
    underlay_mtu: int = 0


def inner_mtu(auto: Auto, kind: str, underlay_mtu: int) -> int:
    """The longest packet, in bytes, that fits into one outer packet, with the least favourable of the proposals.

    Raises ValueError for a proposal that is not known."""
    outer = OUTER_HEADER[kind] + (UDP_HEADER if auto.nat_t else 0) + ESP_HEADER
    return min(_room(underlay_mtu - outer, *overhead) for overhead in overheads(auto.esp))


def mss(mtu: int, family: int) -> int:
    """The longest TCP segment, in bytes, of packets of an MTU."""
    return mtu - IP_AND_TCP[family]


def _room(size: int, iv: int, icv: int, align: int) -> int:
    """What is left of the ESP payload when it is padded to the cipher's blocks."""
    return (size - iv - icv) // align * align - ESP_TRAILER


def overheads(esp: str) -> list[tuple[int, int, int]]:
    """Initialisation vector, check value and block size in bytes, of each combination that an esp= value proposes."""
    result: list[tuple[int, int, int]] = []
    for proposal in esp.lower().split(","):
        ciphers, _dash, rest = proposal.strip().partition(";")[0].partition("-")
        integrity = [name for name in rest.split("-")[0].split("+") if name in INTEGRITY]
        for cipher in ciphers.split("+"):
            result += _of_cipher(cipher, integrity or ["sha2_512"])
    return result


def _of_cipher(cipher: str, integrity: t.Sequence[str]) -> list[tuple[int, int, int]]:
    aead = AEAD.fullmatch(cipher)
    if aead:
        return [(8, AEAD_ICV[aead.group(1)], 4)]
    if BLOCK_CIPHER.fullmatch(cipher):
        iv, align = 16, 16
    elif cipher in ("3des", "3des_cbc"):
        iv, align = 8, 8
    elif COUNTER_CIPHER.fullmatch(cipher):
        iv, align = 8, 4
    elif cipher == "null":
        iv, align = 0, 4
    else:
        raise ValueError(f"has the cipher {cipher!r}, whose overhead is not known; known are {KNOWN}")
    return [(iv, INTEGRITY[name], align) for name in integrity]

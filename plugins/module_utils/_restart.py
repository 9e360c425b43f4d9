# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether pluto could start again on a host as it is. It looks at every address of the host when it starts: it opens
sockets on each, and logs each pair of devices that share one. A pluto that runs notices neither. Pure."""

from __future__ import annotations

import collections
import ipaddress
import json
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _limits, _versions

#: UDP sockets for each local address, ports 500 and 4500, and what pluto has open beside them (16 to 20 were seen).
SOCKETS, OTHER_FILES = 2, 64
#: So many lines about pairs are logged while pluto answers nobody. 5.2 stops for ever between 1,540 and 1,653 of them;
#: 4.10 takes 24 s for 180,000 on an idle machine, and systemd kills it after 90 s.
PAIRS, PAIRS_BEFORE_5 = 1500, 180_000
#: systemd's limit for a unit that says nothing of it.
USUAL_FILES = 1024

#: systemd's own view of the unit, with the files of settings that it has read; and the addresses of all devices.
LIMIT_COMMAND = ("systemctl", "show", "--property=LimitNOFILESoft", "--value", "ipsec.service")
LIMIT_SECONDS = 30
ADDRESS_COMMAND = ("ip", "-json", "-details", "address", "show")


class Restart(t.NamedTuple):
    """What decides it: the addresses of all devices that are up, one entry for each device that has it; and how many
    files ipsec.service may open, C(None) where that is not known or has no limit."""

    addresses: tuple[str, ...] = ()
    open_files: t.Optional[int] = None

    def problems(self, version: t.Optional[_versions.Version]) -> list[str]:
        """Why it could not start, and what to do; nothing where it could. A version that is not known counts as 5."""
        found = []
        files = SOCKETS * len(set(self.addresses)) + OTHER_FILES
        if self.open_files is not None and files > self.open_files:
            found.append(
                f"pluto would not survive a restart: it opens {SOCKETS} sockets on each of {len(set(self.addresses))} "
                f"local addresses, and ipsec.service may open {self.open_files} files; write LimitNOFILE={room(files)} "
                "under [Service] into a file in /etc/systemd/system/ipsec.service.d, and run systemctl daemon-reload"
            )
        most = PAIRS_BEFORE_5 if version and version < (5, 0) else PAIRS
        counts = collections.Counter(self.addresses)
        if sum(count * (count - 1) // 2 for count in counts.values()) > most:
            address, count = counts.most_common(1)[0]
            found.append(
                f"pluto would not survive a restart: {count} devices have the address {address}, and libreswan logs "
                "each pair of them before it answers anybody; give the address to one device, and let the others use "
                "it (unnumbered in gateway_tunnels and vti_tunnel)"
            )
        return found


def room(files: int) -> int:
    """A limit that leaves room for as many again: a power of two, so that it seldom changes."""
    return 1 << (2 * files - 1).bit_length()


def open_files(addresses: int) -> int:
    """The limit that a host with so many addresses of tunnels is given; 0 where the usual one will do."""
    files = room(SOCKETS * addresses + OTHER_FILES)
    return files if files > USUAL_FILES else 0


def addresses(text: str, without: t.Collection[str] = ()) -> tuple[str, ...]:
    """The addresses that C(ip -json address show) tells of devices that are up, without those of some devices. pluto
    leaves link-local ones alone."""
    found = []
    for link in json.loads(text or "[]"):
        if "UP" in link.get("flags", ()) and link.get("ifname") not in without:
            local = [entry.get("local") for entry in link.get("addr_info", ())]
            found += [str(address) for address in local if address and not ipaddress.ip_address(address).is_link_local]
    return tuple(found)


def limit(text: str) -> t.Optional[int]:
    """What systemctl says of the limit; None for no limit, a unit that there is not, and anything else."""
    return int(text) if text.strip().isdigit() else None


def look(run: t.Callable[[list[str]], tuple[int, str, str]]) -> Restart:
    """The host as it is."""
    told = [run(_limits.command(command, LIMIT_SECONDS)) for command in (ADDRESS_COMMAND, LIMIT_COMMAND)]
    shown, allowed = ("" if rc else out for rc, out, _err in told)
    return Restart(addresses(shown), limit(allowed))

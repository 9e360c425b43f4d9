# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether pluto could start again on a host as it is. It looks at every address of the host when it starts: it opens
sockets on each, and logs each of them, each pair of devices that share one, and each conn. A pluto that runs notices
none of it.

libreswan 5 hands those lines to addconn, which has loaded the conns, and reads again through a pipe what addconn says,
both in one thread. Where the pipe fills up (64 KiB) both wait for each other, for ever: pluto answers nobody, and
listens nowhere. Another whack that has it listen before addconn does gets the lines itself, and they are not said
again. Pure but for look()."""

from __future__ import annotations

import collections
import ipaddress
import json
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _limits

#: UDP sockets for each local address, ports 500 and 4500, and what pluto has open beside them (16 to 20 were seen).
SOCKETS, OTHER_FILES = 2, 64
#: So many lines about pairs are logged while pluto answers nobody. 5.2 stops for ever between 1,540 and 1,653 of them;
#: 4.10 takes 24 s for 180,000 on an idle machine, and systemd kills it after 90 s.
PAIRS, PAIRS_BEFORE_5 = 1500, 180_000
#: Of conns and addresses together. 5.2 has started with 500 of each; with 1,000 conns alone it did once in two times,
#: with 1,400 never. From so many on the role has another whack listen first, and from so many on a start without that
#: counts as lost.
LISTEN_FIRST_FROM, LOST_FROM = 300, 900
LISTEN_FIRST = "whack --listen"
#: systemd's limit for a unit that says nothing of it.
USUAL_FILES = 1024

#: systemd's own view of the unit, with the files of settings that it has read; and the addresses of all devices.
UNIT_COMMAND = ("systemctl", "show", "--property=LimitNOFILESoft,ExecStartPost", "ipsec.service")
LIMIT_SECONDS = 30
ADDRESS_COMMAND = ("ip", "-json", "-details", "address", "show")


class Restart(t.NamedTuple):
    """What decides it: the addresses of all devices that are up, one entry for each device that has it; how many files
    ipsec.service may open, C(None) where that is not known or has no limit; and whether the unit has another whack
    listen first."""

    addresses: tuple[str, ...] = ()
    open_files: t.Optional[int] = None
    listens_first: bool = False

    def problems(self, version: t.Optional[tuple[int, ...]], conns: int = 0) -> list[str]:
        """Why it could not start with so many conns, and what to do; nothing where it could. A version that is not
        known counts as 5."""
        found = []
        old = version is not None and version < (5, 0)
        local = len(set(self.addresses))
        if not old and not self.listens_first and local + conns > LOST_FROM:
            found.append(
                f"pluto would not survive a restart: libreswan 5 stops for ever as it logs {conns} conns and "
                f"{local} local addresses to the program that loads the conns; run the playbook site, which "
                f"has 'ipsec {LISTEN_FIRST}' run before that"
            )
        files = SOCKETS * local + OTHER_FILES
        if self.open_files is not None and files > self.open_files:
            found.append(
                f"pluto would not survive a restart: it opens {SOCKETS} sockets on each of {local} "
                f"local addresses, and ipsec.service may open {self.open_files} files; write LimitNOFILE={room(files)} "
                "under [Service] into a file in /etc/systemd/system/ipsec.service.d, and run systemctl daemon-reload"
            )
        most = PAIRS_BEFORE_5 if old else PAIRS
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


class Settings(t.NamedTuple):
    """What ipsec.service is to have for pluto to start again; nothing where it can as it is."""

    open_files: int = 0
    listen_first: bool = False


def settings(addresses: int, conns: int) -> Settings:
    """For so many addresses of tunnels, and so many conns."""
    files = room(SOCKETS * addresses + OTHER_FILES)
    return Settings(files if files > USUAL_FILES else 0, addresses + conns >= LISTEN_FIRST_FROM)


def addresses(text: str, without: t.Collection[str] = ()) -> tuple[str, ...]:
    """The addresses that C(ip -json address show) tells of devices that are up, without those of some devices. pluto
    leaves link-local ones alone."""
    found = []
    for link in json.loads(text or "[]"):
        if "UP" in link.get("flags", ()) and link.get("ifname") not in without:
            local = [entry.get("local") for entry in link.get("addr_info", ())]
            found += [str(address) for address in local if address and not ipaddress.ip_address(address).is_link_local]
    return tuple(found)


def unit(text: str) -> tuple[t.Optional[int], bool]:
    """What C(UNIT_COMMAND) says: the limit of open files, None for no limit, a unit that there is not, and anything
    else; and whether another whack listens first."""
    said = dict(line.partition("=")[::2] for line in text.splitlines())
    files = said.get("LimitNOFILESoft", "").strip()
    return int(files) if files.isdigit() else None, LISTEN_FIRST in said.get("ExecStartPost", "")


def look(run: t.Callable[[list[str]], tuple[int, str, str]]) -> Restart:
    """The host as it is."""
    told = [run(_limits.command(command, LIMIT_SECONDS)) for command in (ADDRESS_COMMAND, UNIT_COMMAND)]
    shown, of_unit = ("" if rc else out for rc, out, _err in told)
    return Restart(addresses(shown), *unit(of_unit))

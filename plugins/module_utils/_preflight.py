# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What stands in the way of the tunnels that a host is to get. look() reads the host; the checks below it are pure.

It has to run where nothing is installed yet, and on any Python that ansible-core runs on, if only to say that it is too
old: the standard library, and the programs ip, unshare and ipsec where they are there.
"""

from __future__ import annotations

import dataclasses
import glob
import ipaddress
import json
import os
import platform
import re
import sys
import time
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import (
    _devices,
    _files,
    _limits,
    _main_conf,
    _marks,
    _restart,
    _status,
    _xfrm,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import Refusals, StoreError

if t.TYPE_CHECKING:

    class Tools(t.Protocol):
        """Of AnsibleModule, what is needed to run programs."""

        def run_command(self, args: list[str]) -> tuple[int, str, str]: ...

        def get_bin_path(self, arg: str, required: bool, opt_dirs: list[str]) -> t.Optional[str]: ...


PYTHON_MIN, LIBRESWAN_MIN, PYROUTE2_MIN = (3, 9), (4, 10), (0, 7, 2)
#: Where the other modules look for pyroute2, too, when their own Python lacks it; see _deps.py.
SYSTEM_PYTHONS = ("/usr/libexec/platform-python", "/usr/bin/python3")
# Debian 12's package calls itself "unknown" in pyroute2.__version__, and to import it takes long.
PYROUTE2_VERSION = """
import importlib.metadata
try:
    version = importlib.metadata.version("pyroute2")
except importlib.metadata.PackageNotFoundError:
    import pyroute2
    version = getattr(pyroute2, "__version__", "unknown")
print(version)
"""
SBIN = ["/usr/sbin", "/sbin", "/usr/local/sbin"]
IKE_PORT = 500
#: How long a program may take; pluto that hangs is one of the problems.
LIMIT_SECONDS = 60
#: Addresses for documentation (RFC 5737, RFC 3849): a device between them can be made anywhere.
TRIAL_ENDS = {"vti": ("192.0.2.1", "198.51.100.1"), "vti6": ("2001:db8::1", "2001:db8::2")}
NO_PROGRAM = "there is no program"
MODULES = {"vti": "ip_vti", "vti6": "ip6_vti", _devices.DUMMY: "dummy"}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the host is to get."""

    conns: tuple[str, ...] = ()
    devices: tuple[_devices.Device, ...] = ()
    path: str = "/etc/ipsec.d/route_based_vpn.conf"
    now: t.Optional[float] = None
    clock_skew: int = 300
    installs: bool = True
    forwards: bool = False
    #: one for each device that is to have it
    addresses: tuple[str, ...] = ()
    open_files: int = 0
    listen_first: bool = False
    #: whether it may be that the host is to have no conns any more
    none_allowed: bool = True
    #: of the devices
    marks: tuple[_marks.Holder, ...] = ()

    @property
    def kinds(self) -> list[str]:
        """The kinds of device that the kernel has to make."""
        return sorted({device.kind for device in self.devices} or {"vti"})


@dataclasses.dataclass(frozen=True)
class Host:
    """What was seen of it."""

    python: str = platform.python_version()
    kernel: str = platform.release()
    #: None: there is none
    pyroute2: t.Optional[str] = None
    #: what C(ipsec --version) says; None: there is no such program
    ipsec: t.Optional[str] = None
    #: what the kernel says to a device of a kind, where it makes none
    refusals: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: live devices by name; those that are no VTI have their own kind
    devices: t.Mapping[str, _devices.Device] = dataclasses.field(default_factory=dict)
    clock: float = 0
    systemd: bool = True
    apt: bool = True
    #: names of conns: in our file, in other files with these, in pluto where it runs
    own: frozenset[str] = frozenset()
    around: _main_conf.Around = dataclasses.field(default_factory=_main_conf.Around)
    loaded: t.Optional[frozenset[str]] = None
    hangs: bool = False
    #: why our file cannot be written, or would not be read
    file: tuple[str, ...] = ()
    #: who holds UDP port 500
    ike: tuple[str, ...] = ()
    ip_forward: str = "1"
    rp_filter: str = "0"
    #: as things are, and the addresses of other devices than those that are ours
    restart: _restart.Restart = _restart.Restart()
    others: tuple[str, ...] = ()
    #: conns of others by name, those of files first; the kernel's policies that nobody here stands for; rules by fwmark
    marks: t.Mapping[str, _marks.Holder] = dataclasses.field(default_factory=dict)
    policies: tuple[_marks.Holder, ...] = ()
    rules: tuple[_marks.Holder, ...] = ()
    kube: bool = False

    @property
    def libreswan(self) -> t.Optional[str]:
        """Its version, or as much of one as it tells, where the program ipsec is libreswan's."""
        found = re.search(r"libreswan\s+v?(\S*)", self.ipsec or "", re.IGNORECASE)
        return found.group(1) if found else None


def wanted(params: t.Mapping[str, t.Any]) -> Wanted:
    """The module's options; InputErrors where a device has no name or its ends are no addresses."""
    refused, devices = Refusals(), []
    inner: list[str] = []
    marks: list[_marks.Holder] = []
    for index, entry in enumerate(params["devices"]):
        item = f"devices[{index}] ({entry.get('name')})"
        if not entry.get("name"):
            refused.refuse(item, "name", entry.get("name"), "is missing")
        elif entry.get("state") != "absent":
            local, remote = (refused.check(item, end, entry.get(end), _end, "") for end in ("local", "remote"))
            kind = "vti6" if ":" in local + remote else "vti"
            kind = _devices.DUMMY if entry.get("kind") == _devices.DUMMY else kind
            devices.append(_devices.Device(str(entry["name"]), kind, local, remote, link=entry.get("link") or ""))
            marks.append(_marks.wished(entry))
            inner += [str(a.get("address", "")).partition("/")[0] for a in entry.get("addresses") or ()]
    refused.stop_if_any()
    others = ("path", "now", "clock_skew", "installs", "forwards", "open_files", "listen_first", "none_allowed")
    rest = {name: params[name] for name in others}
    return Wanted(tuple(params["conns"]), tuple(devices), addresses=tuple(inner), marks=tuple(marks), **rest)


def _end(value: t.Any) -> str:
    if value in (None, "", _devices.ANY):
        return _devices.ANY
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("is neither an IPv4 or IPv6 address nor any") from None


# --- reading the host ---------------------------------------------------------------------------------------------


def look(tools: Tools, want: Wanted, root: str = "/") -> Host:
    """The host as it is. Nothing is changed; the kernel loads its module for VTI devices where it has it."""

    def path(name: str) -> str:
        return os.path.join(root, name)

    ipsec = _run(tools, "ipsec", "--version")
    is_libreswan = ipsec is not None and "libreswan" in ipsec[1].lower()
    status = _run(tools, "ipsec", "whack", "--status") if is_libreswan else None
    links = _said(tools, *_restart.ADDRESS_COMMAND)
    unit = _run(tools, *_restart.UNIT_COMMAND)
    devices = live_devices(links)
    ours = [name for name, device in devices.items() if device.owned]
    around, own, reasons = _conf_files(want.path)
    pluto = _status.parse_status(status[1]) if status and not status[0] else None
    foreign = {**(_marks.of_pluto(pluto) if pluto else {}), **_marks.of_files(around)}
    mine = [*_marks.of_files(own).values(), *(_marks.of_device(devices[name]) for name in ours)]
    return Host(
        pyroute2=_pyroute2(tools),
        ipsec=(ipsec[1] or "nothing") if ipsec else None,
        refusals={kind: words for kind in want.kinds for words in [_refusal(tools, kind)] if words},
        devices=devices,
        restart=_restart.Restart(_restart.addresses(links), *_restart.unit(unit[1] if unit else "")),
        others=_restart.addresses(links, ours),
        clock=time.time(),
        systemd=os.path.isdir(path("run/systemd/system")),
        apt=_program(tools, "apt-get") is not None,
        own=frozenset(own.conns),
        around=around,
        loaded=frozenset(pluto.conns) if pluto else None,
        marks={name: holder for name, holder in foreign.items() if name not in own.conns},
        policies=tuple(_marks.of_policies(_xfrm.tunnel_policies(), mine)),
        rules=tuple(_marks.of_rules(*(_said(tools, "ip", "-json", family, "rule", "show") for family in ("-4", "-6")))),
        kube=_runs(path("proc"), _marks.KUBE_PROGRAMS),
        hangs=status is not None and status[0] in _limits.TIMED_OUT,
        file=reasons,
        ike=tuple(_holders(path("proc"), IKE_PORT)),
        ip_forward=_text(path("proc/sys/net/ipv4/ip_forward")),
        rp_filter=_text(path("proc/sys/net/ipv4/conf/all/rp_filter")),
    )


def _program(tools: Tools, name: str) -> t.Optional[str]:
    return tools.get_bin_path(name, required=False, opt_dirs=SBIN)


def _run(tools: Tools, name: str, *arguments: str) -> t.Optional[tuple[int, str]]:
    """Exit code and stdout, or what else it said; None where there is no such program."""
    program = _program(tools, name)
    if not program:
        return None
    rc, out, err = tools.run_command(_limits.command([program, *arguments], LIMIT_SECONDS))
    return rc, out or err


def _said(tools: Tools, name: str, *arguments: str) -> str:
    """Its output; nothing where it failed or is not there."""
    done = _run(tools, name, *arguments)
    return done[1] if done and not done[0] else ""


def _runs(proc: str, names: frozenset[str]) -> bool:
    """Whether a program of one of the names runs."""
    return any(_text(path) in names for path in glob.glob(os.path.join(proc, "[0-9]*", "comm")))


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _pyroute2(tools: Tools) -> t.Optional[str]:
    """Its version in the first Python that has it, this one or the system's."""
    for python in dict.fromkeys([sys.executable, *SYSTEM_PYTHONS]):
        found = _run(tools, python, "-c", PYROUTE2_VERSION)
        if found and not found[0]:
            return found[1].strip()
    return None


def _refusal(tools: Tools, kind: str) -> str:
    """Why no device of a kind can be made, in the kernel's words, or nothing. It is tried in a network namespace that
    ends with the program."""
    local, remote = TRIAL_ENDS.get(kind, ("", ""))
    device = ["name", "vti-trial", "type", kind]
    device += ["local", local, "remote", remote, "key", "1"] if local else []
    ip = _program(tools, "ip")
    done = _run(tools, "unshare", "--net", ip, "link", "add", *device) if ip else None
    if done is None:
        return f"{NO_PROGRAM} {'unshare' if ip else 'ip'}"
    return (" ".join(done[1].split()).rstrip(".") or f"exit code {done[0]}") if done[0] else ""


def live_devices(text: str) -> dict[str, _devices.Device]:
    """The devices that C(ip -json -details address show) tells of; those that are no VTI have no ends."""
    devices = {}
    for link in json.loads(text or "[]"):
        info = link.get("linkinfo") or {}
        data = info.get("info_data") or {}
        kind = info.get("info_kind") or link.get("link_type") or "unknown"
        local, remote = (_live_end(data.get(end)) for end in ("local", "remote"))
        under, alias = link.get("link") or "", link.get("ifalias") or ""
        ikey, okey = (_marks.key(data.get(end)) if kind in ("vti", "vti6") else 0 for end in ("ikey", "okey"))
        devices[link["ifname"]] = _devices.Device(
            link["ifname"], kind, local, remote, ikey=ikey, okey=okey, link=under, alias=alias
        )
    return devices


def _live_end(end: t.Any) -> str:
    return _devices.ANY if end in (None, "", "any", "0.0.0.0", "::") else str(end)


def _conf_files(path: str) -> tuple[_main_conf.Around, _main_conf.Around, tuple[str, ...]]:
    """What stands in other files, those that libreswan may only read once it is installed among them; what stands in
    our own file; and why that cannot be written, or would not be read."""
    around, own, reasons, real = _main_conf.read(path), _main_conf.Around(), [], os.path.realpath(path)
    if os.path.exists(_main_conf.MAIN) and real not in around.files:
        reasons.append(f"{_main_conf.MAIN} does not include {path}: choose a path that it includes, or add one")
    try:
        own = _main_conf.read("", path) if _files.read(path) else own
    except StoreError as exc:
        reasons.append(str(exc))
    for name in sorted(glob.glob(os.path.join(os.path.dirname(path), "*.conf"))):
        if os.path.realpath(name) not in (real, *around.files):
            more = _main_conf.read(path, name)
            for conn, where in more.conns.items():
                around.conns.setdefault(conn, where)
                around.options.setdefault(conn, more.options.get(conn, {}))
    return around, own, tuple(reasons)


def _holders(proc: str, port: int) -> t.Iterator[str]:
    """The programs that have a UDP socket on a port, by name and number."""
    inodes = set()
    for name in ("udp", "udp6"):
        for line in _text(os.path.join(proc, "net", name)).splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for fd in glob.glob(os.path.join(proc, "[0-9]*", "fd", "*")) if inodes else ():
        try:
            found = os.readlink(fd)
        except OSError:
            continue
        if found in inodes:
            inodes.remove(found)
            process = os.path.dirname(os.path.dirname(fd))
            yield f"{_text(os.path.join(process, 'comm'))} (process {os.path.basename(process)})"
    if inodes:
        yield "a program that cannot be seen from here"


# --- the checks: texts out, nothing where all is well -------------------------------------------------------------


def problems(want: Wanted, host: Host) -> list[dict[str, str]]:
    """Everything that is in the way, each as C(check) and C(message)."""
    return [{"check": name, "message": text} for name, check in CHECKS.items() for text in check(want, host)]


def failure(found: t.Sequence[t.Mapping[str, str]]) -> str:
    """All problems as one text."""
    texts = [problem["message"] for problem in found]
    if len(texts) == 1:
        return f"1 problem: {texts[0]}"
    return f"{len(texts)} problems: " + "; ".join(f"({number}) {text}" for number, text in enumerate(texts, 1))


def warnings(want: Wanted, host: Host) -> list[str]:
    """What lets the tunnels come up, and may well keep their packets from getting through."""
    found = []
    if want.forwards and host.ip_forward == "0":
        found.append(
            "net.ipv4.ip_forward is 0: the host forwards no packet between the tunnels and the networks behind it; "
            "set it to 1"
        )
    found += host.restart.problems(_version(host.libreswan or "") or None, len(host.loaded or ()))
    found += _marks.warnings(want.marks, host.rules, host.kube)
    if host.rp_filter == "1":
        found.append(
            "net.ipv4.conf.all.rp_filter is 1 (strict), and the kernel takes the higher one of it and the device's: "
            "packets are dropped that come in by another device than the way back to their source leads out by; set it "
            "to 0, or to 2 (loose)"
        )
    return found


def _version(text: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def _too_old(text: str, minimum: tuple[int, ...]) -> bool:
    """Whether a version is below the least one; nobody knows of one without numbers."""
    return bool(_version(text)) and _version(text) < minimum


def _comes(want: Wanted, host: Host) -> bool:
    """Whether missing packages are installed by whoever calls."""
    return want.installs and host.apt


def _why_not(want: Wanted) -> str:
    return "nothing installs it, as there is no apt-get on this host" if want.installs else "nothing installs it"


def _python(_want: Wanted, host: Host) -> t.Iterator[str]:
    if _too_old(host.python, PYTHON_MIN):
        yield (
            f"Python {host.python} is older than {_dotted(PYTHON_MIN)}, which the modules need: install a newer one, "
            "and name it in ansible_python_interpreter"
        )


def _systemd(_want: Wanted, host: Host) -> t.Iterator[str]:
    if not host.systemd:
        yield (
            "systemd is not running (there is no /run/systemd/system), and pluto, firewall, devices and routes are "
            "brought up by its units: use a host that was booted with systemd"
        )


def _kernel(_want: Wanted, host: Host) -> t.Iterator[str]:
    for kind, words in host.refusals.items():
        what = f"kernel {host.kernel}, device of kind {kind}, tried in a network namespace of its own: {words}"
        if words.startswith(NO_PROGRAM):
            yield f"{what}; install iproute2 and util-linux"
        elif "not permitted" in words:
            yield f"{what}; run as root (become: true), a container with CAP_SYS_ADMIN and CAP_NET_ADMIN"
        else:
            yield f"{what}; load the module {MODULES[kind]}, or install the package with the kernel's extra modules"


def _pyroute2_there(want: Wanted, host: Host) -> t.Iterator[str]:
    least = _dotted(PYROUTE2_MIN)
    if host.pyroute2 is None:
        if not _comes(want, host):
            yield f"pyroute2 is missing, and {_why_not(want)}: install python3-pyroute2, {least} or newer"
    elif _too_old(host.pyroute2, PYROUTE2_MIN):
        yield (
            f"pyroute2 {host.pyroute2} is older than {least}, which the modules for devices and routes need: install a "
            "newer python3-pyroute2"
        )


def _libreswan_there(want: Wanted, host: Host) -> t.Iterator[str]:
    least = _dotted(LIBRESWAN_MIN)
    if host.ipsec is None:
        if not _comes(want, host):
            yield f"libreswan is missing, and {_why_not(want)}: install libreswan, {least} or newer"
    elif host.libreswan is None:
        words = " ".join(host.ipsec.split())[:80]
        yield f"the program ipsec is not libreswan's, it says {words!r}: remove what it belongs to, install libreswan"
    elif _too_old(host.libreswan, LIBRESWAN_MIN):
        yield f"libreswan {host.libreswan} is older than {least}, the oldest that the modules work with: upgrade it"


def _ike(_want: Wanted, host: Host) -> t.Iterator[str]:
    if host.hangs:
        yield (
            f"pluto does not answer: 'ipsec whack --status' was ended after {LIMIT_SECONDS} s; look at 'systemctl "
            "status ipsec', and where it stays so, run 'systemctl restart ipsec', which starts every tunnel again"
        )
    others = [holder for holder in host.ike if not holder.startswith("pluto ")]
    if host.loaded is None and others:
        yield (
            f"UDP port {IKE_PORT} is held by {', '.join(others)} and pluto is not running: another IKE daemon would "
            "take pluto's packets; stop and disable it"
        )


def _clock(want: Wanted, host: Host) -> t.Iterator[str]:
    if want.now is None or abs(host.clock - want.now) <= want.clock_skew:
        return
    shown = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(host.clock))
    way = "ahead of" if host.clock > want.now else "behind"
    yield (
        f"the clock says {shown} and is {abs(host.clock - want.now):.0f} s {way} the controller's, more than "
        f"{want.clock_skew} s: certificates would be judged by the wrong time; set it right, with chrony or "
        "systemd-timesyncd"
    )


def _file(_want: Wanted, host: Host) -> t.Iterator[str]:
    yield from host.file


def _conns(want: Wanted, host: Host) -> t.Iterator[str]:
    for name in dict.fromkeys(want.conns):
        if name in host.around.conns:
            yield (
                f"conn {name}: a foreign conn is in the way: {host.around.conns[name]} has one of this name, and "
                "libreswan would load the first that it meets; remove or rename one"
            )
        elif name in (host.loaded or ()) and name not in host.own:
            yield (
                f"conn {name}: a foreign conn is in the way: pluto has one of this name loaded, which is not in "
                f"{want.path}; rename the tunnel, or find out what has loaded it"
            )


def _some_left(want: Wanted, host: Host) -> t.Iterator[str]:
    if host.own and not want.conns and not want.none_allowed:
        names = ", ".join(sorted(host.own)[:5]) + (", ..." if len(host.own) > 5 else "")
        yield (
            f"the inventory has no tunnel for this host, and {want.path} has {len(host.own)} ({names}): a run would "
            "take away all of them, with their devices, routes and guards; look for a mistake in gateway_tunnels and "
            "vpn_site_id, and where it is meant set gateway_no_tunnels to true, or run the playbook "
            "route_based.vpn.teardown"
        )


def _devices_free(want: Wanted, host: Host) -> t.Iterator[str]:
    wanted_names = {device.name for device in want.devices}
    holders = {device.slot: device for device in host.devices.values() if _is_vti(device)}
    for device in want.devices:
        found, holder = host.devices.get(device.name), holders.get(device.slot)
        # Somebody needs it, whatever it is: no advice to remove it.
        another = "give the tunnel another interface"
        what = "not ours" if device.kind == _devices.DUMMY else "no VTI device"
        if found and (_is_vti(found), found.owned or _is_vti(found)) != (_is_vti(device), True):
            reason = f"a device of this name exists, and it is {what} but of kind {found.kind}"
            yield f"device {device.name}: {reason}; {another}"
        elif found and not found.owned and found.slot != device.slot:
            yield (
                f"device {device.name}: a VTI device of this name exists that this collection did not make, and it is "
                f"{_ends(found)} instead of {_ends(device)}; {another}"
            )
        if holder and not holder.owned and holder.name not in wanted_names:
            yield (
                f"device {device.name}: the device {holder.name}, which this collection did not make, is "
                f"{_ends(device)} already, and only one VTI device can be, whatever its key; find out what "
                "needs it, and give one of the two another local or remote end"
            )


def _is_vti(device: _devices.Device) -> bool:
    return device.kind in ("vti", "vti6")


def _ends(device: _devices.Device) -> str:
    return f"local {device.local} remote {device.remote}" + (f" dev {device.link}" if device.link else "")


def _marks_free(want: Wanted, host: Host) -> t.Iterator[str]:
    slots = {device.slot for device in want.devices}
    devices = [d for d in host.devices.values() if _is_vti(d) and not d.owned and d.slot not in slots]
    conns = [holder for name, holder in host.marks.items() if name not in want.conns]
    # A conn that others have loaded has a device and policies, too: told once.
    others = [*conns, *(_marks.of_device(device) for device in devices), *host.policies]
    yield from _marks.problems(want.marks, others)


def _restart_then(want: Wanted, host: Host) -> t.Iterator[str]:
    """With what the host is to get. As things are may be healed by it, and is a warning."""
    limit = host.restart.open_files
    then = _restart.Restart(
        (*host.others, *want.addresses),
        max(limit, want.open_files) if limit else None,
        want.listen_first or host.restart.listens_first,
    )
    yield from then.problems(_version(host.libreswan or "") or None, len(want.conns))


CHECKS: dict[str, t.Callable[[Wanted, Host], t.Iterator[str]]] = {
    "python": _python,
    "systemd": _systemd,
    "kernel": _kernel,
    "pyroute2": _pyroute2_there,
    "libreswan": _libreswan_there,
    "ike": _ike,
    "clock": _clock,
    "file": _file,
    "conn": _conns,
    "none": _some_left,
    "device": _devices_free,
    "mark": _marks_free,
    "restart": _restart_then,
}

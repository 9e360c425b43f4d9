# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The only file that runs libreswan's programs. It uses what 4.10 and 5.2 share: ipsec whack and ipsec addconn.

Exit codes say little: addconn's is that of the last name alone, and whack on 4.10 leaves with 0 for a conn that it does
not know. So the callers look at the status afterwards, and take the output for the reason only.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import (
    _limits,
    _main_conf,
    _pluto_log,
    _status,
    _versions,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError

if t.TYPE_CHECKING:
    from ansible_collections.route_based.vpn.plugins.module_utils._limits import Runner


PID_FILE = "/run/pluto/pluto.pid"
_NOT_RUNNING = re.compile(r"pluto is not running|is pluto running|pluto[._]ctl", re.IGNORECASE)
#: 4.10 puts a code in front of its messages: 020 to 039 are failures of the command.
_FAILURE = re.compile(r"^0[23]\d |failed to add|: cannot |not found|no connection", re.IGNORECASE)


#: Enough for the last hour of a busy hub, and read within a second.
LOG_LINES = 20000
LOG_BYTES = 2_000_000
LOG_READ_SECONDS = 30


#: How long whack is waited for that has begun to bring a conn up.
INITIATE_SECONDS = 10
#: How long any other answer is waited for: the status of 1,000 conns takes a busy pluto seconds.
ANSWER_SECONDS = 60.0
#: For each conn that is loaded, besides.
CONN_SECONDS = 0.5
#: How long it is waited for where pluto did not answer before.
AGAIN_SECONDS = 5.0
#: Each name in turn, by whack itself: with the script "ipsec" around it each takes two to three times as long.
_DELETE = """
whack=$(ipsec --directory)/whack
test -x "$whack" || whack="ipsec whack"
for name do $whack --name "$name" --delete; done
"""
_STATE = re.compile(r'^(?:\d{3} )?"[^"]+"(?:\[\d+\] \S+)? #\d+:')


class PlutoNotRunning(StoreError):
    """There is no pluto to ask."""

    def __init__(self) -> None:
        super().__init__("pluto is not running: start ipsec.service first, or set load=false to write the file only")


class PlutoHangsError(StoreError):
    """pluto runs, and does not answer."""


def is_installed(module: t.Any) -> bool:
    """Whether libreswan is there."""
    return bool(module.get_bin_path("ipsec", opt_dirs=["/usr/sbin", "/usr/local/sbin"]))


def established(module: t.Any) -> list[_status.ConnStatus]:
    """The conns that are established; none where there is no libreswan, or no pluto."""
    if not is_installed(module):
        return []
    try:
        conns = Pluto(module.run_command).status().conns.values()
    except PlutoNotRunning:
        return []
    return [conn for conn in conns if conn.established]


class Pluto:
    """The daemon of this host."""

    def __init__(self, run: Runner, pid_file: t.Optional[str] = None, proc: str = "/proc") -> None:
        self._run = run
        self._pid_file = pid_file or PID_FILE
        self._proc = proc
        self._hangs = False

    def _ask(self, args: list[str], seconds: float = 0) -> tuple[int, str, str]:
        """Run a program that asks pluto. Raises PlutoHangsError where that does not answer in time."""
        limit = AGAIN_SECONDS if self._hangs else ANSWER_SECONDS + seconds
        rc, out, err = self._run(_limits.command(args, limit))
        self._hangs = rc in _limits.TIMED_OUT
        if self._hangs:
            raise PlutoHangsError(self._hanging(args, limit))
        return rc, out, err

    def _hanging(self, args: t.Sequence[str], limit: float) -> str:
        """What is wrong and what to do, for a person."""
        pid, state = "", ""
        asked = args[3] if args[0] == "sh" else " ".join(args[:3])
        with contextlib.suppress(OSError, IndexError, ValueError):
            pid = self._pid()
            state = self._stat(pid)[0]
        who = f"pluto (process {pid})" if pid else "pluto"
        words = f"{who} does not answer: '{asked}' was ended after {limit:g} s. "
        if state in ("T", "t"):
            return f"{words}The process is stopped: 'kill -CONT {pid}' lets it go on. Then run again"
        return (
            f"{words}Look at 'systemctl status ipsec' and its log. Where it stays so, 'systemctl restart ipsec' starts "
            "it again, and every tunnel with it. Then run again"
        )

    def _whack(self, *args: str) -> tuple[int, str]:
        rc, out, err = self._ask(["ipsec", "whack", *args])
        if rc and _NOT_RUNNING.search(err + out):
            raise PlutoNotRunning
        return rc, out + err

    def status(self, traffic: bool = False) -> _status.Status:
        """All conns and states, with the byte counts of SAs on request."""
        rc, out = self._whack("--status")
        if rc:
            raise StoreError(f"ipsec whack --status failed with exit code {rc}: {_last(out)}")
        status = _status.parse_status(out)
        if traffic:
            self._add_traffic(status)
        return status

    def _add_traffic(self, status: _status.Status) -> None:
        """Ask a second time for SAs whose time pluto did not know yet."""
        for _attempt in range(2):
            _status.add_traffic(status, self._whack("--trafficstatus")[1])
            children = [child for conn in status.conns.values() for child in conn.children.values()]
            if all(child.since for child in children):
                return

    def last_errors(self, seconds: float) -> dict[str, _pluto_log.LogError]:
        """By conn the last error that the journal, or pluto's own file, has of the last so many seconds.

        Nothing where neither is there. pluto is not asked, so this never holds it up.
        """
        path = next((v.partition("=")[2] for v in _main_conf.read("").setup if v.startswith("logfile=")), None)
        if path:
            return _pluto_log.last_errors(_tail(path))
        since = f"--since=@{int(time.time() - seconds)}"
        journal = ["journalctl", "--quiet", "--no-pager", "--output=short-unix", "--identifier=pluto"]
        # run_command() would end the module where there is no journalctl; timeout says so by its exit code.
        rc, out, _err = self._run(_limits.command([*journal, f"--lines={LOG_LINES}", since], LOG_READ_SECONDS))
        return {} if rc else _pluto_log.last_errors(out.splitlines())

    def check(self, config: str) -> tuple[str, list[str]]:
        """What the installed libreswan says against a file, empty when it takes it, and what it warns of.

        Unknown keywords end with an exit code; a bad mark, a keyword twice and the like only with words on stderr. 5.x
        says "warning: obsolete keyword ignored: dpdaction=restart", and loads the conn without the keyword.
        """
        rc, out, err = self._ask(["ipsec", "addconn", "--checkconfig", "--config", config])
        lines = [line.strip() for line in err.splitlines() if line.strip()]
        warnings = [] if rc else [line for line in lines if ": warning: " in line]
        words = "\n".join(line for line in lines if line not in warnings) or (out.strip() if rc else "")
        return words or (f"exit code {rc}" if rc else ""), warnings

    def add(self, names: t.Sequence[str]) -> dict[str, str]:
        """Load conns anew from the installed files, all in one process; their SAs go. Returns each conn's complaint."""
        _rc, out, err = self._ask(["ipsec", "addconn", *names], CONN_SECONDS * len(names))
        text = out + err
        if _NOT_RUNNING.search(text):
            raise PlutoNotRunning
        # A line is about the conn it names; what names none (a broken file) is about all of them.
        complaints = [line for line in text.splitlines() if _FAILURE.search(line)]
        general = [line for line in err.splitlines() if not _mentioned(line, names)]
        return {
            name: _last("\n".join([li for li in complaints if _mentioned(li, [name])] or general)) for name in names
        }

    def delete(self, names: t.Sequence[str]) -> None:
        """Unload conns and end their SAs, all in one process; a name may be an alias, for all conns that have it.

        The exit code is not looked at: 5.2 leaves with one of its own when an IKE SA ends along with the conn.
        """
        args = ["sh", "-c", _DELETE, "ipsec whack --delete", *names]
        rc, out, err = self._ask(args, CONN_SECONDS * len(names))
        if rc and _NOT_RUNNING.search(err + out):
            raise PlutoNotRunning

    def reread_secrets(self, path: str) -> list[int]:
        """Have pluto read ipsec.secrets again; SAs that are up stay up. Raises PlutoNotRunning. Returns the lines of a
        file that it could not read, by number: its words may hold a part of a secret, and its exit code is 0."""
        _rc, said = self._whack("--rereadsecrets")
        return sorted({int(number) for number in re.findall(rf'"{re.escape(path)}" line (\d+): ', said)})

    def version(self) -> _versions.Version:
        """The installed libreswan's, (4, 10) or (5, 2); StoreError where it does not tell."""
        rc, out, err = self._run(_limits.command(["ipsec", "--version"], ANSWER_SECONDS))
        try:
            return _versions.version(out)
        except ValueError:
            raise StoreError(f"ipsec --version failed with exit code {rc}: {_last(out + err)}") from None

    def initiate(self, name: str) -> None:
        """Have pluto begin to bring a conn up; StoreError only where it does not begin.

        What the peer says or does not say is no failure of this: a conn that is loaded and tried is what was asked for.
        4.10 does not let go of whack, asynchronous or not, when there is an IKE SA already, until the peer has answered
        or a minute is over. The end of whack does not end the attempt.
        """
        command = ["ipsec", "whack", "--name", name, "--asynchronous", "--initiate"]
        rc, out, err = self._run(_limits.command(command, INITIATE_SECONDS))
        if rc in _limits.TIMED_OUT and not (out + err).strip():
            # Nothing was said: a pluto that waits for the peer answers others, one that hangs does not.
            self._whack("--status")
        if rc and _NOT_RUNNING.search(err + out):
            raise PlutoNotRunning
        lines = (out + err).splitlines()
        # A line with a state's number tells of the exchange with the peer, which has begun then.
        begun = rc in _limits.TIMED_OUT or any(_STATE.search(line) for line in lines)
        refused = [line for line in lines if _FAILURE.search(line) and not _STATE.search(line)]
        if refused or (rc and not begun):
            reason = _last("\n".join(refused)) or _last("\n".join(lines)) or f"exit code {rc}"
            raise StoreError(f"conn {name}: initiate failed: {reason}")

    def terminate(self, name: str) -> None:
        """End a conn's SAs; it stays loaded."""
        self._command(name, "--terminate")

    def route(self, name: str) -> None:
        """Let traffic bring a conn up."""
        self._command(name, "--route")

    def unroute(self, name: str) -> None:
        """Take a conn's policy out of the kernel."""
        self._command(name, "--unroute")

    def _command(self, name: str, *args: str) -> None:
        rc, out = self._whack("--name", name, *args)
        failures = [line for line in out.splitlines() if _FAILURE.search(line)]
        if rc or failures:
            reason = _last("\n".join(failures)) or _last(out) or f"exit code {rc}"
            raise StoreError(f"conn {name}: {args[-1].strip('-')} failed: {reason}")

    def _pid(self) -> str:
        with open(self._pid_file, encoding="ascii") as file:
            return file.read().strip()

    def _stat(self, pid: str) -> list[str]:
        """The fields of /proc/PID/stat behind the program's name: state, parent, ..."""
        with open(os.path.join(self._proc, pid, "stat"), encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()

    def identity(self) -> t.Optional[str]:
        """PID, start time and the boot that they are of: another value means that pluto has forgotten what was loaded.
        No clock that could be set has a part in it."""
        try:
            pid = self._pid()
            return f"{pid}:{self._stat(pid)[19]}:{self._boot()}"
        except (OSError, IndexError, ValueError):
            return None

    def _boot(self) -> str:
        try:
            with open(os.path.join(self._proc, "sys/kernel/random/boot_id"), encoding="ascii") as file:
                return file.read().strip()
        except OSError:
            return ""

    def settle(self, seconds: float = 20) -> None:
        """Wait for the addconn --autoall that pluto starts with: it would load conns over ours."""
        end = time.monotonic() + seconds
        while self._autoall() and time.monotonic() < end:
            time.sleep(0.2)

    def _autoall(self) -> bool:
        try:
            pid = self._pid()
            for entry in os.listdir(self._proc):
                if entry.isdigit() and self._is_autoall(entry, pid):
                    return True
        except OSError:
            pass
        return False

    def _is_autoall(self, entry: str, parent: str) -> bool:
        try:
            if self._stat(entry)[1] != parent:
                return False
            with open(os.path.join(self._proc, entry, "cmdline"), "rb") as file:
                return b"--autoall" in file.read()
        except (OSError, IndexError):
            return False  # it ended meanwhile


def _tail(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def _mentioned(line: str, names: t.Sequence[str]) -> bool:
    quoted = re.findall(r"[\"']([^\"'/]+)(?:/\d+x\d+)?[\"']", line)
    return any(name in quoted for name in names)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"^\d{3} ", "", lines[-1]) if lines else ""

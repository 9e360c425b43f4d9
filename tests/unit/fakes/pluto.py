# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pluto that remembers what it loaded, refuses what the real ones refuse, and speaks as 4.10 or 5.2 do.

Every answer was taken down from the real programs of Debian 12 (4.10) and Debian 13 (5.2).
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

VERSIONS = ("4.10", "5.2")
KEYWORDS = """also auto authby connalias
    dpdaction dpddelay esp ike ikelifetime ikev2 keyexchange left leftckaid leftid leftsubnet
    leftupdown leftvti mark mark-in mark-out right
    rightecdsakey rightid rightsubnet salifetime type vti-interface vti-routing""".split()


@dataclasses.dataclass
class Loaded:
    """A conn in pluto."""

    options: dict[str, str]
    serial: int
    up: bool = False
    keep_up: bool = False
    routed: bool = False


class FakePluto:
    """Use run() as AnsibleModule.run_command. calls counts what was run; a real one is as stateful."""

    def __init__(self, folder: Path, version: str = "5.2") -> None:
        self.folder = folder
        self.version = version
        self.running = True
        self.pid = 4711
        self.conns: dict[str, Loaded] = {}
        self.serial = 0
        self.calls: list[list[str]] = []
        self.die_at: str = ""
        self.hang_at: str = ""
        self.hangs = False
        #: seconds that were spent on it while it hung
        self.waited = 0.0
        self.reachable = True
        self.secrets = ""
        self.log = ""
        #: what programs around pluto say, by their name
        self.told: dict[str, tuple[int, str, str]] = {}
        #: conn whose IKE SA another one's IPsec SA hangs on, by name
        self.shares: dict[str, str] = {}
        #: the peer's public key that pluto has for a conn
        self.keys: dict[str, str] = {}
        (folder / "pluto.pid").write_text(str(self.pid))
        self.set_start("1000")

    # --- what is around pluto ---

    def set_start(self, ticks: str) -> None:
        """Its start time, as /proc tells it."""
        proc = self.folder / "proc" / str(self.pid)
        proc.mkdir(parents=True, exist_ok=True)
        fields = ["S", "1"] + ["0"] * 17 + [ticks]
        (proc / "stat").write_text(f"{self.pid} (pluto) {' '.join(fields)} 0")

    def restart(self) -> None:
        """pluto starts anew: addconn --autoall loads the files, auto=start conns come up."""
        self.conns = {}
        (self.folder / "pluto.pid").write_text(str(self.pid))
        self.set_start(str(self.serial + 2000))
        for name, options in self.sections().items():
            if options.get("auto", "ignore") != "ignore":
                self.load(name, options)
                self.conns[name].up = options["auto"] == "start"

    def sections(self) -> dict[str, dict[str, str]]:
        """What libreswan reads: all files of the folder in C order, the first conn of a name wins."""
        main = self.folder / "ipsec.conf"
        found = [path.read_text() for path in (main, *sorted(self.folder.glob("ipsec.d/*.conf"))) if path.exists()]
        parsed = [self.parse(text) for text in found]
        # %default counts for the conns of every file, wherever it stands.
        defaults: dict[str, str] = {}
        for sections in parsed:
            defaults.update(sections["%default"])
        result: dict[str, dict[str, str]] = {}
        for sections in parsed:
            for name, options in sections.items():
                if name != "%default":
                    result.setdefault(name, {**defaults, **options})
        return result

    @staticmethod
    def parse(text: str) -> dict[str, dict[str, str]]:
        """A parser of its own, so that a mistake of the module's parser shows."""
        raw: dict[str, list[tuple[str, str]]] = {}
        current: list[tuple[str, str]] = []
        for line in text.splitlines():
            if line.startswith("config setup"):
                current = []
            elif line.startswith("conn "):
                current = raw.setdefault(line.split()[1], [])
            elif "=" in line and not line.lstrip().startswith("#"):
                key, _equals, value = line.strip().partition("=")
                current.append((key.strip(), re.sub(r"\s#(\s.*)?$", "", value).strip().strip('"')))

        def expand(name: str) -> dict[str, str]:
            result = {}
            for key, value in raw.get(name, []):
                result.update(expand(value) if key == "also" else {key: value})
            return result

        return {name: expand(name) for name in ("%default", *(name for name in raw if name != "%default"))}

    def load(self, name: str, options: dict[str, str]) -> None:
        """Add is always replace: a new serial number, and the SAs are gone."""
        self.serial += 1
        # addconn of 4.10 hands over no public keys when what it replaced was up
        if not (self.version == "4.10" and name in self.conns and self.conns[name].up):
            self.keys[name] = options.get("rightecdsakey", "")
        self.conns[name] = Loaded(options, self.serial)

    # --- the programs ---

    def run(self, args: list[str]) -> tuple[int, str, str]:
        """ipsec whack ... and ipsec addconn ..."""
        # Without a limit a pluto that hangs would hang whoever asks it.
        assert args[:2] == ["timeout", "-k"], args
        limit, args = float(args[3]), args[4:]
        self.calls.append(list(args))
        if args[0] == "journalctl":
            return 0, self.log, ""
        if args[0] in ("ip", "systemctl"):
            return self.told.get(args[0], (1, "", f"no program {args[0]}"))
        if args[0] == "sh":
            return self.whack_each(args)
        assert args[0] == "ipsec", args
        if self.hang_at and self.hang_at in " ".join(args):
            self.hangs = True
        if self.hangs and args[1] in ("whack", "addconn") and "--checkconfig" not in args:
            self.waited += limit
            return 124, "", ""
        if self.die_at and self.die_at in " ".join(args):
            self.running = False
        if args[1] == "--version":
            return 0, f"Libreswan {self.version}\n", ""
        if args[1] == "addconn" and args[2] == "--checkconfig":
            return self.check(Path(args[4]).read_text(), args[4])
        if not self.running:
            return 33, "", 'whack: Pluto is not running (no "/run/pluto/pluto.ctl")\n'
        if args[1] == "addconn":
            return self.addconn(args[2:])
        return self.whack(args[2:])

    def counted(self, *words: str) -> int:
        """How many commands had all of these words."""
        return sum(all(word in call for word in words) for call in self.calls)

    @property
    def writes(self) -> list[list[str]]:
        """The commands that change something in pluto."""
        reads = {"--status", "--trafficstatus", "--checkconfig", "--version"}
        return [call for call in self.calls if call[0] == "ipsec" and not reads.intersection(call)]

    def check(self, text: str, path: str) -> tuple[int, str, str]:
        """addconn --checkconfig: words on stderr, and for some mistakes nothing but them."""
        lines = text.splitlines()
        for number, line in enumerate(lines, 1):
            key = line.strip().partition("=")[0].strip()
            if line[:1] in (" ", "\t") and key and not key.startswith("#") and key not in KEYWORDS:
                if self.version == "4.10":
                    words = f"cannot load config '{path}': {path}:{number}: syntax error [{key}]\n"
                    return 3, "", words
                words = f"FATAL ERROR: ipsec addconn: {path}:{number}: unrecognized keyword '{key}'\n"
                return 1, "", words
            if self.version == "5.2" and key == "dpdaction":
                return 0, "", f"ipsec addconn: {path}:{number}: warning: obsolete keyword ignored: {line.strip()}\n"
            if self.version == "4.10" and re.fullmatch(r"\s+mark(-in|-out)?=\d+", line):
                return 0, "", f"{path}:{number}: Invalid mark value\n"
        return 0, "", ""

    def addconn(self, names: list[str]) -> tuple[int, str, str]:
        """The exit code is that of the last name alone."""
        out, err, rc = [], [], 0
        prefix = {"4.10": ("002 ", "036 "), "5.2": ("", "")}[self.version]
        for path in sorted(self.folder.glob("ipsec.d/*.conf")):
            rc, _out, words = self.check(path.read_text(), str(path))
            if rc:
                return rc, "", words
        for name in names:
            options = self.sections().get(name)
            if options is None:
                rc, line = 21, f"conn '{name}': not found (tried aliases)"
                err.append(line)
            elif options.get("type") == "transport" and "vti-interface" in options:
                why = "VTI requires tunnel mode but connection specifies type=transport"
                rc = 36 if self.version == "4.10" else 56
                out.append(f'{prefix[1]}"{name}": failed to add connection: {why}')
            elif "foo" in options.get("esp", ""):
                rc = 36 if self.version == "4.10" else 56
                if self.version == "5.2":  # 4.10 says it in its log only
                    why = "ESP integrity algorithm 'foo' is not recognized"
                    out.append(f'"{name}": failed to add connection: {why}')
            else:
                rc = 0
                self.load(name, options)
                out.append(f'{prefix[0]}"{name}": added IKEv2 connection')
        return rc, "".join(f"{line}\n" for line in out), "".join(f"{line}\n" for line in err)

    def whack(self, args: list[str]) -> tuple[int, str, str]:
        """Status and the commands on one conn."""
        if args == ["--status"]:
            return 0, self.status(), ""
        if args == ["--rereadsecrets"]:
            paths = sorted(self.folder.glob("ipsec.d/*.secrets"))
            self.secrets = "".join(path.read_text() for path in paths)
            return 0, "".join(self.unread(path) for path in paths), ""
        if args == ["--trafficstatus"]:
            return 0, self.traffic(), ""
        assert args[0] == "--name", args
        conn = self.conns.get(args[1])
        alias = [name for name, other in self.conns.items() if args[1] in other.options.get("connalias", "").split()]
        if conn is None and alias and args[-1] == "--delete":
            for name in alias:
                del self.conns[name]
            return 0, "", ""
        if conn is None:
            return self.unknown(args[1], args[-1])
        if args[-1] == "--delete":
            del self.conns[args[1]]
            # 5.2: a code of its own when an IKE SA ends along with the conn
            code = 52 if self.version == "5.2" and conn.up else 0
            return code, f'"{args[1]}" #3: deleting IKE SA (established IKE SA)\n', ""
        if args[-1] == "--initiate":
            assert args[2] == "--asynchronous", "would block on an unreachable peer"
            conn.up, conn.keep_up = self.reachable, True
            if not self.reachable and self.version == "4.10":
                # It holds whack until the peer has answered; timeout(1) ends that.
                return 124, f'"{args[1]}" #25: 60 second timeout exceeded after 7 retransmits.  No response\n', ""
        elif args[-1] == "--terminate":
            conn.up = conn.keep_up = False
        else:
            conn.routed = args[-1] == "--route"
        return 0, "", ""

    def whack_each(self, args: list[str]) -> tuple[int, str, str]:
        """What a loop of the shell runs; its exit code is the last one's."""
        assert "--delete" in args[2], args
        assert args[3] == "ipsec whack --delete", args
        self.calls.pop()
        done = [
            self.run(["timeout", "-k", "5", "60", "ipsec", "whack", "--name", name, "--delete"]) for name in args[4:]
        ]
        return done[-1][0], "".join(out for _rc, out, _err in done), "".join(err for _rc, _out, err in done)

    def unread(self, path: Path) -> str:
        """What it says of the lines that it cannot read, and leaves with 0: a colon at the end of an id is the one
        before the secret to it."""
        said, prefix = "", "003 " if self.version == "4.10" else ""
        for number, line in enumerate(path.read_text().splitlines(), 1):
            word = next((word for word in line.split(" : ")[0].split() if word.endswith(":") and "#" not in line), "")
            if word:
                why = f'index "{word[:-1]}" not a numeric IPv6 address and name lookup failed (no validation performed)'
                said += f'{prefix}ERROR "{path}" line {number}: {why}\n'
        return said

    def unknown(self, name: str, command: str) -> tuple[int, str, str]:
        """4.10 leaves with 0 for most commands on a conn that it does not know."""
        if self.version == "5.2":
            return 21, f'no connection or alias named "{name}"\'\n', ""
        if command == "--initiate":
            return 0, f"000 initiating all conns with alias='{name}'\n021 no connection named \"{name}\"\n", ""
        if command == "--route":
            return 25, f"025 no connection or alias '{name}'\n", ""
        return 0, "", ""

    def status(self) -> str:
        """whack --status, cut down to the lines that matter."""
        old = self.version == "4.10"
        lines = [f"pluto_version={self.version}, pluto_vendorid=OE-Libreswan-{self.version}", "Connection list:"]
        for name, conn in sorted(self.conns.items()):
            lines += self.conn_lines(name, conn)
        for name, conn in sorted(self.conns.items()):
            if conn.up:
                prefix = "STATE_V2_" if old else ""
                state, ike_state = f"{prefix}ESTABLISHED_CHILD_SA", f"{prefix}ESTABLISHED_IKE_SA"
                owner = self.conns.get(self.shares.get(name, name))
                ike = f" IKE SA #{owner.serial + 1000};" if owner else ""
                if name not in self.shares:
                    lines.append(f'#{conn.serial + 1000}: "{name}":500 {ike_state} (established IKE SA); newest; idle;')
                lines.append(
                    f'#{conn.serial}: "{name}":500 {state} (established Child SA); newest; eroute owner;{ike} idle;'
                )
        return "".join(f"{'000 ' if old else ''}{line}\n" for line in lines)

    def conn_lines(self, name: str, conn: Loaded) -> list[str]:
        """A conn in the connection list."""
        old = self.version == "4.10"
        routed = ("erouted" if old else "routed-tunnel") if conn.up else "unrouted"
        if conn.routed and not conn.up:
            routed = "prospective erouted" if old else "routed-ondemand"
        left, right = conn.options.get("left", "%any"), conn.options.get("right", "%any")
        mark = conn.options.get("mark", "")
        marks = f"{mark}, {mark}" if mark else "unset"
        device = conn.options.get("vti-interface", "unset")
        alias = conn.options.get("connalias")
        return [
            *([f'"{name}":   aliases: {alias}'] if alias else []),
            f'"{name}": 0.0.0.0/0==={left}...{right}===0.0.0.0/0; {routed}; my_ip=unset;',
            f'"{name}":     oriented; my_ip=unset;' if old else f'"{name}":   host: oriented; local: {left};',
            f'"{name}":   policy: IKEv2+PSK+ENCRYPT+TUNNEL{"+UP" if conn.keep_up else ""}+ESN_YES;',
            f'"{name}":   nflog-group: unset; mark: {marks}; vti-iface:{device}; vti-routing:no;',
            f'"{name}":   conn serial: ${conn.serial};',
        ]

    def traffic(self) -> str:
        """whack --trafficstatus."""
        prefix = "006 " if self.version == "4.10" else ""
        text = ""
        for name, conn in sorted(self.conns.items()):
            if conn.up:
                text += f'{prefix}#{conn.serial}: "{name}", type=ESP, add_time={1000 + conn.serial}, inBytes=84,'
                text += " outBytes=168, maxBytes=2^63B, id='@east'\n"
        return text

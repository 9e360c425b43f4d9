# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""run_parts.py PART...: runs each part, as many at a time as there are processors, also after one failed.

A part is a target of the Makefile, or a Molecule scenario as molecule/NAME. It prints a line when a part begins, one a
minute while it runs, and one when it ends, with the time that it took last time; what a part says goes into a file. At
the end: what failed, the command that runs it again, and "N passed, N failed".
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".build/logs"
TIMES = ROOT / ".build/times.json"
BEAT = 60  # seconds between two lines of a part that runs
SHOWN = 60  # last lines of a failed part that are shown at the end
# What has to be there first. These are parts of their own: two others may need the same at the same time.
NEEDS = {
    "venv": ["packages"],
    "lab": ["packages"],
    "collection": ["venv"],
    "lint": ["venv"],
    "units": ["venv"],
    "sanity": ["venv"],
    "hostile": ["venv"],
    "mutants": ["venv"],
    "kernel": ["venv", "lab"],
    "libreswan": ["venv", "lab"],
    "labs": ["venv", "lab"],
    # In the same folder of the checkout, so not at the same time.
    "native": ["venv", "lab", "molecule/default"],
    "demo": ["collection", "lab"],
    "oldest-core": ["collection", "lab"],
    "scale-old": ["collection", "lab"],
    "scale-new": ["collection", "lab"],
}
SCENARIO_NEEDS = ["collection", "lab"]


def needs(part: str) -> list[str]:
    return SCENARIO_NEEDS if part.startswith("molecule/") else NEEDS.get(part, [])


def with_needs(parts: list[str]) -> list[str]:
    """All parts that have to run, each once, after what it needs."""
    ordered: list[str] = []
    for part in parts:
        ordered += [each for each in [*with_needs(needs(part)), part] if each not in ordered]
    return ordered


def command(part: str) -> list[str]:
    if part.startswith("molecule/"):
        return ["make", "molecule", f"SCENARIOS={part.removeprefix('molecule/')}"]
    return ["make", part]


class Run:
    """One part that runs: its process, when it began, where its output goes."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.log = LOGS / f"{part.replace('/', '-')}.log"
        self.start = self.told = time.monotonic()
        with self.log.open("wb") as out:
            # A group of its own, so that the end of this script is the end of all that the part has started.
            self.process = subprocess.Popen(
                command(part), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    @property
    def seconds(self) -> int:
        return round(time.monotonic() - self.start)

    def stop(self) -> None:
        """End it as Ctrl-C would, and what it left: the lab of a scenario outlives the command that started it."""
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(30)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.part.startswith("molecule/"):
            lab = ROOT / ".build" / self.part / "lab"
            subprocess.run([ROOT / "tests/lab/down", lab], check=False)


class Parts:
    """What waits, what runs, how it ended, and how long it took last time."""

    def __init__(self, parts: list[str]) -> None:
        self.waiting = with_needs(parts)
        self.running: list[Run] = []
        self.ended: dict[str, bool] = {}
        try:
            self.times: dict[str, int] = json.loads(TIMES.read_text())
        except (OSError, ValueError):
            self.times = {}

    def ready(self, part: str) -> bool:
        return all(need in self.ended for need in needs(part))

    def say(self, result: str, part: str, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {result:7} {part:20} {text}", flush=True)

    def last(self, part: str) -> str:
        return f"{self.times[part]} s last time" if part in self.times else "not timed yet"

    def begin(self, at_once: int) -> None:
        for part in [part for part in self.waiting if self.ready(part)]:
            if len(self.running) >= at_once:
                break
            self.waiting.remove(part)
            broken = [need for need in needs(part) if not self.ended[need]]
            if broken:
                self.ended[part] = False
                self.say("FAILED", part, f"as {broken[0]} failed, which it needs")
            else:
                self.running.append(Run(part))
                self.say("begins", part, self.last(part))

    def tell(self) -> None:
        for run in self.running:
            if time.monotonic() - run.told >= BEAT:
                run.told = time.monotonic()
                self.say("runs", run.part, f"{run.seconds} s, {self.last(run.part)}")

    def collect(self) -> None:
        for run in [run for run in self.running if run.process.poll() is not None]:
            self.running.remove(run)
            passed = run.process.returncode == 0
            self.ended[run.part] = passed
            words = f"{run.seconds} s, {self.last(run.part)}"
            if passed:
                self.times[run.part] = run.seconds
                self.say("ok", run.part, words)
            else:
                self.say("FAILED", run.part, f"{words}; again: {' '.join(command(run.part))}; log: {run.log}")

    def all(self, at_once: int) -> None:
        try:
            while self.waiting or self.running:
                self.begin(at_once)
                time.sleep(0.2)
                self.collect()
                self.tell()
        finally:
            for run in self.running:
                run.stop()
            TIMES.write_text(json.dumps(self.times, indent=1, sort_keys=True) + "\n")


def main() -> int:
    LOGS.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start = time.monotonic()
    asked = sys.argv[1:]
    parts = Parts(asked)
    try:
        parts.all(max(2, os.cpu_count() or 1))
    except KeyboardInterrupt:
        return 130
    for part, passed in parts.ended.items():
        log = LOGS / f"{part.replace('/', '-')}.log"
        if not passed and log.exists():
            print(f"\n=== {part} failed; its last {SHOWN} lines, of {log}:")
            print("\n".join(log.read_text(errors="replace").splitlines()[-SHOWN:]))
            print(f"=== again: {' '.join(command(part))}")
    passed = sum(parts.ended.values())
    print(f"\nall of it: {round(time.monotonic() - start)} s")
    print(f"{passed} passed, {len(parts.ended) - passed} failed")
    return 0 if passed == len(parts.ended) else 1


sys.exit(main())

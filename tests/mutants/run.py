# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""run.py [TEXT]: changes the code in one small way at a time, and expects a unit test to fail each time.

A changed code is a mutant: those of mutants.yml, and of the files of operators.py a fixed share of all that can be
made. The unit tests run on a copy of the checkout: first those that import the file, then all others. A mutant that
passes them all has survived: no test tells it from the code. That is a failure, unless harmless.yml says why nobody
could tell the two apart. With TEXT only mutants whose name has it are tried. The last line is "N passed, N failed".
"""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import yaml
from operators import Mutant, automatic

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/mutants"
SECONDS = 180  # a mutant that never ends is told from the code
SHARE = 40  # one of so many automatic mutants is tried


def listed() -> list[Mutant]:
    """The mutants that somebody has thought of."""
    entries = yaml.safe_load((HERE / "mutants.yml").read_text())
    return [Mutant(entry["file"], entry["old"], entry["new"], entry["why"]) for entry in entries]


def harmless() -> dict[tuple[str, str, str], str]:
    """Why nobody can tell a mutant from the code."""
    entries = yaml.safe_load((HERE / "harmless.yml").read_text()) or []
    return {(entry["file"], entry["old"].strip(), entry["new"].strip()): entry["why"] for entry in entries}


@dataclasses.dataclass
class Copy:
    """A copy of the checkout that may be broken."""

    root: Path

    def __post_init__(self) -> None:
        names = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        subprocess.run(
            ["tar", "--create", "--file", "copy.tar", "--directory", str(ROOT), "--null", "--files-from", "-"],
            cwd=self.root,
            input=names.stdout,
            check=True,
        )
        subprocess.run(["tar", "--extract", "--file", "copy.tar"], cwd=self.root, check=True)
        (self.root / "copy.tar").unlink()
        (self.root / ".venv").symlink_to(ROOT / ".venv")
        for command in (["init", "-q"], ["add", "-A"]):
            subprocess.run(["git", *command], cwd=self.root, check=True)

    def passes(self, tests: t.Sequence[str]) -> bool:
        """Whether these unit tests do."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command, cwd=self.root, env=environment, capture_output=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def survives(self, mutant: Mutant) -> bool:
        """Whether all unit tests pass with the mutant in the place of the code."""
        path = self.root / mutant.file
        code = path.read_text()
        path.write_text(mutant.applied(code))
        try:
            near = nearest(mutant.file)
            # The other tests of the role run ansible-playbook, and are of no plugin.
            others = ["tests/unit/plugins" if mutant.file.startswith("plugins/") else "tests/unit"]
            return (not near or self.passes(near)) and self.passes(others)
        finally:
            path.write_text(code)


def nearest(file: str) -> list[str]:
    """The unit tests that name the file, and those that name a module that it is part of."""
    names = {Path(file).name.partition(".")[0]}
    plugins = [path for path in sorted((ROOT / "plugins").rglob("*.py")) if path.stem != "__init__"]
    while more := {path.stem for path in plugins if path.stem not in names and _names(path, names)}:
        names |= more
    modules = {path.stem for path in plugins if path.parent.name == "modules"}
    paths = sorted((ROOT / "tests/unit").rglob("test_*.py"))
    first = [path for path in paths if _names(path, {Path(file).name.partition(".")[0]})]
    return [str(path.relative_to(ROOT)) for path in dict.fromkeys([*first, *_tests_of(paths, names & modules)])]


def _names(path: Path, names: t.Collection[str]) -> bool:
    return bool(names) and bool(re.search(rf"\b({'|'.join(map(re.escape, names))})\b", path.read_text()))


def _tests_of(paths: t.Sequence[Path], modules: t.Collection[str]) -> list[Path]:
    return [path for path in paths if path.parent.name == "modules" and _names(path, modules)]


def main() -> int:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    mutants = [one for one in [*listed(), *automatic(ROOT, SHARE)] if wanted in str(one)]
    reasons, begin = harmless(), time.monotonic()
    killed, excused, survivors = 0, [], []
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        if not copy.passes(["tests/unit"]):
            print("the unit tests fail without any mutant: run 'make units' first\n0 passed, 1 failed")
            return 1
        for number, mutant in enumerate(mutants, start=1):
            if mutant.key in reasons:
                excused.append(mutant)
            elif copy.survives(mutant):
                survivors.append(mutant)
                print(f"survived: {mutant}", flush=True)
            else:
                killed += 1
            if number % 20 == 0:
                print(f"{number} of {len(mutants)}, {time.monotonic() - begin:.0f} s", flush=True)
    print(f"{killed} told by a test, {len(excused)} harmless, {len(survivors)} that no test tells")
    unknown = sorted(str(key) for key in set(reasons) - {mutant.key for mutant in mutants})
    for entry in unknown if not wanted else ():
        print(f"harmless.yml has a mutant that is not tried any more, remove it: {entry}")
    failed = len(survivors) + (0 if wanted else len(unknown))
    print(f"{killed + len(excused)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

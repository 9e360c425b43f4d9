# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds the collection together: metadata, licences, what the tarball ships."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path

import documented
import pytest
from documented import BIN, ROOT

# put together, so that reuse does not take this line for a licence
MARK = "SPDX-License-" + "Identifier: GPL-3.0-or-later"


def _project_files() -> list[Path]:
    """List what git tracks or would track."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    git = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = [Path(name) for name in git.stdout.split("\0") if name]
    return [path for path in files if (ROOT / path).is_file()]


def test_action_group_holds_exactly_the_modules() -> None:
    runtime = documented.load((ROOT / "meta/runtime.yml").read_text())
    assert sorted(runtime["action_groups"]["vpn"]) == documented.module_names()


def test_modules_name_their_action_group() -> None:
    group = f"{documented.COLLECTION}.vpn"
    for name, module in documented.modules().items():
        attribute = module["doc"].get("attributes", {}).get("action_group", {})
        assert attribute.get("membership") == [group], name


def test_every_source_file_names_its_licence() -> None:
    reuse = tomllib.loads((ROOT / "REUSE.toml").read_text())
    elsewhere = [glob for entry in reuse["annotations"] for glob in entry["path"]] + ["LICENSES/*"]
    unmarked = [
        str(path)
        for path in _project_files()
        if not any(fnmatch.fnmatch(str(path), glob) for glob in elsewhere) and MARK not in (ROOT / path).read_text()
    ]
    assert unmarked == []


def test_every_scenario_is_run_by_a_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = [re.search(rf"^{name} \?= (.*)$", makefile, re.MULTILINE) for name in ("SCENARIOS", "SLOW_SCENARIOS")]
    scenarios = [path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")]
    assert sorted(name for match in named if match for name in match[1].split()) == sorted(scenarios)


def test_molecule_without_a_name_runs_what_make_test_runs() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "\nSCENARIOS ?= default\n" in makefile


def test_tarball_leaves_out_what_tools_leave_behind(tmp_path: Path) -> None:
    files = _project_files()
    for path in files:
        target = tmp_path / "source" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
    junk = [
        ".ansible/x",
        ".build/x",
        ".lab/guest/x",
        ".venv/bin/x",
        ".mypy_cache/x",
        ".pytest_cache/x",
        "changelogs/.plugin-cache.yaml",
        "collections/x",
        "old-0.0.1.tar.gz",
        "plugins/modules/__pycache__/x",
        "tests/output/x",
        "tests/unit/.hypothesis/x",
    ]
    for name in junk:
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).touch()

    subprocess.run(
        [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(tmp_path)],
        cwd=tmp_path / "source",
        check=True,
        capture_output=True,
    )
    (tarball,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(tarball) as archive:
        shipped = {member.name for member in archive if member.isfile()}
    assert [name for name in junk if name in shipped] == []
    needed = ("meta", "plugins", "roles", "playbooks", "README.md", "COPYING", "LICENSES")
    assert {str(path) for path in files if path.parts[0] in needed} <= shipped


def test_the_readme_shows_the_inventory_that_the_demo_rolls_out() -> None:
    example = (ROOT / "docs/examples/two-sites.yml").read_text()
    assert f"```yaml\n{example}```" in (ROOT / "README.md").read_text()
    assert len(example.splitlines()) <= 20
    assert "docs/examples/two-sites.yml" in (ROOT / "tests/demo/run").read_text()

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes ansible_collections.route_based.vpn importable, whatever folder this is a clone in."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

ROOT = Path(__file__).parents[2]

TREE = subprocess.run([str(ROOT / "tests/tree")], check=True, capture_output=True, text=True).stdout.strip()
sys.path.insert(0, TREE)

# No deadline: on a busy machine a slow example is no finding.
settings.register_profile(
    "project",
    deadline=None,
    database=DirectoryBasedExampleDatabase(str(ROOT / ".build/hypothesis")),
)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def lock_of_the_host(tmp_path_factory, monkeypatch):
    """The modules' lock is of this test, not of the machine."""
    lock = importlib.import_module("ansible_collections.route_based.vpn.plugins.module_utils._lock")
    folder = tmp_path_factory.mktemp("run")
    monkeypatch.setattr(lock, "PATH", str(folder / "route_based.vpn" / "lock"))
    return folder / "route_based.vpn" / "lock"

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host for the modules, with each version of libreswan."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import conns, pluto


@pytest.fixture(params=pluto.VERSIONS)
def host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> conns.Host:
    """Its pluto is a fake."""
    return conns.host_in(tmp_path, request.param, monkeypatch)

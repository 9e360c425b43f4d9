# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module's main() in this process, as Ansible would, with a fake kernel behind it."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
from ansible.module_utils import basic
from ansible_collections.route_based.vpn.plugins.plugin_utils import _answers


def call(monkeypatch, module, kernel, check=False, **arguments):
    """What the module returns."""
    monkeypatch.setattr(module, "Netlink", lambda: kernel)
    monkeypatch.setattr(module, "require_pyroute2", lambda _module: None)
    return run(monkeypatch, module, check, **arguments)


def run(monkeypatch, module, check=False, silent=False, **arguments):
    """What the module prints; with silent it leaves that to another process."""
    arguments = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    output, warnings = io.StringIO(), []
    # Where the controller's code is loaded into the same process, Ansible leaves warnings to that.
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _self, text: warnings.append(text))
    with contextlib.redirect_stdout(output), pytest.raises(SystemExit):
        module.main()
    return {} if silent else {**taken(module, json.loads(output.getvalue())), "warnings": warnings}


def taken(module, answer):
    """The answer, which the controller has to take as one of this module: whole, where it is no failure."""
    found = _answers.received(module.__name__.rpartition(".")[2], answer)
    if not answer.get("failed") and "changed" in answer:
        assert found == {"failed": False, "changed": False, **answer}
    assert answer.get("msg", "") in found.get("msg", "")
    return answer


def twice(monkeypatch, module, kernel, **arguments):
    """The result, after check mode has foretold it without writing, and the run after it has found nothing to do."""
    kernel.read_only = True
    foretold = call(monkeypatch, module, kernel, check=True, **arguments)
    kernel.read_only = False
    result = call(monkeypatch, module, kernel, **arguments)
    assert not result.get("failed"), result
    key = "routes" if "routes" in result else "tunnels"
    assert all(foretold[name] == result[name] for name in ("changed", key, "diff"))
    kernel.read_only = True
    again = call(monkeypatch, module, kernel, **arguments)
    assert not again["changed"], again
    kernel.read_only = False
    return result

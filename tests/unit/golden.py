# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Golden triples: data/devices/*.yml, data/routes/*.yml and data/rules/*.yml, each with current, desired and plan."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.route_based.vpn.plugins.module_utils import (
    _device_plan,
    _device_ways,
    _devices,
    _route_plan,
    _routes,
    _rules,
    _xfrm,
)
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors
from fakes.kernel import FakeKernel, device, route

DATA = Path(__file__).parent / "data"


def cases(kind):
    """The names of the cases of a kind."""
    return sorted(path.stem for path in (DATA / kind).glob("*.yml"))


def load(kind, name):
    return yaml.safe_load((DATA / kind / f"{name}.yml").read_text())


def kernel_of(case):
    """A kernel as it is at the beginning of the case."""
    current = case["current"] or {}
    routes = []
    for fields in current.get("routes", ()):
        fields = dict(fields, unknown=tuple(fields.get("unknown", ())))
        fields["nexthops"] = tuple(_routes.Nexthop(**hop) for hop in fields.get("nexthops", ()))
        routes.append(route(**fields))
    kernel = FakeKernel(
        devices=[device(**fields) for fields in current.get("devices", ())],
        others=current.get("others"),
        routes=routes,
        rp_filter_all=current.get("rp_filter_all", 0),
        rules=[rule(**fields) for fields in current.get("rules", ())],
    )
    kernel.vrfs = {name: _devices.Vrf(*numbers) for name, numbers in current.get("vrfs", {}).items()}
    kernel.policies = tuple(_xfrm.Policy(**fields) for fields in current.get("policies", ()))
    kernel.disable_xfrm_all = current.get("disable_xfrm_all", 0)
    return kernel


def rule(**fields):
    """A live rule: the fields of Rule, with the mark as a list of two."""
    return _rules.Rule(**{**fields, "mark": tuple(fields["mark"]) if "mark" in fields else None})


def plan_of(case, kind, kernel):
    """The plan for the case's wish on this kernel."""
    desired, purge = case["desired"], case["desired"].get("purge", False)
    if kind == "devices":
        wanted = _device_ways.with_mtus(_devices.from_params(desired["tunnels"]), kernel.way_to)
        state = kernel.device_state([entry.device.name for entry in wanted])
        return _device_plan.plan(state, wanted, purge, kernel.routes_of, kernel.way_to)
    wanted, rules = _routes.from_params(desired.get("routes", ())), _rules.from_params(desired.get("rules", ()))
    return _route_plan.plan(kernel.route_state(wanted, purge, rules), wanted, purge, rules=rules)


def outcome(case, kind):
    """The plan in the words of the YAML files."""
    try:
        plan = plan_of(case, kind, kernel_of(case))
    except InputErrors as exc:
        return {"refused": [str(error) for error in exc.errors]}
    changes = [{"name": c.name, "action": c.action, "reasons": list(c.reasons)} for c in plan.changes]
    result = {"changes": changes, "work": [operation.describe() for _name, operation in plan.work]}
    if plan.warnings:
        result["warnings"] = list(plan.warnings)
    return result

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The one way of all modules: make a plan, foretell it or carry it out in order, report it."""

from __future__ import annotations

import traceback
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _change
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors, StoreError, VpnError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# Carries out operations in order: one outcome for each that was tried, None where it succeeded.
Apply = t.Callable[[t.Sequence[t.Any]], t.Sequence[t.Optional[StoreError]]]


class HalfwayError(StoreError):
    """A write failed after the plan was begun. C(report) holds done, failed_item and not_done."""

    def __init__(self, cause: StoreError, report: dict[str, t.Any]) -> None:
        self.report = report
        done, not_done = (
            ", ".join(entry["name"] for entry in report[key]) or "nothing" for key in ("done", "not_done")
        )
        failed = report["failed_item"]
        parts = f" (carried out of it: {'; '.join(failed['steps_done'])})" if failed["steps_done"] else ""
        super().__init__(
            f"{failed['name']} could not be {failed['action']}: {cause}{parts}. Done: {done}. "
            f"Not done: {not_done}. Nothing is taken back; the next run goes on from here"
        )


def execute(plan: _change.Plan, apply: Apply) -> None:
    """Carry out the plan's writes in order; HalfwayError where one fails."""
    outcomes = apply([operation for _name, operation in plan.work])
    first = next((outcome for outcome in outcomes if outcome), None)
    if first:
        raise HalfwayError(first, progress(plan, outcomes)) from first


def progress(plan: _change.Plan, outcomes: t.Sequence[t.Optional[StoreError]]) -> dict[str, t.Any]:
    """Which items were done, which one failed first and which were not done, from the outcomes of the writes that were
    tried. Others may have failed by themselves in the same batch; they say so."""
    done: dict[str, list[str]] = {}
    left: dict[str, list[str]] = {}
    errors: dict[str, str] = {}
    for position, (name, operation) in enumerate(plan.work):
        outcome = outcomes[position] if position < len(outcomes) else None
        if outcome:
            errors.setdefault(name, str(outcome))
        carried_out = position < len(outcomes) and not outcome
        (done if carried_out else left).setdefault(name, []).append(operation.describe())
    result: dict[str, t.Any] = {"done": [], "failed_item": {}, "not_done": []}
    for change in plan.changes:
        entry: dict[str, t.Any] = {"name": change.name, "action": change.action}
        if change.name in left:
            entry.update(steps_done=done.get(change.name, []), steps_left=left[change.name])
        if change.name == next(iter(errors)):
            result["failed_item"] = entry
        elif change.changed:
            if change.name in errors:
                entry["error"] = errors[change.name]
            result["not_done" if change.name in left else "done"].append(entry)
    return result


Sections = t.Union[str, t.Mapping[str, t.Sequence[_change.Change]]]


def finish(module: AnsibleModule, sections: Sections, plan: _change.Plan, apply: Apply, **more: t.Any) -> None:
    """Warn, carry out the plan unless this is check mode, and end the module. C(sections) are the lists of the result
    by name, or the name of the one that all items are in."""
    for warning in plan.warnings:
        module.warn(warning)
    if not module.check_mode:
        execute(plan, apply)
    result: dict[str, t.Any] = {"changed": any(change.changed for change in plan.changes), **more}
    lists = {sections: plan.changes} if isinstance(sections, str) else sections
    result.update((name, _change.report(changes)) for name, changes in lists.items())
    if module._diff:
        result["diff"] = _change.diff(plan.changes)
    module.exit_json(**result)


def guarded(module: AnsibleModule, work: t.Callable[[AnsibleModule], None]) -> None:
    """Run C(work); the only place where an error of ours becomes fail_json()."""
    try:
        work(module)
    except InputErrors as exc:
        module.fail_json(msg=str(exc), errors=[str(error) for error in exc.errors])
    except HalfwayError as exc:
        module.fail_json(msg=str(exc), exception=traceback.format_exc(), changed=bool(_begun(exc.report)), **exc.report)
    except VpnError as exc:
        module.fail_json(msg=str(exc), exception=traceback.format_exc(), **exc.result)
    except OSError as exc:
        # What was not foreseen: a full or broken disk, in general.
        words = f"the system refused: {exc}; repair that, and run again"
        module.fail_json(msg=words, exception=traceback.format_exc())


def _begun(report: dict[str, t.Any]) -> bool:
    """Whether any write was carried out."""
    return bool(report["done"]) or any(entry["steps_done"] for entry in (report["failed_item"], *report["not_done"]))

# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""From the conns that are wanted and those that pluto has to a plan: only what differs is touched. Pure.

libreswan has no "reload": loading a conn always deletes it and its SAs first. So what pluto has loaded is remembered
as a fingerprint of each conn's text, and a conn with an equal one is left alone.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import _ipsec_conf as conf
from ansible_collections.route_based.vpn.plugins.module_utils._change import (
    CREATED,
    KEPT,
    REMOVED,
    UPDATED,
    Change,
    differences,
)

Options = dict[str, str]
CERTIFICATES = ("leftcert", "rightcert")
#: What a conn that was just loaded still needs for its state.
THEN = {conf.STARTED: "initiate", conf.ONDEMAND: "route"}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A conn that is to be loaded: its effective options, without auto=, and its state. C(certificates) are the
    fingerprints of those that it names, as pluto keeps the one that was there when the conn was loaded."""

    name: str
    options: Options
    state: str
    certificates: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Equal for conns that load alike."""
        return conf.fingerprint(self.name, {**self.options, **self.certificates})

    def shown(self) -> dict[str, t.Any]:
        """As a diff shows it."""
        return {**self.options, "state": self.state}


@dataclasses.dataclass(frozen=True)
class Found:
    """A conn as pluto has it. The fingerprint is None where nobody knows from what text it was loaded."""

    fingerprint: t.Optional[str]
    busy: bool
    routed: bool
    #: pluto is to bring it up or to keep it up, though it may be down right now
    kept_up: bool = False
    #: serial numbers of the IKE SAs that were made under its name, and of those that its IPsec SAs hang on
    ikes: tuple[int, ...] = ()
    parents: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Step:
    """A change and what it takes: load or delete, then C(initiate), C(route), C(stop) or nothing."""

    change: Change
    load: bool = False
    delete: bool = False
    then: str = ""


def wanted_conns(
    text: t.Optional[str],
    states: t.Optional[t.Mapping[str, str]] = None,
    defaults: t.Optional[t.Mapping[str, str]] = None,
    certificates: t.Optional[t.Callable[[str], t.Optional[str]]] = None,
) -> dict[str, Wanted]:
    """The conns that a text asks to be loaded, by name; a state given by name goes before auto=. C(defaults) are those
    of a C(conn %default) in another file, C(certificates) finds a certificate's fingerprint by its nickname."""
    if text is None:
        return {}
    parsed = conf.parse(text)
    result = {}
    for conn in parsed.conns:
        options = conf.without_alias(conf.effective(parsed, conn.name, defaults))
        state = (states or {}).get(conn.name) or conf.wanted_state(options)
        if state is not None:
            options.pop("auto", None)
            result[conn.name] = Wanted(conn.name, options, state, _certificates(options, certificates))
    return result


def _certificates(options: Options, find: t.Optional[t.Callable[[str], t.Optional[str]]] = None) -> dict[str, str]:
    """C(leftcert fingerprint) and its value, where a conn names a certificate that is there."""
    named = {key: find(options[key]) for key in CERTIFICATES if find and key in options}
    return {f"{key} fingerprint": value for key, value in named.items() if value}


def plan(
    wanted: dict[str, Wanted],
    old: dict[str, Wanted],
    found: dict[str, Found],
    load: bool = True,
    orphans: bool = False,
) -> list[Step]:
    """What to do about each conn of the new and of the old file. Pure.

    C(orphans) says that this pluto leaves the IPsec SAs of other conns behind when it ends the IKE SA that they hang
    on, as 4.x does: the peer has ended them, and nothing would ever bring them up again.
    """
    steps = []
    for name, want in wanted.items():
        steps.append(_step(want, old.get(name), found.get(name)) if load else _file_step(want, old.get(name)))
    for name, was in old.items():
        if name not in wanted:
            change = Change(name, REMOVED, was.shown(), None, ("is not wanted any more",))
            steps.append(Step(change, delete=load and name in found))
    return _with_orphans(steps, wanted, found) if orphans else steps


def ended_ikes(steps: t.Sequence[Step], found: dict[str, Found]) -> set[int]:
    """The IKE SAs that end with the conns that are loaded anew or unloaded."""
    touched = [step.change.name for step in steps if step.load or step.delete]
    return {serial for name in touched if name in found for serial in found[name].ikes}


def _with_orphans(steps: list[Step], wanted: dict[str, Wanted], found: dict[str, Found]) -> list[Step]:
    """The same steps, and those conns loaded anew that would lose the IKE SA that they share with one of them."""
    while True:
        ended = ended_ikes(steps, found)
        lost = [
            number
            for number, step in enumerate(steps)
            if not step.load and not step.delete and ended.intersection(_parents(found, step.change.name))
        ]
        if not lost:
            return steps
        for number in lost:
            change = steps[number].change
            reason = "shared the IKE SA of a conn that is loaded anew or unloaded"
            change = dataclasses.replace(change, action=UPDATED, reasons=(*change.reasons, reason))
            then = steps[number].then or THEN.get(wanted[change.name].state, "")
            steps[number] = Step(change, load=True, then=then)


def _parents(found: dict[str, Found], name: str) -> tuple[int, ...]:
    return found[name].parents if name in found else ()


def _before(want: Wanted, was: t.Optional[Wanted]) -> t.Optional[dict[str, t.Any]]:
    """The conn as the old file has it; a file says auto=add for loaded and for stopped alike."""
    if was is None:
        return None
    same = want.state == conf.STOPPED and was.state == conf.LOADED
    return {**was.shown(), "state": conf.STOPPED} if same else was.shown()


def _file_step(want: Wanted, was: t.Optional[Wanted]) -> Step:
    before, after = _before(want, was), want.shown()
    if before is None:
        return Step(Change(want.name, CREATED, None, after))
    action = KEPT if before == after else UPDATED
    return Step(Change(want.name, action, before, after, differences(before, after)))


def _step(want: Wanted, was: t.Optional[Wanted], found: t.Optional[Found]) -> Step:
    before, after = _before(want, was), want.shown()
    then = THEN.get(want.state, "")
    if found is None:
        reasons: tuple[str, ...] = ("is not loaded in pluto",) if was else ()
        return Step(Change(want.name, UPDATED if was else CREATED, before, after, reasons), True, then=then)
    if found.fingerprint != want.fingerprint:
        reasons = differences(before, after) if before else ()
        if not reasons:
            reasons = ("what pluto has loaded under this name is not known to be this text",)
        return Step(Change(want.name, UPDATED, before, after, reasons), True, then=then)
    return _state_step(want, found, before, after)


def _state_step(want: Wanted, found: Found, before: t.Optional[dict[str, t.Any]], after: dict[str, t.Any]) -> Step:
    """The text is loaded; only the conn's state may differ."""
    then, reason = "", ""
    if want.state == conf.STARTED and not found.busy:
        then, reason = "initiate", "had no state in pluto: initiated again"
    elif want.state == conf.ONDEMAND and not found.routed:
        then, reason = "route", "was not routed in pluto"
    elif want.state == conf.STOPPED and (found.busy or found.routed or found.kept_up):
        then, reason = "stop", "was up, routed or to be brought up in pluto"
    moved = differences(before, after) if before else ()
    reasons = moved + ((reason,) if reason else ())
    return Step(Change(want.name, UPDATED if reasons else KEPT, before, after, reasons), then=then)


def merged(old_text: t.Optional[str], sections: list[conf.Conn], absent: set[str], purge: bool) -> t.Optional[str]:
    """The file's new text: the given conns in place of their old selves; the others stay, unless purged."""
    old = conf.parse(old_text, "the present file") if old_text and not purge else conf.Conf({})
    result = {name: conn for name, conn in old.sections.items() if name not in absent}
    result.update({conn.name: conn for conn in sections})
    return conf.render(result.values()) if result or old_text is not None else None

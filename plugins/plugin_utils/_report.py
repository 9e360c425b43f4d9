# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The state of a whole VPN, from the plan and what vpn_info found on each gateway: each link with the view of both of
its ends. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
import time
import typing as t

from ansible_collections.route_based.vpn.plugins.plugin_utils import _answers, _links, _rollout, _sites, _text

Entry = dict[str, t.Any]
NOT_ASKED, UNREACHABLE, MISSING, LOADED, ESTABLISHED = "not asked", "unreachable", "missing", "loaded", "established"
UNMANAGED = "unmanaged"


@dataclasses.dataclass(frozen=True)
class Answers:
    """Who was asked, what vpn_info answered by host, and what the modules foretold by host in check mode. Whatever a
    host answers counts for that host alone: one that is malformed is none."""

    hosts: t.Sequence[str]
    infos: t.Mapping[str, Entry]
    foretold: t.Mapping[str, t.Sequence[Entry]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "infos", {host: _answers.to_report(info) for host, info in self.infos.items()})

    def view(self, host: str, conn: str) -> tuple[Entry, t.Optional[Entry]]:
        """How a host sees a conn, for the report, and all that it said of it."""
        found = self.conns(host).get(conn)
        if host not in self.hosts:
            state = NOT_ASKED
        elif "conns" not in self.infos.get(host, {}):
            state = UNREACHABLE
        elif not found or not found["loaded"]:
            state = MISSING
        else:
            state = ESTABLISHED if found["established"] else LOADED
        device = (found or {}).get("device") or {}
        up = found if state == ESTABLISHED and found else {}
        view = {"host": host, "state": state, "bytes_in": up.get("in_bytes"), "bytes_out": up.get("out_bytes")}
        return {**view, "mtu": device.get("mtu"), "since": up.get("since")}, found

    def conns(self, host: str) -> dict[str, Entry]:
        """The conns of a host by name; none where it did not answer."""
        return {conn["name"]: conn for conn in self.infos.get(host, {}).get("conns", ())}


def report(plan: _sites.Plan, answers: Answers, now: float) -> Entry:
    """All of it: C(made), C(sites), C(links) and C(counts) of the links' states. Each text is one line that can be
    shown anywhere."""
    links = _managed(plan, answers)
    known = {
        (end["host"], link["conns"][number]) for link in links for number, end in enumerate((link["a"], link["b"]))
    }
    for host in answers.hosts:
        links += [_lone(host, conn, answers) for name, conn in answers.conns(host).items() if (host, name) not in known]
    counts: dict[str, int] = {}
    for link in links:
        del link["conns"]
        counts[link["state"]] = counts.get(link["state"], 0) + 1
    found: Entry = _shown({"made": _time(now), "sites": _hosts(plan, answers), "links": links, "counts": counts})
    return found


def _shown(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return _text.one_line(value)
    if isinstance(value, dict):
        return {name: _shown(entry) for name, entry in value.items()}
    return [_shown(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _managed(plan: _sites.Plan, answers: Answers) -> list[Entry]:
    """The links with both ends in the inventory of which at least one was asked."""
    found = []
    for link in _links.Links(plan).all():
        found.append((link.one.name, link.name, link.two.name, link.name))
    return [_link(*ends, answers) for ends in [*found, *plan.by_hand] if {ends[0], ends[2]} & set(answers.hosts)]


def _link(one: str, name: str, two: str, far_name: str, answers: Answers) -> Entry:
    (a, found_a), (b, found_b) = answers.view(one, name), answers.view(two, far_name)
    problems = [*_problems(a, found_a, name), *_problems(b, found_b, far_name)]
    mtus = {end["mtu"] for end in (a, b) if end["mtu"]}
    if len(mtus) > 1:
        problems.append(f"the MTU is {a['mtu']} at {one} and {b['mtu']} at {two}")
    return _entry(name, [one, two], (a, b), problems, (name, far_name))


def _lone(host: str, conn: Entry, answers: Answers) -> Entry:
    """A tunnel whose other end nobody here manages, or a server with its clients."""
    a, found = answers.view(host, conn["name"])
    clients = not conn["remote"] and conn["loaded"]
    far = f"clients of {conn['name']}" if clients else _outer(conn["remote"])
    b = {"host": far, "state": UNMANAGED, "bytes_in": None, "bytes_out": None, "mtu": None, "since": None}
    # A server without clients is as it should be.
    waits = clients and a["state"] == LOADED
    problems = [] if waits else _problems(a, found, conn["name"])
    entry = _entry(conn["name"], [host, far], (a, b), problems, (conn["name"], ""))
    return {**entry, "state": "planned"} if waits else entry


def _entry(name: str, ends: list[str], views: tuple[Entry, Entry], problems: list[str], conns: t.Any) -> Entry:
    since = [view.pop("since") for view in views]
    mtus = {view["mtu"] for view in views if view["mtu"]}
    newest = max((value for value in since if value), default=None)
    return {
        "name": name,
        "ends": ends,
        "state": _state([view["state"] for view in views]),
        "problems": problems,
        "since": _time(newest) if newest else None,
        "a": views[0],
        "b": views[1],
        "mtu": mtus.pop() if len(mtus) == 1 else None,
        "conns": conns,
    }


def _state(views: t.Sequence[str]) -> str:
    """Of a link, from the views of those ends that were asked."""
    asked = [view for view in views if view not in (NOT_ASKED, UNMANAGED)]
    if set(asked) == {ESTABLISHED}:
        return "up"
    if ESTABLISHED in asked:
        return "partly"
    if set(asked) <= {UNREACHABLE}:
        return "unknown"
    return "planned" if set(asked) == {MISSING} else "down"


def _problems(view: Entry, conn: t.Optional[Entry], name: str) -> list[str]:
    host = view["host"]
    if view["state"] == UNREACHABLE:
        return [f"{host} did not answer"]
    if view["state"] == MISSING:
        return [f"{host}: {name} is not loaded in pluto"]
    return [f"{host}: {problem}" for problem in _rollout.problems([conn] if conn else [], ())]


def _hosts(plan: _sites.Plan, answers: Answers) -> list[Entry]:
    """Every host that was asked, and the sites that were not."""
    sites = {site.name: site for site in plan.sites}
    last = max((site.id for site in plan.sites), default=0)
    entries = []
    for number, host in enumerate(dict.fromkeys([*answers.hosts, *sites]), start=1):
        site, info = sites.get(host), answers.infos.get(host, {})
        asked, answered = host in answers.hosts, "conns" in info
        said = str(info.get("msg") or "") if asked and not answered else ""
        entry = {
            "id": site.id if site else last + number,
            "name": host,
            "hub": bool(site and site.hub),
            "state": "up" if answered else "unreachable" if asked else "planned",
            "address": site.address if site else None,
            "networks": list(site.networks) if site else [],
            "problems": [*([said] if said else []), *_judged(info)],
            "drift": drift(answers.foretold[host]) if host in answers.foretold else None,
        }
        entries.append(entry)
    return sorted(entries, key=lambda entry: entry["id"])


def _judged(info: Entry) -> list[str]:
    """What a host has found wrong with what all of its tunnels depend on."""
    return [problem for part in ("firewall", "restart") for problem in (info.get(part) or {}).get("problems", ())]


def _outer(remote: t.Optional[str]) -> str:
    """The outer address of a peer that nobody here manages. What is none is not shown as the name of an end: it could
    be the name of another site."""
    try:
        return str(ipaddress.ip_address(remote or ""))
    except ValueError:
        return f"? ({remote})" if remote else "?"


def drift(results: t.Any) -> list[str]:
    """What a run would change, a line each, from the results of vti_tunnel, vti_route and ipsec_conn in check mode."""
    lines = []
    for result in results if isinstance(results, (list, tuple)) else ():
        if not isinstance(result, dict):
            lines.append(f"an answer of this host is not a dict but a {type(result).__name__}")
            continue
        if result.get("failed"):
            lines.append(str(result.get("msg")))
        for kind, word in (("tunnels", "device"), ("routes", "route"), ("rules", "rule"), ("conns", "conn")):
            for entry in result.get(kind) or ():
                if not _answers.fits(entry, _answers.ITEM):
                    lines.append(f"an answer of this host has an entry in {kind} that is none")
                elif entry["action"] != "kept":
                    why = f" ({'; '.join(entry['reasons'])})" if entry.get("reasons") else ""
                    lines.append(f"{word} {entry['name']} would be {entry['action']}{why}")
    return lines


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))

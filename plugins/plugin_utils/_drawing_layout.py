# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Where sites, unmanaged peers and their labels stand in a drawing. Pure functions: the same sites and links give the
same places, in whatever order they come."""

from __future__ import annotations

import dataclasses
import itertools
import math
import typing as t

Entry = dict[str, t.Any]

SITE_STATES = ("up", "unreachable", "planned")
# Pixels. A character's width is that of a wide font: a label may be shorter than its place, not longer.
CHARACTER, LINE, GAP = 7.2, 18, 13
LONGEST = 30


@dataclasses.dataclass(frozen=True)
class Node:
    """Where a site or an unmanaged peer is drawn. kind is C(site), C(hub) or C(peer). In the middle there is no angle
    at which to lead the label away."""

    name: str
    kind: str
    state: str
    x: float
    y: float
    angle: t.Optional[float]


class Label(t.NamedTuple):
    """Where a text stands: from x, y to the right (C(start)), to the left (C(end)) or to both (C(middle)), turned about
    that point by some degrees."""

    text: str
    x: float
    y: float
    anchor: str
    turn: float = 0.0

    def ends(self) -> list[tuple[float, float]]:
        """The ends of its line, at most that far apart."""
        width = len(self.text) * CHARACTER
        shares = {"start": (0.0, 1.0), "end": (-1.0, 0.0), "middle": (-0.5, 0.5)}[self.anchor]
        angle = math.radians(self.turn)
        return [
            (self.x + width * share * math.cos(angle), self.y + width * share * math.sin(angle)) for share in shares
        ]


def layout(sites: t.Sequence[Entry], links: t.Sequence[Entry]) -> dict[str, Node]:
    """Sites on a circle by their id, hubs in its middle if there are other sites, unmanaged peers just outside of it,
    beside the gateway that leads to them."""
    known = {site["name"]: site for site in sorted(sites, key=lambda site: int(site["id"]))}
    hubs = [name for name, site in known.items() if site["hub"]]
    middle = hubs if len(hubs) < len(known) else []
    slots = _slots([name for name in known if name not in middle], middle, _peers(list(known), links))
    # In slots of a site alone: each peer beside it makes a slot half of that wider.
    around = sum((len(slot) + 1) / 2 for slot in slots) or 1.0
    inner = _inner(middle)
    outer = max(120 + 4 * around, LINE * 2 * around / math.tau, inner + 120 if middle else 0)
    places, at = {}, -math.tau / 4
    for index, name in enumerate(middle):
        # Half a slot aside: the link to a site behind another hub then hardly goes through that.
        places[name] = (inner, at + math.tau * (index / len(middle) + 0.5 / around))
    for slot in slots:
        for index, name in enumerate(slot):
            angle = at + index * min(math.tau / around / 2, 60 / outer)
            places[name] = (outer if name in known else outer + 2 * GAP, angle)
        at += math.tau / around * (len(slot) + 1) / 2
    nodes = {}
    for name, (radius, angle) in places.items():
        kind = "peer" if name not in known else "hub" if name in hubs else "site"
        its_state = state(known[name], SITE_STATES, "planned") if name in known else "unmanaged"
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        nodes[name] = Node(name, kind, its_state, x, y, None if name in middle else angle)
    return nodes


def _inner(middle: t.Sequence[str]) -> float:
    """The radius of the hubs' circle: two stand one above the other, more need room for their labels."""
    if len(middle) < 3:
        return 60.0 * (len(middle) > 1)
    widest = max(len(short(name)) for name in middle) * CHARACTER + LINE
    return max(60.0, widest / 2 / math.sin(math.pi / len(middle)))


def _peers(names: t.Sequence[str], links: t.Sequence[Entry]) -> dict[str, list[str]]:
    """Ends that are no site, under the first site that has a link to them; under C("") those that none has."""
    rank = {name: index for index, name in enumerate(names)}
    found: dict[str, int] = {}
    for link in links:
        for end, other in (link["ends"], link["ends"][::-1]):
            if end not in rank:
                found[end] = min(found.get(end, len(names)), rank.get(other, len(names)))
    result: dict[str, list[str]] = {}
    for end in sorted(found):
        result.setdefault([*names, ""][found[end]], []).append(end)
    return result


def _slots(rim: t.Sequence[str], middle: t.Sequence[str], peers: dict[str, list[str]]) -> list[list[str]]:
    """What shares a place on the circle: each site with its peers. Peers of a hub get places in its direction."""
    slots: list[list[str]] = []
    for index, name in enumerate(rim):
        for number, hub in enumerate(middle):
            if len(rim) * number // len(middle) == index:
                slots += [[peer] for peer in peers.get(hub, [])]
        slots.append([name, *peers.get(name, [])])
    return slots + [[peer] for peer in peers.get("", [])]


def labels(nodes: t.Sequence[Node]) -> list[Label]:
    """A label for each node: level where each then has its place, else led away from the circle."""
    level = [_label(node, level=True) for node in nodes]
    # Whose, from, to and at what height: of labels and of nodes.
    boxes = [(node.name, node.x - GAP, node.x + GAP, node.y) for node in nodes]
    for node, label in zip(nodes, level):
        left, right = sorted(x for x, _y in label.ends())
        boxes.append((node.name, left, right, label.y))
    crowded = len(nodes) > 30 or any(
        whose != other and abs(y - its_y) < LINE and left < its_right and its_left < right
        for (whose, left, right, y), (other, its_left, its_right, its_y) in itertools.combinations(boxes, 2)
    )
    return [_label(node, level=False) for node in nodes] if crowded else level


def _label(node: Node, level: bool) -> Label:
    text = short(node.name)
    if node.angle is None:
        return Label(text, node.x, node.y + 2 * GAP, "middle")
    cos, sin = math.cos(node.angle), math.sin(node.angle)
    if level and abs(cos) < 0.2:
        return Label(text, node.x, node.y + math.copysign(1.5 * GAP, sin), "middle")
    x, y = node.x + GAP * cos, node.y + GAP * sin
    degrees = 0.0 if level else math.degrees(node.angle)
    # Never upside down.
    return Label(text, x, y, "start", degrees) if cos > -1e-9 else Label(text, x, y, "end", degrees and degrees - 180)


def short(name: str) -> str:
    """What a label has room for; the tooltip has it all."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def state(entry: Entry, known: t.Sequence[str], otherwise: str) -> str:
    """Its state, which becomes a class of the drawing: nothing but one of those."""
    return entry["state"] if entry["state"] in known else otherwise

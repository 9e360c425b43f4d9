# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Sites and links as a drawing and as Mermaid text. Pure functions: the same sites and links give the same text, in
whatever order they come."""

from __future__ import annotations

import html
import math
import typing as t

from ansible_collections.route_based.vpn.plugins.plugin_utils import _drawing_layout
from ansible_collections.route_based.vpn.plugins.plugin_utils import _text as _texts
from ansible_collections.route_based.vpn.plugins.plugin_utils._drawing_layout import SITE_STATES, Entry, Label, Node

#: In the order in which links are drawn: what needs a look lies on top.
LINK_STATES = ("up", "planned", "unknown", "partly", "down")
LEGEND = {"peer": "unmanaged"}
#: Pixels: wide enough for "unreachable" and a number of five digits.
LEGEND_COLUMN, LEGEND_WIDTH = 150, 770

# A state is told by colour and by dashes or shape. Each rule begins with the class of the root, as a <style> counts for
# the whole page that the drawing stands in. Paper is white.
STYLE = """
.vpn-map{--up:#0a7f5f;--partly:#b86e00;--down:#c8102e;--unknown:#7b8490;--planned:#2b6cb0;--ink:#1c2430;--paper:#fff;
font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;max-width:100%;height:auto}
@media screen and (prefers-color-scheme:dark){.vpn-map{--up:#3ecf9b;--partly:#f2a33a;--down:#ff6470;--unknown:#98a2ae;
--planned:#6cb2f5;--ink:#e4e8ee;--paper:#14181d}}
.vpn-map text{fill:var(--ink);stroke:var(--paper);stroke-width:3px;stroke-linejoin:round;paint-order:stroke}
.vpn-map .labels [text-anchor=middle]{stroke-width:6px}
.vpn-map .up{--c:var(--up)}.vpn-map .partly{--c:var(--partly)}.vpn-map .unknown,.vpn-map .peer{--c:var(--unknown)}
.vpn-map .down,.vpn-map .unreachable{--c:var(--down)}.vpn-map .planned{--c:var(--planned)}
.vpn-map .link{fill:none;stroke:var(--c);stroke-width:2.2px}
.vpn-map .link.partly{stroke-dasharray:11 4}
.vpn-map .link.down{stroke-width:3.2px;stroke-dasharray:4 4}
.vpn-map .link.unknown{stroke-dasharray:.1 5;stroke-linecap:round;stroke-width:2.6px}
.vpn-map .link.planned{stroke-width:1.6px;stroke-dasharray:9 4 2 4}
.vpn-map .links .link:hover{stroke-width:5px;stroke-opacity:1}
.vpn-map .shape{fill:var(--paper);stroke:var(--c);stroke-width:2px}
.vpn-map .up .shape{fill:var(--c)}
.vpn-map .hub.up .shape{stroke:var(--paper)}
.vpn-map .legend .hub{--c:var(--ink)}
.vpn-map .planned .shape,.vpn-map .peer .shape{stroke-dasharray:3 2}
.vpn-map .head{font-weight:600}.vpn-map .none{opacity:.5}
"""


def svg(sites: t.Sequence[Entry], links: t.Sequence[Entry]) -> str:
    """One C(<svg>) that needs nothing else: to stand in a page, or to be a file. Ends of links that are no site are
    unmanaged peers."""
    nodes = _drawing_layout.layout(sites, links)
    labels = _drawing_layout.labels(list(nodes.values()))
    points = [(node.x, node.y) for node in nodes.values()] + [end for label in labels for end in label.ends()]
    xs, ys = zip(*(points or [(0.0, 0.0)]))
    # No narrower than the legend, which is below.
    width = max(max(xs) - min(xs) + 40, LEGEND_WIDTH + 40)
    left, top, bottom = (min(xs) + max(xs) - width) / 2, min(ys) - 20, max(ys) + 56
    aside = left + (width - LEGEND_WIDTH) / 2
    by_name = {site["name"]: site for site in sites}
    # Few lines are strong, many thin and translucent.
    shade = f"stroke-width:{2 if len(links) < 80 else 1}px;stroke-opacity:{min(0.9, 0.13 + 60 / (len(links) or 1)):.2f}"
    lines = [
        f'<svg class="vpn-map" xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{bottom - top + 44:.0f}" '
        f'viewBox="{left:.1f} {top:.1f} {width:.1f} {bottom - top + 44:.1f}" role="img" '
        f'aria-label="{len(sites)} sites, {len(links)} links">',
        f"<style>{STYLE}.vpn-map .links .up{{{shade}}}\n</style>",
        *('<g class="links">', *_links(nodes, links), "</g>"),
        *('<g class="nodes">', *(_node(node, by_name.get(node.name, {})) for node in nodes.values()), "</g>"),
        *('<g class="labels">', *map(_label_text, labels), "</g>"),
        *('<g class="legend">', *_legend(nodes.values(), links, aside, bottom), "</g>", "</svg>"),
    ]
    return "\n".join(lines)


def _links(nodes: dict[str, Node], links: t.Sequence[Entry]) -> list[str]:
    """A line for each link, the worst last; side by side where two have the same ends."""
    result: list[str] = []
    drawn: dict[tuple[str, str], int] = {}
    obstacles = [node for node in nodes.values() if node.angle is None]
    for link in sorted(links, key=lambda link: (LINK_STATES.index(_state(link)), link["name"])):
        a, b = sorted(link["ends"])
        number = drawn[a, b] = drawn.get((a, b), 0) + 1
        path = _path(nodes[a], nodes[b], number, [node for node in obstacles if node.name not in (a, b)])
        about = "\n".join([f"{link['name']}: {' - '.join(link['ends'])}, {_state(link)}", *link["problems"]])
        result.append(f'<path class="link {_state(link)}" d="{path}"><title>{_text(about)}</title></path>')
    return result


def _path(a: Node, b: Node, number: int, obstacles: t.Sequence[Node]) -> str:
    """From a to b; bent if it is not the first (number 1) that goes there, or would go through a node."""
    length = math.dist((a.x, a.y), (b.x, b.y)) or 1.0
    beside = (number // 2) * (-1) ** number * 24
    for more in (0, *(side * step for step in range(20, 300, 20) for side in (1, -1))):
        # The line's middle is half as far from the straight one as the point that pulls it.
        x = (a.x + b.x) / 2 - (b.y - a.y) / length * (beside + more)
        y = (a.y + b.y) / 2 + (b.x - a.x) / length * (beside + more)
        line = [
            (
                (1 - s) ** 2 * a.x + 2 * s * (1 - s) * x + s**2 * b.x,
                (1 - s) ** 2 * a.y + 2 * s * (1 - s) * y + s**2 * b.y,
            )
            for s in (step / 32 for step in range(33))
        ]
        if all(math.dist(point, (node.x, node.y)) > 24 for point in line for node in obstacles):
            break
    curve = f"Q{x:.1f} {y:.1f} " if beside + more else "L"
    return f"M{a.x:.1f} {a.y:.1f}{curve}{b.x:.1f} {b.y:.1f}"


def _node(node: Node, site: Entry) -> str:
    what = f"{node.kind} {site['id']}, {node.state}" if site else "unmanaged peer"
    about = "\n".join([f"{node.name}: {what}", *site.get("problems", [])])
    return f'<g class="node {node.kind} {node.state}"><title>{_text(about)}</title>{_shape(node)}</g>'


def _shape(node: Node) -> str:
    x, y = node.x, node.y
    if node.kind == "peer":
        return f'<rect class="shape" x="{x - 6:.1f}" y="{y - 6:.1f}" width="12" height="12"/>'
    size = 7
    shape = f'<circle class="shape" cx="{x:.1f}" cy="{y:.1f}" r="7"/>'
    if node.kind == "hub":
        size = 13
        corners = [(x + size * math.cos(k * math.pi / 3), y + size * math.sin(k * math.pi / 3)) for k in range(6)]
        shape = f'<polygon class="shape" points="{" ".join(f"{px:.1f},{py:.1f}" for px, py in corners)}"/>'
    if node.state == "unreachable":
        arm = size * 0.4
        shape += f'<path class="shape" d="M{x - arm:.1f} {y - arm:.1f}l{2 * arm:.1f} {2 * arm:.1f}m0 {-2 * arm:.1f}'
        shape += f'l{-2 * arm:.1f} {2 * arm:.1f}"/>'
    return shape


def _label_text(label: Label) -> str:
    turned = f' transform="rotate({label.turn:.1f} {label.x:.1f} {label.y:.1f})"' if label.turn else ""
    return (
        f'<text x="{label.x:.1f}" y="{label.y:.1f}" dy=".35em" text-anchor="{label.anchor}"{turned}>'
        f"{_text(label.text)}</text>"
    )


def _legend(nodes: t.Collection[Node], links: t.Sequence[Entry], left: float, top: float) -> list[str]:
    """How many of which state: a row of links, a row of sites and peers."""
    states = [_state(link) for link in links]
    # A hub counts by its state, and as a hub.
    words = [word for node in nodes for word in (node.state, node.kind)]
    rows: list[tuple[str, list[tuple[str, int]]]] = [
        ("links", [(word, states.count(word)) for word in ("up", "partly", "down", "unknown", "planned")]),
        ("sites", [(word, words.count(word)) for word in (*SITE_STATES, "hub", "peer")]),
    ]
    result = []
    for y, (head, entries) in zip((top, top + 24), rows):
        result.append(f'<text class="head" x="{left:.1f}" y="{y:.1f}" dy=".35em">{head}</text>')
        for column, (word, count) in enumerate(entries):
            x = left + 48 + column * LEGEND_COLUMN
            sign = f'<path class="link {word}" d="M{x:.1f} {y:.1f}h26"/>'
            if head == "sites":
                kind = word if word in ("hub", "peer") else "site"
                sign = f'<g class="{kind} {word}">{_shape(Node(word, kind, word, x + 14, y, None))}</g>'
            text = f'<text x="{x + 36:.1f}" y="{y:.1f}" dy=".35em">{LEGEND.get(word, word)} {count}</text>'
            result.append(f'<g class="{"entry" if count else "entry none"}">{sign}{text}</g>')
    return result


def mermaid(sites: t.Sequence[Entry], links: t.Sequence[Entry]) -> str:
    """A Mermaid flowchart of the same: hubs are hexagons, unmanaged peers have double sides, links that are down are
    dotted."""
    ordered = sorted(sites, key=lambda site: int(site["id"]))
    ids = {site["name"]: f"s{int(site['id'])}" for site in ordered}
    peers = sorted({end for link in links for end in link["ends"]} - set(ids))
    ids.update({name: f"p{index}" for index, name in enumerate(peers, 1)})
    shapes = {site["name"]: ("{{", "}}") if site["hub"] else ("[", "]") for site in ordered}
    lines = ["flowchart LR"]
    for name, its_id in ids.items():
        before, after = shapes.get(name, ("[[", "]]"))
        # Mermaid's own way to write a character, so that it ends no label and is no markup.
        label = "".join(x if x.isalnum() or x in " -_.:/" else f"#{ord(x)};" for x in _texts.harmless(name))
        lines.append(f'  {its_id}{before}"{label}"{after}')
    rank = {name: index for index, name in enumerate(ids)}
    for link in sorted(links, key=lambda link: (sorted(rank[end] for end in link["ends"]), link["name"])):
        a, b = sorted(link["ends"], key=rank.__getitem__)
        lines.append(f"  {ids[a]} {'-.-' if _state(link) == 'down' else '---'} {ids[b]}")
    return "\n".join(lines) + "\n"


def _state(link: Entry) -> str:
    return _drawing_layout.state(link, LINK_STATES, "unknown")


def _text(value: t.Any) -> str:
    """For an element or an attribute, whatever an inventory or a program's message holds."""
    return html.escape(_texts.harmless(str(value)))

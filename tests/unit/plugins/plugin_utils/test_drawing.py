# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drawing, read back as XML: what is on it, where it stands, and that no name breaks out of it."""

from __future__ import annotations

import itertools
import math
import typing as t
from xml.etree import ElementTree

import pytest
from ansible_collections.route_based.vpn.plugins.plugin_utils import _drawing

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(\"1\")</script> & 'x'"
SITES = ["site-1", "site-2", "site-3", "site-4"]
Point = tuple[float, float]


def site(number: int, name: str = "", hub: bool = False, state: str = "up") -> dict[str, t.Any]:
    return {"id": number, "name": name or f"site-{number}", "hub": hub, "state": state}


def link(a: str, b: str, state: str = "up", name: str = "", problems: t.Sequence[str] = ()) -> dict[str, t.Any]:
    return {"name": name or f"{a}:{b}", "ends": [a, b], "state": state, "problems": list(problems)}


def mesh(sites: t.Sequence[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    return [link(a["name"], b["name"]) for a, b in itertools.combinations(sites, 2)]


def star() -> tuple[list[dict[str, t.Any]], list[dict[str, t.Any]]]:
    """A hub, four spokes, a partner of one of them, and one of each state."""
    sites = [site(7, "hub", hub=True), *map(site, range(1, 4)), site(4, state="unreachable")]
    states = ["down", "partly", "unknown", "planned"]
    return sites, [
        *[link("hub", f"site-{number}", state) for number, state in enumerate(states, 1)],
        link("site-2", "partner"),
    ]


def group(text: str, name: str) -> ElementTree.Element:
    """The part of the drawing with that class."""
    found = ElementTree.fromstring(text).find(f"{SVG}g[@class='{name}']")
    assert found is not None
    return found


def titles(text: str, name: str) -> list[str]:
    """The tooltips of that part."""
    return [title.text or "" for title in group(text, name).iter(f"{SVG}title")]


def centre(text: str, name: str) -> Point:
    """Where the node of that name stands."""
    for node in group(text, "nodes"):
        if str(node.findtext(f"{SVG}title")).startswith(f"{name}: "):
            shape = node[1]
            if shape.tag == f"{SVG}polygon":
                corners = [tuple(map(float, x.split(","))) for x in shape.attrib["points"].split()]
                return (sum(x for x, _y in corners) / len(corners), sum(y for _x, y in corners) / len(corners))
            if shape.tag == f"{SVG}rect":
                return (float(shape.attrib["x"]) + 6, float(shape.attrib["y"]) + 6)
            return (float(shape.attrib["cx"]), float(shape.attrib["cy"]))
    raise AssertionError(f"there is no {name}")


def points(path: str) -> list[Point]:
    """Start, what pulls it, and end of a bent line."""
    numbers = [float(x) for x in path.removeprefix("M").replace("Q", " ").split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_nothing_breaks_out() -> None:
    sites = [site(1, HOSTILE, state='"><script>'), site(2, "b")]
    links = [link(HOSTILE, "b", "' onload='", "<b>", ["\x1b[31m</title>"]), link("b", "</svg>")]
    text = _drawing.svg(sites, links)
    assert "<script" not in text
    assert "\x1b" not in text
    assert {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(text).iter()} == set(
        "svg style g path circle polygon rect text title".split()
    )
    assert (
        titles(text, "links") == [f"<b>: {HOSTILE} - b, unknown\n\\x1b[31m</title>", "b:</svg>: b - </svg>, up"][::-1]
    )
    assert titles(text, "nodes")[0] == f"{HOSTILE}: site 1, planned"
    mermaid = _drawing.mermaid(sites, links)
    assert '  s1["#60;script#62;alert#40;#34;1#34;#41;#60;/script#62; #38; #39;x#39;"]\n' in mermaid


def test_order_of_what_comes_in_does_not_matter() -> None:
    sites, links = star()
    links.append(link("site-2", "another partner"))
    assert _drawing.svg(sites[::-1], links[::-1]) == _drawing.svg(sites, links)
    assert _drawing.mermaid(sites[::-1], links[::-1]) == _drawing.mermaid(sites, links)


def test_each_link_and_node_once_and_the_worst_last() -> None:
    sites, links = star()
    text = _drawing.svg(sites, links)
    assert titles(text, "links") == [
        "site-2:partner: site-2 - partner, up",
        "hub:site-4: hub - site-4, planned",
        "hub:site-3: hub - site-3, unknown",
        "hub:site-2: hub - site-2, partly",
        "hub:site-1: hub - site-1, down",
    ]
    assert sorted(titles(text, "nodes")) == [
        "hub: hub 7, up",
        "partner: unmanaged peer",
        "site-1: site 1, up",
        "site-2: site 2, up",
        "site-3: site 3, up",
        "site-4: site 4, unreachable",
    ]
    assert sorted(str(label.text) for label in group(text, "labels")) == ["hub", "partner", *SITES]


def test_two_links_with_the_same_ends_are_two_lines() -> None:
    text = _drawing.svg([site(1), site(2)], [link("site-1", "site-2"), link("site-2", "site-1", name="second")])
    assert len({path.attrib["d"] for path in group(text, "links")}) == 2


def test_hub_in_the_centre_peer_outside_beside_its_gateway() -> None:
    text = _drawing.svg(*star())
    assert centre(text, "hub") == pytest.approx((0, 0), abs=0.1)
    radii = [math.hypot(*centre(text, name)) for name in SITES]
    assert max(radii) - min(radii) < 0.2
    partner = centre(text, "partner")
    assert math.hypot(*partner) > radii[0] + 10
    apart = {name: math.dist(partner, centre(text, name)) for name in SITES}
    assert min(apart, key=lambda name: apart[name]) == "site-2"


def test_hubs_alone_stand_on_a_circle() -> None:
    sites = [site(number, hub=True) for number in range(1, 4)]
    text = _drawing.svg(sites, mesh(sites))
    assert all(math.hypot(*centre(text, name)) > 100 for name in SITES[:3])


def test_line_does_not_go_through_a_hub() -> None:
    """The straight one from a site to the one across would."""
    sites = [site(1, "hub", hub=True), *map(site, range(2, 6))]
    (path,) = group(_drawing.svg(sites, [link("site-2", "site-4")]), "links")
    start, pull, end = points(path.attrib["d"])
    assert math.hypot((start[0] + 2 * pull[0] + end[0]) / 4, (start[1] + 2 * pull[1] + end[1]) / 4) > 20


def test_legend_counts() -> None:
    sites, links = star()
    told = ["".join(entry.itertext()) for entry in group(_drawing.svg(sites, links), "legend")]
    assert told == [
        *["links", "up 1", "partly 1", "down 1", "unknown 1", "planned 1"],
        *["sites", "up 4", "unreachable 1", "planned 0", "hub 1", "unmanaged 1"],
    ]


def corners(label: ElementTree.Element) -> list[Point]:
    """Of the box that a label takes, 6 pixels a character, which is what it takes in a common font, and 12 high."""
    x, y = float(label.attrib["x"]), float(label.attrib["y"])
    width = 6 * len(label.text or "")
    left = {"start": 0.0, "middle": -width / 2, "end": -width}[label.attrib["text-anchor"]]
    turn = math.radians(float(label.get("transform", "rotate(0 ").split("(")[1].split()[0]))
    return [
        (x + dx * math.cos(turn) - dy * math.sin(turn), y + dx * math.sin(turn) + dy * math.cos(turn))
        for dx, dy in ((left, -6), (left + width, -6), (left + width, 6), (left, 6))
    ]


def overlap(a: t.Sequence[Point], b: t.Sequence[Point]) -> bool:
    """Whether two boxes do: no side of one has them on different sides."""
    for box in (a, b):
        for (x1, y1), (x2, y2) in ((box[0], box[1]), (box[1], box[2])):
            shadows = [[x * (x2 - x1) + y * (y2 - y1) for x, y in other] for other in (a, b)]
            if max(shadows[0]) <= min(shadows[1]) or max(shadows[1]) <= min(shadows[0]):
                return False
    return True


@pytest.mark.parametrize("hubs", [0, 1, 2, 6])
@pytest.mark.parametrize("count", [2, 9, 20, 50, 150])
def test_no_label_on_another(count: int, hubs: int) -> None:
    sites = [site(n, f"gateway-{n}.example.com", hub=n <= hubs) for n in range(1, count + 1)]
    partners = [link(sites[n % count]["name"], f"partner-{n}.example.net") for n in (0, 1, 1 + count, count // 2)]
    labels = [corners(label) for label in group(_drawing.svg(sites, partners), "labels")]
    assert len(labels) == count + len({link["ends"][1] for link in partners})
    assert not [pair for pair in itertools.combinations(labels, 2) if overlap(*pair)]


def test_few_labels_are_level() -> None:
    sites = [site(number) for number in range(1, 9)]
    assert not [label for label in group(_drawing.svg(sites, []), "labels") if "transform" in label.attrib]


def test_many_partners_of_one_gateway_have_room() -> None:
    names = [f"partner-{number}" for number in range(200)]
    text = _drawing.svg([site(1), site(2)], [link("site-2", name) for name in names])
    places = [centre(text, name) for name in names]
    assert min(math.dist(*pair) for pair in itertools.combinations(places, 2)) > 17.5


def test_full_mesh_of_50() -> None:
    sites = [site(number) for number in range(1, 51)]
    text = _drawing.svg(sites, mesh(sites))
    assert len(set(titles(text, "links"))) == 1225
    assert len(text) < 300_000


def test_nothing_at_all() -> None:
    assert titles(_drawing.svg([], []), "nodes") == []
    assert _drawing.mermaid([], []) == "flowchart LR\n"


def test_mermaid() -> None:
    sites = [site(3, "paris"), site(1, "berlin", hub=True), site(2, 'the "old" one')]
    links = [link("paris", "berlin"), link("berlin", 'the "old" one', "down"), link("berlin", "partner")]
    assert _drawing.mermaid(sites, links) == (
        "flowchart LR\n"
        '  s1{{"berlin"}}\n'
        '  s2["the #34;old#34; one"]\n'
        '  s3["paris"]\n'
        '  p1[["partner"]]\n'
        "  s1 -.- s2\n"
        "  s1 --- s3\n"
        "  s1 --- p1\n"
    )

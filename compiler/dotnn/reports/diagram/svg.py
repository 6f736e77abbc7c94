"""A diagram as SVG: no script and no font to load, in light and dark, with its text for a screen reader."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from xml.etree import ElementTree

from dotnn.reports.diagram.boxes import Diagram
from dotnn.reports.diagram.layout import LINE, LOOP, PADDING, Point, Spot, lay_out, shown
from dotnn_runtime.pictures.svg import frame, text_of

STYLE = """
svg { background: #ffffff; color: #1b1b1b; font: 12px ui-monospace, Menlo, Consolas, monospace }
text { fill: currentColor; text-anchor: middle } .head { font-weight: 600 } .more { opacity: .75 }
rect { stroke: #5b6470; stroke-width: 1.2; fill: #f4f6f8 }
.input rect, .target rect { fill: #e3f1fb; stroke: #0072b2 } .loss rect { fill: #fdeee4; stroke: #d55e00 }
.output rect { stroke-width: 2.4; fill: #e6f5ef; stroke: #009e73 } .block rect { stroke-dasharray: 5 3 }
.arrow { fill: none; stroke: #5b6470; stroke-width: 1.3 } .point { fill: #5b6470 }
@media (prefers-color-scheme: dark) {
svg { background: #16181c; color: #e8e8e8 } rect { fill: #23272e; stroke: #8b95a3 }
.input rect, .target rect { fill: #14283a; stroke: #56b4e9 } .loss rect { fill: #3a2415; stroke: #e69f00 }
.output rect { fill: #12312a; stroke: #2fd1a5 } .arrow { stroke: #8b95a3 } .point { fill: #8b95a3 }
}
"""


def svg_of(diagram: Diagram) -> str:
    """Return the text of an SVG file; the same diagram gives the same text."""
    layout = lay_out(diagram)
    width, height = f"{layout.width:.0f}", f"{layout.height:.0f}"
    root = frame(width, height, title=diagram.title, description=_description(diagram), style=STYLE)
    for points in layout.routes.values():
        _draw_arrow(root, points)
    for spot in layout.spots.values():
        _draw_box(root, spot)
    return text_of(root)


def _description(diagram: Diagram) -> str:
    """Return the network in words: each box, and what it reads."""
    heads = {box.name: box.lines[0] for box in diagram.boxes}
    reads: dict[str, list[str]] = {}
    for tail, head, _ in diagram.arrows:
        reads.setdefault(head, []).append(heads[tail])
    texts = [f"{box.lines[0]} reads {' and '.join(reads[box.name])}" for box in diagram.boxes if box.name in reads]
    return "; ".join(texts)


def _draw_box(root: ElementTree.Element, spot: Spot) -> None:
    assert spot.box is not None
    group = ElementTree.SubElement(root, "g", {"class": spot.box.kind})
    ElementTree.SubElement(group, "title").text = "\n".join(spot.box.lines)
    loop = LOOP if spot.box.loops else 0.0
    left, width = spot.middle - spot.width / 2 + loop, spot.width - 2 * loop
    frame = {"x": left, "y": spot.top, "width": width, "height": spot.height}
    ElementTree.SubElement(group, "rect", {"rx": "6"} | {name: f"{value:.1f}" for name, value in frame.items()})
    for number, line in enumerate(spot.box.lines):
        y = spot.top + PADDING / 2 + LINE * number + 12
        text = ElementTree.SubElement(group, "text", {"x": f"{spot.middle:.1f}", "y": f"{y:.1f}"})
        text.set("class", "more" if number else "head")
        text.text = shown(line)
    if loop:
        _draw_loop(group, left + width, spot.top + spot.height / 2)


def _draw_loop(root: ElementTree.Element, right: float, middle: float) -> None:
    """Draw the arrow of a recurrent layer from its right side back into it."""
    far, low, high = right + LOOP - 4, middle + 10, middle - 10
    path = f"M{right:.1f} {low:.1f} C{far:.1f} {low + 6:.1f} {far:.1f} {high - 6:.1f} {right + 6:.1f} {high:.1f}"
    ElementTree.SubElement(root, "path", {"class": "arrow", "d": path})
    _draw_point(root, [(right + 7, high - 4), (right + 7, high + 4), (right, high)])


def _draw_arrow(root: ElementTree.Element, points: Sequence[Point]) -> None:
    """Draw an arrow: straight down beside and between boxes, in a bend where it goes sideways."""
    steps = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    end = (points[-1][0], points[-1][1] - 7)
    for (x, y), (to_x, to_y) in pairwise([*points[:-1], end]):
        middle = (y + to_y) / 2
        straight = f"L{to_x:.1f} {to_y:.1f}"
        bend = f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
        steps.append(straight if x == to_x else bend)
    ElementTree.SubElement(root, "path", {"class": "arrow", "d": " ".join(steps)})
    x, y = points[-1]
    _draw_point(root, [(x - 4, y - 8), (x + 4, y - 8), (x, y)])


def _draw_point(root: ElementTree.Element, corners: Sequence[Point]) -> None:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    ElementTree.SubElement(root, "polygon", {"class": "point", "points": text})

"""Units and weights as SVG: a line is as wide as its weight is large, blue above 0, orange and dashed below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from dotnn.reports.diagram.layout import LETTER, Point
from dotnn.reports.diagram.units import Column, Line, Units
from dotnn_runtime.pictures.svg import frame, text_of

RADIUS, PITCH = 17.0, 46.0
"""Of a unit, and from unit to unit."""
GAP, LEAST_APART, MARGIN, LABEL = 30.0, 140.0, 16.0, 24.0
LANE = 7.0
"""Between lines that go around columns."""
THIN, WIDE = 0.6, 4.5
STYLE = """
svg { background: #ffffff; color: #1b1b1b; font: 12px ui-monospace, Menlo, Consolas, monospace }
text { fill: currentColor; text-anchor: middle } .value { font-size: 9px }
circle { stroke: #5b6470; stroke-width: 1.2; fill: #f4f6f8 } path { fill: none; stroke: #5b6470 }
.input circle { fill: #e3f1fb; stroke: #0072b2 } .output circle { fill: #e6f5ef; stroke: #009e73; stroke-width: 2.4 }
.plus { stroke: #0072b2 } .minus { stroke: #d55e00; stroke-dasharray: 6 3 }
.name { paint-order: stroke; stroke: #ffffff; stroke-width: 5px; stroke-linejoin: round }
@media (prefers-color-scheme: dark) {
svg { background: #16181c; color: #e8e8e8 } circle { fill: #23272e; stroke: #8b95a3 } path { stroke: #8b95a3 }
.input circle { fill: #14283a; stroke: #56b4e9 } .output circle { fill: #12312a; stroke: #2fd1a5 }
.plus { stroke: #56b4e9 } .minus { stroke: #e69f00 } .name { stroke: #16181c }
}
"""


@dataclass(frozen=True)
class _Places:
    """Where the units and the names of columns are, and how large the picture is."""

    units: Mapping[tuple[str, int], Point]
    names: Mapping[str, Point]
    depths: Mapping[str, int]
    apart: float
    lanes: float
    width: float
    height: float


def units_svg(units: Units) -> str:
    """Return the text of an SVG file; the same network gives the same text."""
    places = _placed(units)
    width, height = f"{places.width:.0f}", f"{places.height:.0f}"
    root = frame(width, height, title=units.title, description=_description(units), style=STYLE)
    largest = max((abs(line.weight) for line in units.lines if line.weight is not None), default=1.0) or 1.0
    long = [line for line in units.lines if _span(places, line) > 1]
    for line in units.lines:
        _draw_line(root, places, line, largest, long.index(line) if line in long else 0)
    for column in units.columns:
        _draw_column(root, places, column)
    return text_of(root)


def _description(units: Units) -> str:
    layers = ", ".join(f"{column.name} of {column.units} units" for column in units.columns)
    return f"{layers}; {len(units.lines)} connections"


def _span(places: _Places, line: Line) -> int:
    return places.depths[line.head[0]] - places.depths[line.tail[0]]


def _placed(units: Units) -> _Places:
    """Put layers of the same depth below each other, all columns around one middle."""
    depths = {column.name: column.depth for column in units.columns}
    by_depth: dict[int, list[Column]] = {}
    for column in units.columns:
        by_depth.setdefault(column.depth, []).append(column)
    apart = max(LEAST_APART, *(len(column.name) * LETTER + GAP for column in units.columns))
    heights = {depth: _height(some) for depth, some in by_depth.items()}
    long = sum(depths[line.head[0]] - depths[line.tail[0]] > 1 for line in units.lines)
    lanes, tallest = MARGIN + LANE * long, max(heights.values())
    spots: dict[tuple[str, int], Point] = {}
    names: dict[str, Point] = {}
    for depth, some in by_depth.items():
        x, y = MARGIN + apart * (depth + 0.5), lanes + (tallest - heights[depth]) / 2
        for column in some:
            names[column.name] = (x, y + LABEL - 8)
            for j in range(column.units):
                spots[column.name, j] = (x, y + LABEL + PITCH * j + RADIUS + 4)
            y += LABEL + PITCH * column.units + GAP
    width = 2 * MARGIN + apart * (max(by_depth) + 1)
    return _Places(spots, names, depths, apart, lanes, width, lanes + tallest + MARGIN)


def _height(columns: Sequence[Column]) -> float:
    return sum(LABEL + PITCH * column.units for column in columns) + GAP * (len(columns) - 1)


def _draw_line(root: ElementTree.Element, places: _Places, line: Line, largest: float, lane: int) -> None:
    (x, y), (to_x, to_y) = places.units[line.tail], places.units[line.head]
    x, to_x = x + RADIUS, to_x - RADIUS
    path = f"M{x:.1f} {y:.1f} L{to_x:.1f} {to_y:.1f}"
    if _span(places, line) > 1:  # around the columns between: up in the gap, along the top, down in the gap
        top, turn = places.lanes - LANE * (lane + 1), places.apart / 2 - RADIUS
        path = (
            f"M{x:.1f} {y:.1f} L{x + turn:.1f} {y:.1f} L{x + turn:.1f} {top:.1f} "
            f"L{to_x - turn:.1f} {top:.1f} L{to_x - turn:.1f} {to_y:.1f} L{to_x:.1f} {to_y:.1f}"
        )
    drawn = ElementTree.SubElement(root, "path", {"d": path})
    if line.weight is None:
        drawn.set("stroke-width", "1.0")
        return
    drawn.set("stroke-width", f"{THIN + (WIDE - THIN) * abs(line.weight) / largest:.2f}")
    drawn.set("class", "plus" if line.weight >= 0 else "minus")
    ElementTree.SubElement(drawn, "title").text = f"{line.label} = {line.weight:.4g}"


def _draw_column(root: ElementTree.Element, places: _Places, column: Column) -> None:
    group = ElementTree.SubElement(root, "g", {"class": column.kind})
    x, y = places.names[column.name]
    ElementTree.SubElement(group, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "class": "name"}).text = column.name
    for j in range(column.units):
        cx, cy = places.units[column.name, j]
        circle = ElementTree.SubElement(group, "circle", {"cx": f"{cx:.1f}", "cy": f"{cy:.1f}", "r": f"{RADIUS:g}"})
        ElementTree.SubElement(circle, "title").text = f"{column.name}[{j}]"
        if column.values:
            text = ElementTree.SubElement(group, "text", {"x": f"{cx:.1f}", "y": f"{cy + 3:.1f}", "class": "value"})
            text.text = f"{column.values[j]:.2f}" if abs(column.values[j]) < 100 else f"{column.values[j]:.0e}"

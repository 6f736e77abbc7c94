"""Line charts as SVG: readable by a browser without network, in light and dark, and by a screen reader."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from .scale import Scale
from .svg import frame, text_of

WIDTH, HEIGHT = 720, 420
TOP, RIGHT, BOTTOM = 76, 20, 52
LETTER = 7.0
"""About the width of a letter, in pixels: what is left free for a text."""

POINTS = 1000
"""A line of more values is thinned to the least and the greatest of equal stretches: no peak is lost."""

STYLE = """
svg { color: #1b1b1b; background: #ffffff; font: 12px system-ui, sans-serif }
text { fill: currentColor } .title { font-size: 15px; font-weight: 600 }
.grid { stroke: currentColor; opacity: .15 } .axis { stroke: currentColor }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round } .dot { fill: currentColor }
.s0 { stroke: #0072b2 } .s1 { stroke: #d55e00; stroke-dasharray: 6 3 } .s2 { stroke: #009e73; stroke-dasharray: 2 2 }
@media (prefers-color-scheme: dark) {
svg { color: #e8e8e8; background: #16181c } .s0 { stroke: #56b4e9 } .s1 { stroke: #e69f00 } .s2 { stroke: #2fd1a5 }
}
"""
"""Colours that colour-blind people can tell apart (Okabe and Ito 2008), and dashes for those who see none."""


@dataclass(frozen=True)
class Line:
    """A line of a chart: one value per count, a gap where one is not finite; a label for the legend."""

    label: str
    values: Sequence[float]


@dataclass(frozen=True)
class Mark:
    """A dot at a count and a value, with a label for the legend."""

    label: str
    count: int
    value: float


@dataclass(frozen=True)
class Chart:
    """Lines over the counts 1, 2, 3, ..., such as the loss over epochs."""

    title: str
    across: str
    up: str
    lines: Sequence[Line]
    marks: Sequence[Mark]
    x: Scale
    y: Scale

    def svg(self) -> str:
        """Return the picture as the text of an SVG file; the same chart gives the same text."""
        root = frame(str(WIDTH), str(HEIGHT), title=self.title, description=self._description(), style=STYLE)
        _text(root, self._left, 24, self.title, "title")
        self._draw_axes(root)
        for i, line in enumerate(self.lines):
            ElementTree.SubElement(root, "path", {"class": f"line s{i}", "d": self._path(line.values)})
        for mark in self.marks:
            self._dot(root, self._x(mark.count), self._y(mark.value))
        self._draw_legend(root)
        return text_of(root)

    def _description(self) -> str:
        names = ", ".join([*(line.label for line in self.lines), *(mark.label for mark in self.marks)])
        return f"{self.up} over {self.across}: {names or 'nothing to draw'}"

    @property
    def _left(self) -> float:
        return 40 + LETTER * max(len(tick.text) for tick in self.y.ticks())

    def _x(self, count: float) -> float:
        return self._left + self.x.place(count) * (WIDTH - RIGHT - self._left)

    def _y(self, value: float) -> float:
        return HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - BOTTOM - TOP)

    def _draw_axes(self, root: ElementTree.Element) -> None:
        left, right, top, bottom = self._left, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
        for tick in self.y.ticks():
            y = bottom - tick.place * (bottom - top)
            _segment(root, left, y, right, y, "grid")
            _text(root, left - 8, y + 4, tick.text, anchor="end")
        for tick in self.x.ticks():
            x = left + tick.place * (right - left)
            _segment(root, x, bottom, x, bottom + 5, "axis")
            _text(root, x, bottom + 19, tick.text, anchor="middle")
        _segment(root, left, top, left, bottom, "axis")
        _segment(root, left, bottom, right, bottom, "axis")
        _text(root, (left + right) / 2, HEIGHT - 10, self.across, anchor="middle")
        turned = _text(root, 0, 0, self.up, anchor="middle")
        turned.set("transform", f"translate(16 {(top + bottom) / 2:g}) rotate(-90)")

    def _draw_legend(self, root: ElementTree.Element) -> None:
        """Write what the lines and dots are in a row between title and axes, where no line can run through it."""
        x, y = self._left, 52.0
        for i, line in enumerate(self.lines):
            _segment(root, x, y - 4, x + 24, y - 4, f"line s{i}")
            _text(root, x + 30, y, line.label)
            x += 50 + LETTER * len(line.label)
        for mark in self.marks:
            self._dot(root, x + 4, y - 4)
            _text(root, x + 14, y, mark.label)
            x += 34 + LETTER * len(mark.label)

    def _dot(self, root: ElementTree.Element, x: float, y: float) -> None:
        ElementTree.SubElement(root, "circle", {"class": "dot", "cx": f"{x:.2f}", "cy": f"{y:.2f}", "r": "4"})

    def _path(self, values: Sequence[float]) -> str:
        """Return a path through the values that are finite; it begins anew after each that is not."""
        steps, pen = [], "M"
        for i in _thinned(values):
            if math.isfinite(values[i]):
                steps.append(f"{pen}{self._x(i + 1):.2f} {self._y(values[i]):.2f}")
            pen = "L" if math.isfinite(values[i]) else "M"
        return " ".join(steps)


def _thinned(values: Sequence[float]) -> Iterator[int]:
    """Yield the places of the values to draw: all, or of equal stretches the least, the greatest and each gap."""
    count = len(values)
    if count <= POINTS:
        yield from range(count)
        return
    edges = [i * count // (POINTS // 2) for i in range(POINTS // 2 + 1)]
    for first, last in itertools.pairwise(edges):
        stretch = range(first, last)
        finite = [i for i in stretch if math.isfinite(values[i])]
        gap = [i for i in stretch if not math.isfinite(values[i])][:1]
        ends = [min(finite, key=values.__getitem__), max(finite, key=values.__getitem__)] if finite else []
        yield from sorted({*ends, *gap})


def _text(
    root: ElementTree.Element, x: float, y: float, text: str, kind: str = "", *, anchor: str = "start"
) -> ElementTree.Element:
    place = {"x": f"{x:.2f}", "y": f"{y:.2f}", "text-anchor": anchor} | ({"class": kind} if kind else {})
    element = ElementTree.SubElement(root, "text", place)
    element.text = text
    return element


def _segment(root: ElementTree.Element, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    ElementTree.SubElement(root, "line", {"class": kind} | {name: f"{at:.2f}" for name, at in ends.items()})

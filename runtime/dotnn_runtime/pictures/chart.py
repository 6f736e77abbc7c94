"""Line charts as SVG: readable by a browser without network, in light and dark, and by a screen reader."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from .axes import Axes, room_left
from .draw import LETTER, Element, path, segment, text
from .scale import Scale
from .style import STYLE
from .svg import frame, text_of

WIDTH, HEIGHT = 720, 420
TOP, RIGHT, BOTTOM = 76, 20, 52
POINTS = 1000
"""A line of more values is thinned to the least and the greatest of equal stretches: no peak is lost."""


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
        axes = self._axes
        text(root, axes.left, 24, self.title, "title")
        axes.draw(root, self.across, self.up)
        for i, line in enumerate(self.lines):
            path(root, curve(axes, line.values), f"line s{i}")
        for mark in self.marks:
            dot(root, axes.across(mark.count), axes.up(mark.value))
        draw_legend(root, axes.left, 52.0, self.lines, self.marks)
        return text_of(root)

    def _description(self) -> str:
        names = ", ".join([*(line.label for line in self.lines), *(mark.label for mark in self.marks)])
        return f"{self.up} over {self.across}: {names or 'nothing to draw'}"

    @property
    def _axes(self) -> Axes:
        return Axes(room_left(self.y) + 6, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM, self.x, self.y)


def draw_legend(root: Element, x: float, y: float, lines: Sequence[Line], marks: Sequence[Mark]) -> None:
    """Write what lines and dots are in a row between title and axes, where no line can run through it."""
    for i, line in enumerate(lines):
        segment(root, x, y - 4, x + 24, y - 4, f"line s{i}")
        text(root, x + 30, y, line.label)
        x += 50 + LETTER * len(line.label)
    for mark in marks:
        dot(root, x + 4, y - 4)
        text(root, x + 14, y, mark.label)
        x += 34 + LETTER * len(mark.label)


def dot(root: Element, x: float, y: float) -> None:
    """Draw the dot of a mark."""
    ElementTree.SubElement(root, "circle", {"class": "dot", "cx": f"{x:.2f}", "cy": f"{y:.2f}", "r": "4"})


def curve(axes: Axes, values: Sequence[float]) -> str:
    """Return a path through the values of 1, 2, 3, … that are finite; it begins anew after each that is not."""
    steps, pen = [], "M"
    for i in _thinned(values):
        if math.isfinite(values[i]):
            steps.append(f"{pen}{axes.across(i + 1):.2f} {axes.up(values[i]):.2f}")
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

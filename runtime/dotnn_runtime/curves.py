"""Curves in plain text, for a terminal."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence


def text_curve(values: Sequence[float], *, width: int = 64, height: int = 10, title: str = "loss") -> str:
    """Return a curve of `values`, one per epoch, as lines of text with the scale at the left; no line break at the end.

    The scale is logarithmic where all values are positive and the greatest is more than 30 times the least.
    """
    points = _thin(values, width)
    finite = list(filter(math.isfinite, points))
    if not finite:
        return f"{title}: nothing to draw"
    logarithmic = min(finite) > 0 and max(finite) > 30 * min(finite)
    rows, levels = _quantised(list(map(_logarithm, points)) if logarithmic else points, height)
    labels = [f"{10**level if logarithmic else level:9.3g}" for level in levels]
    lines = [f"{title}{', logarithmic scale' if logarithmic else ''}", *_grid(rows, labels)]
    return "\n".join([*lines, *_axis(len(points), len(values))])


BLOCKS = "▁▂▃▄▅▆▇█"
LARGEST = 1e300
"""Values beyond are drawn here: the difference of two of them stays finite."""


def block_curve(values: Sequence[float], *, width: int = 16, height: int = 1) -> list[str]:
    """Return a curve of `values` as `height` lines of blocks, from the top, `width` of them at most.

    Every column is filled from below, eight levels a line; a gap where a value is not finite. The scale is logarithmic
    where that of `text_curve` is.
    """
    points = [max(-LARGEST, min(value, LARGEST)) if math.isfinite(value) else value for value in _thin(values, width)]
    finite = list(filter(math.isfinite, points))
    if not finite:
        return [""] * height
    logarithmic = min(finite) > 0 and max(finite) > 30 * min(finite)
    levels = len(BLOCKS)
    rows, _ = _quantised(list(map(_logarithm, points)) if logarithmic else points, levels * height)
    filled = [[max(0, min(row + 1 - levels * line, levels)) for row in rows] for line in reversed(range(height))]
    return ["".join(f" {BLOCKS}"[level] for level in line) for line in filled]


def _quantised(values: Sequence[float], height: int) -> tuple[list[int], list[float]]:
    """Return the row of each value, from 0 at the least, -1 where it is not finite; and the value of each row."""
    low, high = min(filter(math.isfinite, values)), max(filter(math.isfinite, values))
    step = (high - low) / (height - 1) or 1.0
    rows = [round((value - low) / step) if math.isfinite(value) else -1 for value in values]
    return rows, [low + row * step for row in range(height)]


def _axis(width: int, epochs: int) -> tuple[str, str]:
    return f"{'':9} └{'─' * width}", f"{'':11}{'1':<{max(width - len(str(epochs)), 1)}}{epochs} epochs"


def _logarithm(value: float) -> float:
    return math.log10(value) if math.isfinite(value) else value


def _grid(rows: Sequence[int], labels: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a curve from the top, a label at the highest and at every third from below."""
    height = len(labels)
    for row in reversed(range(height)):
        label = labels[row] if row % 3 == 0 or row == height - 1 else " " * 9
        yield f"{label} │{_row_of_marks(rows, row)}".rstrip()


def _row_of_marks(rows: Sequence[int], row: int) -> str:
    """Return one line of the curve: a dot where it passes, a stroke where it jumps over the line."""
    marks = ""
    for i, at in enumerate(rows):
        before = rows[i - 1] if i and rows[i - 1] >= 0 else at
        between = at >= 0 and min(at, before) < row < max(at, before)
        marks += "●" if at == row else "│" if between else " "
    return marks


def _thin(values: Sequence[float], width: int) -> list[float]:
    """Return at most `width` values, each the mean of an equal stretch of `values`."""
    count = len(values)
    if count <= width:
        return [float(value) for value in values]
    edges = [i * count // width for i in range(width + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]

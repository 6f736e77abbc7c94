"""Squares from 0 to 1 in both directions, side by side, with curves in them: ROC, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dotnn.reports.drawing.marks import Array
from dotnn_runtime.pictures.axes import Axes, room_left
from dotnn_runtime.pictures.draw import Element, marker, path, segment, text
from dotnn_runtime.pictures.scale import scale
from dotnn_runtime.pictures.style import STYLE
from dotnn_runtime.pictures.svg import frame, text_of

SIDE, GAP, TOP, ROW, ACROSS = 260.0, 90.0, 64.0, 18.0, 2
UNIT = scale([0.0, 1.0], 5)
FEWEST = 5
"""Of fewer examples a share says too little for a line to lead to it."""


@dataclass(frozen=True)
class Curve:
    """Points that a line joins, (n,) each, and what it is called.

    Where `counts`, (n,), say of how many examples each point is, they stand beside it, and the line leaves out what
    is of too few.
    """

    label: str
    xs: Array
    ys: Array
    counts: Array | None = None


@dataclass(frozen=True)
class Square:
    """One square: its heading, its curves, and what is to be known of them."""

    heading: str
    curves: Sequence[Curve]
    note: str = ""


def draw_squares(title: str, described: str, names: tuple[str, str], squares: Sequence[Square]) -> str:
    """Return squares with the diagonal in them, on which chance, or an honest probability, lies; "" for none."""
    if not squares:
        return ""
    below = max(len(square.curves) + bool(square.note) for square in squares) * ROW + 70
    rows = -(-len(squares) // ACROSS)
    width, height = 40 + min(len(squares), ACROSS) * (SIDE + GAP), TOP + rows * (SIDE + below)
    root = frame(f"{width:.0f}", f"{height:.0f}", title=title, description=described, style=STYLE)
    text(root, 16, 24, title, "title")
    for number, square in enumerate(squares):
        left = room_left(UNIT) + 10 + (SIDE + GAP) * (number % ACROSS)
        _draw_square(root, square, names, left, TOP + (SIDE + below) * (number // ACROSS))
    return text_of(root)


def _draw_square(root: Element, square: Square, names: tuple[str, str], left: float, top: float) -> None:
    axes = Axes(left, top, left + SIDE, top + SIDE, UNIT, UNIT)
    text(root, left, top - 12, square.heading, "head")
    axes.draw(root, *names)
    segment(root, axes.left, axes.bottom, axes.right, axes.top, "grid")
    for number, curve in enumerate(square.curves):
        places = [(axes.across(x), axes.up(y)) for x, y in zip(curve.xs, curve.ys, strict=True)]
        path(root, _joined(places, curve.counts), f"line s{number}", curve.label)
        if curve.counts is not None:
            path(root, "".join(marker(x, y, number) for x, y in places), f"point f{number}", curve.label)
            for (x, y), count in zip(places, curve.counts, strict=True):
                text(root, x + 6, y + (14 if y < axes.top + 14 else -6), str(count), "small")
        y = axes.bottom + 58 + ROW * number
        segment(root, left, y - 4, left + 24, y - 4, f"line s{number}")
        text(root, left + 30, y, curve.label)
    if square.note:
        text(root, left, axes.bottom + 58 + ROW * len(square.curves), square.note, "small")


def _joined(places: Sequence[tuple[float, float]], counts: Array | None) -> str:
    """Return the line through places; it is broken at those of too few examples."""
    enough = [True] * len(places) if counts is None else [bool(n >= FEWEST) for n in counts]
    pens = ["M", *("L" if one and other else "M" for one, other in pairwise(enough))]
    return "".join(f"{pen}{x:.2f} {y:.2f}" for pen, (x, y) in zip(pens, places, strict=True))

"""How predictions of numbers are off."""

from __future__ import annotations

import numpy as np

from dotnn.reports.drawing.marks import MOST_POINTS, draw_points, figure, spread
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import PARTS, Numbers, Seen
from dotnn_runtime.pictures.axes import Axes, room_left
from dotnn_runtime.pictures.draw import Element, segment, text
from dotnn_runtime.pictures.scale import Scale, scale
from dotnn_runtime.pictures.style import STYLE
from dotnn_runtime.pictures.svg import frame, text_of

PANEL, TOP, MOST_OUTPUTS = 330.0, 44.0, 4
HEIGHT = 300.0


def draw(seen: Seen) -> str:
    """Return for each output its predictions against the targets, and the residuals against the predictions."""
    found = [(one, j) for one in seen.compared if isinstance(one, Numbers) for j in range(one.values.shape[1])]
    found = found[:MOST_OUTPUTS]
    if not found:
        return ""
    title = f"{seen.model.name}: predictions and what is left"
    described = f"the {PARTS[seen.part]}: " + "; ".join(_words(one, j) for one, j in found)
    height = TOP + HEIGHT * len(found)
    root = frame(f"{2 * PANEL + 40:.0f}", f"{height:.0f}", title=title, description=described, style=STYLE)
    text(root, 16, 24, title, "title")
    for row, (one, j) in enumerate(found):
        _pair(root, one, j, TOP + HEIGHT * row, spread(len(one.actual), MOST_POINTS // len(found)))
    return text_of(root)


def _words(one: Numbers, j: int) -> str:
    left = one.values[:, j] - one.actual[:, j]
    spreads = f"mean {figure(left.mean())}, deviation {figure(left.std())}"
    return f"{_name(one, j)} minus {one.target}: {spreads}, of {len(left)} examples"


def _name(one: Numbers, j: int) -> str:
    return one.output + (f"[{j}]" if one.values.shape[1] > 1 else "")


def _pair(root: Element, one: Numbers, j: int, top: float, rows: np.ndarray) -> None:
    y, t = one.values[rows, j], one.actual[rows, j]
    both = _linear([*y, *t])
    axes = Axes(room_left(both) + 16, top + 16, PANEL - 6, top + HEIGHT - 60, both, both)
    segment(root, axes.left, axes.bottom, axes.right, axes.top, "grid")
    _draw(root, axes, t, y, f"true {one.target}", f"predicted {_name(one, j)}")
    left = _linear([*(y - t), 0.0])
    axes = Axes(PANEL + room_left(left) + 16, top + 16, 2 * PANEL + 24, top + HEIGHT - 60, _linear(y), left)
    segment(root, axes.left, axes.up(0), axes.right, axes.up(0), "axis")
    _draw(root, axes, y, y - t, f"predicted {_name(one, j)}", "predicted − true")


def _linear(values: np.ndarray | list[float]) -> Scale:
    """Return an axis that is never logarithmic, with few ticks."""
    low, high = float(np.min(values)), float(np.max(values))
    return scale([low, high, *([0.0] if low > 0 and high > 30 * low else [])], 4)


def _draw(root: Element, axes: Axes, xs: np.ndarray, ys: np.ndarray, across: str, up: str) -> None:
    axes.draw(root, across, up)
    places = np.array([axes.across(x) for x in xs]), np.array([axes.up(y) for y in ys])
    draw_points(root, *places, np.zeros(len(xs), int), [f"{len(xs)} examples"])


RESIDUALS = Picture(
    "residuals",
    "predictions against targets, and residuals against predictions",
    "outputs that are numbers",
    "Predictions and residuals",
    draw,
)

"""What a network of two numbers makes of the plane: its decision boundary, or the surface that it computes."""

from __future__ import annotations

import numpy as np

from dotnn.model.model import Model
from dotnn.reports.drawing.marks import Array, draw_key, draw_points, draw_shades, figure, signed_shades, spread
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import Classes, Comparison, Seen
from dotnn_runtime.pictures.axes import Axes, room_left
from dotnn_runtime.pictures.draw import text
from dotnn_runtime.pictures.scale import scale
from dotnn_runtime.pictures.style import SHADES, STYLE
from dotnn_runtime.pictures.svg import frame, text_of

WIDTH, HEIGHT, TOP, CELLS = 560.0, 520.0, 44.0, 64

PALE = 0.6
"""How strong a colour is at most: examples are to be seen on it."""


def plane(model: Model) -> list[tuple[str, int]]:
    """Return the two numbers that a network reads, each as an input and a place in it; nothing for other networks."""
    if any(d.kind != "real" or len(d.type.example) != 1 for d in model.inputs.values()):
        return []
    found = [(name, i) for name, d in model.inputs.items() for i in range(d.type.example[0])]
    return found if len(found) == 2 else []


def draw(seen: Seen) -> str:
    """Return the plane of the two inputs as the network takes them, with examples of the training part."""
    places = plane(seen.model)
    if not places or not seen.compared or _first(seen) is None:
        return ""
    one = seen.compared[0]
    points = np.stack([seen.parts["train"][name][:, i] for name, i in places], axis=1).astype(float)
    xs, ys = (_ends(points[:, i]) for i in (0, 1))
    x, y = scale(xs, 6), scale(ys, 6)
    axes = Axes(room_left(y) + 16, TOP + 26, WIDTH - 20, HEIGHT - 52, x, y)
    title = f"{seen.model.name}: {one.output} over {_name(places[0])} and {_name(places[1])}"
    values = _on_the_grid(seen, one, places, (x.low, x.high), (y.low, y.high))
    shades, colours = _shades(one, values)
    described = f"{_words(one, values)}; {len(points)} examples of the training part"
    root = frame(f"{WIDTH:.0f}", f"{HEIGHT:.0f}", title=title, description=described, style=STYLE)
    text(root, 16, 24, title, "title")
    if isinstance(one, Classes) and one.reading:
        text(root, 16, 40, one.reading, "small")
    draw_shades(root, axes.left, axes.top, (axes.right - axes.left, axes.bottom - axes.top), shades, colours)
    axes.draw(root, _name(places[0]), _name(places[1]))
    kinds, names = _kinds(seen, one)
    rows = spread(len(points))
    across = np.array([axes.across(p) for p in points[rows, 0]])
    up = np.array([axes.up(p) for p in points[rows, 1]])
    draw_points(root, across, up, kinds[rows], names)
    draw_key(root, axes.left, TOP + 10, names, WIDTH)
    return text_of(root)


def _first(seen: Seen) -> Comparison | None:
    """Return the first comparison where it is of one row for each example: no class at every step."""
    one = seen.compared[0]
    return one if len(one.actual) == len(next(iter(seen.parts[seen.part].values()))) else None


def _ends(values: Array) -> list[float]:
    low, high = float(values.min()), float(values.max())
    room = 0.1 * (high - low) or 1.0
    return [low - room, high + room, *([0.0] if low - room > 0 else [])]


def _name(place: tuple[str, int]) -> str:
    return f"{place[0]}[{place[1]}]"


def _on_the_grid(
    seen: Seen, one: Comparison, places: list[tuple[str, int]], xs: tuple[float, float], ys: tuple[float, float]
) -> Array:
    """Return what the output is in the middle of every cell, (rows from above, columns, values)."""
    middles = (np.arange(CELLS) + 0.5) / CELLS
    across, up = xs[0] + middles * (xs[1] - xs[0]), ys[1] - middles * (ys[1] - ys[0])
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    sizes = {name: d.type.example[0] for name, d in seen.model.inputs.items()}
    inputs = {name: np.zeros((len(grid), size)) for name, size in sizes.items()}
    for column, (name, i) in enumerate(places):
        inputs[name][:, i] = grid[:, column]
    outputs = seen.outputs(inputs)[one.output.partition("[")[0]].astype(float)
    return outputs.reshape(CELLS, CELLS, -1)


def _shades(one: Comparison, values: Array) -> tuple[Array, Array]:
    if not isinstance(one, Classes):
        middle, half = (values.max() + values.min()) / 2, (values.max() - values.min()) / 2
        return signed_shades((values[:, :, 0] - middle) * PALE, half)
    if one.positive >= 0:  # a single unit: away from where it changes its mind
        middle, half = (0.5, 0.5) if one.probable else (0.0, float(np.abs(values).max()))
        score = values[:, :, 0] - middle
        shades, _ = signed_shades(score * PALE, half)
        return shades, (score > 0).astype(int)
    best = values.argmax(axis=-1)
    top = np.sort(values, axis=-1)
    margin = top[:, :, -1] - top[:, :, -2]
    shades = np.ceil(margin / (margin.max() or 1) * SHADES * PALE).astype(int)
    return np.maximum(shades, 1), best


def _words(one: Comparison, values: Array) -> str:
    if not isinstance(one, Classes):
        return f"from {figure(values.min())} to {figure(values.max())} in the network's units"
    if one.positive >= 0:
        share = np.mean(values[:, :, 0] > (0.5 if one.probable else 0))
        return f"{one.labels[1]} on {share:.0%} of the plane, {one.labels[0]} on the rest"
    best = values.argmax(axis=-1)
    return ", ".join(f"{label} on {np.mean(best == c):.0%} of the plane" for c, label in enumerate(one.labels))


def _kinds(seen: Seen, one: Comparison) -> tuple[Array, list[str]]:
    """Return the class of every example of the training part, 0 for numbers, and what classes are called."""
    target = seen.parts["train"][one.target.partition("[")[0]]
    if not isinstance(one, Classes):
        return np.zeros(len(target), int), ["examples"]
    if one.positive >= 0:
        return (target.reshape(len(target), -1)[:, 0] > (0.5 if one.probable else 0)).astype(int), [*one.labels]
    return (target.argmax(axis=-1) if target.ndim > 1 else target.astype(int)), [*one.labels]


BOUNDARY = Picture(
    "boundary",
    "what the network makes of the plane of its two inputs",
    "a network that reads two numbers",
    "What it makes of the plane",
    draw,
)

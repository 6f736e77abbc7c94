"""Points by class, grids of shades, and how numbers are written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dotnn_runtime.pictures.draw import LETTER, Element, box, marker, path, text
from dotnn_runtime.pictures.style import COLOURS, SHADES

Array = np.ndarray
MOST_POINTS = 600
"""Of more examples so many are drawn, spread evenly over them."""


def spread(count: int, most: int = MOST_POINTS) -> Array:
    """Return the places of at most so many examples."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def draw_points(root: Element, xs: Array, ys: Array, kinds: Array, names: Sequence[str]) -> None:
    """Draw points by their places in pixels; those of one kind have its colour and shape."""
    for kind, name in enumerate(names):
        chosen = np.flatnonzero(kinds == kind)
        pieces = "".join(marker(xs[i], ys[i], kind) for i in chosen)
        if pieces:
            path(root, pieces, f"point f{kind % COLOURS}", name)


def draw_key(root: Element, x: float, y: float, names: Sequence[str], right: float) -> float:
    """Write which colour and shape is which, in rows that end before `right`; return where the next row would be."""
    left = x
    for kind, name in enumerate(names):
        if x + 22 + LETTER * len(name) > right and x > left:
            x, y = left, y + 18
        path(root, marker(x + 5, y - 4, kind), f"point f{kind % COLOURS}")
        text(root, x + 14, y, name)
        x += 34 + LETTER * len(name)
    return y + 18


def draw_shades(
    root: Element, left: float, top: float, size: tuple[float, float], shades: Array, colours: Array
) -> None:
    """Draw a grid of cells from the left top; each has a shade, 0 to `SHADES`, of the colour of its number.

    Cells that are alike beside each other are one rectangle. `shades` and `colours` are (rows, columns).
    """
    width, height = size[0] / shades.shape[1], size[1] / shades.shape[0]
    pieces: dict[tuple[int, int], list[str]] = {}
    codes = np.where(shades > 0, colours * (SHADES + 1) + shades, -1)
    for row, line in enumerate(codes):
        edges = [0, *(np.flatnonzero(np.diff(line)) + 1), len(line)]
        for first, last in pairwise(edges):
            if line[first] >= 0:
                place = box(left + first * width, top + row * height, (last - first) * width, height)
                pieces.setdefault((int(colours[row, first]), int(shades[row, first])), []).append(place)
    for (colour, shade), boxes in sorted(pieces.items()):
        path(root, "".join(boxes), f"f{colour % COLOURS} a{shade}")


def signed_shades(values: Array, largest: float) -> tuple[Array, Array]:
    """Return shades by size and colours by sign: 0 for what is above 0, 1 for what is below."""
    sizes = np.abs(values) / (largest or 1.0)
    return np.ceil(np.nan_to_num(np.minimum(sizes, 1)) * SHADES - 1e-9).astype(int), (values < 0).astype(int)


def figure(value: float) -> str:
    """Return a number with three digits."""
    return f"{value:.3g}"

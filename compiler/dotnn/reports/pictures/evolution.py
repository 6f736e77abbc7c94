"""How weights, pre-activations, activations and their derivatives spread and move while a network learns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dotnn.reports.drawing.marks import Array, figure
from dotnn.reports.pictures.base import Picture
from dotnn.reports.pictures.distributions import COLUMNS, MEANS, MOST_LAYERS, columns_of
from dotnn.reports.seen import Seen
from dotnn_runtime.pictures.axes import Axes
from dotnn_runtime.pictures.draw import LETTER, Element, group, path, segment, text
from dotnn_runtime.pictures.scale import Scale, Tick, scale
from dotnn_runtime.pictures.style import STYLE
from dotnn_runtime.pictures.svg import frame, text_of

SHARES = (0, 5, 25, 50, 75, 95, 100)
"""The percentiles that bound the bands, from the outer ones to the median in the middle."""
MEDIAN = len(SHARES) // 2
BANDS = ("all", "5% to 95%", "25% to 75%")
SHADES = (1, 2, 3)
"""The strength of each band's colour; it lies on those around it."""
WIDTH, HEIGHT, LEFT, TOP, ROOM, GAP = 100.0, 72.0, 16.0, 88.0, 78.0, 10.0
ROW = HEIGHT + 58
DIGIT = 6.0
"""The width of a digit of an epoch's number."""

Bands = dict[tuple[str, int], list[Array]]
"""By layer and column, the percentiles after each epoch, (7,) each, NaN where nothing is finite."""


def draw(seen: Seen) -> str:
    """Return, for each of w, z, a and δ of every layer, bands of percentiles over the epochs of the snapshots.

    The examples are the same at all epochs: some of the training part. Epoch 0 is before the training; the epoch
    whose parameters the run has kept is there, too.
    """
    taken = dict(seen.snapshots())
    if not taken:
        return ""
    best = int(seen.result.get("best_epoch") or 0)
    taken = {0: seen.start, **({best: seen.params} if best else {}), **taken}
    epochs, bands = sorted(taken), Bands()
    for epoch in epochs:
        _add(bands, seen, taken[epoch])
    names = list(dict.fromkeys(name for name, _ in bands))
    title = f"{seen.model.name}: what is in its layers, over the training"
    width, height = LEFT + len(COLUMNS) * (ROOM + WIDTH + GAP), TOP + ROW * len(names)
    described = f"Percentiles after the epochs {', '.join(map(str, epochs))}. {_words(bands)}"
    root = frame(f"{width:.0f}", f"{height:.0f}", title=title, description=described, style=STYLE)
    text(root, LEFT, 24, title, "title")
    _draw_key(root)
    for column, (symbol, meaning) in enumerate(zip(COLUMNS, MEANS, strict=True)):
        text(root, LEFT + column * (ROOM + WIDTH + GAP), 74, f"{symbol}: {meaning}", "small")
    for row, name in enumerate(names):
        top = TOP + ROW * row
        text(root, LEFT, top + 10, name, "head")
        for column in range(len(COLUMNS)):
            if (name, column) in bands:
                left = LEFT + column * (ROOM + WIDTH + GAP) + ROOM
                panel = Panel(left, top + 20, epochs, bands[name, column])
                panel.draw(group(root, f"{COLUMNS[column]} of {name}: {_moved(panel.found)}"), COLUMNS[column])
    return text_of(root)


def _add(bands: Bands, seen: Seen, params: Mapping[str, Array]) -> None:
    """Add what the network has with some parameters."""
    for layer in seen.computed(params).layers[:MOST_LAYERS]:
        for column, values in enumerate(columns_of(params, layer)):
            if values is not None and values.size:
                bands.setdefault((layer.name, column), []).append(percentiles(values))


def percentiles(values: Array) -> Array:
    """Return the percentiles `SHARES` of those that are finite, NaN where none is."""
    finite = values[np.isfinite(values)]
    return np.percentile(finite, SHARES) if finite.size else np.full(len(SHARES), np.nan)


def _words(bands: Bands) -> str:
    return "; ".join(f"{COLUMNS[column]} of {name}: {_moved(found)}" for (name, column), found in bands.items())


def _moved(found: Sequence[Array]) -> str:
    """Return the median and the middle half before and after the training."""
    (low, middle, high), (first, then, last) = (one[MEDIAN - 1 : MEDIAN + 2] for one in (found[0], found[-1]))
    return (
        f"median from {figure(middle)} to {figure(then)}, "
        f"the middle half from {figure(low)} … {figure(high)} to {figure(first)} … {figure(last)}"
    )


def _draw_key(root: Element) -> None:
    x = LEFT
    for band, name in enumerate(BANDS):
        for shade in SHADES[: band + 1]:
            path(root, f"M{x:.2f} 42h24v12h-24z", f"f0 a{shade}")
        text(root, x + 30, 52, name)
        x += 50 + LETTER * len(name)
    segment(root, x, 48, x + 24, 48, "line s0")
    text(root, x + 30, 52, "median, over the epochs")


@dataclass(frozen=True)
class Epochs(Scale):
    """An axis of epochs from 0, as far apart as the logarithms of one more than their numbers; `named` have a tick."""

    named: tuple[int, ...] = ()

    def place(self, value: float) -> float:
        """Return where an epoch is: 0 at the low end, 1 at the high end."""
        return math.log1p(value) / math.log1p(self.high)

    def ticks(self) -> list[Tick]:
        """Return the ticks from the low end to the high one."""
        return [Tick(self.place(epoch), str(epoch)) for epoch in self.named]


def epochs_scale(epochs: Sequence[int]) -> Epochs:
    """Return the axis of some epochs in ascending order; the last is named, and of the others those with room."""
    whole = Epochs(0, epochs[-1], 1)
    room = [(whole.place(epoch) * WIDTH, DIGIT / 2 * len(str(epoch)) + 2) for epoch in epochs]
    named, free, end = list[int](), -math.inf, room[-1][0] - room[-1][1]
    for epoch, (at, half) in zip(epochs[:-1], room, strict=False):
        if free <= at - half and at + half <= end:
            named.append(epoch)
            free = at + half
    return Epochs(0, epochs[-1], 1, named=(*named, epochs[-1]))


@dataclass(frozen=True)
class Panel:
    """The bands of one quantity of one layer: percentiles `found` after each of the `epochs`, from the left top."""

    left: float
    top: float
    epochs: Sequence[int]
    found: Sequence[Array]

    def draw(self, root: Element, symbol: str) -> None:
        """Draw bands, median and axes."""
        y = scale((v for one in self.found for v in one), 3)
        axes = Axes(self.left, self.top, self.left + WIDTH, self.top + HEIGHT, epochs_scale(self.epochs), y)
        axes.draw(root, "", symbol, kind="small")
        for band, shade in enumerate(SHADES):
            path(root, self._band(axes, band), f"f0 a{shade}")
        path(root, self._median(axes), "line s0")

    def _median(self, axes: Axes) -> str:
        points = [(axes.across(epoch), one[MEDIAN]) for epoch, one in zip(self.epochs, self.found, strict=True)]
        drawn = [(x, axes.up(value)) if math.isfinite(value) else None for x, value in points]
        steps = ["L" if before and now else "M" for before, now in pairwise([None, *drawn])]
        return "".join(f"{step}{at[0]:.2f} {at[1]:.2f}" for step, at in zip(steps, drawn, strict=True) if at)

    def _band(self, axes: Axes, band: int) -> str:
        """Return a piece between each two epochs at which there are numbers, from one percentile to its counterpart."""
        sides = [
            (axes.across(epoch), axes.up(one[-1 - band]), axes.up(one[band])) if np.isfinite(one).all() else None
            for epoch, one in zip(self.epochs, self.found, strict=True)
        ]
        return "".join(
            f"M{a[0]:.2f} {a[1]:.2f}L{b[0]:.2f} {b[1]:.2f}V{b[2]:.2f}L{a[0]:.2f} {a[2]:.2f}z"
            for a, b in pairwise(sides)
            if a and b
        )


EVOLUTION = Picture(
    "evolution",
    "how the weights, pre-activations, activations and derivatives of every layer move while it learns",
    "runs with snapshots (dotnn train --snapshots N)",
    "What was in the layers, over the training",
    draw,
)

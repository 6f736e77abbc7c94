"""How weights, pre-activations, activations and their derivatives are spread in every layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dotnn.reports.drawing.marks import Array, figure
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import Arrays, Layer, Seen
from dotnn_runtime.pictures.draw import Element, box, group, path, segment, text
from dotnn_runtime.pictures.scale import SAME
from dotnn_runtime.pictures.style import STYLE
from dotnn_runtime.pictures.svg import frame, text_of

COLUMNS = ("w", "z", "a", "δ")
MEANS = ("weights", "pre-activations", "activations", "derivatives of the loss")
BINS, MOST_LAYERS = 24, 24
WIDTH, HEIGHT, LEFT, TOP, GAP = 138.0, 64.0, 16.0, 62.0, 24.0
ROW = HEIGHT + 54


def draw(seen: Seen) -> str:
    """Return a histogram for each of w, z, a and δ, a row for each layer, of some examples of the training part."""
    return draw_layers(f"{seen.model.name}: what is in its layers", seen.trained.layers, seen.params)


def draw_layers(title: str, found: Sequence[Layer], params: Arrays) -> str:
    """Return the histograms of some layers, whose weights are those of `params`."""
    layers = found[:MOST_LAYERS]
    if not layers:
        return ""
    width, height = LEFT + 4 * (WIDTH + GAP), TOP + ROW * len(layers)
    described = "; ".join(f"{layer.name}: {_words(params, layer)}" for layer in layers)
    root = frame(f"{width:.0f}", f"{height:.0f}", title=title, description=described, style=STYLE)
    text(root, LEFT, 24, title, "title")
    for column, (symbol, meaning) in enumerate(zip(COLUMNS, MEANS, strict=True)):
        text(root, LEFT + column * (WIDTH + GAP), 46, f"{symbol}: {meaning}", "small")
    for row, layer in enumerate(layers):
        top = TOP + ROW * row
        text(root, LEFT, top + 12, layer.name, "head")
        for column, values in enumerate(columns_of(params, layer)):
            if values is not None and values.size:
                hint = f"{COLUMNS[column]} of {layer.name}: {_summary(values)}"
                _histogram(group(root, hint), LEFT + column * (WIDTH + GAP), top + 20, values)
    return text_of(root)


def columns_of(params: Arrays, layer: Layer) -> tuple[Array | None, ...]:
    """Return w, z, a and δ of a layer as `COLUMNS` names them, None for what it does not have."""
    weights = [np.ravel(params[name]) for name in layer.weights]
    return (np.concatenate(weights) if weights else None, layer.z, layer.a, layer.d)


def _words(params: Arrays, layer: Layer) -> str:
    pairs = zip(COLUMNS, columns_of(params, layer), strict=True)
    return ", ".join(f"{symbol} {_summary(values)}" for symbol, values in pairs if values is not None and values.size)


def _summary(values: Array) -> str:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "not finite"
    zeros, mean = np.mean(finite == 0), finite.mean()
    more = f", {zeros:.0%} zeros" if zeros >= 0.005 else ""
    mean = 0.0 if abs(mean) <= SAME * np.abs(finite).max() else mean  # what is left of a sum of 0 is rounding
    return f"mean {figure(mean)}, deviation {figure(finite.std())}{more}"


def _histogram(root: Element, left: float, top: float, values: Array) -> None:
    finite = values[np.isfinite(values)]
    if not finite.size:
        text(root, left, top + HEIGHT / 2, "not finite", "small")
        return
    low, high = float(finite.min()), float(finite.max())
    if high - low <= SAME * max(abs(low), abs(high)):  # rounding, or nothing: one column in the middle
        low, high = low - (abs(low) or 1), high + (abs(high) or 1)
    counts, _ = np.histogram(finite, BINS, (low, high))
    step, largest, bottom = WIDTH / BINS, counts.max(), top + HEIGHT
    bars = [box(left + i * step, bottom, step - 1, -HEIGHT * n / largest) for i, n in enumerate(counts) if n]
    path(root, "".join(bars), "f0")
    segment(root, left, bottom, left + WIDTH, bottom, "axis")
    if low < 0 < high:
        at = left + WIDTH * (0 - low) / (high - low)
        segment(root, at, top, at, bottom + 4, "axis")
    text(root, left, bottom + 13, figure(low), "small")
    text(root, left + WIDTH, bottom + 13, figure(high), "small", anchor="end")


DISTRIBUTIONS = Picture(
    "distributions",
    "weights, pre-activations, activations and derivatives of every layer as histograms",
    "layers with weights or activations",
    "Weights, activations and gradients after training",
    draw,
)

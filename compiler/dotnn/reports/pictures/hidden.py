"""Where hidden layers put the examples: the layer's two units, or the two directions in which most of it lies."""

from __future__ import annotations

import numpy as np

from dotnn.reports.drawing.marks import Array, draw_key, draw_points
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import Classes, Layer, Seen
from dotnn_runtime.pictures.axes import Axes, room_left
from dotnn_runtime.pictures.draw import Element, group, text
from dotnn_runtime.pictures.scale import SAME, scale
from dotnn_runtime.pictures.style import STYLE
from dotnn_runtime.pictures.svg import frame, text_of

PANEL, TOP, MOST, NOTE = 320.0, 64.0, 8, 18.0
ONE_POINT = "all examples are at one point: the layer gives the same for every example"


def draw(seen: Seen) -> str:
    """Return a panel for each of the first hidden layers, with examples of the training part by their class."""
    ends = set(seen.model.outputs.values())
    layers = [
        la for la in seen.trained.layers if la.name not in ends and la.a.ndim == 2 and la.a.shape[1] > 1 and la.weights
    ]
    if not layers or len(layers[0].a) < 2:
        return ""
    notes = [f"{la.name}: {ONE_POINT}" for la in layers if _is_constant(la)]
    layers = [la for la in layers if not _is_constant(la)]
    if len(layers) > MOST:
        notes.append(f"{MOST} of {len(layers)} layers shown: the first {MOST - 1} and the last")
        layers = [*layers[: MOST - 1], layers[-1]]
    rows, begin = (len(layers) + 1) // 2, TOP + NOTE * len(notes)
    title = f"{seen.model.name}: where hidden layers put the examples"
    kinds, names = _kinds(seen)
    found = [_two(layer) for layer in layers]
    described = "; ".join([*notes, *(f"{la.name}: {said}" for la, (_, said, _) in zip(layers, found, strict=True))])
    width, height = 2 * PANEL + 20, begin + 18 + rows * (PANEL - 10)
    root = frame(f"{width:.0f}", f"{height:.0f}", title=title, description=described, style=STYLE)
    text(root, 16, 24, title, "title")
    if layers:
        draw_key(root, 16, 46, names, width)
    for number, note in enumerate(notes):
        text(root, 16, TOP + NOTE * number + 4, note)
    for number, (layer, (points, said, called)) in enumerate(zip(layers, found, strict=True)):
        left, top = PANEL * (number % 2), begin + 18 + (PANEL - 10) * (number // 2)
        _panel(group(root, f"{layer.name}: {said}"), (left, top), layer.name, points, called, (kinds, names))
    return text_of(root)


def _is_constant(layer: Layer) -> bool:
    """Whether a layer gives the same for every example, but for rounding."""
    a = np.nan_to_num(layer.a)
    return bool(np.ptp(a, axis=0).max() <= SAME * np.abs(a).max())


def _two(layer: Layer) -> tuple[Array, str, tuple[str, str]]:
    """Return two numbers for each example, (n, 2), what they are in a sentence, and what the axes are called."""
    a = np.nan_to_num(layer.a)
    if a.shape[1] == 2:
        return a, "its two units", (f"{layer.name}[0]", f"{layer.name}[1]")
    centred = a - a.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2] * np.sign(directions[:2, np.abs(directions[:2]).argmax(axis=1)].diagonal())[:, None]
    share = float(np.sum(sizes[:2] ** 2) / (np.sum(sizes**2) or 1.0))
    said = f"two principal components of {a.shape[1]} units, {share:.0%} of the variance"
    return centred @ directions.T, said, ("first component", "second component")


def _panel(
    root: Element,
    at: tuple[float, float],
    name: str,
    points: Array,
    called: tuple[str, str],
    of: tuple[Array, list[str]],
) -> None:
    x, y = (scale([*points[:, i], *_zero(points[:, i])], 4) for i in (0, 1))
    axes = Axes(at[0] + room_left(y) + 16, at[1] + 24, at[0] + PANEL - 8, at[1] + PANEL - 66, x, y)
    text(root, axes.left, at[1] + 12, name, "head")
    axes.draw(root, *called)
    across, up = np.array([axes.across(v) for v in points[:, 0]]), np.array([axes.up(v) for v in points[:, 1]])
    draw_points(root, across, up, *of)


def _zero(values: Array) -> list[float]:
    """Return what keeps an axis linear: it would be logarithmic over numbers above 0 that differ much."""
    return [0.0] if values.min() > 0 else []


def _kinds(seen: Seen) -> tuple[Array, list[str]]:
    """Return the class of each example that is looked at, and what classes are called."""
    count = len(next(iter(seen.chosen.values())))
    one = next((one for one in seen.compared if isinstance(one, Classes)), None)
    target = seen.chosen[one.target.partition("[")[0]] if one is not None else np.zeros(())
    if (
        one is None
        or len(target) != count
        or (target.ndim > 1 and one.positive < 0 and target.shape[1] != len(one.labels))
    ):
        return np.zeros(count, int), ["examples"]
    if one.positive >= 0:
        return (target.reshape(count, -1)[:, 0] > (0.5 if one.probable else 0)).astype(int), [*one.labels]
    return (target.argmax(axis=1) if target.ndim > 1 else target.astype(int)), [*one.labels]


HIDDEN = Picture(
    "hidden", "where hidden layers put the examples", "hidden layers of several units", "Hidden representations", draw
)

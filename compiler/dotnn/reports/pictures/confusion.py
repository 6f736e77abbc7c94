"""Which classes are taken for which."""

from __future__ import annotations

import numpy as np

from dotnn.reports.drawing.marks import draw_shades
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import PARTS, Classes, Seen
from dotnn_runtime.merit.classes import confusion_matrix
from dotnn_runtime.pictures.draw import LETTER, Element, segment, text
from dotnn_runtime.pictures.style import SHADES, STYLE
from dotnn_runtime.pictures.svg import frame, text_of

LEAST_CELL, WIDEST_CELL, MOST_CLASSES, TOP = 40.0, 84.0, 30, 86.0
MOST_ZEROS = 12
"""Of more classes most cells are empty, and stay so."""


def draw(seen: Seen) -> str:
    """Return a confusion matrix for each output of classes: rows are true, columns predicted."""
    found = [one for one in seen.compared if isinstance(one, Classes) and len(one.labels) <= MOST_CLASSES][:12]
    if not found:
        return ""
    room = 48 + LETTER * max(len(label) for one in found for label in one.labels)
    heights = [TOP + _cell(one) * len(one.labels) + 30 for one in found]
    width = max(420.0, room + max(_cell(one) * len(one.labels) for one in found) + 30)
    title = f"{seen.model.name}: which classes are taken for which"
    described = f"the {PARTS[seen.part]}: " + "; ".join(_words(one) for one in found)
    root = frame(f"{width:.0f}", f"{30 + sum(heights):.0f}", title=title, description=described, style=STYLE)
    text(root, 16, 24, title, "title")
    top = 30.0
    for one, height in zip(found, heights, strict=True):
        _matrix(root, one, room, top)
        top += height
    return text_of(root)


def _counts(one: Classes) -> np.ndarray:
    return confusion_matrix(one.predicted, one.actual, len(one.labels)).astype(int)


def _words(one: Classes) -> str:
    """Return the mistakes in words, the most frequent first."""
    counts = _counts(one)
    wrong = [(int(n), i, j) for (i, j), n in np.ndenumerate(counts) if i != j and n]
    wrong.sort(reverse=True)
    listed = ", ".join(f"{n} of {one.labels[i]} taken for {one.labels[j]}" for n, i, j in wrong[:8])
    read = f" ({one.reading})" if one.reading else ""
    right = f"{np.trace(counts)} of {counts.sum()} right"
    return f"{one.output} against {one.target}: {right}{', ' * bool(listed)}{listed}{read}"


def _cell(one: Classes) -> float:
    """Return the side of a cell, wide enough for most labels."""
    return min(max(LEAST_CELL, LETTER * max(map(len, one.labels)) + 6), WIDEST_CELL)


def _matrix(root: Element, one: Classes, left: float, top: float) -> None:
    counts, labels, cell = _counts(one), one.labels, _cell(one)
    text(root, 16, top + 16, f"{one.output} against {one.target}", "head")
    if one.reading:
        text(root, 16, top + 30, one.reading, "small")
    side, begin = cell * len(labels), top + TOP
    text(root, left + side / 2, top + 50, "predicted", anchor="middle")
    turned = text(root, 0, 0, "true", anchor="middle")
    turned.set("transform", f"translate(24 {begin + side / 2:g}) rotate(-90)")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colours = 1 - np.eye(len(labels), dtype=int)
    shades = np.ceil(share * SHADES * 0.75).astype(int)  # not so dark that a number on it is hard to read
    draw_shades(root, left, begin, (side, side), shades, colours)
    for i in range(len(labels) + 1):
        segment(root, left, begin + cell * i, left + side, begin + cell * i, "grid")
        segment(root, left + cell * i, begin, left + cell * i, begin + side, "grid")
    for i, label in enumerate(labels):
        text(root, left - 8, top + TOP + cell * (i + 0.5) + 4, label, anchor="end")
        short = label if LETTER * len(label) <= cell else f"{label[: int(cell / LETTER) - 1]}…"
        text(root, left + cell * (i + 0.5), top + TOP - 8, short, "cell", anchor="middle")
        for j, n in enumerate(counts[i]):
            if n or len(labels) <= MOST_ZEROS:
                at = left + cell * (j + 0.5), begin + cell * (i + 0.5) + 5
                text(root, *at, str(n), "cell", anchor="middle").set("style", "font-size: 14px")


CONFUSION = Picture(
    "confusion", "which classes are taken for which", "outputs that are classes", "Confusion matrix", draw
)

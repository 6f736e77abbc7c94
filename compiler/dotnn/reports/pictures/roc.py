"""How many of a class are found, and at the cost of how many others: ROC curves."""

from __future__ import annotations

import numpy as np

from dotnn.reports.drawing.marks import figure
from dotnn.reports.drawing.squares import Curve, Square, draw_squares
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import PARTS, Classes, Seen
from dotnn_runtime.merit.ranking import roc_auc, roc_curve

MOST_CLASSES, MOST_OUTPUTS = 8, 4
"""Of more classes those with the least area are drawn."""


def draw(seen: Seen) -> str:
    """Return for each output of classes the curve of every class against all others, with the area below it."""
    found = [one for one in seen.compared if isinstance(one, Classes)][:MOST_OUTPUTS]
    squares = [Square(f"{one.output} against {one.target}", _curves(one), one.reading) for one in found]
    squares = [square for square in squares if square.curves]
    described = f"the {PARTS[seen.part]}: " + "; ".join(curve.label for square in squares for curve in square.curves)
    names = ("false positive rate", "true positive rate")
    return draw_squares(f"{seen.model.name}: ROC curves", described, names, squares)


def _curves(one: Classes) -> list[Curve]:
    """Return a curve for each class that some examples have and others do not; of two classes for one of them."""
    shown = [max(one.positive, 1)] if len(one.labels) == 2 else range(len(one.labels))
    found = []
    for c in shown:
        is_c = one.actual == c
        if 0 < np.sum(is_c) < len(is_c):
            area = roc_auc(one.scores[:, c], is_c, one.weights)
            curve = roc_curve(one.scores[:, c], is_c, one.weights)
            found.append((area, Curve(f"{one.labels[c]}: area {figure(area)}", *curve)))
    if len(found) > MOST_CLASSES:
        found = sorted(found, key=lambda pair: pair[0])[:MOST_CLASSES]
    return [curve for _, curve in found]


ROC = Picture(
    "roc",
    "how many of a class are found, and how many others with them",
    "outputs that are classes",
    "ROC curves",
    draw,
)

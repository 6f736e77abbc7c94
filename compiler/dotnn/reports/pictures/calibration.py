"""Whether probabilities are as often right as they say: reliability diagrams."""

from __future__ import annotations

from dotnn.reports.drawing.marks import figure
from dotnn.reports.drawing.squares import Curve, Square, draw_squares
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import PARTS, Classes, Seen

MOST_OUTPUTS = 4


def draw(seen: Seen) -> str:
    """Return for each output of probabilities how often they are right, in ten equal bins (Niculescu-Mizil 2005)."""
    found = [one for one in seen.compared if isinstance(one, Classes) and one.probable][:MOST_OUTPUTS]
    squares = [Square(f"{one.output} against {one.target}", [_curve(one)], one.reading) for one in found]
    curves = [f"{square.curves[0].label}; {_counted(one)}" for square, one in zip(squares, found, strict=True)]
    described = f"the {PARTS[seen.part]}: " + "; ".join(curves)
    names = ("probability (numbers: examples per point)", "share that were right")
    return draw_squares(f"{seen.model.name}: calibration", described, names, squares)


def _curve(one: Classes) -> Curve:
    found = one.calibration(one.weights)
    what = f"of {one.labels[one.positive]}" if one.positive >= 0 else "of the predicted class"
    label = f"{what}: calibration error {figure(found.error)}"
    return Curve(label, found.predicted, found.observed, found.count)


def _counted(one: Classes) -> str:
    """Return how many examples each point is made of, from the least probability to the greatest."""
    found = one.calibration(one.weights)
    each = [f"{n} at {p:.2f}" for n, p in zip(found.count, found.predicted, strict=True)]
    return f"number of examples per point, {found.count.sum()} in all: {', '.join(each)}"


CALIBRATION = Picture(
    "calibration",
    "how often probabilities are right, beside what they say",
    "outputs that are probabilities of classes",
    "Calibration",
    draw,
)

"""The curve of a training: loss and validation loss over the epochs, and the best epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain

from .chart import Chart, Line, Mark
from .scale import counting_scale, scale

CURVES = {"loss": "training", "val_loss": "validation"}


def loss_svg(history: Sequence[Mapping[str, float | None]], title: str = "") -> str:
    """Return a picture of `loss` and, where there is one, `val_loss` of every epoch, as the text of an SVG file.

    `history` is what `train` returns. A dot marks the least validation loss (else loss). The axis of the loss is
    logarithmic where all losses are positive and span more than a factor of 30.
    """
    curves = [Line(label, _values(history, key)) for key, label in CURVES.items()]
    lines = [line for line in curves if any(map(math.isfinite, line.values))]
    marks = [_best(lines[-1].values)] if lines else []
    y = scale(chain.from_iterable(line.values for line in lines))
    title = "".join(letter if letter.isprintable() else " " for letter in title)  # XML has no control characters
    return Chart(title, "epoch", "loss", lines, marks, counting_scale(len(history)), y).svg()


def _values(history: Sequence[Mapping[str, float | None]], key: str) -> list[float]:
    """Return one value per epoch, NaN where a record has none: a gap in the curve."""
    return [math.nan if (value := record.get(key)) is None else float(value) for record in history]


def _best(values: Sequence[float]) -> Mark:
    value, i = min((value, i) for i, value in enumerate(values) if math.isfinite(value))
    return Mark(f"best: {value:.4g} in epoch {i + 1}", i + 1, value)

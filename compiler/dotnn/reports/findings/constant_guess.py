"""A network that is no better than one answer for all examples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.reports.findings.base import Fault, Finding, place
from dotnn.reports.seen import Classes, Comparison, Numbers, Seen

ENOUGH = 4
FIX = "mend first what is found above it; if nothing is, give it more units, more epochs or another learning rate"


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for each output that is not better than the most frequent class, or than the mean."""
    for one in seen.compared:
        if len(one.actual) >= ENOUGH and (said := _said(one)):
            message, numbers = said
            line = place(seen, seen.model.train.losses[0].span)
            yield Fault(
                "constant_guess", f"{one.output} is no better than a constant guess: {message}", line, FIX, numbers
            )


def _said(one: Comparison) -> tuple[str, dict[str, float]] | None:
    if isinstance(one, Classes):
        share = np.bincount(one.actual.astype(int), minlength=len(one.labels)) / len(one.actual)
        right = float(np.mean(one.predicted == one.actual))
        guess, label = float(share.max()), one.labels[int(share.argmax())]
        if right > guess or right == 1:
            return None
        return f"accuracy {right:.3g}, always {label} gives {guess:.3g}", {"accuracy": right, "guess": guess}
    return _of_numbers(one)


def _of_numbers(one: Numbers) -> tuple[str, dict[str, float]] | None:
    error = float(np.mean(np.square(one.values - one.actual)))
    guess = float(np.mean(np.square(one.actual - one.actual.mean(axis=0))))
    if error < guess or guess == 0:
        return None
    return f"mean squared error {error:.3g}, always the mean gives {guess:.3g}", {"error": error, "guess": guess}


CONSTANT_GUESS = Finding(
    "constant_guess", "an output is no better than the most frequent class, or than the mean, for all", 50, look
)

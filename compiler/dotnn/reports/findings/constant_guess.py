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
        if len(one.actual) >= ENOUGH and (said := _said(one, seen)):
            message, numbers = said
            line = place(seen, seen.model.train.losses[0].span)
            yield Fault(
                "constant_guess", f"{one.output} is no better than a constant guess: {message}", line, FIX, numbers
            )


def _said(one: Comparison, seen: Seen) -> tuple[str, dict[str, float]] | None:
    if isinstance(one, Numbers):
        return _of_numbers(one)
    count, said = _counts(one, seen)
    if not count.any():
        return None
    share = np.bincount(one.actual.astype(int), count / count.sum(), minlength=len(one.labels))
    right = float(np.average(one.predicted == one.actual, weights=count))
    guess, label = float(share.max()), one.labels[int(share.argmax())]
    if right > guess or right == 1:
        return None
    return f"accuracy {right:.3g}{said}, always {label} gives {guess:.3g}", {"accuracy": right, "guess": guess}


def _row_counts(one: Comparison) -> np.ndarray:
    """Return how much each row counts by weights of examples and masks, (n,)."""
    return np.ones(len(one.actual)) if one.weights is None else np.asarray(one.weights, float)


def _counts(one: Classes, seen: Seen) -> tuple[np.ndarray, str]:
    """Return how much each row counts in the loss, and what is to be said of it: one class may count more."""
    count = _row_counts(one)
    terms = [term for term in seen.model.train.losses if term.output == one.output and term.attrs.get("class_weight")]
    if not terms:
        return count, ""
    return count * np.array(terms[0].attrs["class_weight"], float)[one.actual.astype(int)], " by the weights of classes"


def _of_numbers(one: Numbers) -> tuple[str, dict[str, float]] | None:
    count = _row_counts(one)
    if not count.any():
        return None
    mean = np.average(one.actual, axis=0, weights=count)
    error = float(np.average(np.square(one.values - one.actual).mean(axis=1), weights=count))
    guess = float(np.average(np.square(one.actual - mean).mean(axis=1), weights=count))
    if error < guess or guess == 0:
        return None
    return f"mean squared error {error:.3g}, always the mean gives {guess:.3g}", {"error": error, "guess": guess}


CONSTANT_GUESS = Finding(
    "constant_guess", "an output is no better than the most frequent class, or than the mean, for all", 50, look
)

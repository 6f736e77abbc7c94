"""A network that is no better than one answer for all examples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.reports.data_summary import class_counts
from dotnn.reports.findings.base import Fault, Finding, place
from dotnn.reports.seen import Classes, Comparison, Numbers, Seen

ENOUGH = 4
FIX = "give it more units, more epochs or another learning rate"
LITTLE = 0.25
"""A network that makes less than this part of the errors of a constant guess has learned well."""


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for each output that is not better than the most frequent class, or than the mean."""
    for one in seen.compared:
        if len(one.actual) >= ENOUGH and (said := _said(one, seen)):
            message, numbers = said
            line = place(seen, seen.model.train.losses[0].span)
            message = f"{one.output} is no better than a constant guess: {message}"
            yield Fault("constant_guess", message, line, FIX, numbers, follows=True)


def _said(one: Comparison, seen: Seen) -> tuple[str, dict[str, float]] | None:
    if isinstance(one, Numbers):
        return _of_numbers(one, seen)
    count, said = _counts(one, seen)
    if not count.any():
        return None
    right, guess, label = _accuracies(one, count, seen)
    numbers = {"accuracy": right, "guess": guess}
    constant = one.labels[int(one.predicted[0])] if np.ptp(one.predicted) == 0 else ""
    if right == 1 or (right > guess and not constant):
        return None
    always = f"always guessing {label}, the commonest in training, gives {guess:.3g}"
    if constant:
        always = f"it says {constant} for each of {len(one.actual)} examples" + f"; {always}" * (constant != label)
    return f"accuracy {right:.3g}{said}, {always}", numbers


def _accuracies(one: Classes, count: np.ndarray, seen: Seen) -> tuple[float, float, str]:
    """Return the accuracy of a network, and that of always guessing the commonest class in training, which is named."""
    share = np.bincount(one.actual.astype(int), count / count.sum(), minlength=len(one.labels))
    guess = commonest(one, seen)
    return float(np.average(one.predicted == one.actual, weights=count)), float(share[guess]), one.labels[guess]


def commonest(one: Classes, seen: Seen) -> int:
    """Return the class that the training part has most of, as the loss counts them; where it has none, the part shown.

    Whoever guesses knows the training part only: the commonest class of the examples shown would be known from them.
    """
    terms = [term for term in seen.model.train.losses if term.target == one.target]
    train = seen.parts["train"].get(one.target)
    found = class_counts(train, terms[0].target_kind) if terms and train is not None else None
    if found is None or not found.any():
        found = np.bincount(one.actual.astype(int), _counts(one, seen)[0], minlength=len(one.labels))
    elif terms[0].attrs.get("class_weight"):
        found = found * np.array(terms[0].attrs["class_weight"], float)
    return int(found.argmax())


def has_learned(seen: Seen) -> bool:
    """Whether all outputs make far fewer errors on the part shown than a constant guess does."""
    return bool(seen.compared) and all(_is_learned(one, seen) for one in seen.compared)


def _is_learned(one: Comparison, seen: Seen) -> bool:
    if len(one.actual) < ENOUGH:
        return False
    if isinstance(one, Numbers):
        error, guess, _ = _errors(one, seen)
        return error < LITTLE * guess
    count, _ = _counts(one, seen)
    right, guess, _ = _accuracies(one, count, seen) if count.any() else (0.0, 0.0, "")
    return 1 - right < LITTLE * (1 - guess)


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


def _of_numbers(one: Numbers, seen: Seen) -> tuple[str, dict[str, float]] | None:
    if not _row_counts(one).any():
        return None
    error, guess, where = _errors(one, seen)
    if error < guess or guess == 0:
        return None
    said = f"mean squared error {error:.3g}, always guessing the mean{where} gives {guess:.3g}"
    return said, {"error": error, "guess": guess}


def _errors(one: Numbers, seen: Seen) -> tuple[float, float, str]:
    """Return the mean squared errors of a network and of the mean, and of which part that is.

    It is the one of training, unless its numbers are prepared: they are not in the target's own units.
    """
    count, data = _row_counts(one), seen.model.data
    train = None if data is not None and data.prepared.get(one.target) else seen.parts["train"].get(one.target)
    if train is None or seen.model.weights or not len(train):
        mean, where = np.average(one.actual, axis=0, weights=count), ""
    else:
        mean = np.asarray(train, float).reshape(-1, one.actual.shape[1]).mean(axis=0)
        where = " of training"
    error = float(np.average(np.square(one.values - one.actual).mean(axis=1), weights=count))
    return error, float(np.average(np.square(one.actual - mean).mean(axis=1), weights=count)), where


CONSTANT_GUESS = Finding(
    "constant_guess",
    "an output is no better than the commonest class, or the mean, for all, or says one class for all",
    50,
    look,
)

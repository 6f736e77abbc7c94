"""Classes that are predicted against those that are true: the confusion matrix, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .weights import Array, weights_of


def confusion_matrix(predicted: Array, actual: Array, classes: int, weights: Array | None = None) -> Array:
    """Return the weight of the examples of each true class (row) and predicted class (column), (classes, classes).

    `predicted` and `actual` are class numbers, (n,).
    """
    weight = weights_of(weights, len(actual))
    cells = actual.astype(int) * classes + predicted.astype(int)
    return np.bincount(cells, weight, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class ByClass:
    """Figures of every class, (classes,) each: 0 where a class is never predicted, or never true."""

    precision: Array
    recall: Array
    f1: Array
    support: Array


def by_class(confusion: Array) -> ByClass:
    """Return precision tp / (tp + fp), recall tp / (tp + fn), F1 = 2 tp / (2 tp + fp + fn), and the weight of each."""
    hits, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return ByClass(_ratio(hits, predicted), _ratio(hits, true), _ratio(2 * hits, true + predicted), true)


def accuracy(confusion: Array) -> float:
    """Return the share of examples whose class is predicted."""
    return float(np.trace(confusion) / confusion.sum())


def balanced_accuracy(confusion: Array) -> float:
    """Return the mean recall of the classes that are true at least once."""
    found = by_class(confusion)
    return float(np.mean(found.recall[found.support > 0]))


def macro_f1(confusion: Array) -> float:
    """Return the mean F1 of the classes that are true or predicted at least once."""
    seen = confusion.sum(axis=0) + confusion.sum(axis=1) > 0
    return float(np.mean(by_class(confusion).f1[seen]))


def _ratio(above: Array, below: Array) -> Array:
    ratio = np.zeros(len(below))
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio

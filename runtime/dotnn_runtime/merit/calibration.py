"""Whether probabilities are as often right as they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .weights import Array, weights_of

BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Of each tenth of [0, 1] in which predictions fall: the mean probability, how often it is right, its weight, and
    how many examples there are.

    `error` is the expected calibration error, the mean distance of the two (Naeini et al. 2015).
    """

    predicted: Array
    observed: Array
    weight: Array
    count: Array

    @property
    def error(self) -> float:
        """The mean of |observed - predicted|, weighted by the examples."""
        return float(np.average(np.abs(self.observed - self.predicted), weights=self.weight))


def calibration(probability: Array, happened: Array, weights: Array | None = None) -> Calibration:
    """Compare probabilities in [0, 1] with what happened, a mask; both (n,). Bins are as wide as each other."""
    weight = weights_of(weights, len(probability))
    place = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], probability)
    total = np.bincount(place, weight, minlength=BINS)
    some = total > 0
    predicted = np.bincount(place, weight * probability, minlength=BINS)[some] / total[some]
    observed = np.bincount(place, weight * happened, minlength=BINS)[some] / total[some]
    return Calibration(predicted, observed, total[some], np.bincount(place, minlength=BINS)[some])


def brier(probabilities: Array, actual: Array, weights: Array | None = None) -> float:
    """Return the mean over examples of sum_k (p_k - t_k)²; t is 1 for the true class (Brier 1950).

    `probabilities` is (n, classes), `actual` (n,).
    """
    t = np.eye(probabilities.shape[1])[actual.astype(int)]
    return float(np.average(np.sum(np.square(probabilities - t), axis=1), weights=weights_of(weights, len(actual))))

"""How well scores put the examples in order: the area under the ROC curve, and the k likeliest classes."""

from __future__ import annotations

import math

import numpy as np

from .weights import Array, weights_of


def roc_auc(score: Array, positive: Array, weights: Array | None = None) -> float:
    """Return the chance that a positive example has a higher score than a negative one; equal scores count half.

    `score` and the mask `positive` are (n,). Mann and Whitney 1947. NaN where one of the two does not occur.
    """
    weight = weights_of(weights, len(score))
    _, place = np.unique(score, return_inverse=True)
    above = np.bincount(place, weight * positive)
    below = np.bincount(place, weight * ~positive)
    pairs = above.sum() * below.sum()
    if not pairs > 0:
        return math.nan
    return float(np.sum(above * (np.cumsum(below) - below / 2)) / pairs)


def roc_auc_by_class(scores: Array, actual: Array, weights: Array | None = None) -> Array:
    """Return the area of each class against all others, (classes,); `scores` is (n, classes), `actual` (n,)."""
    return np.array([roc_auc(scores[:, c], actual == c, weights) for c in range(scores.shape[1])])


def top_k(scores: Array, actual: Array, k: int, weights: Array | None = None) -> float:
    """Return the share of examples whose class is among the `k` with the highest scores.

    Of equal scores that of the higher class number counts first, as in scikit-learn.
    """
    best = np.argsort(scores, axis=1, kind="stable")[:, ::-1][:, :k]
    return float(np.average((best == actual[:, None]).any(axis=1), weights=weights_of(weights, len(actual))))


def roc_curve(score: Array, positive: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the false and the true positive rates at all thresholds, from (0, 0) to (1, 1)."""
    weight = weights_of(weights, len(score))
    score, positive, weight = score[weight > 0], positive[weight > 0], weight[weight > 0]
    _, place = np.unique(-score, return_inverse=True)
    true = np.cumsum(np.bincount(place, weight * positive))
    false = np.cumsum(np.bincount(place, weight * ~positive))
    with np.errstate(invalid="ignore"):
        return np.r_[0, false / false[-1]], np.r_[0, true / true[-1]]

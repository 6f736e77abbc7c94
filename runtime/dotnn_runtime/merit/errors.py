"""How far numbers are off."""

from __future__ import annotations

import math

import numpy as np

from .weights import Array, weights_of


def mean_absolute_error(output: Array, target: Array, weights: Array | None = None) -> float:
    """Return the mean of |y - t| over examples and outputs, both (n, outputs)."""
    return float(np.average(np.mean(np.abs(output - target), axis=1), weights=weights_of(weights, len(target))))


def root_mean_squared_error(output: Array, target: Array, weights: Array | None = None) -> float:
    """Return the root of the mean of (y - t)² over examples and outputs: of several outputs, the root of their mean."""
    return math.sqrt(np.average(np.mean(np.square(output - target), axis=1), weights=weights_of(weights, len(target))))


def mean_error(output: Array, target: Array, weights: Array | None = None) -> float:
    """Return the mean of y - t: above 0 where predictions are too large."""
    return float(np.average(np.mean(output - target, axis=1), weights=weights_of(weights, len(target))))


def max_error(output: Array, target: Array) -> float:
    """Return the largest |y - t|."""
    return float(np.max(np.abs(output - target)))


def r2(output: Array, target: Array, weights: Array | None = None) -> float:
    """Return the coefficient of determination 1 - SSE / SST, averaged over the outputs.

    Of a target that is constant it is 1 for a perfect output, else 0. NaN for fewer than 2 examples.
    """
    if len(target) < 2:
        return math.nan
    weight = weights_of(weights, len(target))[:, None]
    sse = np.sum(weight * np.square(target - output), axis=0)
    sst = np.sum(weight * np.square(target - np.average(target, axis=0, weights=weight[:, 0])), axis=0)
    known = np.divide(sse, sst, out=np.where(sse > 0, 1.0, 0.0), where=sst > 0)
    return float(np.mean(1 - known))

"""How far a figure may be off because the examples are few."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from .weights import Array, weights_of

RESAMPLES = 1000
WORK = 20_000_000
"""About so many examples are looked at in all resamples together; there are never fewer than 100."""


def interval(
    figure: Callable[[Array], float], count: int, weights: Array | None = None, *, share: float = 0.95
) -> tuple[float, float]:
    """Return between which values a figure of weighted examples lies in `share` of all resamples (Efron 1979).

    `figure` takes the weights of the `count` examples, (n,): a resample says how often each is drawn. NaN where the
    figure is undefined in more than half of them, or the same in all: the examples say nothing of its spread then.
    The same examples give the same interval.
    """
    rng, weight = np.random.default_rng(0), weights_of(weights, count)
    number = int(np.clip(WORK // max(count, 1), 100, RESAMPLES))
    found = np.array(
        [figure(weight * np.bincount(rng.integers(count, size=count), minlength=count)) for _ in range(number)]
    )
    found = found[np.isfinite(found)]
    if 2 * len(found) < number:
        return math.nan, math.nan
    low, high = np.quantile(found, [(1 - share) / 2, (1 + share) / 2])
    return (float(low), float(high)) if high > low else (math.nan, math.nan)


def interval_of_share(rate: float, count: int, *, share: float = 0.95) -> tuple[float, float]:
    """Return between which values the true share lies where `rate` of `count` examples were right (Wilson 1927)."""
    z = NormalDist().inv_cdf((1 + share) / 2)
    middle = (rate + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)

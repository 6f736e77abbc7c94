"""Weights of examples."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def weights_of(weights: Array | None, count: int) -> Array:
    """Return one weight for each of `count` examples, shape (n,). Raises ValueError where they do not fit."""
    if weights is None:
        return np.ones(count)
    given = np.asarray(weights, float)
    if given.shape != (count,):
        raise ValueError(f"{count} examples need weights of shape ({count},), not {given.shape}")
    return given

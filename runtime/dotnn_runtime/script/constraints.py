"""What weights are put back to after an update."""

import numpy as np


def max_norm(w: np.ndarray, limit: float) -> np.ndarray:
    """Return the weights with every unit's vector no longer than `limit`; units are along the last axis."""
    axes, longest = tuple(range(w.ndim - 1)), limit
    norms = np.sqrt(np.sum(w * w, axis=axes, keepdims=True))
    if np.isinf(norms).any():  # the squares are too large for a number; the weights need not be
        largest = np.maximum(np.max(np.abs(w), axis=axes, keepdims=True), limit)
        w, longest = w / largest, limit / largest
        norms = np.sqrt(np.sum(w * w, axis=axes, keepdims=True))
    shortened: np.ndarray = w * (limit / np.maximum(norms, longest))
    return shortened

"""What weights are put back to after an update."""

import numpy as np


def max_norm(w: np.ndarray, limit: float) -> np.ndarray:
    """Return the weights with every unit's vector no longer than `limit`; units are along the last axis."""
    norms = np.sqrt(np.sum(w * w, axis=tuple(range(w.ndim - 1)), keepdims=True))
    scaled: np.ndarray = w * (limit / np.maximum(norms, limit))
    return scaled

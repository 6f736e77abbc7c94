"""Random masks, and the starts of weights that need more than one line."""

import numpy as np


def dropout_mask(rng, shape, keep):
    """1/keep with probability `keep`, else 0: the expected value of every unit stays what it was."""
    return (rng.random(shape) < keep) / keep


def truncated_normal(rng, shape):
    """Gaussian numbers, those beyond two drawn again, scaled
    to a standard deviation of 1 (0.8796 after the cut).
    """
    values = rng.standard_normal(shape)
    while (far := np.abs(values) > 2).any():
        values[far] = rng.standard_normal(far.sum())
    return values / 0.8796256610342398


def orthogonal(rng, shape):
    """A matrix with orthonormal rows or columns: the Q of a Gaussian one, with unique signs."""
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


def forget_one(shape):
    """Zeros, except for ones in the second quarter: an LSTM's forget gate (Jozefowicz et al. 2015)."""
    values, quarter = np.zeros(shape), shape[-1] // 4
    values[..., quarter : 2 * quarter] = 1
    return values

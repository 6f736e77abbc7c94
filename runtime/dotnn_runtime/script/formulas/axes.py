"""Reductions over one axis that stays with length 1, and parts of arrays."""

import numpy as np


def first_largest(x, axis):
    """1 for the first of the largest numbers along an axis, 0 for all others."""
    return _one_at(x.argmax(axis=axis), x, axis)


def first_smallest(x, axis):
    """1 for the first of the smallest numbers along an axis, 0 for all others."""
    return _one_at(x.argmin(axis=axis), x, axis)


def _one_at(place, x, axis):
    """1 at a place along an axis, 0 elsewhere."""
    mask = np.zeros_like(x)
    np.put_along_axis(mask, np.expand_dims(place, axis), 1, axis)
    return mask


def logsumexp(x, axis):
    """log sum_i exp(x_i) along an axis; subtracting the maximum first changes nothing but the rounding."""
    top = np.take_along_axis(x, np.expand_dims(x.argmax(axis=axis), axis), axis)
    return top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True))


def put_back(d, index, shape):
    """Zeros, with d where the index took a part out."""
    x = np.zeros((len(d), *shape), d.dtype)
    x[index] = d
    return x

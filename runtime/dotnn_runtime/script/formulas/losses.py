"""Losses, their slopes, and what they make of class labels."""

import math

import numpy as np


def huber(error, delta):
    """Half the square of a small error, linear in a large one (Huber 1964)."""
    size = np.where(error > 0, error, -error)
    small = np.minimum(size, delta)
    return small * (size - 0.5 * small)


def huber_slope(error, delta):
    """The derivative of `huber`: the error, clipped to [-delta, delta]."""
    return np.minimum(np.maximum(error, -delta), delta)


def safe_log(p):
    """The logarithm of a probability, of 1e-7 where it is smaller (as Keras)."""
    return np.log(np.maximum(p, 1e-7))


def safe_log_slope(p):
    """The derivative of `safe_log`: zero where the probability was clipped."""
    return (p > 1e-7) / np.maximum(p, 1e-7)


def safe_log_rest(p):
    """`safe_log` of 1 - p; log1p keeps the digits of a small p, which 1 - p would lose."""
    return np.where(1 - p > 1e-7, np.log1p(-np.minimum(p, 1 - 1e-7)), math.log(1e-7))


def binary_cross_entropy(p, t):
    """-t log p - (1 - t) log(1 - p)."""
    return -(t * safe_log(p) + (1 - t) * safe_log_rest(p))


def binary_cross_entropy_slope(p, t):
    """The derivative of `binary_cross_entropy` by p."""
    return (1 - t) * safe_log_slope(1 - p) - t * safe_log_slope(p)


def sigmoid_cross_entropy(z, t):
    """-t log p - (1 - t) log(1 - p) with p = sigmoid(z), which is log(1 + exp(z)) - t z.

    Written with |z|: the two terms would cancel where z is large and t is 1.
    """
    return ((z > 0) - t) * z + np.log1p(np.exp(np.where(z > 0, -z, z)))


def one_hot_rows(labels, classes, dtype):
    """A row per label: 1 in the label's column, 0 elsewhere."""
    return np.eye(classes, dtype=dtype)[labels]


def weight_of_class(target, weights, dtype):
    """The weight of each example's class, as a column; targets are class numbers, or rows that sum to one."""
    table = np.array(weights, dtype)
    return (
        table[target][..., None]
        if target.dtype.kind in "iu"
        else (target * table).sum(axis=-1, keepdims=True)
    )


def sum_of_weights(weights):
    """The sum of weights, or how many places a mask marks; 1 where it is 0, for a loss of nothing is 0."""
    return weights.sum().item() or 1.0


def smooth(rows, amount):
    """Move `amount` of the target probability from the true
    class to all classes evenly (Szegedy et al. 2016).
    """
    return (1 - amount) * rows + amount / rows.shape[-1]

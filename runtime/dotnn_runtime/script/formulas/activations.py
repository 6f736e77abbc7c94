"""Activations, and the slopes of those that need more than one line."""

import numpy as np


def sigmoid(z):
    """The logistic function 1 / (1 + exp(-z)), without overflow and without losing small values."""
    e = np.exp(np.where(z > 0, -z, z))
    return np.where(z > 0, 1, e) / (1 + e)


def softplus(z):
    """log(1 + exp(z)), in a form that cannot overflow: max(z, 0) + log(1 + exp(-|z|))."""
    return np.maximum(z, 0) + np.log1p(np.exp(np.where(z > 0, -z, z)))


def softmax(z):
    """exp(z_i) / sum_j exp(z_j) over the last axis.

    Subtracting the maximum changes nothing but the rounding.
    """
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(z):
    """z_i - log sum_j exp(z_j) over the last axis.

    The largest exponential is 1: log1p adds it to the others, where 1 + others would lose small ones.
    """
    top = z.argmax(axis=-1)[..., None]
    shifted = z - np.take_along_axis(z, top, axis=-1)
    others = np.where(np.arange(z.shape[-1]) == top, 0, np.exp(shifted))
    return shifted - np.log1p(others.sum(axis=-1, keepdims=True))


def gelu_gate(z):
    """(1 + tanh(u)) / 2 = sigmoid(2 u) with u = sqrt(2/pi) (z + 0.044715 z^3).

    1 + tanh(u) would lose small values.
    """
    z = np.minimum(np.maximum(z, -30), 30)  # beyond, the gate is 0 or 1, and z^3 may overflow
    return sigmoid(1.5957691216057308 * (z + 0.044715 * z * z * z))


def gelu(z):
    """z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) (Hendrycks and Gimpel 2016)."""
    return z * gelu_gate(z)


def gelu_slope(z):
    """The derivative of `gelu`."""
    z = np.minimum(np.maximum(z, -30), 30)
    return gelu_gate(z) * (1 + z * gelu_gate(-z) * 1.5957691216057308 * (1 + 3 * 0.044715 * z * z))


def silu_slope(z):
    """The derivative of z sigmoid(z)."""
    return sigmoid(z) * (1 + z * sigmoid(-z))

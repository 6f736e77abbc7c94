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
    shifted = z - z.max(axis=-1, keepdims=True)
    top = np.arange(z.shape[-1]) == z.argmax(axis=-1)[..., None]
    return shifted - np.log1p(np.where(top, 0, np.exp(shifted)).sum(axis=-1, keepdims=True))


def gelu(z):
    """z/2 (1 + tanh(u)) = z sigmoid(2u), u = sqrt(2/pi) (z + 0.044715 z^3) (Hendrycks and Gimpel 2016).

    1 + tanh(u) would lose small values.
    """
    near = np.minimum(np.maximum(z, -30), 30)  # beyond, sigmoid(2u) is 0 or 1, and z^3 may overflow
    return z * sigmoid(1.5957691216057308 * (near + 0.044715 * near * near * near))


def gelu_slope(z):
    """The derivative of `gelu`."""
    z = np.minimum(np.maximum(z, -30), 30)
    twice_u = 1.5957691216057308 * (z + 0.044715 * z * z * z)
    return sigmoid(twice_u) * (1 + z * sigmoid(-twice_u) * 1.5957691216057308 * (1 + 3 * 0.044715 * z * z))


def silu_slope(z):
    """The derivative of z sigmoid(z)."""
    return sigmoid(z) * (1 + z * sigmoid(-z))

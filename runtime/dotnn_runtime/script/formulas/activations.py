"""Activations, and the slopes of those that need more than one line."""

import numpy as np


def sigmoid(z):
    """The logistic function 1 / (1 + exp(-z)), in a form that cannot overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def softplus(z):
    """log(1 + exp(z)), in a form that cannot overflow: max(z, 0) + log(1 + exp(-|z|))."""
    return np.maximum(z, 0) + np.log1p(np.exp(np.where(z > 0, -z, z)))


def softmax(z):
    """exp(z_i) / sum_j exp(z_j) over the last axis; subtracting the maximum changes nothing but the rounding."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(z):
    """z_i - log sum_j exp(z_j) over the last axis."""
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def gelu(z):
    """z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) (Hendrycks and Gimpel 2016)."""
    return 0.5 * z * (1 + np.tanh(0.7978845608028654 * (z + 0.044715 * z * z * z)))


def gelu_slope(z):
    """The derivative of `gelu`."""
    t = np.tanh(0.7978845608028654 * (z + 0.044715 * z * z * z))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * z * z)


def silu_slope(z):
    """The derivative of z sigmoid(z)."""
    s = sigmoid(z)
    return s + z * s * (1 - s)

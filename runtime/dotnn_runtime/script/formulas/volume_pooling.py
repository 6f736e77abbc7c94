"""Pooling of volumes [batch, plane, row, column, channel]: that of images, with one axis more."""

import numpy as np

from dotnn_runtime.script.formulas.convolution import padded
from dotnn_runtime.script.formulas.volumes import met


def standing(x, window, stride):
    """Return how many places a window has along each axis of a volume."""
    return tuple((n - k) // s + 1 for n, k, s in zip(x.shape[1:4], window, stride, strict=True))


def without_border(x, pad):
    """A volume without the border that was put around it."""
    cut = (slice(low, n - high) for n, (low, high) in zip(x.shape[1:4], pad, strict=True))
    return x[(slice(None), *cut)]


def max_pool3d(x, window, stride, pad=((0, 0), (0, 0), (0, 0))):
    """a[p, q, r] = max over (i, j, k) of x[p s + i, q s + j, r s + k]. A border is never the maximum."""
    x, best = padded(x, pad, -np.inf), -np.inf
    size = standing(x, window, stride)
    for offset in np.ndindex(window):
        best = np.maximum(best, met(x, offset, size, stride, (1, 1, 1)))
    return best


def max_pool3d_d_input(d, x, best, window, stride, pad=((0, 0), (0, 0), (0, 0))):
    """The whole gradient goes to the first maximum, nothing to the others."""
    x = padded(x, pad, -np.inf)
    d_x, sought = np.zeros_like(x), np.ones(best.shape, bool)
    for offset in np.ndindex(window):
        found = sought & (met(x, offset, best.shape[1:4], stride, (1, 1, 1)) == best)
        met(d_x, offset, best.shape[1:4], stride, (1, 1, 1))[...] += d * found
        sought = sought & ~found
    return without_border(d_x, pad)


def sum_pool3d(x, window, stride, pad=((0, 0), (0, 0), (0, 0))):
    """s[p, q, r] = sum over (i, j, k) of x[p s + i, q s + j, r s + k]."""
    x, total = padded(x, pad), 0.0
    size = standing(x, window, stride)
    for offset in np.ndindex(window):
        total = total + met(x, offset, size, stride, (1, 1, 1))
    return total


def avg_pool3d(x, window, stride, pad=((0, 0), (0, 0), (0, 0))):
    """The mean under the window at every place; the border does not count."""
    return sum_pool3d(x, window, stride, pad) / sum_pool3d(np.ones_like(x[:1, ..., :1]), window, stride, pad)


def avg_pool3d_d_input(d, size, window, stride, pad=((0, 0), (0, 0), (0, 0))):
    """Every element under the window receives an equal share."""
    share = d / sum_pool3d(np.ones((1, *size, 1), d.dtype), window, stride, pad)
    d_x = padded(np.zeros((len(d), *size, d.shape[-1]), d.dtype), pad)
    for offset in np.ndindex(window):
        met(d_x, offset, d.shape[1:4], stride, (1, 1, 1))[...] += share
    return without_border(d_x, pad)

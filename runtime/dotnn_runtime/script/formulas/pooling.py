"""Pooling as textbooks write it: a maximum or a mean over the offsets (i, j) of a window.

Images are [batch, row, column, channel]; the names and arguments are those of `convolution`.
"""

import numpy as np

from dotnn_runtime.script.formulas.convolution import cropped, moved, padded, places


def max_pool2d(x, window, stride, pad=((0, 0), (0, 0))):
    """a[p, q] = max over (i, j) of x[p s + i, q s + j]. A border is never the maximum."""
    x, best = padded(x, pad, -np.inf), -np.inf
    size = places(x, window, stride, (1, 1))
    for i, j in np.ndindex(window):
        best = np.maximum(best, moved(x, i, j, size, stride, (1, 1)))
    return best


def max_pool2d_d_input(d, x, best, window, stride, pad=((0, 0), (0, 0))):
    """The whole gradient goes to the maximum, nothing to the others.

    Of equal ones, row by row, to the first.
    """
    x = padded(x, pad, -np.inf)
    d_x, sought = np.zeros_like(x), np.ones(best.shape, bool)
    for i, j in np.ndindex(window):
        found = sought & (moved(x, i, j, best.shape[1:3], stride, (1, 1)) == best)
        moved(d_x, i, j, best.shape[1:3], stride, (1, 1))[...] += d * found
        sought = sought & ~found
    return cropped(d_x, pad)


def sum_pool2d(x, window, stride, pad=((0, 0), (0, 0))):
    """s[p, q] = sum over (i, j) of x[p s + i, q s + j]."""
    x, total = padded(x, pad), 0.0
    size = places(x, window, stride, (1, 1))
    for i, j in np.ndindex(window):
        total = total + moved(x, i, j, size, stride, (1, 1))
    return total


def avg_pool2d(x, window, stride, pad=((0, 0), (0, 0))):
    """The mean under the window at every place; the border does not count."""
    return sum_pool2d(x, window, stride, pad) / sum_pool2d(np.ones_like(x[:1, :, :, :1]), window, stride, pad)


def avg_pool2d_d_input(d, size, window, stride, pad=((0, 0), (0, 0))):
    """Every element under the window receives an equal share."""
    share = d / sum_pool2d(np.ones((1, *size, 1), d.dtype), window, stride, pad)
    d_x = padded(np.zeros((len(d), *size, d.shape[-1]), d.dtype), pad)
    for i, j in np.ndindex(window):
        moved(d_x, i, j, d.shape[1:3], stride, (1, 1))[...] += share
    return cropped(d_x, pad)


def max_pool1d(x, window, stride, pad=(0, 0)):
    """a[p] = max over i of x[p s + i]: a sequence is an image of one row."""
    return max_pool2d(x[:, None], (1, window), (1, stride), ((0, 0), pad))[:, 0]


def max_pool1d_d_input(d, x, best, window, stride, pad=(0, 0)):
    """The whole gradient goes to the first maximum."""
    rows = d[:, None], x[:, None], best[:, None]
    return max_pool2d_d_input(*rows, (1, window), (1, stride), ((0, 0), pad))[:, 0]


def avg_pool1d(x, window, stride, pad=(0, 0)):
    """The mean under the window at every place; the border does not count."""
    return avg_pool2d(x[:, None], (1, window), (1, stride), ((0, 0), pad))[:, 0]


def avg_pool1d_d_input(d, size, window, stride, pad=(0, 0)):
    """Every element under the window receives an equal share."""
    return avg_pool2d_d_input(d[:, None], (1, size), (1, window), (1, stride), ((0, 0), pad))[:, 0]


def max_global_d_input(d, x):
    """The gradient of the maximum over all places of an image or sequence.

    Of equal values the first receives it.
    """
    rows = x.reshape(len(x), -1, x.shape[-1])
    d_rows = np.zeros_like(rows)
    np.put_along_axis(d_rows, rows.argmax(axis=1)[:, None], d[:, None], axis=1)
    return d_rows.reshape(x.shape)

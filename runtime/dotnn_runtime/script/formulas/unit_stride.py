"""Convolution whose kernel stands at every place, and pooling by windows that lie side by side.

The most usual cases of `convolution` and `pooling`, in fewer lines and to the same bits. Images are
[batch, row, column, channel], kernels [row, column, in, out], `pad` is (before, after) per axis.
"""

import numpy as np


def convolve(x, W, pad=((0, 0), (0, 0))):
    """z[p, q] = sum over (i, j) of x[p + i, q + j] W[i, j], where x has a border of zeros."""
    x = np.pad(x, ((0, 0), *pad, (0, 0)))
    rows, columns = x.shape[1] - W.shape[0] + 1, x.shape[2] - W.shape[1] + 1
    return sum(x[:, i : i + rows, j : j + columns] @ W[i, j] for i, j in np.ndindex(W.shape[:2]))


def convolve_d_weight(x, d, kernel, pad=((0, 0), (0, 0))):
    """dE/dW[i, j] = sum over images and places of x[p + i, q + j]ᵀ d[p, q], where d is dE/dz."""
    x, (rows, columns) = np.pad(x, ((0, 0), *pad, (0, 0))), d.shape[1:3]
    d_W = np.empty((*kernel, x.shape[-1], d.shape[-1]), np.result_type(x, d))
    for i, j in np.ndindex(kernel):
        seen = x[:, i : i + rows, j : j + columns]
        d_W[i, j] = seen.reshape(-1, x.shape[-1]).T @ d.reshape(-1, d.shape[-1])
    return d_W


def convolve_d_input(d, W, size, pad=((0, 0), (0, 0))):
    """The gradient with respect to x, images of `size`: d[p, q] W[i, j]ᵀ is added at (p + i, q + j)."""
    d_x = np.pad(np.zeros((len(d), *size, W.shape[2]), np.result_type(d, W)), ((0, 0), *pad, (0, 0)))
    for i, j in np.ndindex(W.shape[:2]):
        d_x[:, i : i + d.shape[1], j : j + d.shape[2]] += d @ W[i, j].T
    (top, _), (left, _) = pad
    return d_x[:, top : top + size[0], left : left + size[1]]


def block_max(x, rows, columns):
    """The maximum of every window of rows × columns; the windows do not overlap."""
    return np.max([x[:, i::rows, j::columns] for i, j in np.ndindex(rows, columns)], axis=0)


def block_max_d_input(d, x, best, rows, columns):
    """The whole gradient goes to the maximum, nothing to the others.

    Of equal ones, row by row, to the first.
    """
    d_x = np.zeros_like(x)
    for i, j in np.ndindex(rows, columns):
        d_x[:, i::rows, j::columns] = d * (x[:, i::rows, j::columns] == best)
        d = d - d_x[:, i::rows, j::columns]
    return d_x

"""A convolution under max pooling as one convolution by
copies of its filters: the definitions, for reference.

The fast style has statements of its own for these; the numbers are the same.
"""

import numpy as np


def filter_bank(W, window):
    """The copies of all filters, each at another offset of the window, side by side in a larger kernel."""
    channels = [(0, 0), (0, 0)]
    moves = [[(i, size - 1 - i) for i, size in zip(move, window)] for move in np.ndindex(window)]
    return np.concatenate([np.pad(W, [*move, *channels]) for move in moves], axis=-1)


def filter_bank_d_weight(d, window):
    """The gradient of the filters: the sum over that of their copies, each cut out where it lies."""
    parts = np.split(d, np.prod(window), axis=-1)
    kernel = [n - size + 1 for n, size in zip(d.shape, window)]
    cuts = [tuple(slice(i, i + k) for i, k in zip(move, kernel)) for move in np.ndindex(window)]
    return sum(part[cut] for part, cut in zip(parts, cuts))


def max_of_filters(c, copies):
    """The largest of the copies of every filter."""
    return c.reshape(*c.shape[:-1], copies, -1).max(axis=-2)


def max_of_filters_d_input(d, c, copies):
    """The whole gradient goes to the largest copy, to the first of equal ones."""
    rows = c.reshape(*c.shape[:-1], copies, -1)
    d_rows = np.zeros_like(rows)
    np.put_along_axis(d_rows, rows.argmax(axis=-2)[..., None, :], d[..., None, :], axis=-2)
    return d_rows.reshape(c.shape)

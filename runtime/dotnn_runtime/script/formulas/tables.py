"""Tables whose rows are vectors: of an embedding, of positions."""

import numpy as np


def sum_by_row(ids, values, rows):
    """Row i is the sum of all values whose id is i: the gradient of `table[ids]` by the table."""
    total = np.zeros((rows, values.shape[-1]), values.dtype)
    np.add.at(total, ids, values)
    return total


def sinusoids(length, width):
    """A row per position t: sin and cos of t / 10000^(2i/width) in turn (Vaswani et al. 2017)."""
    angle = np.arange(length)[:, None] / 10000 ** (np.arange(0, width, 2) / width)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(length, -1)[:, :width]

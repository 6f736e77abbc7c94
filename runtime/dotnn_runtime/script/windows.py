"""Views for the fast style. Planes are [channel, row,
column, example], of sequences [channel, step, example].

A view shares its numbers with the array it looks at: these functions are called once, before training.
"""

import numpy as np


def windows(
    planes: np.ndarray,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int = 1,
) -> np.ndarray:
    """Return the view [i, j, group, channel, p, q, example] = planes[channel, p s + i d, q s + j d, example].

    It has one axis per axis of the kernel, and one per axis
    of places; every group has its share of the channels.
    """
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    places = [(n - r) // s + 1 for n, r, s in zip(planes.shape[1:-1], reach, stride, strict=True)]
    channel, *along, example = planes.strides
    within = [step * d for step, d in zip(along, dilation, strict=True)]
    across = [step * s for step, s in zip(along, stride, strict=True)]
    channels = len(planes) // groups
    shape = (*kernel, groups, channels, *places, planes.shape[-1])
    steps = (*within, channels * channel, channel, *across, example)
    return np.lib.stride_tricks.as_strided(planes, shape, steps)


def elements(seen: np.ndarray, kernel: tuple[int, ...]) -> list[np.ndarray]:
    """Return, for every element of a kernel in reading order, the view of what it meets at all places."""
    return [seen[index] for index in np.ndindex(kernel)]


def inside(planes: np.ndarray, pad: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Return the view of planes without their border."""
    cut = [slice(low, n - high) for n, (low, high) in zip(planes.shape[1:-1], pad, strict=True)]
    return planes[(slice(None), *cut)]


def filter_copies(bank: np.ndarray, kernel: tuple[int, ...], window: tuple[int, ...]) -> list[np.ndarray]:
    """Return the views of a filter bank in which the copies
    of the filters lie, one for each offset of the window.
    """
    parts = np.split(bank, int(np.prod(window)), axis=-1)
    cuts = [tuple(slice(i, i + k) for i, k in zip(move, kernel, strict=True)) for move in np.ndindex(window)]
    return [part[cut] for part, cut in zip(parts, cuts, strict=True)]

"""Arrays of the fast style: parameters side by side in one buffer, so that an update is a few calls."""

import math
import typing

import numpy as np


def aligned(shape: tuple[int, ...], dtype: typing.Any, start: float | None = None) -> np.ndarray:
    """Return a new array that starts where a line of the processor's cache does, at a multiple of 64 bytes:
    what lies across two lines is read twice. Its numbers are all `start` where one is given.
    """
    raw = np.empty(math.prod(shape) + 64 // np.dtype(dtype).itemsize, dtype)
    first = -raw.ctypes.data % 64 // raw.itemsize
    array = raw[first : first + math.prod(shape)].reshape(shape)
    if start is not None:
        array[...] = start
    return array


def flat_arrays(
    shapes: dict[str, tuple[int, ...]], dtype: np.dtype
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return one zeroed buffer and views of it with the given shapes. A matrix starts at a multiple
    of 64 bytes, a vector right behind what comes before it: a bias is one more row of its W.
    """
    size, starts, step = 0, {}, 64 // np.dtype(dtype).itemsize
    for name, shape in shapes.items():
        size = size if len(shape) < 2 else -(-size // step) * step
        starts[name] = size
        size += int(np.prod(shape))
    flat = aligned((size,), dtype, 0)
    return flat, {n: flat[s : s + int(np.prod(shapes[n]))].reshape(shapes[n]) for n, s in starts.items()}


def stacked(first: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Return matrices and vectors under each other: a view of the buffer in which they lie side by side."""
    end, rows = first.ctypes.data + first.nbytes, len(first)
    for part in others:
        if part.ctypes.data != end:
            raise ValueError("the parts do not follow each other in the buffer")
        end += part.nbytes
        rows += len(part) if part.ndim == 2 else 1
    return np.lib.stride_tricks.as_strided(first, (rows, first.shape[1]), first.strides)


def blocks(arrays: list[np.ndarray], length: int = 49152) -> list[list[np.ndarray]]:
    """Cut arrays of one length into blocks: five of them, in single precision, fit in 1 MiB of cache."""
    size = len(arrays[0])
    return [[a[i : i + length] for a in arrays] for i in range(0, max(1, size), length)]


def count_of_blocks(rows: int, inner: int, columns: int) -> int:
    """Return into how many blocks of rows the first matrix of a product is cut, 1 for none.

    Up to a million multiplications, OpenBLAS reads both matrices where they
    lie; of larger ones it makes copies first, which takes longer than it saves
    where the second matrix is so small that eight rows and more make a block.
    """
    most = 10**6 // max(1, inner * columns)
    if rows <= most or most < 8:
        return 1
    return next((n for n in range(2, rows // 8 + 1) if rows % n == 0 and rows // n <= most), 1)


def in_blocks(array: np.ndarray, count: int) -> np.ndarray:
    """Return the rows of a matrix, or of each of many, in so many blocks: a view, for one itself."""
    return array if count == 1 else array.reshape(*array.shape[:-2], count, -1, array.shape[-1])

"""Arrays of the fast style: parameters side by side in one buffer, so that an update is a few calls."""

import numpy as np


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
    raw = np.zeros(size + step, dtype)
    offset = (-raw.ctypes.data % 64) // raw.itemsize
    flat = raw[offset : offset + size]
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


def blocks(arrays: list[np.ndarray], length: int = 32768) -> list[list[np.ndarray]]:
    """Cut arrays of one length into blocks that fit in the processor's cache together."""
    size = len(arrays[0])
    return [[a[i : i + length] for a in arrays] for i in range(0, size, length)]

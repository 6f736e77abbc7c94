"""Some examples at a time through a network, so that memory is bounded and stays in the processor's cache."""

import typing

import numpy as np


def in_chunks(
    make: typing.Callable[..., typing.Callable[..., dict[str, np.ndarray]]],
    params: dict[str, np.ndarray],
    examples: dict[str, np.ndarray],
    limit: int,
) -> typing.Callable[[], dict[str, np.ndarray]]:
    """Return the function that runs all examples through a network, at most `limit` at a time.

    `make(params, size)` returns a pass over `size` examples. The chunks are of one size, so that there is one
    pass; the last one goes over a few examples of the one before it again.
    """
    count = len(next(iter(examples.values())))
    size = -(-count // max(1, -(-count // limit)))
    run = make(params, size)
    found: dict[str, np.ndarray] = {}

    def values() -> dict[str, np.ndarray]:
        for end in range(size, count + size, size):
            rows = slice(min(end, count) - size, min(end, count))
            for name, value in run({name: array[rows] for name, array in examples.items()}).items():
                if name not in found:
                    found[name] = np.empty((count, *value.shape[1:]), value.dtype)
                found[name][rows] = value
        return found

    return values

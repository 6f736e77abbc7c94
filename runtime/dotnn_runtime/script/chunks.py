"""Some examples at a time through a network, so that memory is bounded and stays in the processor's cache."""

import typing

import numpy as np


def in_chunks(
    run: typing.Callable[..., dict[str, np.ndarray]],
    size: int,
    examples: dict[str, typing.Any],
    found: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Write what `run` gives for `size` examples at a time into arrays for all, made where `found` has none.

    The last chunk goes over a few examples of the one before it again, so that all are of one size.
    """
    count = len(next(iter(examples.values())))
    for end in range(size, count + size, size):
        rows = slice(min(end, count) - size, min(end, count))
        for name, value in run({name: array[rows] for name, array in examples.items()}).items():
            if name not in found:
                found[name] = np.empty_like(value, shape=(count, *value.shape[1:]))  # lies as `value` does
            found[name][rows] = value
    return found


def chunk_size(examples: dict[str, typing.Any], limit: int) -> int:
    """Return into how large parts the examples are cut, as evenly as can be, of at most `limit`.

    Several parts have a multiple of eight examples, which BLAS likes, if that is not more than the limit.
    """
    count = len(next(iter(examples.values())))
    size = -(-count // max(1, -(-count // limit)))
    return size if size == count else min(-(-size // 8) * 8, max(size, limit))


def run_again(
    last: list[typing.Any],
    make: typing.Callable[..., typing.Any],
    params: dict[str, np.ndarray],
    examples: dict[str, np.ndarray],
    limit: int,
) -> dict[str, np.ndarray]:
    """Return what a network makes of all examples, by a pass that `make(params, size)` returns.

    `last` holds the latest pass, whose arrays are used again where it reads these very parameters. It is
    taken out meanwhile, so that no two threads write into the same arrays.
    """
    size = chunk_size(examples, limit)
    try:
        kept, length, run = last.pop()
    except IndexError:
        kept, length, run = {}, 0, None
    if length != size or any(kept.get(name) is not w for name, w in params.items()):
        run = make(params, size)
    values = in_chunks(run, size, examples, {})
    last[:] = [(params, size, run)]
    return values

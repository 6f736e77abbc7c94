"""Checks that arrays are what the network declares: shape, kind, range, and one example each."""

import math
import typing

import numpy as np

from dotnn_runtime.script.errors import DataError, suggest
from dotnn_runtime.script.rows import Rows, as_arrays, pieces


def check_arrays(
    data: dict[str, np.ndarray], declarations: dict[str, tuple[str, tuple[int, ...]]]
) -> dict[str, np.ndarray]:
    """Return the arrays of `data` as declared: shape `(n, *shape)`, int64 for `int` and `class`, texts for
    `text`; others keep the precision that they have, see `real_numbers`.

    `declarations` maps a name to its kind and the shape of one example: `{"x": ("real", (2,)), "y":
    ("class:10", ())}`. A kind that ends in "?" may have gaps, which are NaN.
    Where a shape ends in 1, or the array ends in 1 and the shape is (), that axis is
    added or dropped; nothing else is reshaped and nothing broadcast. Raises DataError naming the first value
    that is wrong.
    """
    for name in data:
        if name not in declarations:
            raise DataError(f"the network has no {name}", help=suggest(name, list(declarations)))
    for name in declarations:
        if name not in data:
            raise DataError(f"there are no data for {name}", help=suggest(name, list(data)))
    arrays = {name: check_array(name, data[name], *declared) for name, declared in declarations.items()}
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise DataError(f"the numbers of examples differ: {listed}")
    return arrays


def check_array(name: str, value: np.ndarray, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return one array as declared, see `check_arrays`."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError(f"{name} is ragged: its examples differ in shape") from None
    if kind in ("text", "date") or (kind == "key" and array.dtype.kind == "U"):
        return check_texts(name, array)
    if array.dtype.kind not in "biuf":
        wanted = "whole numbers" if kind.partition(":")[0] in ("int", "class") else "real numbers"
        first = f": {name}{[0] * array.ndim} is {array.flat[0]!s:.40}" if array.size else ""
        raise DataError(f"{name} holds {array.dtype}, not {wanted}{first}")
    gaps, kind = kind.endswith("?"), kind.removesuffix("?")
    array = fit_shape(name, array, kind, shape)
    with np.errstate(over="ignore", invalid="ignore"):  # of the squares
        if not squares_are_finite(array):
            refuse(name, array, np.isinf if gaps else lambda a: ~np.isfinite(a), "which is not finite")
    base, _, count = kind.partition(":")
    if base in ("int", "class"):
        return check_integers(name, array, int(count) if count else None)
    check_range(name, array, kind)
    return real_numbers(array)


def real_numbers(array: np.ndarray) -> np.ndarray:
    """Return numbers as float64, but those that take less memory as they are: float32, and small integers."""
    small = array.dtype.itemsize < 8 and (array.dtype.kind == "f" or array.dtype.itemsize < 4)
    return array if small else array.astype(np.float64, copy=False)


def check_texts(name: str, array: np.ndarray) -> np.ndarray:
    """Return an array of texts, `(n,)`, one for each example. Raises DataError for anything else."""
    if array.dtype.kind != "U" or array.size == 0 or array.size != len(array):
        message = (
            f"{name} has shape {array.shape} and holds {array.dtype}, needed is one text for each example"
        )
        raise DataError(message, help="give it texts: np.array([...], str)")
    return array.reshape(-1)


def fit_shape(name: str, array: np.ndarray, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return `array` with shape `(n, *shape)`, n ≥ 1, adding or dropping a last axis of length 1."""
    if array.ndim == 0 or len(array) == 0:
        raise DataError(f"{name} holds no examples: its shape is {array.shape}")
    given = array.shape[1:]
    if given == shape or (shape[-1:] == (1,) and given == shape[:-1]) or (shape == () and given == (1,)):
        return array.reshape((len(array), *shape))
    message = f"{name} has shape {array.shape}, needed is {('n', *shape)}".replace("'n'", "n")
    raise DataError(message, help=shape_hint(name, given, kind, shape))


def shape_hint(name: str, given: tuple[int, ...], kind: str, shape: tuple[int, ...]) -> str:
    """Return the likely fix where examples have the shape `given`, "" where none is known."""
    if kind.startswith("class") and kind == f"class:{given[-1] if given else ''}":
        return f"one index per example is needed: {name}.argmax(axis=-1)"
    if kind == "distribution" and given == shape[:-1]:
        return f"one row per example is needed: one_hot({name}, {shape[-1]})"
    if len(shape) == 3 and given == (shape[2], *shape[:2]):
        return f"channels stand last here: {name}.transpose(0, 2, 3, 1)"
    if np.prod(given) == np.prod(shape):
        axes = ", ".join(map(str, (-1, *shape)))
        return f"the sizes agree: {name}.reshape({axes}) if the order is right"
    return ""


def check_integers(name: str, array: np.ndarray, count: int | None) -> np.ndarray:
    """Return `array` as int64.

    Every value must be an integer in `0…count-1` (any integer where count is None).
    """
    refuse(name, array, lambda a: a != np.floor(a), "which is no integer")
    if count is not None:
        from_1 = array.min() == 1 and array.max() == count  # then the fix is known
        hint = (
            "count from 0: subtract 1"
            if from_1
            else f"class numbers begin at 0; is {count} the number of them?"
        )
        refuse(name, array, lambda a: (a < 0) | (a >= count), f"allowed is 0…{count - 1}", hint)
    # As float64, so that unsigned and negative integers compare alike.
    refuse(name, array, lambda a: abs(a.astype(np.float64)) >= 2.0**63, "which does not fit into 64 bits")
    return array.astype(np.int64, copy=False)


def check_range(name: str, array: np.ndarray, kind: str) -> None:
    """Raise DataError at the first value outside of what
    `kind` (real, above, binary, unit, sign, distribution, weight) allows; a gap, which is NaN, is allowed.
    """
    if kind == "unit":
        refuse(name, array, lambda a: (a < 0) | (a > 1), "allowed is 0…1")
    if kind == "binary":
        hint = "the accuracy of numbers is that of 0 and 1; for others there are mae, rmse and r2"
        refuse(name, array, lambda a: (a != 0) & (a != 1) & ~np.isnan(a), "allowed is 0 and 1", hint)
    if kind.startswith("above:"):
        least = float(kind.partition(":")[2])
        refuse(name, array, lambda a: a <= least, f"which has no logarithm: it must be above {least:g}")
    if kind == "sign":
        refuse(name, array, lambda a: (a != 1) & (a != -1) & ~np.isnan(a), "allowed is -1 and +1")
    if kind == "weight":
        refuse(
            name, array, lambda a: a < 0, "a weight is not negative", "what is not to count has the weight 0"
        )
    if kind == "distribution":
        refuse(name, array, lambda a: a < 0, "a probability is not negative")
        sums = array.sum(axis=-1, dtype=np.float64)
        # Rows that were stored in float32 sum to 1 within about 1e-6.
        refuse(f"the sum of {name}", sums, lambda a: abs(a - 1) > 1e-5, "but probabilities sum to 1")


def in_precision(arrays: dict[str, np.ndarray], dtype: typing.Any) -> dict[str, np.ndarray]:
    """Return `arrays` in `dtype`, but those of int64, which are indices;
    DataError where one of their numbers is not finite in it.
    """
    cast = {}
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused
        for name, array in arrays.items():
            cast[name] = array if array.dtype == np.int64 else array.astype(dtype, copy=False)
            if array.dtype != np.int64 and not squares_are_finite(cast[name]):
                refuse_overflow(name, array, cast[name])
    return cast


def squares_are_finite(array: np.ndarray) -> bool:
    """Whether the sum of the squares is finite. Then all numbers are; else they are looked at one by one.

    It is one product of BLAS and takes no memory. Of an array with gaps between its numbers it is not asked.
    """
    if array.dtype.kind != "f":
        return True
    return array.flags.forc and math.isfinite(np.dot(flat := array.ravel("K"), flat))


def prepared(
    parts: dict[str, dict[str, Rows]], dtype: typing.Any, *, copy: bool = True, resident: float = 2**25
) -> dict[str, dict[str, typing.Any]]:
    """Return the parts in `dtype`, but what is int64, which are indices: as arrays, where all of them take
    up to `resident` bytes, else as `Rows`. Without `copy` these are written over the raw arrays
    where they fit. DataError where a number is not finite in `dtype`; then nothing is written.
    """
    made = {part: {name: in_type(name, r, dtype) for name, r in some.items()} for part, some in parts.items()}
    if sum(rows.nbytes for some in made.values() for rows in some.values()) <= resident:
        return {part: as_arrays(some) for part, some in made.items()}
    return made if copy else written_over(made)


def written_over(parts: dict[str, dict[str, Rows]]) -> dict[str, dict[str, Rows]]:
    """Return the parts, prepared once and written over their raw arrays, which are lost, where that can be:
    of an array that all parts have rows of, nothing else reads, and whose numbers are not smaller.
    """
    made = {part: dict(some) for part, some in parts.items()}
    for name, first in next(iter(parts.values())).items():
        rows = [some[name] for some in parts.values()]
        others = [r.values for some in parts.values() for other, r in some.items() if other != name]
        shared = any(np.may_share_memory(first.values, other) for other in others)
        if shared or not first.fits_over or any(r.values is not first.values for r in rows):
            continue
        values = first.over()
        for some in made.values():
            own = some[name]
            some[name] = Rows(values, None if own.whole else own.rows, own.dtype)
    return made


def in_type(name: str, rows: Rows, dtype: typing.Any) -> Rows:
    """Return rows in `dtype`, or int64 if the array is. DataError where a number is not finite in it."""
    if rows.values.dtype == np.int64:
        return rows.like(dtype=np.int64)
    cast = rows.like(dtype=dtype)
    refuse_overflow(name, rows, cast)
    return cast


def refuse_overflow(name: str, array: np.ndarray | Rows, cast: np.ndarray | Rows) -> None:
    """Raise DataError at the first element of `array` that is not finite in the type of `cast`."""

    def wrong(some: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # what overflows is refused
            overflown: np.ndarray = ~np.isfinite(some.astype(cast.dtype, copy=False))
        return overflown

    refuse(name, array, wrong, f"which is not finite in {cast.dtype}", "correct it, or scale it")


def refuse(
    name: str,
    array: np.ndarray | Rows,
    wrong: typing.Callable[[np.ndarray], np.ndarray],
    reason: str,
    help: str = "",
) -> None:
    """Raise DataError with the place and value of the first element that is `wrong`, if any is."""
    for piece in pieces(array.shape):
        some = array[piece]
        bad = wrong(some)
        if bad.any():
            first = np.argwhere(bad)[0]
            place = ", ".join(str(int(i)) for i in (piece.start + first[0], *first[1:]))
            raise DataError(f"{name}[{place}] is {some[tuple(first)]}, {reason}", help=help)

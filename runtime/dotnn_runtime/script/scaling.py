"""Affine scaling, fitted per feature: `scaled = (raw - shift) * scale`."""

import pathlib
import typing

import numpy as np

from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.rows import Rows, pieces


def fit_range(values: np.ndarray | Rows, low: float = 0.0, high: float = 1.0) -> dict[str, np.ndarray]:
    """Return the scaling that maps the minimum of every feature to `low` and its maximum to `high`.

    `values` is `(n, *shape)`; `shift` and `scale` of the result have `shape`: each position is a feature
    of its own. A constant feature is only shifted, to `low` (as scikit-learn's MinMaxScaler does).
    """
    return given_range(values.min(axis=0), values.max(axis=0), low, high)


def given_range(least: np.ndarray, most: np.ndarray, low: float, high: float) -> dict[str, np.ndarray]:
    """Return the scaling that takes `least` of every feature to `low` and `most` to `high`.

    A feature whose numbers are all equal is only shifted. DataError where `most` is smaller than `least`.
    """
    if (most < least).any():
        raise DataError("the minimum of a range is above its maximum", help="give both, min and max")
    scale = (high - low) / np.where(most > least, most - least, 1.0)
    return affine(least - low / scale, scale)


def total_of(values: np.ndarray | Rows, function: typing.Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the sum over the rows of a function of them, in pieces; row after row, as NumPy adds the rows
    of an array of several columns, so that the pieces change no digit of it.
    """
    total = np.zeros(values.shape[1:])
    for piece in pieces(values.shape):
        rows = function(values[piece])
        total = rows.sum(axis=0) if piece.start == 0 else np.concatenate([total[None], rows]).sum(axis=0)
    return total


def fit_standard(values: np.ndarray | Rows) -> dict[str, np.ndarray]:
    """Return the scaling to mean 0 and standard deviation 1
    (of the population: divided by n) of every feature.

    `values` is `(n, *shape)`. A constant feature is only
    shifted, to 0 (as scikit-learn's StandardScaler does).
    """
    least, most = values.min(axis=0), values.max(axis=0)
    mean = total_of(values, lambda some: some) / len(values)
    deviation = np.sqrt(total_of(values, lambda some: (some - mean) ** 2) / len(values))
    # The mean of equal numbers may be off by a rounding error; their value itself is not.
    constant = least == most
    return affine(np.where(constant, least, mean), 1.0 / np.where(constant, 1.0, deviation))


def affine(shift: np.ndarray, scale: np.ndarray) -> dict[str, np.ndarray]:
    """Return `{"shift": …, "scale": …}`, float64; DataError where a scale cannot be undone."""
    if not (np.isfinite(shift).all() and np.isfinite(scale).all() and np.all(scale)):
        raise DataError("the values are too large or too close to each other to be scaled")
    return {"shift": np.asarray(shift, dtype=np.float64), "scale": np.asarray(scale, dtype=np.float64)}


def scaled(values: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
    """Return raw `values`, `(n, *shape)`, scaled."""
    result: np.ndarray = values.astype(np.float64)  # first: operations on two types are slower
    result -= s["shift"]
    result *= s["scale"]
    return result


def undo_scaling(values: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
    """Return scaled `values`, `(n, *shape)`, in their raw units."""
    raw: np.ndarray = values / s["scale"] + s["shift"]
    return raw


def scaling_to_json(scaling: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, list[typing.Any]]]:
    """Return what was fitted, by name, as lists that JSON writes and reads without loss."""
    return {name: {key: array.tolist() for key, array in s.items()} for name, s in scaling.items()}


def scaling_from_json(
    stored: dict[str, dict[str, list[typing.Any]]], path: str | pathlib.Path | None = None
) -> dict[str, dict[str, np.ndarray]]:
    """Return what `scaling_to_json` wrote: arrays of finite numbers, and lists of texts.

    DataError, which names the file, where they are damaged.
    """
    try:
        scaling = {
            name: {key: fitted_array(key, values) for key, values in s.items()} for name, s in stored.items()
        }
        pairs = [s for s in scaling.values() if "scale" in s or "shift" in s]
        damaged = any(s["shift"].shape != s["scale"].shape or not s["scale"].all() for s in pairs)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        damaged = True
    if damaged:
        raise DataError('a scaling must read {"name": {"shift": [numbers], "scale": [numbers]}}', path)
    return scaling


def fitted_array(key: str, values: list[typing.Any]) -> np.ndarray:
    """Return one array of what was fitted; ValueError where it is not made of texts, or of finite numbers."""
    if key == "texts":
        if not all(isinstance(value, str) for value in values):
            raise ValueError(key)
        return np.array(values, dtype=np.str_)
    array = np.array(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(key)
    return array

"""Affine scaling, fitted per feature: `scaled = (raw - shift) * scale`."""

import pathlib

import numpy as np

from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.rows import Rows, pieces


def fit_range(values: np.ndarray | Rows, low: float = 0.0, high: float = 1.0) -> dict[str, np.ndarray]:
    """Return the scaling that maps the minimum of every feature to `low` and its maximum to `high`.

    `values` is `(n, *shape)`; `shift` and `scale` of the result have `shape`: each position is a feature
    of its own. A constant feature is only shifted, to `low` (as scikit-learn's MinMaxScaler does).
    """
    least, most = extremes(values)
    scale = (high - low) / np.where(most > least, most - least, 1.0)
    return affine(least - low / scale, scale)


def fit_standard(values: np.ndarray | Rows) -> dict[str, np.ndarray]:
    """Return the scaling to mean 0 and standard deviation 1
    (of the population: divided by n) of every feature.

    `values` is `(n, *shape)`. A constant feature is only
    shifted, to 0 (as scikit-learn's StandardScaler does).
    """
    least, most = extremes(values)
    mean = sum(values[piece].sum(axis=0) for piece in pieces(values.shape)) / len(values)
    squares = sum(((values[piece] - mean) ** 2).sum(axis=0) for piece in pieces(values.shape))
    deviation = np.sqrt(squares / len(values))
    # The mean of equal numbers may be off by a rounding error; their value itself is not.
    constant = least == most
    return affine(np.where(constant, least, mean), 1.0 / np.where(constant, 1.0, deviation))


def extremes(values: np.ndarray | Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return the minimum and the maximum of every feature of `values`, `(n, *shape)`."""
    least = [values[piece].min(axis=0) for piece in pieces(values.shape)]
    most = [values[piece].max(axis=0) for piece in pieces(values.shape)]
    return np.min(least, axis=0), np.max(most, axis=0)


def fit_divide(values: np.ndarray | Rows, by: float) -> dict[str, np.ndarray]:
    """Return the scaling that divides every feature of `values`, `(n, *shape)`, by the same number."""
    if by == 0:
        raise DataError("cannot scale by dividing by 0")
    return affine(np.zeros(values.shape[1:]), np.full(values.shape[1:], 1.0 / by))


def affine(shift: np.ndarray, scale: np.ndarray) -> dict[str, np.ndarray]:
    """Return `{"shift": …, "scale": …}`, float64; DataError where a scale cannot be undone."""
    if not (np.isfinite(shift).all() and np.isfinite(scale).all() and np.all(scale)):
        raise DataError("the values are too large or too close to each other to be scaled")
    return {"shift": np.asarray(shift, dtype=np.float64), "scale": np.asarray(scale, dtype=np.float64)}


def apply_scaling(values: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
    """Return raw `values`, `(n, *shape)`, scaled."""
    scaled: np.ndarray = (values - s["shift"]) * s["scale"]
    return scaled


def undo_scaling(values: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
    """Return scaled `values`, `(n, *shape)`, in their raw units."""
    raw: np.ndarray = values / s["scale"] + s["shift"]
    return raw


def scaling_to_json(scaling: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, list[float]]]:
    """Return the scalings of several values, by name, as lists that JSON writes and reads without loss."""
    return {name: {key: array.tolist() for key, array in s.items()} for name, s in scaling.items()}


def scaling_from_json(
    stored: dict[str, dict[str, list[float]]], path: str | pathlib.Path | None = None
) -> dict[str, dict[str, np.ndarray]]:
    """Return the scalings that `scaling_to_json` wrote.

    DataError, which names the file, where they are damaged.
    """
    try:
        scaling = {
            n: affine(np.array(s["shift"], float), np.array(s["scale"], float)) for n, s in stored.items()
        }
        damaged = any(s["shift"].shape != s["scale"].shape for s in scaling.values())
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        damaged = True
    if damaged:
        raise DataError('a scaling must read {"name": {"shift": [numbers], "scale": [numbers]}}', path)
    return scaling

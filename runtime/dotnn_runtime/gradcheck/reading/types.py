"""The words shared by every module of the validator: arrays, keys, directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Key(NamedTuple):
    """One tensor that can be displaced.

    `kind` is `param`, `input` or `value` (a named value of the forward pass). For values, `at` counts the assignments
    in one run: time steps of a loop.
    """

    kind: str
    name: str
    at: int = 0


Direction = Mapping[Key, Array]
Evaluate = Callable[[Direction], Any]


class Unusable(Exception):
    """An oracle cannot be used on this script; the text says why."""


@dataclass(frozen=True)
class Point:
    """Where the gradient is checked: parameters (and state), one batch, the seed of the network's own random draws,
    and whether the network is in training mode."""

    params: dict[str, Array]
    batch: dict[str, Array]
    rng_seed: int
    training: bool = True


@dataclass
class Cost:
    """Counts forward passes, the unit in which a gradient check is paid."""

    forwards: int = 0


def norm(array: Array) -> float:
    """Return the Euclidean norm of all elements."""
    with np.errstate(all="ignore"):  # an array that is not filled yet holds any numbers
        return float(np.linalg.norm(np.ravel(array)))


def is_float(value: object) -> bool:
    """Tell whether `value` is a NumPy number or array of real or complex kind (masks and indices are not)."""
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fc"

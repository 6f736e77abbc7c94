"""Functions with branches, split in two: the decision, and the smooth function that a fixed decision leaves.

`relu` is smooth once its mask is fixed. The validator records every decision at the base point and replays it while
it displaces values, so that no probe steps over a kink. The conventions at an exact tie live here as well:
a constant wins over a variable (relu'(0) = 0), and of two equal variables the first wins (max pooling).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..reading.types import Array

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


@dataclass(frozen=True)
class Branch:
    """A branching function: `decide(*args)` from real values, `apply(decision, *args)`, `ties(*args)` counted.

    `kinked` is false for what is held fixed without being a kink: the operand of `stop_gradient`.
    """

    decide: Callable[..., Array]
    apply: Callable[..., Any]
    ties: Callable[..., int]
    kinked: bool = True


def _no_ties(*_args: Any, **_options: Any) -> int:
    return 0


def _equal(a: Any, b: Any) -> int:
    return int(np.count_nonzero(np.equal(np.real(a), np.real(b))))


def _pick(first: bool) -> Branch:
    """Build np.maximum (`first` = larger wins) or np.minimum."""
    strict, weak = (np.greater, np.greater_equal) if first else (np.less, np.less_equal)

    def decide(a: Any, b: Any) -> Array:
        second_wins_ties = np.ndim(b) == 0 and np.ndim(a) > 0
        return np.asarray((strict if second_wins_ties else weak)(np.real(a), np.real(b)))

    return Branch(decide, lambda mask, a, b: np.where(mask, a, b), _equal)


def _reduced(x: Any, axis: Any) -> tuple[Array, tuple[int, ...]]:
    """Return `x` with the reduced axes flattened into a last one, and those axes."""
    x = np.asarray(x)
    axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    axes = tuple(sorted(a % x.ndim for a in axes))
    kept = [a for a in range(x.ndim) if a not in axes]
    return np.transpose(x, [*kept, *axes]).reshape([x.shape[a] for a in kept] + [-1]), axes


def _extreme(arg: Callable[..., Any]) -> Branch:
    """Build a reduction by maximum or minimum from its argmax or argmin; the first of equal elements wins."""

    def decide(x: Any, axis: Any = None, keepdims: bool = False) -> Array:
        return np.asarray(arg(np.real(_reduced(x, axis)[0]), axis=-1))

    def apply(winner: Array, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        flat, axes = _reduced(x, axis)
        best = np.take_along_axis(flat, winner[..., None], axis=-1)[..., 0]
        return np.expand_dims(best, axes) if keepdims else best[()]

    def ties(x: Any, axis: Any = None, keepdims: bool = False) -> int:
        flat = np.real(_reduced(x, axis)[0])
        best = np.take_along_axis(flat, np.asarray(arg(flat, axis=-1))[..., None], axis=-1)
        return int(np.count_nonzero(np.count_nonzero(flat == best, axis=-1) > 1))

    return Branch(decide, apply, ties)


def _real(value: Any) -> Any:
    """Return the real part of what is complex, and what is not as it is."""
    if isinstance(value, np.ndarray | np.generic):  # which nearly all are, in every branch of every displaced pass
        return value.real if value.dtype.kind == "c" else value
    return np.real(value) if np.iscomplexobj(value) else value


def _step(function: Callable[..., Any], ties: Callable[..., int] = _no_ties) -> Branch:
    """Build a function that is constant between its jumps (argmax, sign, floor): the decision is the result."""

    def decide(*args: Any, **options: Any) -> Array:
        return np.asarray(function(*map(_real, args), **options))

    return Branch(decide, lambda decision, *_args, **_options: decision[()], ties)


def _compare(function: Callable[[Any, Any], Any], counts_ties: bool) -> Branch:
    return _step(function, _equal if counts_ties else _no_ties)


def _clip_side(x: Any, low: Any = None, high: Any = None) -> Array:
    side = np.zeros(np.shape(x), dtype=int)
    side = side if low is None else np.where(np.real(x) < low, -1, side)
    return side if high is None else np.where(np.real(x) > high, 1, side)


def _clip(side: Array, x: Any, low: Any = None, high: Any = None) -> Any:
    clipped = x if low is None else np.where(side < 0, low, x)
    return clipped if high is None else np.where(side > 0, high, clipped)


def _abs_sign(x: Any) -> Array:
    return np.asarray(np.sign(np.real(x)))


def _zeros(x: Any, *_args: Any) -> int:
    return _equal(x, 0.0)


def _at_zero(x: Any) -> Array:
    return np.asarray(np.real(x) == 0.0)


def _root(zero: Array, x: Any) -> Any:
    return np.where(zero, 0.0, np.sqrt(np.where(zero, 1.0, x)))[()]


_ROOT = Branch(_at_zero, _root, _zeros)
"""The root of a sum of squares, which is a norm: at 0 its derivative is 0."""
_ABS = Branch(_abs_sign, lambda sign, x: sign * x, _zeros)
_MAX, _MIN = _extreme(np.argmax), _extreme(np.argmin)

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
"""What a script that compares two values calls."""

BRANCHES: dict[str, Branch] = {
    **{sign: _compare(function, sign not in ("==", "!=")) for sign, function in COMPARISONS.items()},
    **dict.fromkeys(("maximum", "fmax"), _pick(True)),
    **dict.fromkeys(("minimum", "fmin"), _pick(False)),
    **dict.fromkeys(("max", "amax"), _MAX),
    **dict.fromkeys(("min", "amin"), _MIN),
    **dict.fromkeys(("abs", "absolute", "fabs"), _ABS),
    **{name: _step(getattr(np, name)) for name in ("argmax", "argmin", "floor", "ceil", "rint", "trunc", "heaviside")},
    "sign": _step(np.sign, _zeros),
    "sqrt": _ROOT,
    "stop_gradient": Branch(lambda x: np.array(np.real(x)), lambda kept, x: kept, _no_ties, kinked=False),
    "clip": Branch(_clip_side, _clip, _no_ties),
}
PLAIN_NAMES = ("abs", "stop_gradient")
"""Branches that a script calls by a plain name."""

METHODS = ("max", "min", "argmax", "argmin", "clip")

"""What rounding alone makes of a script: it runs again in an arithmetic that rounds otherwise, by chance.

Stochastic arithmetic: every number is moved by a unit in the last place as it is computed, wherever that is: in a
function, in a loop, in the backward pass (J. Vignes, A stochastic arithmetic for reliable scientific computation,
1993). How far a result moves from run to run is what rounding makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from ..reading.types import Array, Point, is_float

EPSILON = float(np.finfo(np.float64).eps)
FLOAT32_EPSILON = float(np.finfo(np.float32).eps)
LIKE_ROUNDING = 10.0
"""A difference of at most so many times what rounding alone makes says nothing of a script."""
PRODUCTS = (np.matmul, np.dot, np.inner, np.vdot, np.einsum, np.tensordot, np.convolve, np.correlate)
"""These add up terms; so do the methods of `np.add`."""


@dataclass(frozen=True)
class Arithmetic:
    """An arithmetic in which numbers are off by `epsilon` of their size, up or down by `chance`."""

    chance: np.random.Generator
    epsilon: float = EPSILON

    @classmethod
    def number(cls, number: int, epsilon: float = EPSILON) -> Arithmetic:
        """Return one of many: the same one for the same number."""
        return cls(np.random.default_rng(number), epsilon)

    def point(self, point: Point) -> Point:
        """Return a point whose arrays compute in this arithmetic, and anything computed from them does."""
        return replace(point, params=self.arrays(point.params), batch=self.arrays(point.batch))

    def arrays(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return copies of arrays that compute in this arithmetic."""
        return {name: self.of(np.array(a)) for name, a in arrays.items()}

    def of(self, value: Any) -> Any:
        """Return a view of an array that computes in this arithmetic; only floating-point numbers are ever rounded."""
        if not is_float(value) or isinstance(value, Rounded):
            return value
        found = np.asarray(value).view(Rounded)
        found.arithmetic = self
        return found

    def rounded(self, value: Any, operands: Sequence[Any] = ()) -> Any:
        """Return numbers rounded otherwise; whole ones, and those chosen among operands, have not been rounded."""
        if not is_float(value):
            return value
        exact = np.logical_or.reduce([value == np.rint(value), *(np.isin(value, o) for o in operands if is_float(o))])
        return np.where(exact, value, value * (1.0 + self.epsilon * self.chance.choice([-1.0, 1.0], np.shape(value))))

    @contextmanager
    def within(self, module: ModuleType) -> Iterator[None]:
        """Let arrays that a module makes anew compute in this arithmetic, too."""
        names = [name for name, value in vars(module).items() if value is np]
        vars(module).update(dict.fromkeys(names, _RoundedNumpy(self)))
        try:
            yield
        finally:
            vars(module).update(dict.fromkeys(names, np))


class Rounded(np.ndarray):
    """An array that computes in an arithmetic: NumPy asks it before it computes anything with it (NEP 13 and 18)."""

    arithmetic: Arithmetic

    def __array_finalize__(self, other: Any) -> None:
        if isinstance(other, Rounded):
            self.arithmetic = other.arithmetic

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **options: Any) -> Any:
        """Round the result otherwise; of a sum, its terms: where they cancel it is as far off as they are."""
        plain, compute = [_plain(x) for x in inputs], getattr(ufunc, method)
        options = {key: _plain(value) for key, value in options.items()}
        if out:
            options["out"] = tuple(map(_plain, out))
        if method == "at":
            return compute(*plain[:2], *map(self.arithmetic.rounded, plain[2:]))
        if _adds_terms(ufunc, method):
            found = compute(*map(self.arithmetic.rounded, plain), **options)
        else:
            before = [np.array(x) if is_float(x) else x for x in plain] if out else plain  # it may be written into
            found = compute(*plain, **options)
            found = _each(found, lambda part: self.arithmetic.rounded(part, before))
        return self._written(found, out)

    def _written(self, found: Any, out: tuple[Any, ...]) -> Any:
        """Write results into the arrays that they are meant for, if any; return them."""
        for target, part in zip(map(_plain, out), found if isinstance(found, tuple) else (found,), strict=False):
            target[...] = part
        return (out[0] if len(out) == 1 else out) if out else _each(found, self.arithmetic.of)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        """Round the terms of a product, and whatever NumPy computes without asking again."""
        if function in PRODUCTS:
            terms = len(args) if function is np.einsum else 2  # behind two comes the array that dot writes into
            args = (*(self.arithmetic.of(self.arithmetic.rounded(_plain(a))) for a in args[:terms]), *args[terms:])
            return self.arithmetic.of(super().__array_function__(function, types, args, kwargs))
        found = super().__array_function__(function, types, args, kwargs)
        return _each(found, lambda part: self._own(part, args))

    def _own(self, part: Any, args: Any) -> Any:
        """Return a part of a result; one that was computed from plain arrays, and is no view, is rounded now."""
        operands = _arrays_in(args)
        views = (np.may_share_memory(part, o) for o in operands if isinstance(o, np.ndarray))
        if isinstance(part, Rounded) or any(views):
            return self.arithmetic.of(part)
        return self.arithmetic.of(self.arithmetic.rounded(part, operands))

    def dot(self, other: Any, out: Any = None) -> Any:
        """As for every array."""
        return np.dot(self, other, out=out)


class _RoundedNumpy:
    """NumPy as a script sees it whose arrays compute in an arithmetic."""

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic

    def __getattr__(self, name: str) -> Any:
        found, of = getattr(np, name), self._arithmetic.of
        if isinstance(found, type) or not callable(found) or isinstance(found, np.ufunc):
            return found
        return lambda *args, **options: _each(found(*args, **options), of)


def _adds_terms(ufunc: np.ufunc, method: str) -> bool:
    return ufunc in PRODUCTS or (ufunc is np.add and method != "__call__")


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, Rounded) else value


def _each(found: Any, make: Callable[[Any], Any]) -> Any:
    return type(found)(map(make, found)) if type(found) in (list, tuple) else make(found)


def _arrays_in(value: Any) -> list[Any]:
    if type(value) in (list, tuple):
        return [array for part in value for array in _arrays_in(part)]
    return [_plain(value)]

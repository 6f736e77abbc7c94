"""The way back through one operation of NumPy: from the cotangent of its result to those of its operands.

No operation has a formula of its own here that could be mistaken. What works element by element is differentiated by
the complex step; what only moves elements is asked, on an array of their numbers, where it puts them. The products,
sums and extremes are the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..reading.types import Array
from .branches import BRANCHES

Pull = Callable[[Array], Sequence[Array | None]]

STEP = 1e-30
NUMERIC_STEP = 1e-5
"""Where the complex step cannot be used: an error of some 1e-10, which is less than what counts as wrong."""
DENSE = 4_000_000
"""A Jacobian with more elements is not made."""
FIRST = 2.0**40
"""The number of the first element where elements are asked where they go: no constant of a script is as large."""
MOVES = (
    "reshape", "transpose", "swapaxes", "moveaxis", "rollaxis", "ravel", "squeeze", "expand_dims", "broadcast_to",
    "take", "repeat", "tile", "concatenate", "stack", "vstack", "hstack", "dstack", "pad", "flip", "flipud", "fliplr",
    "roll", "rot90", "where", "split", "array_split", "copy", "sliding_window_view", "tril", "triu", "diagonal",
    "take_along_axis", "atleast_1d", "atleast_2d", "atleast_3d", "append", "select", "compress", "delete", "insert",
    "resize", "diag", "unstack", "permute_dims", "matrix_transpose", "broadcast_arrays",
)  # fmt: skip
FLAT = ("sign", "floor", "ceil", "rint", "trunc", "heaviside", "isfinite", "floor_divide", "spacing")
CHOICES = ("maximum", "fmax", "minimum", "fmin")
SUMS, EXTREMES = ("sum", "mean"), ("max", "min", "amax", "amin")


def pull_for_ufunc(ufunc: Any, method: str, args: Sequence[Any], parents: Sequence[Any], options: Any) -> Pull:
    """Return the way back through a ufunc, or one of its methods."""
    if ufunc is np.matmul:
        return _through_matmul(args[0], args[1])
    if method == "__call__":
        return _through_elements(ufunc, args, parents)
    if method == "reduce":
        return _through_reduction(ufunc.__name__, args[0], *_along(args, {"axis": 0, **options}))
    if method == "at" and ufunc in (np.add, np.subtract):
        return lambda g: [g, None, ufunc(0.0, summed(g[args[1]], np.shape(args[2])))]
    raise NotImplementedError(f"{ufunc.__name__}.{method}")


def _through_elements(ufunc: Any, args: Sequence[Any], parents: Sequence[Any]) -> Pull:
    slopes = [None if parent is None else _slope(ufunc, args, i) for i, parent in enumerate(parents)]
    shapes = [np.shape(a) for a in args]
    return lambda g: [None if d is None else summed(g * d, shape) for d, shape in zip(slopes, shapes, strict=False)]


def _slope(ufunc: Any, args: Sequence[Any], i: int) -> Any:
    """Return the derivative of an elementwise function with respect to one operand, element by element."""
    name = ufunc.__name__
    if name in FLAT:
        return 0.0
    if name in CHOICES:
        first = BRANCHES[name].decide(*args)
        return np.where(first, 1.0, 0.0) if i == 0 else np.where(first, 0.0, 1.0)
    if name in ("absolute", "fabs"):
        return np.sign(args[0])

    def moved(step: Any) -> Any:
        return ufunc(*args[:i], args[i] + step, *args[i + 1 :])

    try:
        return moved(1j * STEP).imag / STEP
    except TypeError:
        step = NUMERIC_STEP * (1.0 + np.abs(args[i]))
        return (moved(step) - moved(-step)) / (2.0 * step)


def summed(g: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the axes along which an operand of this shape was broadcast."""
    g = np.asarray(g)
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    wide = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return np.asarray(g.sum(axis=wide, keepdims=True) if wide else np.broadcast_to(g, shape))


def _through_matmul(a: Array, b: Array) -> Pull:
    a, b = np.asarray(a), np.asarray(b)

    def pull(g: Array) -> list[Array]:
        left, right = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
        g = np.expand_dims(g, -2) if a.ndim == 1 else g
        g = np.expand_dims(g, -1) if b.ndim == 1 else g
        d_a = summed(g @ np.swapaxes(right, -1, -2), left.shape).reshape(a.shape)
        return [d_a, summed(np.swapaxes(left, -1, -2) @ g, right.shape).reshape(b.shape)]

    return pull


def _along(args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Any, bool]:
    """Return the axes along which a call reduces, and whether it keeps them."""
    return args[1] if len(args) > 1 else options.get("axis"), bool(options.get("keepdims", False))


def _through_reduction(name: str, x: Array, axis: Any, keepdims: bool) -> Pull:
    x = np.asarray(x)

    def wide(g: Array) -> Array:
        return np.asarray(g) if keepdims or axis is None else np.expand_dims(g, axis)

    if name in ("add", "sum"):
        return lambda g: [np.broadcast_to(wide(g), x.shape)]
    if name == "mean":
        count = x.size if axis is None else np.prod([x.shape[a] for a in np.atleast_1d(axis)])
        return lambda g: [np.broadcast_to(wide(g), x.shape) / count]
    if name in (*CHOICES, *EXTREMES):
        return lambda g: [_first_extreme(x, axis, "max" in name) * wide(g)]
    raise NotImplementedError(name)


def _first_extreme(x: Array, axis: Any, largest: bool) -> Array:
    """Return 1 at the first of the largest (smallest) elements along axes, 0 elsewhere."""
    axes = tuple(range(x.ndim)) if axis is None else tuple(a % x.ndim for a in np.atleast_1d(axis))
    kept = [a for a in range(x.ndim) if a not in axes]
    order = [*kept, *axes]
    flat = np.transpose(x, order).reshape([x.shape[a] for a in kept] + [-1])
    found = np.zeros(flat.shape)
    place = (flat.argmax if largest else flat.argmin)(axis=-1)
    np.put_along_axis(found, place[..., None], 1.0, axis=-1)
    return np.transpose(found.reshape([x.shape[a] for a in order]), np.argsort(order))


def pull_for_function(function: Any, args: Any, kwargs: Any, parents: Sequence[Any], which: int | None) -> Pull:
    """Return the way back through a function of NumPy to its operands, flattened; `which` is the result's number."""
    name = function.__name__
    rest = [None] * (len(parents) - 1)
    if name in (*SUMS, *EXTREMES):
        pull = _through_reduction(name, args[0], *_along(args, kwargs))
        return lambda g: [*pull(g), *rest]
    if name == "einsum" and isinstance(args[0], str):
        return _through_einsum(args[0], args[1:])
    if name == "dot" and set(map(np.ndim, args)) <= {1, 2}:
        return _through_matmul(*args)
    if name == "clip":
        inside = (args[0] >= args[1]) & (args[0] <= args[2])
        return lambda g: [g * inside, *rest]
    leaves, back = _Leaves(args, kwargs), _moved_back if name in MOVES else _dense
    wanted = [i if parent else None for i, parent in enumerate(parents)]
    return lambda g: [None if i is None else back(function, leaves, i, g, which) for i in wanted]


def _through_einsum(subscripts: str, operands: Sequence[Array]) -> Pull:
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow or "." in subscripts or any(len(set(term)) != len(term) for term in terms):
        raise NotImplementedError(f"einsum {subscripts}")
    sizes = {axis: n for term, x in zip(terms, operands, strict=True) for axis, n in zip(term, x.shape, strict=True)}

    def back(i: int, g: Array) -> Array:
        others = [j for j in range(len(terms)) if j != i]
        given = set(output) | {axis for j in others for axis in terms[j]}
        alone = [axis for axis in terms[i] if axis not in given]  # summed over by itself: one element for all
        ones = [np.ones(sizes[axis]) for axis in alone]
        spelled = ",".join([output, *(terms[j] for j in others), *alone])
        return np.asarray(np.einsum(f"{spelled}->{terms[i]}", g, *(operands[j] for j in others), *ones))

    return lambda g: [None, *(back(i, g) for i in range(len(operands)))]


class _Leaves:
    """The arguments of a call, flattened, to be called again with one of them replaced."""

    def __init__(self, args: Any, kwargs: Any) -> None:
        self.whole = (args, kwargs)
        self.values: list[Any] = []
        self._collect(self.whole)

    def _collect(self, value: Any) -> None:
        if type(value) in (list, tuple):
            for v in value:
                self._collect(v)
        elif type(value) is dict:
            for v in value.values():
                self._collect(v)
        else:
            self.values.append(value)

    def call(self, function: Any, values: Sequence[Any], which: int | None) -> Array:
        """Call a function with these leaves."""
        args, kwargs = self._filled(self.whole, iter(values))
        result = function(*args, **kwargs)
        return np.asarray(result if which is None else result[which])

    def _filled(self, value: Any, values: Any) -> Any:
        if type(value) in (list, tuple):
            return type(value)(self._filled(v, values) for v in value)
        if type(value) is dict:
            return {key: self._filled(v, values) for key, v in value.items()}
        return next(values)


def _moved_back(function: Any, leaves: _Leaves, i: int, g: Array, which: int | None) -> Array:
    x = np.asarray(leaves.values[i])
    numbers = FIRST + np.arange(x.size, dtype=float).reshape(x.shape)
    is_value = [isinstance(v, np.ndarray | np.generic) and np.asarray(v).dtype.kind == "f" for v in leaves.values]
    others = [np.zeros_like(v) if f else v for v, f in zip(leaves.values, is_value, strict=True)]
    others = [0.0 if isinstance(v, float) else v for v in others]  # a border, a fill value
    others[i] = numbers
    came_from = leaves.call(function, others, which).ravel() - FIRST
    moved = came_from >= 0
    found = np.bincount(came_from[moved].astype(int), weights=np.ravel(g)[moved], minlength=x.size)
    return found.reshape(x.shape)


def _dense(function: Any, leaves: _Leaves, i: int, g: Array, which: int | None) -> Array:
    """Return the way back through a function that nothing is known of: a Jacobian, made column by column."""
    x = np.asarray(leaves.values[i])
    if x.size * np.size(g) > DENSE:
        raise NotImplementedError(function.__name__)

    def moved(index: tuple[int, ...], step: complex) -> Array:
        to = x.astype(complex if step.imag else x.dtype)
        to[index] += step if step.imag else step.real
        return leaves.call(function, [*leaves.values[:i], to, *leaves.values[i + 1 :]], which)

    found = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        try:
            result = moved(index, 1j * STEP)
        except TypeError:
            result = np.zeros(())
        if np.iscomplexobj(result):
            found[index] = np.vdot(g, result.imag) / STEP
        else:  # it takes absolute values, or real numbers alone
            step = complex(NUMERIC_STEP * (1.0 + abs(x[index])))
            found[index] = np.vdot(g, moved(index, step) - moved(index, -step)) / (2.0 * step.real)
    return found

"""Rules of shapes.

Two values meet element by element where their shapes are equal, where one is a single number, a parameter that fits the
last axes of the other, or has axes of length 1 that a reduction left. Nothing else broadcasts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dotnn.ir.tensor import BATCH, Dim, TensorType


class NoType(ValueError):
    """Shapes do not fit, or a formula does something whose result has no shape here; the message says which."""


def together(left: TensorType, right: TensorType) -> TensorType:
    """Return the type of an elementwise result. Raises `NoType` where two shapes do not meet."""
    longer, shorter = (left, right) if len(left.shape) >= len(right.shape) else (right, left)
    lead = len(longer.shape) - len(shorter.shape)
    if shorter.batched and lead:
        raise NoType(f"{left} and {right} do not fit: their batches are different axes")
    pairs = list(zip(longer.shape[lead:], shorter.shape, strict=True))
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        raise NoType(f"{left} and {right} do not fit")
    kind = max(left.dtype, right.dtype, key=["bool", "int", "real"].index)
    return TensorType((*longer.shape[:lead], *(b if a == 1 else a for a, b in pairs)), kind)


def typed(found: TensorType, kind: str) -> TensorType:
    """Return a type with numbers of another kind."""
    return TensorType(found.shape, kind)


def product(x: TensorType, weight: TensorType) -> TensorType:
    """Return the type of x @ W: the last axis of x with the first of W, or a product for each of the leading axes."""
    if not x.shape or not weight.shape:
        raise NoType(f"{x} @ {weight}: a single number has no axis to multiply along")
    paired = min(len(x.shape), len(weight.shape)) >= 3
    inner = weight.shape[-2 if paired else 0]
    if x.shape[-1] != inner or (paired and x.shape[:-2] != weight.shape[:-2]):
        raise NoType(f"{x} @ {weight}: the shapes do not fit")
    return TensorType((*x.shape[:-1], *(weight.shape[-1:] if paired else weight.shape[1:])))


def reduced(x: TensorType, axes: Sequence[int], *, kept: bool) -> TensorType:
    """Return the type of a sum over axes; `kept` ones stay with length 1."""
    rank = len(x.shape)
    if not all(-rank <= a < rank for a in axes):
        raise NoType(f"{x} has no axis {list(axes)}")
    gone = {a % rank for a in axes}
    shape = (1 if i in gone else d for i, d in enumerate(x.shape) if kept or i not in gone)
    return TensorType(tuple(shape), "int" if x.dtype == "int" else "real")


def reshaped(x: TensorType, sizes: Sequence[int]) -> TensorType:
    """Return the type of x.reshape(sizes), where -1 is the batch, or what is left."""
    left = _left_over(x, sizes)
    return TensorType(tuple(left if n == -1 else n for n in sizes), x.dtype)


def _left_over(x: TensorType, sizes: Sequence[int]) -> Dim:
    """Return the size for which -1 stands in the shape of a reshape. Raises `NoType` where the sizes do not fit."""
    known, size, rest = math.prod(n for n in sizes if n != -1), math.prod(x.example), -1 in sizes
    if x.batched and rest and known == size:
        return BATCH
    if not x.batched and known and (size % known == 0 if rest else size == known):
        return size // known
    raise NoType(f"{x} cannot have the shape {list(sizes)}")

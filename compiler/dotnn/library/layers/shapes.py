"""Layers that rearrange or reduce features."""

from __future__ import annotations

import math

from dotnn.core.arguments import NUMBER, POSITIVE_INT, SIZES, Arg
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, ShapeError, Types, require_real, shape_text


def _flat(types: Types, attrs: Attrs) -> TensorType:
    return TensorType((BATCH, math.prod(types[0].example)), types[0].dtype)


def _lower_flatten(b: Builder, low: Lowering) -> Value:
    return b.emit("reshape", low.x, shape=(math.prod(low.x.type.example),))


def _reshaped(types: Types, attrs: Attrs) -> TensorType:
    if math.prod(types[0].example) != math.prod(attrs["shape"]):
        raise ShapeError(
            f"cannot reshape {shape_text(types[0])} ({math.prod(types[0].example)} values)"
            f" to {list(attrs['shape'])} ({math.prod(attrs['shape'])} values)"
        )
    return TensorType((BATCH, *attrs["shape"]), types[0].dtype)


def _lower_reshape(b: Builder, low: Lowering) -> Value:
    return b.emit("reshape", low.x, shape=low.attrs["shape"])


def _to_one(types: Types, attrs: Attrs) -> TensorType:
    require_real(types[0], "a reduction")
    if not types[0].example:
        raise ShapeError("there is no feature axis to reduce")
    return TensorType((*types[0].shape[:-1], 1))


def _spread(types: Types, attrs: Attrs) -> TensorType:
    require_real(types[0], "spread")
    if not types[0].example or types[0].example[-1] != 1:
        raise ShapeError(f"spread repeats a single feature, but its operand has shape {shape_text(types[0])}")
    return TensorType((*types[0].shape[:-1], attrs["units"]))


FLATTEN = Layer(
    "flatten",
    "All axes of an example as one.",
    _lower_flatten,
    infer=_flat,
    keeps_unit=True,
)

RESHAPE = Layer(
    "reshape",
    "The same values in another shape.",
    _lower_reshape,
    (Arg("shape", SIZES, doc="the new shape of one example"),),
    infer=_reshaped,
    keeps_unit=True,
)

MEAN = Layer(
    "mean_features",
    "The mean over the last axis, which keeps size 1.",
    lambda b, low: b.emit("mean_features", low.x),
    infer=_to_one,
    keeps_unit=True,
)

SUM = Layer(
    "sum_features",
    "The sum over the last axis, which keeps size 1.",
    lambda b, low: b.emit("sum_features", low.x),
    infer=_to_one,
)

SPREAD = Layer(
    "spread",
    "Repeats a single feature `units` times: the explicit form of broadcasting, which never happens silently.",
    lambda b, low: b.emit("spread", low.x, units=low.attrs["units"]),
    (Arg("units", POSITIVE_INT, doc="how many copies"),),
    infer=_spread,
    keeps_unit=True,
)

SCALE = Layer(
    "scale",
    "Its operand times a constant; `0.5 * h` and `-h` are spellings of it.",
    lambda b, low: b.emit("scale", low.x, factor=low.attrs["factor"]),
    (Arg("factor", NUMBER, doc="the constant"),),
)

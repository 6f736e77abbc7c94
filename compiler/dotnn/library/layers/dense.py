"""The fully connected layer."""

from __future__ import annotations

from dotnn.core.arguments import POSITIVE_INT, Arg
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, ParamSpec, ShapeError, Types, require_real
from dotnn.library.layers.weighted import ACT, WEIGHTS, weighted, weights


def _infer(types: Types, attrs: Attrs) -> TensorType:
    (x,) = types
    require_real(x, "dense")
    if len(x.example) == 0:
        raise ShapeError("dense needs at least one feature axis, its operand has none")
    if len(x.example) == 3:
        raise ShapeError(
            f"dense would act on the last axis of an image {list(x.example)} only",
            "put flatten before it: -> flatten ->",
        )
    return TensorType((*x.shape[:-1], attrs["units"]))


def _params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    return weights(_infer(types, attrs), (types[0].example[-1], attrs["units"]), attrs)


def _lower(b: Builder, low: Lowering) -> Value:
    return weighted(b, low, "affine")


DENSE = Layer(
    "dense",
    "Fully connected layer; acts on the last axis.",
    _lower,
    (Arg("units", POSITIVE_INT, doc="number of outputs"), ACT, *WEIGHTS),
    infer=_infer,
    params=_params,
    equation="z = x W + b,  a = act(z)",
)

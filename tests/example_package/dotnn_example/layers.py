"""A learned scale and shift for each feature."""

from __future__ import annotations

from dotnn.core.arguments import NUMBER, Arg, Bound
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import TensorType
from dotnn.library.inits import INITS
from dotnn.library.layers.base import Attrs, Layer, Lowering, ParamSpec, ShapeError, Types, require_real


def _infer(types: Types, attrs: Attrs) -> TensorType:
    require_real(types[0], "affine_features")
    if not types[0].example:
        raise ShapeError("affine_features needs a feature axis, but its operand is a single number", "use scale")
    return types[0]


def _params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    one_each = types[0].example[-1:]
    start = Bound(INITS["constant"], {"value": attrs["start"]})
    return (
        ParamSpec("scale", one_each, start, is_weight=False),
        ParamSpec("shift", one_each, Bound(INITS["zeros"], {}), is_weight=False),
    )


def _lower(b: Builder, low: Lowering) -> Value:
    return b.emit("rescale", low.x, low.params["scale"], low.params["shift"])


AFFINE_FEATURES = Layer(
    "affine_features",
    "A learned scale and shift for each feature, the last axis.",
    _lower,
    (Arg("start", NUMBER, 1.0, "scale before training"),),
    infer=_infer,
    params=_params,
    equation="y = scale x + shift",
)

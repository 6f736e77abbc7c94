"""Layer normalisation (Ba, Kiros and Hinton 2016)."""

from __future__ import annotations

from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, ParamSpec, ShapeError, Types, require_real
from dotnn.library.layers.normalise import SCALE_AND_SHIFT, scale_and_shift, scale_and_shift_params


def _infer(types: Types, attrs: Attrs) -> TensorType:
    require_real(types[0], "layernorm")
    if not types[0].example or types[0].example[-1] == 1:
        raise ShapeError(
            "layernorm needs more than one feature: a single one minus its own mean is always 0",
            "use batchnorm, or put layernorm where the last axis is longer",
        )
    return types[0]


def _params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    return scale_and_shift_params(types[0], attrs)


def _lower(b: Builder, low: Lowering) -> Value:
    mu = b.emit("mean_features", low.x, name="mu")
    centred = b.emit("centre", low.x, mu, name="centred")
    return scale_and_shift(b, low, centred, b.emit("feature_variance", centred, name="sigma2"))


LAYERNORM = Layer(
    "layernorm",
    "Layer normalisation: each example (and position) by the mean and variance of its own features, the last axis.",
    _lower,
    SCALE_AND_SHIFT,
    infer=_infer,
    params=_params,
    equation="y = gamma (x - mu) / sqrt(sigma² + epsilon) + beta",
)

"""Additive noise, and the wall for gradients."""

from __future__ import annotations

from dotnn.core.arguments import NON_NEGATIVE, Arg
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, Types, require_real


def _real(types: Types, attrs: Attrs) -> TensorType:
    require_real(types[0], "noise")
    return types[0]


def _lower(b: Builder, low: Lowering) -> Value:
    return b.emit("add", low.x, b.emit("gaussian_noise", low.x, name="noise", sigma=low.attrs["sigma"]))


GAUSSIAN_NOISE = Layer(
    "gaussian_noise",
    "Adds Gaussian noise while training, to activities or to inputs; nothing in prediction.",
    _lower,
    (Arg("sigma", NON_NEGATIVE, doc="standard deviation of the noise", training=True),),
    infer=_real,
    equation="a' = a + noise,  noise ~ N(0, sigma²)",
)

STOP_GRADIENT = Layer(
    "stop_gradient",
    "Its operand unchanged, as a constant: no gradient passes.",
    lambda b, low: b.emit("stop_gradient", low.x),
    keeps_unit=True,
)

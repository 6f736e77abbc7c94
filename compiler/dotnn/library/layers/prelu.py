"""The rectified linear unit with a learned slope per unit (He et al. 2015)."""

from __future__ import annotations

from dotnn.core.arguments import NUMBER, Arg, Bound
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.library.layers.base import Attrs, Layer, Lowering, ParamSpec, Types


def _params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    from dotnn.library.inits import INITS

    start = Bound(INITS["constant"], {"value": attrs["start"]})
    return (ParamSpec("slope", types[0].example[-1:], start, is_weight=False),)


def _lower(b: Builder, low: Lowering) -> Value:
    return b.emit("prelu", low.x, low.params["slope"])


PRELU = Layer(
    "prelu",
    "Rectified linear unit with one learned slope per unit below zero.",
    _lower,
    (Arg("start", NUMBER, 0.25, "slope before training (He et al. 2015; Keras starts at 0)"),),
    params=_params,
    family="activation",
    equation="a = z if z > 0 else slope z",
)

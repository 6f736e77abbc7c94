"""Batch normalisation (Ioffe and Szegedy 2015)."""

from __future__ import annotations

from dotnn.core.arguments import FRACTION, Arg, Bound
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, ParamSpec, ShapeError, Types, require_real
from dotnn.library.layers.normalise import SCALE_AND_SHIFT, scale_and_shift, scale_and_shift_params


def _infer(types: Types, attrs: Attrs) -> TensorType:
    require_real(types[0], "batchnorm")
    if not types[0].example:
        raise ShapeError("batchnorm needs at least one feature axis, its operand has none")
    return types[0]


def _params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    from dotnn.library.inits import INITS

    shape = types[0].example[-1:]
    mean = ParamSpec("mean", shape, Bound(INITS["zeros"], {}), is_weight=False, trained=False)
    var = ParamSpec("var", shape, Bound(INITS["ones"], {}), is_weight=False, trained=False)
    return (*scale_and_shift_params(types[0], attrs), mean, var)


def _lower(b: Builder, low: Lowering) -> Value:
    x, mean, var = low.x, low.params["mean"], low.params["var"]
    if low.frozen:  # as in prediction: its statistics are numbers like all others
        return scale_and_shift(b, low, b.emit("centre", x, mean, name="centred"), var)
    momentum, rest = low.attrs["momentum"], round(1 - low.attrs["momentum"], 12)
    share = b.emit("batch_share", x, name="share")
    mu = b.emit("batch_mean", x, mean, share, name="mu")
    centred = b.emit("centre", x, mu, name="centred")
    sigma2 = b.emit("batch_variance", centred, var, share, name="sigma2")
    b.update_state(mean, "moving_average", mean, mu, momentum=momentum, rest=rest)
    b.update_state(var, "moving_average", var, sigma2, momentum=momentum, rest=rest)
    return scale_and_shift(b, low, centred, sigma2)


BATCHNORM = Layer(
    "batchnorm",
    "Batch normalisation, over all axes but the last: with the batch's own mean and variance while training, with"
    " their running means in prediction.",
    _lower,
    (
        Arg("momentum", FRACTION, 0.99, "how much of the running means is kept at each training step", training=True),
        *SCALE_AND_SHIFT,
    ),
    infer=_infer,
    params=_params,
    equation="y = gamma (x - mu) / sqrt(sigma² + epsilon) + beta",
)

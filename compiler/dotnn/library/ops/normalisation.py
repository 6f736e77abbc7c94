"""The steps of batch and layer normalisation, each with its derivative (Ioffe and Szegedy 2015, Ba et al. 2016).

    mu = mean x,  sigma2 = mean (x - mu)^2,  unit = (x - mu) / sqrt(sigma2 + epsilon),  y = gamma unit + beta

Batch norm takes the means over the examples (and positions) of each feature, layer norm over the features of each
example. In prediction mode batch norm uses running means instead, which are constants: there an example's share in the
mean is 0 where it is 1/N in training, and with it go the terms of the gradient that lead through mu and sigma2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dotnn.ir.algebra import ABOVE_ZERO, BILINEAR, LINEAR, PRODUCT, Algebra
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, Readers, no_gradient, same_as_first, scalar, sends
from dotnn.ir.tensor import Attrs, TensorType


def _feature(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType(types[0].shape[-1:])


def _last(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return types[-1]


def _axes(value: Value) -> str:
    """Return all axes but the last, as NumPy's `axis`."""
    axes = tuple(range(len(value.type.shape) - 1))
    return str(axes[0] if len(axes) == 1 else axes)


def is_per_feature(value: Value) -> bool:
    """Whether a factor has one number per feature; else it has one per example (and position)."""
    return not value.type.batched


# --------------------------------------------------------------------------------------- statistics over the batch


def _mean_takes_it_out(x: Value, node: Node, readers: Readers) -> bool:
    """Whether what is added to x is subtracted with the batch mean: x is read by its mean and its centring alone."""
    means = {n.out.id for n in readers[x.id] if n.op == "batch_mean"}
    return all(
        n.op in ("batch_share", "batch_mean") or (n.op == "centre" and n.ins[1].id in means) for n in readers[x.id]
    )


def _share_line(node: Node) -> str:
    positions = math.prod(node.ins[0].type.example[:-1])
    return "1 / len(x)" if positions == 1 else f"1 / ({positions} * len(x))"


BATCH_SHARE = Op(
    "batch_share",
    ("x",),
    scalar,
    _share_line,
    no_gradient,
    inference="0.0",
    shift_invariant=_mean_takes_it_out,
    detached=True,
    equation="share of an example in the means; in prediction they are constants",
    algebra=ABOVE_ZERO,
)

BATCH_MEAN = Op(
    "batch_mean",
    ("x", "running", "share"),
    _feature,
    lambda node: f"x.mean(axis={_axes(node.ins[0])})",
    sends(x="batch_mean_d_x(d, share, x)"),
    inference="running",
    equation="mu = mean of x",
    shift_invariant=_mean_takes_it_out,
)

BATCH_MEAN_D_X = Op(
    "batch_mean_d_x",
    ("d", "share", "x"),
    _last,
    "np.broadcast_to(share * d, x.shape)",
    algebra=BILINEAR,
)

BATCH_VARIANCE = Op(
    "batch_variance",
    ("c", "running", "share"),
    _feature,
    lambda node: f"(c * c).mean(axis={_axes(node.ins[0])})",
    sends(c="batch_variance_d_c(d, share, c)"),
    inference="running",
    equation="sigma2 = mean of (x - mu)^2",
    algebra=ABOVE_ZERO,
)

BATCH_VARIANCE_D_C = Op(
    "batch_variance_d_c",
    ("d", "share", "c"),
    _last,
    "d * 2 * share * c",
    algebra=Algebra(linear=(0, 2)),
)

MOVING_AVERAGE = Op(
    "moving_average",
    ("running", "new"),
    same_as_first,
    "momentum * running + rest * new",
)


# ---------------------------------------------------------------------------------------- statistics over features


FEATURE_VARIANCE = Op(
    "feature_variance",
    ("c",),
    lambda types, attrs: TensorType((*types[0].shape[:-1], 1)),
    "(c * c).mean(axis=-1, keepdims=True)",
    sends(c="feature_variance_d_c(d, c)"),
    equation="sigma2 = mean of (x - mu)^2",
    algebra=ABOVE_ZERO,
)

FEATURE_VARIANCE_D_C = Op(
    "feature_variance_d_c",
    ("d", "c"),
    _last,
    lambda node: f"d * 2 / {node.ins[1].type.example[-1]} * c",
    algebra=BILINEAR,
)


# ----------------------------------------------------------------------------------------- centring and rescaling


def _centre_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    return [d, b.emit("centre_d_mean", d, per_feature=is_per_feature(node.ins[1]))]


def _sum_line(term: str) -> Callable[[Node], str]:
    def line(node: Node) -> str:
        if node.attrs["per_feature"]:
            return f"{term}.sum(axis={_axes(node.ins[0])})"
        return f"{term}.sum(axis=-1, keepdims=True)"

    return line


def _sum_type(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    shape = types[0].shape
    return TensorType(shape[-1:] if attrs["per_feature"] else (*shape[:-1], 1))


CENTRE = Op("centre", ("x", "mean"), same_as_first, "x - mean", _centre_vjp, shift_invariant=_mean_takes_it_out)

CENTRE_D_MEAN = Op("centre_d_mean", ("d",), _sum_type, _sum_line("-d"), algebra=LINEAR)


INVERSE_ROOT = Op(
    "inverse_root",
    ("v",),
    same_as_first,
    "1 / sqrt(v + epsilon)",
    sends(v="inverse_root_derivative(d, out)"),
    equation="1 / sigma, kept away from a division by zero",
    algebra=ABOVE_ZERO,
    vanishes=True,
)

INVERSE_ROOT_DERIVATIVE = Op("inverse_root_derivative", ("d", "r"), same_as_first, "-0.5 * d * r ** 3", algebra=LINEAR)


def _rescale_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    x, factor = node.ins[:2]
    d_shift = [b.emit("sum_examples", d)] if len(node.ins) == 3 else []
    d_factor = b.emit("rescale_d_factor", d, x, per_feature=is_per_feature(factor))
    return [b.emit("rescale", d, factor), d_factor, *d_shift]


RESCALE = Op(
    "rescale",
    ("x", "factor", "shift"),
    same_as_first,
    lambda node: "factor * x + shift" if len(node.ins) == 3 else "factor * x",
    _rescale_vjp,
    additive=(2,),
    algebra=PRODUCT,
)

RESCALE_D_FACTOR = Op(
    "rescale_d_factor",
    ("d", "x"),
    _sum_type,
    _sum_line("(d * x)"),
    algebra=BILINEAR,
)


def _shift_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    shape = node.ins[1].type.shape
    return [d, b.emit("sum_examples", d) if len(shape) == 1 else b.emit("sum_examples_to", d, shape=shape)]


SHIFT = Op("shift", ("x", "b"), same_as_first, "x + b", _shift_vjp, additive=(0, 1))
"""The same numbers added to every example: per feature, or per position and feature."""

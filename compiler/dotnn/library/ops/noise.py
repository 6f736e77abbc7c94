"""Random ops, drawn from the generator that the caller passes in: most in training mode only."""

from __future__ import annotations

from dataclasses import replace

from dotnn.ir.algebra import ABOVE_ZERO, FACTORS
from dotnn.ir.node import Node
from dotnn.ir.op import Op, no_gradient, same_as_first, sends
from dotnn.ir.tensor import BATCH, Attrs, TensorType, Types

DROPOUT_MASK = Op(
    "dropout_mask",
    ("x",),
    same_as_first,
    "dropout_mask(rng, x.shape, keep).astype(x.real.dtype)",
    no_gradient,
    ("dropout_mask",),
    equation="mask = 1/rho with probability rho, else 0   (rho = {keep})",
    random=True,
    inference="1.0",
    detached=True,
    algebra=ABOVE_ZERO,
)

GAUSSIAN_NOISE = Op(
    "gaussian_noise",
    ("x",),
    same_as_first,
    "rng.normal(0, sigma, x.shape).astype(x.real.dtype)",
    no_gradient,
    equation="noise ~ N(0, {sigma}^2)",
    random=True,
    inference="0.0",
    detached=True,
)

LASTING_MASK = replace(DROPOUT_MASK, name="lasting_mask", inference="")
"""A mask that is drawn in prediction, too."""


def _drawn(types: Types, attrs: Attrs) -> TensorType:
    return TensorType((BATCH, *attrs["shape"]))


def _draw(node: Node) -> str:
    draw, sizes = node.attrs["draw"], ", ".join(map(str, node.attrs["shape"]))
    return f"{draw.entry.line.format(**draw.attrs, shape=f'(len(x), {sizes})')}.astype(x.real.dtype)"


NOISE = Op("noise", ("x",), _drawn, _draw, no_gradient, random=True, detached=True)
"""Numbers of their own, as many examples as the operand has."""

DROPOUT = Op(
    "dropout",
    ("x", "mask"),
    same_as_first,
    "x * mask",
    sends(x="multiply(d, mask)"),
    elementwise=True,
    algebra=FACTORS,
)

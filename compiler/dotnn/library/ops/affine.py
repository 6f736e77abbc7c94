"""The affine map of a dense layer, z = x W + b, and the three products of its gradient.

Equations: every textbook on backpropagation; here in batch form, one example a row:
dE/dx = dE/dz Wᵀ,  dE/dW = xᵀ dE/dz,  dE/db = the sum of dE/dz over the examples.
"""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.algebra import BILINEAR, RESHAPED
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, sends
from dotnn.ir.tensor import Attrs, TensorType


def _infer_affine(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    x, weight = types[0], types[1]
    if x.shape[-1] != weight.shape[0]:
        raise ValueError(f"affine: {x} does not fit {weight}")
    return TensorType((*x.shape[:-1], weight.shape[1]))


def _flat_rows(name: str, node: Node, operand: int) -> str:
    """Rows of all examples (and time steps) under each other, so that one product serves them all."""
    shape = node.ins[operand].type.shape
    return name if len(shape) == 2 else f"{name}.reshape(-1, {shape[-1]})"


def _weight_line(node: Node) -> str:
    return f"{_flat_rows('x', node, 0)}.T @ {_flat_rows('d', node, 1)}"


def _infer_weight(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((types[0].shape[-1], types[1].shape[-1]))


def _sum_line(node: Node) -> str:
    axes = tuple(range(len(node.ins[0].type.shape) - 1))
    return f"d.sum(axis={axes[0] if len(axes) == 1 else axes})"


AFFINE = Op(
    "affine",
    ("x", "W", "b"),
    _infer_affine,
    lambda node: "x @ W + b" if len(node.ins) == 3 else "x @ W",
    sends(W="affine_d_weight(x, d)", b="sum_examples(d)", x="affine_d_input(d, W)"),
    equation="z = x W + b",
    additive=(0, 2),
)


def _tied_vjp(b: Builder, node: Node, cotangent: Value) -> list[Value | None]:
    """Of z = x Wᵀ: dE/dx = dE/dz W, dE/dW = (dE/dz)ᵀ x."""
    x, weight = node.ins
    share = b.emit("affine_d_weight", cotangent, x)
    return [b.emit("affine", cotangent, weight), share]


AFFINE_D_INPUT = Op(
    "affine_d_input",
    ("d", "W"),
    lambda types, attrs: TensorType((*types[0].shape[:-1], types[1].shape[0])),
    "d @ W.T",
    _tied_vjp,
    algebra=BILINEAR,
)
"""The gradient of an affine map, and itself the map of a weight that is used the other way round."""

AFFINE_D_WEIGHT = Op("affine_d_weight", ("x", "d"), _infer_weight, _weight_line, sums_rows=True, algebra=BILINEAR)

SUM_EXAMPLES = Op(
    "sum_examples",
    ("d",),
    lambda types, attrs: TensorType(types[0].shape[-1:]),
    _sum_line,
    sums_rows=True,
    algebra=RESHAPED,
)

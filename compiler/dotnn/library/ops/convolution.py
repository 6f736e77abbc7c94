"""Convolution of images and sequences, its transpose, and the gradient by the kernel: closed under differentiation.

With z = x * W (a sum over the kernel's offsets, see `script/convolution.py`): dE/dx is the transposed convolution of
dE/dz by the same W, and the gradient of a transposed convolution is a convolution (Dumoulin and Visin 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dotnn.ir.algebra import BILINEAR, PRODUCT, RESHAPED
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op
from dotnn.ir.tensor import BATCH, Attrs, TensorType
from dotnn.library.ops.windows import geometry, is_at_every_place, keywords, per_axis, places

EQUATIONS = {
    1: "z[p] = sum_i x[p s + i d] W[i]",
    2: "z[p, q] = sum_ij x[p s + i d, q s + j d] W[i, j]",
    3: "z[p, q, r] = sum_ijk x[p s + i d, q s + j d, r s + k d] W[i, j, k]",
}


AT_EVERY_PLACE = {
    "conv2d": "convolve",
    "conv2d_transpose": "convolve_d_input",
    "conv2d_d_weight": "convolve_d_weight",
}
"""The helpers for kernels that stand at every place."""


def convolution(rank: int) -> tuple[Op, Op, Op]:
    """Return the ops of a convolution along `rank` axes: itself, its transpose, and its gradient by the kernel."""
    name = f"conv{rank}d"
    transpose, d_weight = f"{name}_transpose", f"{name}_d_weight"

    def infer(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
        x, weight = types[0], types[1]
        if x.shape[-1] != weight.example[-2] * attrs["groups"]:
            raise ValueError(f"{name}: {x} does not fit {weight}")
        return TensorType((BATCH, *places(x.example[:-1], weight.example[:-2], attrs), weight.example[-1]))

    def infer_transpose(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
        return TensorType((BATCH, *attrs["size"], types[1].example[-2] * attrs["groups"]))

    def infer_d_weight(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
        x, d = types
        return TensorType((*attrs["kernel"], x.example[-1] // attrs["groups"], d.example[-1]))

    def vjp(b: Builder, node: Node, d: Value) -> list[Value]:
        x, weight = node.ins[:2]
        where = geometry(node.attrs)
        d_weights = [b.emit(d_weight, x, d, kernel=weight.type.example[:-2], **where), *_bias(b, node, d)]
        return [b.emit(transpose, d, weight, size=x.type.example[:-1], **where), *d_weights]

    def vjp_transpose(b: Builder, node: Node, d: Value) -> list[Value]:
        x, weight = node.ins[:2]
        where = geometry(node.attrs)
        d_weights = [b.emit(d_weight, d, x, kernel=weight.type.example[:-2], **where), *_bias(b, node, d)]
        return [b.emit(name, d, weight, **where), *d_weights]

    helpers = (name, transpose, d_weight, "per_group", *AT_EVERY_PLACE.values())
    return (
        Op(name, ("x", "W", "b"), infer, _call(name, "x, W"), vjp, helpers, EQUATIONS[rank], algebra=PRODUCT),
        Op(
            transpose,
            ("d", "W", "b"),
            infer_transpose,
            _call(transpose, "d, W", "size"),
            vjp_transpose,
            helpers,
            algebra=PRODUCT,
        ),
        Op(d_weight, ("x", "d"), infer_d_weight, _call(d_weight, "x, d", "kernel"), None, helpers, algebra=BILINEAR),
    )


def _bias(b: Builder, node: Node, d: Value) -> list[Value]:
    return [b.emit("sum_examples", d)] if len(node.ins) == 3 else []


def _call(function: str, operands: str, extra: str = "") -> Callable[[Node], str]:
    """Return the line of a convolution: a helper's call, through `per_group` where there are groups, and the bias."""

    def line(node: Node) -> str:
        given = f", {extra}={per_axis(node.attrs[extra])}" if extra else ""
        groups = node.attrs["groups"]
        name = AT_EVERY_PLACE.get(function, function) if is_at_every_place(node.attrs) else function
        called = f"{name}(" if groups == 1 else f"per_group({name}, {groups}, "
        return f"{called}{operands}{given}{keywords(node)})" + (" + b" if len(node.ins) == 3 else "")

    return line


CONV1D, CONV1D_TRANSPOSE, CONV1D_D_WEIGHT = convolution(1)
CONV2D, CONV2D_TRANSPOSE, CONV2D_D_WEIGHT = convolution(2)
CONV3D, CONV3D_TRANSPOSE, CONV3D_D_WEIGHT = convolution(3)

RESHAPE_WEIGHT = Op(
    "reshape_weight",
    ("W",),
    lambda types, attrs: TensorType(tuple(attrs["shape"])),
    "W.reshape(shape)",
    lambda b, node, d: [b.emit("reshape_weight", d, shape=node.ins[0].type.shape)],
    algebra=RESHAPED,
)
"""The same weights in another shape: a depthwise kernel [row, column, in, times] as one by groups."""

"""Pooling of images and sequences: by windows, or over all places at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dotnn.ir.algebra import LINEAR, RESHAPED, SIGN_KEPT
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, sends
from dotnn.ir.tensor import BATCH, Attrs, TensorType
from dotnn.library.ops.windows import keywords, lies_side_by_side, per_axis, places, sizes

SIDE_BY_SIDE = {"max_pool2d": "block_max", "max_pool2d_d_input": "block_max_d_input"}
"""The helpers for windows that lie side by side."""


def _call(function: str, operands: str, *extras: str) -> Callable[[Node], str]:
    def line(node: Node) -> str:
        if function in SIDE_BY_SIDE and lies_side_by_side(node.ins[operands.split(", ").index("x")].type, node.attrs):
            rows, columns = node.attrs["window"]
            return f"{SIDE_BY_SIDE[function]}({operands}, {rows}, {columns})"
        given = "".join(f", {per_axis(node.attrs[extra])}" for extra in extras)
        return f"{function}({operands}{given}{keywords(node, 'pad')})"

    return line


def _pooled(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    (x,) = types
    return TensorType((BATCH, *places(sizes(x), attrs["window"], attrs), x.example[-1]))


def _unpooled(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((BATCH, *attrs["size"], types[0].example[-1]))


def pooling(rank: int) -> tuple[Op, Op, Op, Op]:
    """Return the ops of pooling along `rank` axes: maximum and mean, each with its gradient."""
    largest, mean = f"max_pool{rank}d", f"avg_pool{rank}d"

    def max_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
        return [b.emit(f"{largest}_d_input", d, node.ins[0], node.out, **node.attrs)]

    def avg_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
        return [b.emit(f"{mean}_d_input", d, size=sizes(node.ins[0].type), **node.attrs)]

    where = "window", "stride"
    helpers = (largest, f"{largest}_d_input", *SIDE_BY_SIDE.values())
    return (
        Op(largest, ("x",), _pooled, _call(largest, "x", *where), max_vjp, helpers, algebra=SIGN_KEPT),
        Op(
            f"{largest}_d_input",
            ("d", "x", "a"),
            lambda types, attrs: types[1],
            _call(f"{largest}_d_input", "d, x, a", *where),
            None,
            helpers,
            algebra=LINEAR,
        ),
        Op(mean, ("x",), _pooled, _call(mean, "x", *where), avg_vjp, (mean,), algebra=RESHAPED),
        Op(
            f"{mean}_d_input",
            ("d",),
            _unpooled,
            _call(f"{mean}_d_input", "d", "size", *where),
            None,
            (f"{mean}_d_input",),
            algebra=RESHAPED,
        ),
    )


MAX_POOL1D, MAX_POOL1D_D_INPUT, AVG_POOL1D, AVG_POOL1D_D_INPUT = pooling(1)
MAX_POOL2D, MAX_POOL2D_D_INPUT, AVG_POOL2D, AVG_POOL2D_D_INPUT = pooling(2)
MAX_POOL3D, MAX_POOL3D_D_INPUT, AVG_POOL3D, AVG_POOL3D_D_INPUT = pooling(3)


def _no_places(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((BATCH, types[0].example[-1]))


def _axes(node: Node) -> str:
    return per_axis(range(1, len(node.ins[0].type.shape) - 1))


def _mean_line(node: Node) -> str:
    return f"x.sum(axis={_axes(node)}) / {math.prod(sizes(node.ins[0].type))}"


def _spread_line(node: Node) -> str:
    size = node.attrs["size"]
    return f"np.tile(d[:{', None' * len(size)}] / {math.prod(size)}, {(1, *size, 1)})"


MAX_GLOBAL = Op(
    "max_global",
    ("x",),
    _no_places,
    lambda node: f"x.max(axis={_axes(node)})",
    sends(x="max_global_d_input(d, x)"),
    algebra=SIGN_KEPT,
)

MAX_GLOBAL_D_INPUT = Op(
    "max_global_d_input",
    ("d", "x"),
    lambda types, attrs: types[1],
    "max_global_d_input(d, x)",
    helpers=("max_global_d_input",),
    algebra=LINEAR,
)

AVG_GLOBAL = Op(
    "avg_global",
    ("x",),
    _no_places,
    _mean_line,
    lambda b, node, d: [b.emit("avg_global_d_input", d, size=sizes(node.ins[0].type))],
    algebra=RESHAPED,
)

AVG_GLOBAL_D_INPUT = Op("avg_global_d_input", ("d",), _unpooled, _spread_line, algebra=RESHAPED)

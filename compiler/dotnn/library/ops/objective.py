"""The objective: the weighted sum of losses and penalties, and the penalties on parameters."""

from __future__ import annotations

from dotnn.ir.algebra import LINEAR, Algebra, exact
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, scalar, sends
from dotnn.ir.tensor import TensorType


def _total_line(node: Node) -> str:
    return " + ".join(f"x{i}" if w == 1 else f"{w} * x{i}" for i, w in enumerate(node.attrs["weights"]))


def _total_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    return [d if w == 1 else b.emit("scale", d, factor=w) for w in node.attrs["weights"]]


TOTAL = Op(
    "total",
    ("*",),
    scalar,
    _total_line,
    _total_vjp,
    equation="the weighted sum of all losses and penalties",
    algebra=Algebra(weights=lambda node: [exact(w) for w in node.attrs["weights"]]),
)


SCALE = Op(
    "scale",
    ("x",),
    lambda types, attrs: types[0],
    "factor * x",
    sends(x="scale(d, factor=factor)"),
    additive=(0,),
    elementwise=True,
    algebra=Algebra(weights=lambda node: [exact(node.attrs["factor"])]),
)


def penalty(name: str, line: str, slope: str, helpers: tuple[str, ...] = (), equation: str = "") -> tuple[Op, Op]:
    """Return the ops of a penalty on a parameter and of its gradient."""

    def vjp(b: Builder, node: Node, d: Value) -> list[Value]:
        return [b.emit(f"{name}_gradient", d, node.ins[0], **node.attrs)]

    forward = Op(name, ("W",), scalar, line, vjp, helpers, equation)
    return forward, Op(
        f"{name}_gradient", ("d", "W"), lambda types, attrs: TensorType(types[1].shape), slope, algebra=LINEAR
    )


L2_PENALTY, L2_PENALTY_GRADIENT = penalty(
    "l2_penalty", "(strength * W * W).sum()", "d * 2 * strength * W", equation="penalty = strength sum W^2"
)

L1_PENALTY, L1_PENALTY_GRADIENT = penalty(
    "l1_penalty",
    "strength * abs(W).sum()",
    "d * strength * sign(W)",
    equation="penalty = strength sum |W|",
)

"""How losses reduce: attributes `reduce` ("mean" or "sum" over the batch) and `features`, what else the sum is divided
by (the number of features where a loss averages over them, of positions for a sequence of class targets; 1: nothing).
"""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.algebra import LINEAR
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Line, Op, Term, scalar
from dotnn.ir.tensor import Attrs, TensorType


def divisor(node: Node) -> str:
    """Return the text ` / n` that turns a sum into the loss's mean, or nothing."""
    factors = [str(node.attrs["features"])] if node.attrs["features"] > 1 else []
    factors += ["len(y)"] if node.attrs["reduce"] == "mean" else []
    if len(factors) == 2:
        return f" / ({' * '.join(factors)})"
    return f" / {factors[0]}" if factors else ""


def loss_ops(
    name: str,
    line: Line,
    gradient: Line,
    helpers: tuple[str, ...],
    equation: str,
    term: Term | None = None,
) -> tuple[Op, Op]:
    """Return the op of a loss of an output y and a target t, and the op of its gradient by y."""

    def vjp(b: Builder, node: Node, d: Value) -> list[Value | None]:
        y, t = node.ins
        return [b.emit(f"{name}_gradient", d, y, t, **node.attrs), None]

    def y_type(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
        return types[1]

    forward = Op(name, ("y", "t"), scalar, line, vjp, helpers, equation, term=term)
    return forward, Op(f"{name}_gradient", ("d", "y", "t"), y_type, gradient, helpers=helpers, algebra=LINEAR)

"""How losses reduce: attributes `reduce` ("mean" or "sum" over the batch) and `features`, what else the sum is divided
by (the number of features where a loss averages over them, of positions for a sequence of class targets; 1: nothing).

A loss may have one operand more, `m`: how much each example counts, or each of its steps, [B], [B, steps], …; marks of
a mask count as 0 and 1. The mean is then E = sum of m l / sum of m over the whole batch, and the sum is that of m l.
"""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.algebra import LINEAR
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Line, Op, Term, scalar
from dotnn.ir.tensor import Attrs, TensorType


def weights_of(node: Node) -> Value | None:
    """Return how much the examples or their steps count in a loss, or in its gradient; None where all count alike."""
    operands = dict(zip(node.rule.names(len(node.ins)), node.ins, strict=True))
    return operands.get("m")


def counted(node: Node, axes: int, form: str = "{} * ") -> str:
    """Return the factor of terms that have so many axes, "" where all count alike.

    Marks must not be multiplied with Python's numbers: that would be float64.
    """
    weights = weights_of(node)
    return "" if weights is None else form.format(f"m{along(weights, axes)}")


def along(weights: Value, axes: int) -> str:
    """Return the index that gives weights as many axes as what they are multiplied with."""
    rank = len(weights.type.shape)
    missing = ["None"] * (axes - rank)
    if len(missing) < 2:
        return "[..., None]" if missing else ""
    return f"[{', '.join([*([':'] * rank), *missing])}]"


def divisor(node: Node) -> str:
    """Return the text ` / n` that turns a sum into the loss's mean, or nothing."""
    factors = [str(node.attrs["features"])] if node.attrs["features"] > 1 else []
    count = "len(y)" if weights_of(node) is None else "sum_of_weights(m)"
    factors += [count] if node.attrs["reduce"] == "mean" else []
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
    """Return the op of a loss of an output y and a target t, and the op of its gradient by y.

    Both may have weights m besides, through which no gradient goes.
    """
    helpers = (*helpers, "sum_of_weights")

    def vjp(b: Builder, node: Node, d: Value) -> list[Value | None]:
        gradient = b.emit(f"{name}_gradient", d, *node.ins, **node.attrs)
        return [gradient, *(None for _ in node.ins[1:])]

    def y_type(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
        return types[1]

    forward = Op(name, ("y", "t", "m"), scalar, line, vjp, helpers, equation, term=term)
    return forward, Op(f"{name}_gradient", ("d", "y", "t", "m"), y_type, gradient, helpers=helpers, algebra=LINEAR)

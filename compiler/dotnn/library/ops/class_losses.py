"""Categorical losses over the last axis.

Targets are class numbers (spread to one-hot rows where a line needs them) or rows that sum to one.
"""

from __future__ import annotations

from dotnn.ir.expr import Expr, parse, substitute
from dotnn.ir.node import Node
from dotnn.ir.op import Op
from dotnn.library.ops.reduction import counted, divisor, loss_ops


def class_loss(
    name: str,
    term: str,
    slope: str,
    helpers: tuple[str, ...],
    equation: str,
) -> tuple[Op, Op]:
    """Return the ops of a categorical loss and of its gradient; `rows` stands for the target as rows.

    With weights of the classes, the loss of every example, and so its gradient, is multiplied by that of its class.
    """

    def line(node: Node) -> Expr:
        weights = counted(node, len(node.ins[0].type.shape)) + weight(node)
        rows = parse(weights + target_rows(node, 1, "t", "y.dtype"))
        return substitute(parse(f"{term}{divisor(node)}"), {"rows": rows})

    def gradient(node: Node) -> Expr:
        rows = parse(target_rows(node, 2, "t", "y.dtype"))
        weights = counted(node, len(node.out.type.shape), " * {}")
        return substitute(parse(f"d * {weight(node)}{slope}{weights}{divisor(node)}"), {"rows": rows})

    return loss_ops(name, line, gradient, (*helpers, "weight_of_class"), equation)


def weight(node: Node) -> str:
    """Return the factor of each example's loss, "" where all classes count alike."""
    weights = node.attrs["class_weight"]
    return f"weight_of_class(t, {weights}, y.dtype) * " if weights else ""


def target_rows(node: Node, target: int, labels: str, dtype: str) -> str:
    """Return the expression of a target as rows that sum to one; it is operand number `target` of the node."""
    y, t = node.ins[target - 1], node.ins[target]
    rows = f"one_hot_rows({labels}, {y.type.example[-1]}, {dtype})" if t.type.dtype == "int" else labels
    return f"smooth({rows}, {node.attrs['smoothing']})" if node.attrs["smoothing"] else rows


CROSS_ENTROPY, CROSS_ENTROPY_GRADIENT = class_loss(
    "cross_entropy",
    "-(rows * safe_log(y)).sum()",
    "-rows * safe_log_slope(y)",
    ("one_hot_rows", "smooth", "safe_log", "safe_log_slope"),
    "E = -mean over examples of sum_k t_k log p_k",
)

SOFTMAX_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY_GRADIENT = class_loss(
    "softmax_cross_entropy",
    "-(rows * log_softmax(y)).sum()",
    "(softmax(y) - rows)",
    ("one_hot_rows", "smooth", "log_softmax", "softmax"),
    "E = -mean over examples of sum_k t_k log p_k",
)

SOFTMAX_CROSS_ENTROPY_OF_ROWS, SOFTMAX_CROSS_ENTROPY_OF_ROWS_GRADIENT = class_loss(
    "softmax_cross_entropy_of_rows",
    "-(rows * log_softmax(y)).sum()",
    "(rows.sum(axis=-1, keepdims=True) * softmax(y) - rows)",
    ("log_softmax", "softmax"),
    "E = -mean over examples of sum_k t_k log p_k, whatever the t_k sum to",
)

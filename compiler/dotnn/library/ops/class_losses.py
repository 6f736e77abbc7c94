"""Categorical losses over the last axis.

Targets are class numbers (spread to one-hot rows where a line needs them) or rows that sum to one.
"""

from __future__ import annotations

from dotnn.ir.node import Node
from dotnn.ir.op import Op
from dotnn.library.ops.reduction import Line, divisor, loss_ops, reduced


def class_loss(
    name: str,
    term: str,
    slope: str,
    helpers: tuple[str, ...],
    equation: str,
    tensorflow: Line,
) -> tuple[Op, Op]:
    """Return the ops of a categorical loss and of its gradient; `{rows}` stands for the target as rows.

    With weights of the classes, the loss of every example, and so its gradient, is multiplied by that of its class.
    `tensorflow` returns the loss of each position in TensorFlow.
    """

    def rows(node: Node, target: int) -> str:
        return target_rows(node, target, "{t}", "{y}.dtype")

    def line(node: Node) -> str:
        return f"{term.replace('{rows}', weight(node) + rows(node, 1))}{divisor(node)}"

    def gradient(node: Node) -> str:
        return f"{{d}} * {weight(node)}{slope.replace('{rows}', rows(node, 2))}{divisor(node)}"

    def in_tensorflow(node: Node) -> str:
        return reduced(node, _tf_weight(node) + tensorflow(node), axes=1)

    return loss_ops(name, line, gradient, (*helpers, "weight_of_class"), equation, in_tensorflow)


def weight(node: Node) -> str:
    """Return the factor of each example's loss, "" where all classes count alike."""
    weights = node.attrs["class_weight"]
    return f"weight_of_class({{t}}, {weights}, {{y}}.dtype) * " if weights else ""


def target_rows(node: Node, target: int, labels: str, dtype: str) -> str:
    """Return the expression of a target as rows that sum to one; it is operand number `target` of the node."""
    y, t = node.ins[target - 1], node.ins[target]
    rows = f"one_hot_rows({labels}, {y.type.example[-1]}, {dtype})" if t.type.dtype == "int" else labels
    return f"smooth({rows}, {node.attrs['smoothing']})" if node.attrs["smoothing"] else rows


def _tf_weight(node: Node) -> str:
    """Return the factor of each position's loss in TensorFlow, "" where all classes count alike."""
    weights = node.attrs["class_weight"]
    if not weights:
        return ""
    table = f"tf.constant({[*weights]}, {{y}}.dtype)"
    return (
        f"tf.gather({table}, {{t}}) * " if node.ins[1].type.dtype == "int" else f"tf.linalg.matvec({{t}}, {table}) * "
    )


def _tf_rows(node: Node) -> str:
    """Return the target as rows that sum to one, in TensorFlow."""
    y, t = node.ins
    rows = f"tf.one_hot({{t}}, {y.type.example[-1]}, dtype={{y}}.dtype)" if t.type.dtype == "int" else "{t}"
    smoothing = node.attrs["smoothing"]
    return f"smooth({rows}, {smoothing})" if smoothing else rows


def _tf_cross_entropy(node: Node) -> str:
    return f"-tf.reduce_sum({_tf_rows(node)} * safe_log({{y}}), axis=-1)"


def _tf_softmax_cross_entropy(node: Node) -> str:
    if node.ins[1].type.dtype == "int" and not node.attrs["smoothing"]:
        return "tf.nn.sparse_softmax_cross_entropy_with_logits({t}, {y})"
    return f"tf.nn.softmax_cross_entropy_with_logits({_tf_rows(node)}, {{y}})"


CROSS_ENTROPY, CROSS_ENTROPY_GRADIENT = class_loss(
    "cross_entropy", "-({rows} * safe_log({y})).sum()", "-{rows} * safe_log_slope({y})",
    ("one_hot_rows", "smooth", "safe_log", "safe_log_slope"), "E = -mean over examples of sum_k t_k log p_k",
    _tf_cross_entropy,
)  # fmt: skip

SOFTMAX_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY_GRADIENT = class_loss(
    "softmax_cross_entropy", "-({rows} * log_softmax({y})).sum()", "(softmax({y}) - {rows})",
    ("one_hot_rows", "smooth", "log_softmax", "softmax"),
    "E = -mean over examples of sum_k t_k log p_k with p = softmax(z)",
    _tf_softmax_cross_entropy,
)  # fmt: skip

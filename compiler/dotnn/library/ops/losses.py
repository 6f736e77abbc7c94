"""Losses that add up over the features: one number from outputs y and targets t, with the gradient line of each.

The cotangent of the loss, `d`, is 1 unless a weight scales it.
"""

from __future__ import annotations

from dotnn.ir.expr import Call, parse
from dotnn.ir.node import Node
from dotnn.ir.op import Op, Term
from dotnn.library.ops.reduction import counted, divisor, loss_ops


def pointwise(
    name: str,
    term: str,
    slope: str,
    *,
    helpers: tuple[str, ...] = (),
    equation: str = "",
    factor: str = "",
) -> tuple[Op, Op]:
    """Return the ops of a loss that sums `term(y, t)` over features and examples, and of its gradient by y.

    Where it has weights of the two classes, each term is multiplied by that of its target.
    """

    def line(node: Node) -> str:
        terms = f"{counted(node, len(node.ins[0].type.shape))}{weight_of_target(node)}{term}"
        summed = terms if isinstance(parse(terms), Call) else f"({terms})"
        return f"{factor}{summed}.sum(){divisor(node)}"

    def gradient(node: Node) -> str:
        weight = counted(node, len(node.out.type.shape), " * {}")
        return f"d * {weight_of_target(node)}{slope}{weight}{divisor(node)}"

    return loss_ops(name, line, gradient, helpers, equation, Term(term, factor))


def weight_of_target(node: Node) -> str:
    """Return the factor of the terms of a loss whose target is 0 or 1, "" where both classes count alike.

    A target in between has the share of each weight that it has of the classes.
    """
    weights = node.attrs.get("class_weight")
    return f"((1 - t) * {weights[0]} + t * {weights[1]}) * " if weights else ""


HALF_SSE, HALF_SSE_GRADIENT = pointwise(
    "half_sse",
    "(t - y) ** 2",
    "(y - t)",
    factor="0.5 * ",
    equation="E = 1/2 sum (t - y)^2",
)

SSE, SSE_GRADIENT = pointwise(
    "sse",
    "(t - y) ** 2",
    "2 * (y - t)",
    equation="E = sum (t - y)^2",
)

MSE, MSE_GRADIENT = pointwise(
    "mse",
    "(t - y) ** 2",
    "2 * (y - t)",
    equation="E = mean (t - y)^2",
)

L1, L1_GRADIENT = pointwise(
    "l1",
    "abs(y - t)",
    "sign(y - t)",
    equation="E = mean |y - t|",
)

HUBER, HUBER_GRADIENT = pointwise(
    "huber",
    "huber(y - t, delta)",
    "huber_slope(y - t, delta)",
    helpers=("huber", "huber_slope"),
    equation="E = mean of 1/2 e^2 where |e| <= delta, else delta (|e| - delta/2);  e = y - t",
)

HINGE, HINGE_GRADIENT = pointwise(
    "hinge",
    "maximum(1 - t * y, 0)",
    "where(t * y < 1, -t, 0)",
    equation="E = mean max(1 - t y, 0)",
)

PERCEPTRON, PERCEPTRON_GRADIENT = pointwise(
    "perceptron",
    "where(t * y <= 0, -t * y, 0)",
    "where(t * y <= 0, -t, 0)",
    equation="E = -sum of t y over the misclassified examples (t y <= 0)",
)

BCE, BCE_GRADIENT = pointwise(
    "bce",
    "binary_cross_entropy(y, t)",
    "binary_cross_entropy_slope(y, t)",
    helpers=("binary_cross_entropy", "binary_cross_entropy_slope"),
    equation="E = -mean (t log p + (1 - t) log(1 - p))",
)

SIGMOID_BCE, SIGMOID_BCE_GRADIENT = pointwise(
    "sigmoid_bce",
    "sigmoid_cross_entropy(y, t)",
    "(sigmoid(y) - t)",
    helpers=("sigmoid_cross_entropy", "sigmoid"),
    equation="E = -mean (t log p + (1 - t) log(1 - p))",
)

"""Arithmetic of equal shapes: the joins of a graph, and the sum of cotangents at a fan-out."""

from __future__ import annotations

from dotnn.ir.algebra import ALL, FACTORS, LINEAR, SIGN_KEPT, SUM, ZEROS, Algebra
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, same_as_first, sends


def _terms(node: Node) -> str:
    return " + ".join(f"x{i}" for i in range(len(node.ins)))


def _add_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    return [d for _ in node.ins]


ADD = Op("add", ("*",), same_as_first, _terms, _add_vjp, additive=ALL, elementwise=True, algebra=SUM)

ACCUMULATE = Op("accumulate", ("*",), same_as_first, _terms, elementwise=True, algebra=SUM)
"""The cotangent of a value that is used more than once is the sum of what each use sends back."""

PASS_ON = Op(
    "pass_on",
    ("d",),
    same_as_first,
    "d",
    sends(d="d"),
    additive=(0,),
    elementwise=True,
    alias=True,
    algebra=SUM,
)
"""Addition and identity send the cotangent on as it is."""

SUBTRACT = Op(
    "subtract",
    ("a", "b"),
    same_as_first,
    "a - b",
    sends(a="d", b="negate(d)"),
    additive=ALL,
    elementwise=True,
    algebra=Algebra(weights=lambda node: (1, -1)),
)

NEGATE = Op(
    "negate",
    ("a",),
    same_as_first,
    "-a",
    sends(a="negate(d)"),
    elementwise=True,
    algebra=Algebra(weights=lambda node: (-1,)),
)

MULTIPLY = Op(
    "multiply",
    ("a", "b"),
    same_as_first,
    "a * b",
    sends(a="multiply(d, b)", b="multiply(d, a)"),
    elementwise=True,
    algebra=FACTORS,
)

MAXIMUM = Op(
    "maximum",
    ("a", "b"),
    same_as_first,
    "maximum(a, b)",
    sends(a="where_not_less(d, a, b)", b="where_less(d, a, b)"),
    elementwise=True,
    algebra=SIGN_KEPT,
)
"""Elementwise maximum. Where both are equal the first one wins, so it alone receives the gradient."""

WHERE_NOT_LESS = Op("where_not_less", ("d", "a", "b"), same_as_first, "d * (a >= b)", elementwise=True, algebra=LINEAR)

WHERE_LESS = Op("where_less", ("d", "a", "b"), same_as_first, "d * (a < b)", elementwise=True, algebra=LINEAR)

ZEROS_LIKE = Op("zeros_like", ("a",), same_as_first, "np.zeros_like(a)", algebra=ZEROS)
"""The gradient of a parameter that the loss does not depend on."""

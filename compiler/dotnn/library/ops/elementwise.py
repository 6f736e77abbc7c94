"""Arithmetic of equal shapes: the joins of a graph, and the sum of cotangents at a fan-out."""

from __future__ import annotations

from dotnn.ir.algebra import ALL, FACTORS, LINEAR, SIGN_KEPT, SUM, ZEROS, Algebra
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, same_as_first


def _terms(node: Node) -> str:
    return " + ".join(f"{{{i}}}" for i in range(len(node.ins)))


def _add_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    return [d for _ in node.ins]


def _subtract_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    return [d, b.emit("negate", d)]


def _multiply_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    left, right = node.ins
    return [b.emit("multiply", d, right), b.emit("multiply", d, left)]


def _maximum_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    left, right = node.ins
    return [b.emit("where_not_less", d, left, right), b.emit("where_less", d, left, right)]


ADD = Op("add", ("*",), same_as_first, _terms, _add_vjp, additive=ALL, elementwise=True, algebra=SUM)

ACCUMULATE = Op("accumulate", ("*",), same_as_first, _terms, elementwise=True, algebra=SUM)
"""The cotangent of a value that is used more than once is the sum of what each use sends back."""

PASS_ON = Op(
    "pass_on",
    ("d",),
    same_as_first,
    "{d}",
    lambda b, node, d: [d],
    additive=(0,),
    elementwise=True,
    algebra=SUM,
)
"""Addition and identity send the cotangent on as it is."""

SUBTRACT = Op(
    "subtract",
    ("a", "b"),
    same_as_first,
    "{a} - {b}",
    _subtract_vjp,
    additive=ALL,
    elementwise=True,
    algebra=Algebra(weights=lambda node: (1, -1)),
)

NEGATE = Op(
    "negate",
    ("a",),
    same_as_first,
    "-{a}",
    lambda b, node, d: [b.emit("negate", d)],
    elementwise=True,
    algebra=Algebra(weights=lambda node: (-1,)),
)

MULTIPLY = Op(
    "multiply",
    ("a", "b"),
    same_as_first,
    "{a} * {b}",
    _multiply_vjp,
    elementwise=True,
    algebra=FACTORS,
)

MAXIMUM = Op(
    "maximum",
    ("a", "b"),
    same_as_first,
    "np.maximum({a}, {b})",
    _maximum_vjp,
    elementwise=True,
    algebra=SIGN_KEPT,
)
"""Elementwise maximum. Where both are equal the first one wins, so it alone receives the gradient."""

WHERE_NOT_LESS = Op(
    "where_not_less", ("d", "a", "b"), same_as_first, "{d} * ({a} >= {b})", elementwise=True, algebra=LINEAR
)

WHERE_LESS = Op("where_less", ("d", "a", "b"), same_as_first, "{d} * ({a} < {b})", elementwise=True, algebra=LINEAR)

ZEROS_LIKE = Op("zeros_like", ("a",), same_as_first, "np.zeros_like({a})", algebra=ZEROS)
"""The gradient of a parameter that the loss does not depend on."""

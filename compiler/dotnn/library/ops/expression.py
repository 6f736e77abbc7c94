"""What a spec computes element by element, written down as a formula; its gradient is derived from the formula.

The attribute `formula` is a tree over the operands x0, x1, … An operand may have length 1 on an axis that a reduction
left: the number there meets all numbers of the others on this axis, and its gradient is the sum of what they send back.
A parameter lacks the first axes, at least that of the batch: it meets all that is there, and has the sum, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.algebra import LINEAR
from dotnn.ir.definition import HELPERS
from dotnn.ir.expr import Expr, Keyword, Literal, Method, Name, constant, reads, substitute
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op
from dotnn.ir.tensor import Attrs, TensorType


def together(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    """Infer the type of an elementwise result; axes of length 1 meet any length, and so do axes that are missing."""
    rank = max(len(t.shape) for t in types)
    shapes = [(*(1 for _ in range(rank - len(t.shape))), *t.shape) for t in types]
    shape = tuple(next((d for d in axis if d != 1), 1) for axis in zip(*shapes, strict=True))
    if any(d not in (1, size) for found in shapes for d, size in zip(found, shape, strict=True)):
        raise ValueError(f"a formula of {', '.join(map(str, types))}: the shapes do not fit")
    return TensorType(shape)


def _formula(node: Node) -> Expr:
    found = node.attrs["formula"]
    assert isinstance(found, Expr)
    return found


def _vjp(b: Builder, node: Node, d: Value) -> list[Value | None]:
    names = node.rule.names(len(node.ins))
    return [_share(b, node, d, name, value) for name, value in zip(names, node.ins, strict=True)]


def _share(b: Builder, node: Node, d: Value, name: str, receiver: Value) -> Value | None:
    """Return what one operand is sent: d times the derivative, over the operands and the value itself."""
    from dotnn.ir.expr.derive import derive, sent  # only where it is needed: compiling starts faster without it

    formula = _formula(node)
    share = sent(Name("d"), derive(formula, name, {formula: Name("a")}))
    if share is None:
        return None
    values = {**dict(zip(node.rule.names(len(node.ins)), node.ins, strict=True)), "a": node.out}
    summed, missing = _axes_of_one(receiver, node.out), len(node.out.type.shape) - len(receiver.type.shape)
    if share == Name("d") and not missing:
        return b.emit("sum_axes", d, axes=summed) if summed else d
    if share == Name("d") and len(receiver.type.shape) == 1:
        return b.emit("sum_examples", d)
    read = {n: f"x{i}" for i, n in enumerate((n for n in reads(share) if n in values), 1)}
    ins = (values[n] for n in read)
    formula = substitute(share, read)
    if missing:
        return b.emit("parameter_derivative", d, *ins, formula=formula, axes=tuple(range(missing)))
    return b.emit("expression_derivative", d, *ins, formula=formula, axes=summed)


def _axes_of_one(small: Value, large: Value) -> tuple[int, ...]:
    pairs = enumerate(zip(small.type.shape, large.type.shape, strict=False))
    return tuple(axis for axis, (of_small, of_large) in pairs if of_small != of_large)


EXPRESSION = Op("expression", ("*",), together, _formula, _vjp, HELPERS)


def _summed(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    shape = together(types, attrs).shape
    return TensorType(tuple(1 if axis in attrs["axes"] else d for axis, d in enumerate(shape)))


def _derivative_line(node: Node) -> Expr:
    axes = node.attrs["axes"]
    if not axes:
        return _formula(node)
    over = Keyword("axis", constant(axes[0] if len(axes) == 1 else axes))
    return Method(_formula(node), "sum", (over, Keyword("keepdims", Literal(True))))


EXPRESSION_DERIVATIVE = Op(
    "expression_derivative", ("d", "*"), _summed, _derivative_line, helpers=HELPERS, algebra=LINEAR
)
"""The cotangent times a slope; summed over the axes on which the receiver has length 1."""


def _without_first(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType(together(types, attrs).shape[len(attrs["axes"]) :])


def _parameter_line(node: Node) -> Expr:
    axes = node.attrs["axes"]
    return Method(_formula(node), "sum", (Keyword("axis", constant(axes[0] if len(axes) == 1 else axes)),))


PARAMETER_DERIVATIVE = Op(
    "parameter_derivative", ("d", "*"), _without_first, _parameter_line, helpers=HELPERS, algebra=LINEAR
)
"""The same for a parameter: summed over the examples, and over the axes that the parameter has not."""

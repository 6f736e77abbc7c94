"""Reductions, parts, transposes and products of values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dotnn.core.arguments import Symbol
from dotnn.core.diagnostics import Diagnostic, Span
from dotnn.library.layers import LAYERS
from dotnn.library.layers.base import shape_text
from dotnn.library.values import MATMUL, PART, REDUCTIONS, TRANSPOSE
from dotnn.model import messages
from dotnn.model.constants import describe, evaluate, is_number
from dotnn.model.messages.base import Fail
from dotnn.model.scope import Scope, Tensor
from dotnn.model.weights import multiplied, of_parameters_alone, product_of, weight_of
from dotnn.syntax import nodes
from dotnn.syntax.walk import by_position

if TYPE_CHECKING:
    from dotnn.model.expressions import ExpressionReader

ON_THE_LAST_AXIS = {"sum": LAYERS["sum_features"], "mean": LAYERS["mean_features"]}


def is_reduction(call: nodes.Call) -> bool:
    """Whether a call may be the reduction of one value."""
    return call.func.id in REDUCTIONS and len(by_position(call)) == 1


def reduction(reader: ExpressionReader, call: nodes.Call, scope: Scope) -> Tensor:
    """Return a sum, mean or extreme along an axis, which stays with length 1. Raises `Fail`."""
    name = call.func.id
    for arg in call.args:
        if arg.name is not None and arg.name.id != "axis":
            raise Fail(messages.calls.unknown_argument(arg.name.span, name, arg.name.id, ["axis"]))
    operand = _real(reader, by_position(call)[0], scope, name)
    axis = _axis(reader, call, operand, scope)
    last = axis == len(operand.type.example) - 1
    layer, attrs = REDUCTIONS[name], {"axes": (axis + 1,)}
    if last and name in ON_THE_LAST_AXIS:
        layer, attrs = ON_THE_LAST_AXIS[name], {}
    made = reader.steps.apply(layer, attrs, (operand,), call.span, scope)
    length = operand.reduced.get(axis, operand.type.example[axis])
    return made.marked({**operand.reduced, axis: length})


def _axis(reader: ExpressionReader, call: nodes.Call, operand: Tensor, scope: Scope) -> int:
    given = next((a.value for a in call.args if a.name is not None), None)
    axis = -1 if given is None else _whole(given, scope, "an axis")
    rank, name = len(operand.type.example), call.func.id
    if not -rank <= axis < rank:
        span = call.func.span if given is None else given.span
        origin = reader.steps.origins([operand])
        raise Fail(messages.formulas.no_axis(span, name, axis if rank else None, shape_text(operand.type), origin))
    return axis % rank


def _whole(expr: nodes.Expr, scope: Scope, what: str) -> int:
    """Return a whole number of the spec. Raises `Fail`."""
    found = evaluate(expr, scope.constants)
    if not is_number(found) or found != int(found):
        if isinstance(found, Symbol):
            raise Fail(messages.names.unknown_name(expr.span, found.id, scope.constants))
        message = f"{what} must be a whole number, not {describe(found)}"
        raise Fail(messages.constants.bad_constant(expr.span, message, "for instance 0, or -1 for the last"))
    return int(found)


def _real(reader: ExpressionReader, expr: nodes.Expr, scope: Scope, what: str) -> Tensor:
    value = reader.value(expr, scope)
    if value.type.dtype != "real":
        message = f"{what} needs real numbers, but its operand holds integers"
        origin = reader.steps.origins([value])
        raise Fail(messages.shapes.shape_mismatch(expr.span, message, origin, "use embedding or one_hot first"))
    return value


def part(reader: ExpressionReader, expr: nodes.Index, scope: Scope) -> Tensor:
    """Return `x[3]`, `x[2:5, :]`: a number takes its axis away, a slice leaves it. Raises `Fail`."""
    value = _real(reader, expr.value, scope, "an index")
    sizes = value.type.example
    if len(expr.items) > len(sizes):
        axes = f"{len(sizes)} {'axis' if len(sizes) == 1 else 'axes'}"
        message = f"{shape_text(value.type)} has {axes}, but the index names {len(expr.items)}"
        help = "an index counts the axes of an example; the examples of a batch are not taken apart"
        raise Fail(messages.formulas.bad_index(expr.span, message, reader.steps.origins([value]), help))
    places = tuple(_place(reader, item, size, value, scope) for item, size in zip(expr.items, sizes, strict=False))
    return reader.steps.apply(PART, {"places": places}, (value,), expr.span, scope)


def _place(reader: ExpressionReader, item: nodes.Expr, size: int, value: Tensor, scope: Scope) -> int | tuple[int, int]:
    if isinstance(item, nodes.Slice):
        ends = [_whole(end, scope, "an end of a slice") if end else None for end in (item.start, item.stop)]
        start, stop, _ = slice(*ends).indices(size)
        if stop <= start:
            message = f"nothing is left of an axis of {size}"
            raise Fail(_bad_index(reader, item.span, message, value))
        return start, stop
    place = _whole(item, scope, "an index")
    if not -size <= place < size:
        raise Fail(_bad_index(reader, item.span, f"there is no place {place} in an axis of {size}", value))
    return place % size


def _bad_index(reader: ExpressionReader, span: Span, message: str, value: Tensor) -> Diagnostic:
    help = "places count from 0, from the end they are -1, -2, …; x[2:5] has the places 2, 3 and 4"
    return messages.formulas.bad_index(span, message, reader.steps.origins([value]), help)


def transposed(reader: ExpressionReader, expr: nodes.Attribute, scope: Scope) -> Tensor:
    """Return `x.T`, the last two axes of an example swapped. Raises `Fail`."""
    if weight_of(reader, expr, scope) is not None:
        raise Fail(messages.weights.weight_as_value(expr.span, reader.source.words_at(expr.span)))
    if expr.name.id != "T":
        raise Fail(messages.formulas.no_attribute(expr.name.span, expr.name.id))
    value = _real(reader, expr.value, scope, "a transpose")
    if len(value.type.example) < 2:
        message = f".T swaps the last two axes, but {shape_text(value.type)} has fewer"
        help = "two axes come from -> reshape([rows, columns])"
        raise Fail(messages.formulas.bad_index(expr.span, message, reader.steps.origins([value]), help))
    return reader.steps.apply(TRANSPOSE, {}, (value,), expr.span, scope)


def product(reader: ExpressionReader, expr: nodes.Binary, scope: Scope) -> Tensor:
    """Return `a @ b`, a product with a parameter, or of matrices for each example. Raises `Fail`."""
    with_weight = product_of(reader, expr, scope)
    if with_weight is not None:
        return multiplied(reader, with_weight, scope, "z")
    from dotnn.model.formulas import FormulaReader

    if of_parameters_alone(reader, expr.right, scope):
        return FormulaReader(reader, scope).product(expr)
    if weight_of(reader, expr.left, scope) is not None:
        left, right = map(reader.source.words_at, (expr.left.span, expr.right.span))
        raise Fail(messages.weights.weight_on_the_left(expr.left.span, left, right))
    operands = tuple(_real(reader, side, scope, "a product") for side in (expr.left, expr.right))
    a, b = (t.type.example for t in operands)
    if len(a) != len(b) or len(a) < 2 or a[-1] != b[-2] or a[:-2] != b[:-2]:
        left, right = (shape_text(t.type) for t in operands)
        raise Fail(messages.formulas.no_product(expr.span, left, right, reader.steps.origins(operands)))
    return reader.steps.apply(MATMUL, {}, operands, expr.span, scope)

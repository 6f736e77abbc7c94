"""Values that a network draws itself, anew for each example: `noise([8], normal)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dotnn.core.arguments import Arg, Kind, Symbol, registered
from dotnn.core.limits import MAX_SIZE
from dotnn.library.values import NOISE
from dotnn.model import messages
from dotnn.model.bind import convert, default_of, match
from dotnn.model.constants import Constants, describe, evaluate, integer
from dotnn.model.messages.base import Fail
from dotnn.model.scope import Scope, Tensor
from dotnn.syntax import nodes

if TYPE_CHECKING:
    from dotnn.model.expressions import ExpressionReader

SHAPE = Arg("shape", Kind("a shape such as [8]", lambda value: None), doc="of what is drawn for an example")
DRAW = Arg("draw", registered("draw", "a distribution such as normal or uniform(-1, 1)"), Symbol("normal"), "of what")
ARGUMENTS = (SHAPE, DRAW)


def is_drawn(reader: ExpressionReader, call: nodes.Call, scope: Scope) -> bool:
    """Whether a call draws a value; the spec may call something of its own so."""
    return call.func.id == NOISE.name and not reader.is_own(NOISE.name, scope)


def drawn(reader: ExpressionReader, call: nodes.Call, piped: Sequence[Tensor], scope: Scope) -> Tensor:
    """Return the value of `noise(shape, draw)`. Raises `Fail`."""
    if piped:
        help = f"it has no input: z = {NOISE.name}([8], normal), and then h + z"
        raise Fail(messages.calls.wrong_arity(call.func.span, NOISE.name, "no value", len(piped), help))
    given = match(NOISE.name, [arg.name for arg in ARGUMENTS], call.args)
    if SHAPE.name not in given:
        raise Fail(messages.calls.missing_argument(call.span, NOISE.name, SHAPE.name, SHAPE.doc))
    draw = convert(NOISE.name, DRAW, given[DRAW.name], scope.constants) if DRAW.name in given else default_of(DRAW)
    attrs = {"shape": _shape(given[SHAPE.name], scope.constants), "draw": draw}
    return reader.steps.apply(NOISE, attrs, (_beside(call, scope),), call.span, scope)


def _shape(expr: nodes.Expr, constants: Constants) -> tuple[int, ...]:
    """Return the shape of an example. Raises `Fail`."""
    if not isinstance(expr, nodes.List) or not expr.items:
        help, found = f"for instance: {NOISE.name}([8], normal)", describe(evaluate(expr, constants))
        raise Fail(
            messages.calls.wrong_kind(expr.span, NOISE.name, SHAPE.name, SHAPE.kind.expected, f"not {found}", help)
        )
    return tuple(integer(item, constants, "a size", MAX_SIZE) for item in expr.items)


def _beside(call: nodes.Call, scope: Scope) -> Tensor:
    """Return the value that says how many examples there are. Raises `Fail` where none of real numbers is at hand."""
    for bound in scope.names.values():
        if isinstance(bound, Tensor) and bound.type.dtype == "real":
            return bound
    raise Fail(messages.formulas.nothing_beside(call.span, NOISE.name))

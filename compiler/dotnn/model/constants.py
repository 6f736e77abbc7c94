"""Constants of the spec: numbers, words, lists, and arithmetic on them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dotnn.diagnostics import Span
from dotnn.model import messages
from dotnn.model.messages import Fail
from dotnn.schema import Symbol, show
from dotnn.syntax import nodes

WORDS: dict[str, Any] = {"true": True, "false": False}
_MAX_EXPONENT = 400

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
}


@dataclass(frozen=True)
class ConstCall:
    """A call that is not resolved yet: `he(normal)` as the value of an argument."""

    call: nodes.Call

    def __str__(self) -> str:
        return f"{self.call.func.id}(…)"


@dataclass(frozen=True)
class Interval:
    """`low..high`, both ends included."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{show(self.low)}..{show(self.high)}"


Constants = Mapping[str, Any]


def evaluate(expr: nodes.Expr, constants: Constants) -> Any:
    """Return the constant that `expr` denotes; a name that is no constant is a `Symbol`.

    Raises `Fail` for arithmetic on things that are no numbers, for division by zero and for huge powers.
    """
    match expr:
        case nodes.Number():
            return expr.value
        case nodes.String():
            return expr.value
        case nodes.Name():
            return WORDS.get(expr.id, constants.get(expr.id, Symbol(expr.id)))
        case nodes.List():
            return [evaluate(item, constants) for item in expr.items]
        case nodes.Call():
            return ConstCall(expr)
        case nodes.Unary():
            return -_number(expr.operand, constants)
        case nodes.Range():
            return Interval(_number(expr.low, constants), _number(expr.high, constants))
        case nodes.Binary():
            return _binary(expr, constants)
    raise Fail(messages.bad_constant(expr.span, "a constant is needed here, not a pipe"))


def _number(expr: nodes.Expr, constants: Constants) -> Any:
    value = evaluate(expr, constants)
    if isinstance(value, Symbol):
        raise Fail(messages.unknown_name(expr.span, value.id, constants))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Fail(messages.bad_constant(expr.span, f"a number is needed here, not {describe(value)}"))
    return value


def _binary(expr: nodes.Binary, constants: Constants) -> Any:
    apply = _ARITHMETIC.get(expr.op)
    if apply is None:
        raise Fail(messages.bad_constant(expr.span, f"`{expr.op}` cannot be used in a constant"))
    left, right = _number(expr.left, constants), _number(expr.right, constants)
    if expr.op == "^" and abs(right) * math.log10(abs(left) + 1) > _MAX_EXPONENT:
        raise Fail(messages.bad_constant(expr.span, "this power is too large"))
    try:
        value = apply(left, right)
    except (ZeroDivisionError, OverflowError):
        raise Fail(messages.bad_constant(expr.span, "this number is not finite")) from None
    if isinstance(value, complex) or not math.isfinite(value):
        raise Fail(messages.bad_constant(expr.span, "this number is not finite"))
    return value


def describe(value: Any) -> str:
    """Say what a constant is, for an error message."""
    if isinstance(value, bool):
        return show(value)
    if isinstance(value, (int, float)):
        return f"{value:.6g}" if isinstance(value, float) else _short(str(value))
    if isinstance(value, str):
        return f'the text "{_short(value)}"'
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, Symbol):
        return f'"{value.id}"'
    if isinstance(value, Interval):
        return f"the range {value}"
    return str(value)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def integer(expr: nodes.Expr, constants: Constants, what: str) -> int:
    """Return a positive whole number or raise `Fail`."""
    value = _number(expr, constants)
    if value != int(value) or value < 1:
        raise Fail(messages.bad_constant(expr.span, f"{what} must be a positive whole number, not {describe(value)}"))
    return int(value)


def covers(limits: Any, value: Any) -> bool:
    """Whether a value lies within the limits of a parameter: an interval or a list of choices."""
    if isinstance(limits, Interval):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and limits.low <= value <= limits.high
    return value in limits


def limits_of(expr: nodes.Expr, constants: Constants) -> tuple[Any, str]:
    """Return limits and their spelling: `2..64`, `log(1e-5..1e-1)` (searched on a log scale), `choice(a, b)`."""
    if isinstance(expr, nodes.Call) and expr.func.id == "choice":
        values = [evaluate(a.value, constants) for a in expr.args]
        return values, f"choice({', '.join(map(show, values))})"
    inner = expr
    if isinstance(expr, nodes.Call) and expr.func.id == "log" and len(expr.args) == 1:
        inner = expr.args[0].value
    value = evaluate(inner, constants)
    if not isinstance(value, Interval) or value.low > value.high or (inner is not expr and value.low <= 0):
        raise Fail(
            messages.bad_constant(
                expr.span, "limits are low..high, log(low..high) with 0 < low, or choice(a, b, …)", "for instance: in 2..64"
            )
        )
    return value, str(value) if inner is expr else f"log({value})"


def span_of(item: nodes.Node) -> Span:
    """Return the place of a syntax node."""
    return item.span

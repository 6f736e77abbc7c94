"""Constants of the spec: numbers, words, lists, and arithmetic on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

from dotnn.core import decimals
from dotnn.core.arguments import Duration, Member, Symbol, show
from dotnn.core.diagnostics import Span
from dotnn.core.limits import MAX_NUMBER
from dotnn.model import messages
from dotnn.model.messages.base import Fail
from dotnn.syntax import nodes

WORDS: dict[str, bool] = {"true": True, "false": False}

_ARITHMETIC: dict[str, Callable[[float, float], float | complex]] = {
    "+": decimals.plus,
    "-": decimals.minus,
    "*": decimals.times,
    "/": decimals.over,
    "^": decimals.power,
    "mod": decimals.mod,
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


@dataclass(frozen=True)
class Defined:
    """What the spec defines itself: `kind` is the word of its definition, `families` are those that it belongs to."""

    kind: str
    families: tuple[str, ...]
    member: Member

    def __str__(self) -> str:
        return str(self.member.name)


class Poison:
    """A name whose definition is wrong: the error has been reported once, uses of it are not reported again."""


class Poisoned(Exception):
    """A statement depends on a poisoned name and is given up silently."""


Constant: TypeAlias = (
    "bool | int | float | str | Symbol | Duration | Interval | ConstCall | Poison | Defined | list[Constant]"
)
Constants = Mapping[str, Constant]


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a constant is a number; `true` and `false` are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def evaluate(expr: nodes.Expr, constants: Constants) -> Constant:
    """Return the constant that `expr` denotes; a name that is no constant is a `Symbol`.

    Raises `Fail` for arithmetic on things that are no numbers, for division by zero and for huge powers, and
    `Poisoned` where a name's own definition is wrong.
    """
    match expr:
        case nodes.Number() | nodes.String():
            return expr.value
        case nodes.Name():
            return _named(expr, constants)
        case nodes.List():
            return [evaluate(item, constants) for item in expr.items]
        case nodes.Call(func=nodes.Name(id="epochs"), args=(nodes.Arg(name=None, value=count),)):
            return Duration(_number(count, constants), "epochs")
        case nodes.Call():
            return ConstCall(expr)
        case nodes.Unary(op="-"):
            return -_number(expr.operand, constants)
        case nodes.Range():
            return Interval(_number(expr.low, constants), _number(expr.high, constants))
        case nodes.Binary():
            return _binary(expr, constants)
    raise _no_constant(expr)


def _no_constant(expr: nodes.Expr) -> Fail:
    """Return the error for an expression that denotes no constant."""
    example = "write a number, a word, a text or a list; values of the network are computed in `model`"
    if isinstance(expr, nodes.Attribute):
        example = f'a file or column goes in quotes: "{_dotted(expr)}"'
    found = NOT_CONSTANT.get(type(expr), "an expression")
    return Fail(messages.constants.bad_constant(expr.span, f"a constant is needed here, not {found}", example))


NOT_CONSTANT = {nodes.Pipe: "a pipe", nodes.Index: "a part of something", nodes.Attribute: "a part of something"}


def _dotted(expr: nodes.Expr) -> str:
    """Return names with dots between them as they were written."""
    if isinstance(expr, nodes.Attribute):
        return f"{_dotted(expr.value)}.{expr.name.id}"
    return expr.id if isinstance(expr, nodes.Name) else "…"


def _named(expr: nodes.Name, constants: Constants) -> Constant:
    value = WORDS.get(expr.id, constants.get(expr.id, Symbol(expr.id)))
    if isinstance(value, Poison):
        raise Poisoned
    return value


def _number(expr: nodes.Expr, constants: Constants) -> int | float:
    value = evaluate(expr, constants)
    if isinstance(value, Symbol):
        raise Fail(messages.names.unknown_name(expr.span, value.id, constants))
    if not is_number(value):
        help = "for instance 3, 0.5, 1e-3 or 80%"
        raise Fail(messages.constants.bad_constant(expr.span, f"a number is needed here, not {describe(value)}", help))
    return value


def _binary(expr: nodes.Binary, constants: Constants) -> int | float:
    apply = _ARITHMETIC.get(expr.op)
    if apply is None:
        help = "constants are computed with + - * / ^ and mod"
        raise Fail(messages.constants.bad_constant(expr.span, f"`{expr.op}` cannot be used in a constant", help))
    left, right = _number(expr.left, constants), _number(expr.right, constants)
    if expr.op in ("/", "mod") and not right:
        help = "divide by another number"
        raise Fail(messages.constants.bad_constant(expr.right.span, "division by zero", help, "this is 0"))
    try:
        if expr.op == "^" and _is_huge_power(left, right):
            raise OverflowError
        return _checked(apply(left, right), expr.span)
    except ZeroDivisionError:
        message = "division by zero: 0 has no negative power"
    except OverflowError:
        raise Fail(messages.constants.bad_constant(expr.span, "the result is too large for a number", _SIZES)) from None
    raise Fail(messages.constants.bad_constant(expr.span, message, _POWERS))


def _checked(value: float | complex, span: Span) -> int | float:
    """Return a result that is a number of the language. Raises OverflowError for one that is too large."""
    if isinstance(value, complex):
        raise Fail(messages.constants.bad_constant(span, "a negative number has no such power", _POWERS))
    if abs(value) > MAX_NUMBER if isinstance(value, int) else not math.isfinite(value):
        raise OverflowError
    return value


def _is_huge_power(base: float, exponent: float) -> bool:
    """Whether a whole power has too many digits to be worth computing (a float overflows at once)."""
    whole = isinstance(base, int) and isinstance(exponent, int)
    return whole and abs(base) > 1 and exponent > MAX_NUMBER.bit_length()


_POWERS = "a number above 0 has every power, one below 0 has whole powers only, and 0 has none below 0"
_SIZES = "whole numbers have 64 bits, others are doubles (up to 1.8e308)"


def describe(value: object) -> str:
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
    if isinstance(value, Defined):
        return f"the {value.kind} {value.member.name}"
    return str(value)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def integer(expr: nodes.Expr, constants: Constants, what: str, most: int) -> int:
    """Return a positive whole number, at most `most`, or raise `Fail`."""
    value = _number(expr, constants)
    if value != int(value) or value < 1:
        message = f"{what} must be a positive whole number, not {describe(value)}"
        raise Fail(messages.constants.bad_constant(expr.span, message, "for instance 3"))
    if value > most:
        raise Fail(messages.shapes.limit(expr.span, f"{what} may be {most:,} at most, not {describe(value)}"))
    return int(value)


def covers(limits: Interval | list[Constant], value: Constant) -> bool:
    """Whether a value lies within the limits of a parameter: an interval or a list of choices."""
    if isinstance(limits, Interval):
        return is_number(value) and limits.low <= value <= limits.high
    return value in limits


def limits_of(expr: nodes.Expr, constants: Constants) -> tuple[Interval | list[Constant], str]:
    """Return limits and their spelling: `2..64`, `log(1e-5..1e-1)` (searched on a log scale), `choice(a, b)`."""
    if isinstance(expr, nodes.Call) and expr.func.id == "choice" and expr.args:
        values = [evaluate(a.value, constants) for a in expr.args]
        return values, f"choice({', '.join(map(show, values))})"
    if isinstance(expr, nodes.Call) and expr.func.id == "log" and len(expr.args) == 1:
        inner = expr.args[0].value
        interval = _interval(inner, constants)
        if interval.low <= 0:
            help = f"for instance: in log(1e-5..{show(interval.high)})"
            raise Fail(messages.constants.bad_constant(inner.span, "a logarithmic range starts above 0", help))
        return interval, f"log({interval})"
    interval = _interval(expr, constants)
    return interval, str(interval)


def _interval(expr: nodes.Expr, constants: Constants) -> Interval:
    value = evaluate(expr, constants)
    if not isinstance(value, Interval):
        message = "limits are low..high, log(low..high) or choice(a, b, …)"
        raise Fail(messages.constants.bad_constant(expr.span, message, "for instance: in 2..64"))
    if value.low > value.high:
        help = f"write {show(value.high)}..{show(value.low)}"
        message = f"no number lies in {value}: its ends are swapped"
        raise Fail(messages.constants.bad_constant(expr.span, message, help))
    return value

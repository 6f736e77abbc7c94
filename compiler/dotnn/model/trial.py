"""Whether formulas of plain numbers can be computed: a script would stop at a division by zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace

from dotnn.ir.expr import DIALECTS, Binary, Equation, Expr, Number, reads, spell, substitute
from dotnn.ir.expr.visit import children

_KNOWN = {
    "__builtins__": {},
    "math": math,
    "min": min,
    "max": max,
    "abs": abs,
    "float": float,
    "round": round,
    "np": SimpleNamespace(sign=lambda x: (x > 0) - (x < 0)),
}


class NoNumber(Exception):
    """A formula has no value that is a finite number; the message says why."""


def value_of(expr: Expr, values: Mapping[str, float]) -> float:
    """Return the value of a formula of plain numbers, as a script computes it. Raises `NoNumber`."""
    return computed(expr)(values)


def computed(expr: Expr) -> Callable[[Mapping[str, float]], float]:
    """Return what computes a formula of plain numbers, as `value_of` does."""
    code = compile(spell(expr, DIALECTS["math"]), "<formula>", "eval")

    def value(values: Mapping[str, float]) -> float:
        try:
            found: float | complex = eval(code, {**_KNOWN, **values})
        except ZeroDivisionError:
            raise NoNumber("division by zero") from None
        except OverflowError:
            raise NoNumber("the result is too large for a number") from None
        except ValueError:
            raise NoNumber("a function is not defined there") from None
        if isinstance(found, complex):
            raise NoNumber("a negative number has no such power")
        if not math.isfinite(found):
            raise NoNumber("the result is not finite")
        return found

    return value


def numbers_in(lines: Sequence[Equation], arrays: Iterable[str]) -> Iterator[Expr]:
    """Yield the largest parts of equations that read none of the arrays, nor what is computed from them."""
    held, plain = set(arrays), dict[str, Expr]()
    for line in lines:
        value = substitute(line.value, plain)
        if held.isdisjoint(reads(value)) and line.target not in held:
            plain[line.target] = value
        else:
            held.add(line.target)
        yield from plain_parts(value, held)


def plain_parts(expr: Expr, arrays: Collection[str]) -> Iterator[Expr]:
    """Yield the largest parts of a formula that read none of the arrays; of a divisor, the factor that it is."""
    if not {*arrays}.intersection(reads(expr)):
        yield expr
        return
    if isinstance(expr, Binary) and expr.op == "/":
        yield from (Binary("/", Number(1), part) for part in plain_parts(expr.right, arrays) if part is expr.right)
    for part in children(expr):
        yield from plain_parts(part, arrays)

"""The derivative of a formula with respect to one of its names, written as a textbook would.

The name stands for a number, or for an array whose elements the formula treats each by itself. Sums over axes, products
of matrices and indices mix elements: their gradients are ops of the graph, and here they are an error.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from dotnn.core import decimals
from dotnn.ir.expr.functions import FUNCTIONS, PIECEWISE
from dotnn.ir.expr.parse import parse
from dotnn.ir.expr.product import ONE, ZERO, whole
from dotnn.ir.expr.simplify import chained, minus, negative, over, plus, power, times, where
from dotnn.ir.expr.tree import Binary, Bracketed, Call, Choice, Expr, Name, Number, Unary
from dotnn.ir.expr.visit import map_children, reads, substitute

FLAT = frozenset(("<", "<=", ">", ">=", "==", "!=", "//", "and", "or", "not"))
"""Operators whose results are whole wherever they are smooth."""


class NoDerivative(ValueError):
    """A formula cannot be differentiated; the message says what stands in the way."""


def derive(expr: Expr, name: str, reuse: Mapping[Expr, Expr] = {}) -> Expr:
    """Return the derivative of an expression with respect to a name.

    `reuse` maps expressions whose values are known to their names: with {tanh(z): a}, tanh' is `1 - a * a`.
    At a kink the derivative is what `functions` says. Raises `NoDerivative`.
    """
    return _Derivative(name, reuse).of(expr)


@cache
def sent_back(formula: str, name: str, value: str = "") -> Expr:
    """Return `d` times the derivative of a formula; `value` is what its own value is called, if that may be read."""
    tree = parse(formula)
    return chained(Name("d"), derive(tree, name, {tree: Name(value)} if value else {}))


def sent(d: Expr, slope: Expr) -> Expr | None:
    """Return the cotangent times a slope, as a line of a backward pass has it; None where the slope is 0 everywhere."""
    match slope:
        case Number(0):
            return None
        case Call("where", (test, yes, no)):
            return Call("where", (test, sent(d, yes) or ZERO, sent(d, no) or ZERO))
    positive = _without_sign(slope)
    return in_arrays(chained(d, slope) if positive is None else chained(Unary("-", d), positive))


def in_arrays(expr: Expr, numbers: Collection[str] = ()) -> Expr:
    """Return an expression whose choices between two numbers have the precision of what the choice reads.

    Else `where(x > 0, 1, 0)` would be an array of whole numbers, and whatever it meets of double precision. `numbers`
    are the names that stand for numbers; all others are arrays.
    """

    def arrays(part: Expr) -> list[str]:
        return [name for name in reads(part) if name not in numbers]

    match expr:
        case Call("where", (test, yes, no)) if arrays(test) and not arrays(yes) and not arrays(no):
            ones = Call("ones_like", (Name(arrays(test)[0]),))
            one, other = (yes, times(no, ones)) if yes == ZERO else (times(yes, ones), no)  # 0 times ones is 0
            return Call("where", (in_arrays(test, numbers), one, other))
    return map_children(expr, lambda part: in_arrays(part, numbers))


def _without_sign(product: Expr) -> Expr | None:
    """Return a product without the sign of its first factor, None where it has none."""
    match product:
        case Unary("-", operand):
            return operand
        case Binary("*" | "/" as op, left, right):
            first = _without_sign(left)
            if first is None:
                return None
            return right if first == ONE and op == "*" else Binary(op, first, right)
    return None


class _Derivative:
    def __init__(self, name: str, reuse: Mapping[Expr, Expr]) -> None:
        self.name = name
        self.reuse = reuse

    def of(self, expr: Expr) -> Expr:
        """Return the derivative of a part."""
        if self.name not in reads(expr):
            return ZERO
        match expr:
            case Name():
                return ONE
            case Bracketed(inner):
                return self.of(inner)
            case Unary("-", operand):
                return negative(self.of(operand))
            case Choice(test, yes, no):
                first, second = self.of(yes), self.of(no)
                return first if first == second else Choice(self.known(test), first, second)
            case Binary():
                return self.binary(expr)
            case Call():
                return self.call(expr)
        raise NoDerivative(f"{type(expr).__name__.lower()}: only what acts on each element by itself has a derivative")

    def known(self, expr: Expr) -> Expr:
        """Return an expression with what is known already in place of what computes it."""
        return self.reuse[expr] if expr in self.reuse else map_children(expr, self.known)

    def binary(self, expr: Binary) -> Expr:
        u, v = self.known(expr.left), self.known(expr.right)
        match expr.op:
            case "+":
                return plus(self.of(expr.left), self.of(expr.right))
            case "-":
                return minus(self.of(expr.left), self.of(expr.right))
            case "*":
                return plus(times(self.of(expr.left), v), times(u, self.of(expr.right)))
            case "/":
                return self.quotient(expr, u, v)
            case "**":
                return self.power(expr, u, v)
            case op if op in FLAT:
                return ZERO
        raise NoDerivative(f"{expr.op}: only what acts on each element by itself has a derivative")

    def quotient(self, expr: Binary, u: Expr, v: Expr) -> Expr:
        d_u, d_v = self.of(expr.left), self.of(expr.right)
        if d_v == ZERO:
            return over(d_u, v)
        return over(minus(times(d_u, v), times(u, d_v)), power(v, whole(2)))

    def power(self, expr: Binary, u: Expr, v: Expr) -> Expr:
        """Return d(u ** v) = v u ** (v - 1) du + u ** v log(u) dv."""
        d_u, d_v = self.of(expr.left), self.of(expr.right)
        less = whole(decimals.minus(v.value, 1)) if isinstance(v, Number) else minus(v, ONE)
        return plus(times(v, power(u, less), d_u), times(Binary("**", u, v), Call("log", (u,)), d_v))

    def call(self, expr: Call) -> Expr:
        """Return the sum over the operands of the function's derivative times the operand's (the chain rule)."""
        function = FUNCTIONS.get(expr.function)
        if expr.function in PIECEWISE:
            return self.branches(expr)
        if function is None or not function.derivatives:
            raise NoDerivative(f"{expr.function} has no derivative here")
        operands = dict(zip(function.operands, map(self.known, expr.args), strict=False))
        operands["a"] = self.known(expr)
        shares = zip(map(_slope, function.derivatives), map(self.of, expr.args), strict=False)
        given = frozenset(operands.values())
        return plus(*(times(inner, normal(substitute(slope, operands), given)) for slope, inner in shares))

    def branches(self, expr: Call) -> Expr:
        """Return the derivative of the branch that is taken."""
        *test, left, right = expr.args
        d_left, d_right = self.of(left), self.of(right)
        if test:
            return where(self.known(test[0]), d_left, d_right)
        u, v = self.known(left), self.known(right)
        op = ">" if expr.function == "maximum" else "<"
        if d_left == ZERO:
            return where(Binary(op, v, u), d_right, ZERO)
        return where(Binary(f"{op}=" if reads(right) else op, u, v), d_left, d_right)


@cache
def _slope(text: str) -> Expr:
    return parse(text)


def normal(expr: Expr, given: Collection[Expr]) -> Expr:
    """Return an expression with its sums, products and powers in normal form; the `given` parts stay as they are."""
    if expr in given:
        return expr
    expr = map_children(expr, lambda part: normal(part, given))
    match expr:
        case Unary("-", operand):
            return negative(operand)
        case Binary("+", left, right):
            return plus(left, right)
        case Binary("-", left, right):
            return minus(left, right)
        case Binary("*", left, right):
            return times(left, right)
        case Binary("/", left, right):
            return over(left, right)
        case Binary("**", left, right):
            return power(left, right)
        case Call("where", (test, yes, no)):
            return where(test, yes, no)
    return expr

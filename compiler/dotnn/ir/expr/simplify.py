"""Sums, products and powers in the form in which a textbook writes them.

`2 * (3 * x)` is `6 * x`, `a + a` is `2 * a`, `-2 * (t - y)` is `2 * (y - t)`, `-(a * a) + 1` is `1 - a * a`. Only what
`derive` makes goes through here: what an author wrote stays as it is.
"""

from __future__ import annotations

from dotnn.core import decimals
from dotnn.ir.expr.product import ONE, ZERO, Product, whole
from dotnn.ir.expr.tree import Binary, Call, Expr, Number, Unary
from dotnn.ir.expr.visit import map_children


def without_units(expr: Expr) -> Expr:
    """Return an expression without what changes no number: a factor of 1, a term of 0, two signs."""
    expr = map_children(expr, without_units)
    match expr:
        case Binary("*", Number(1), x) | Binary("*" | "/" | "**", x, Number(1)):
            return x
        case Binary("+", Number(0), x) | Binary("+" | "-", x, Number(0)) | Unary("-", Unary("-", x)):
            return x
    return expr


def times(*factors: Expr) -> Expr:
    """Return a product. A mask, `where(c, 1, 0)`, takes the other factors in."""
    for i, factor in enumerate(factors):
        if isinstance(factor, Call) and factor.function == "where" and ZERO in factor.args:
            others = factors[:i] + factors[i + 1 :]
            test, yes, no = factor.args
            return where(test, times(*others, yes), times(*others, no))
    product = Product()
    for factor in factors:
        product.take(factor)
    return product.expr()


def chained(left: Expr, right: Expr) -> Expr:
    """Return left * right without brackets around the factors of the right one: d * (2 * e) is d * 2 * e."""
    if isinstance(right, Binary) and right.op in ("*", "/"):
        return Binary(right.op, chained(left, right.left), right.right)
    return left if right == ONE else Binary("*", left, right)


def over(above: Expr, below: Expr) -> Expr:
    """Return a quotient."""
    product = Product()
    product.take(above)
    product.take(below, -1)
    return product.expr()


def negative(expr: Expr) -> Expr:
    """Return -expr."""
    return times(whole(-1), expr)


def power(base: Expr, exponent: Expr) -> Expr:
    """Return base ** exponent."""
    if not isinstance(exponent, Number):
        return Binary("**", base, exponent)
    product = Product()
    if isinstance(exponent.value, int) or exponent.value.is_integer():
        product.take(base, int(exponent.value))
    else:
        product.powers[base] = exponent.value
    return product.expr()


def where(test: Expr, yes: Expr, no: Expr) -> Expr:
    """Return where(test, yes, no)."""
    return yes if yes == no else Call("where", (test, yes, no))


def plus(*terms: Expr) -> Expr:
    """Return a sum: equal terms together, and one that is not negative in front where there is one."""
    amounts: dict[Expr, float] = {}
    for term in terms:
        _collect(term, 1, amounts)
    found = [(core, n) for core, n in amounts.items() if n]
    first = next((i for i, (_, n) in enumerate(found) if n > 0), 0)
    ordered = found[first : first + 1] + found[:first] + found[first + 1 :]
    if not ordered:
        return ZERO
    result = times(whole(ordered[0][1]), ordered[0][0])
    for core, amount in ordered[1:]:
        result = Binary("+" if amount > 0 else "-", result, times(whole(abs(amount)), core))
    return result


def minus(left: Expr, right: Expr) -> Expr:
    """Return a difference."""
    return plus(left, negative(right))


def _collect(term: Expr, factor: float, amounts: dict[Expr, float]) -> None:
    """Add `factor * term` to the amounts of what cannot be split further."""
    match term:
        case Binary("+" | "-", left, right):
            _collect(left, factor, amounts)
            _collect(right, factor if term.op == "+" else -factor, amounts)
        case Unary("-", operand):
            _collect(operand, -factor, amounts)
        case _:
            product = Product()
            product.take(term)
            amount = product.without_number()
            core = product.expr()
            amounts[core] = decimals.plus(amounts.get(core, 0), decimals.times(factor, amount))

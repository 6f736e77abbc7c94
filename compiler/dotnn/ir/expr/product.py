"""A product in normal form: one number, and powers of what is multiplied and divided."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce

from dotnn.core import decimals
from dotnn.ir.expr.tree import Binary, Call, Expr, Name, Number, Unary, number

ZERO, ONE = Number(0), Number(1)


def whole(value: float) -> Expr:
    """Return a number, a whole one without its point."""
    return number(int(value) if float(value).is_integer() else value)


@dataclass
class Product:
    """`above / below` times the product of powers of bases; in the order in which they come."""

    above: float = 1
    below: float = 1
    powers: dict[Expr, float] = field(default_factory=dict)

    def take(self, expr: Expr, exponent: int = 1) -> None:
        """Multiply by `expr ** exponent`."""
        match expr:
            case Number(value) if exponent > 0:
                self.above = decimals.times(self.above, decimals.power(value, exponent))
            case Number(value):
                self.below = decimals.times(self.below, decimals.power(value, -exponent))
            case Unary("-", operand):
                self.above *= -1 if exponent % 2 else 1
                self.take(operand, exponent)
            case Binary("*", left, right):
                self.take(left, exponent)
                self.take(right, exponent)
            case Binary("/", left, right):
                self.take(left, exponent)
                self.take(right, -exponent)
            case Binary("**", base, Number(value)) if not isinstance(base, Number):
                self.powers[base] = self.powers.get(base, 0) + exponent * value
            case Call("sqrt", (base,)):
                self.powers[base] = self.powers.get(base, 0) + exponent * 0.5
            case _:
                self.powers[expr] = self.powers.get(expr, 0) + exponent

    def number(self) -> tuple[float, float]:
        """Return the number above and the number below the line, without what they share."""
        above, below = (self.above, self.below) if self.below > 0 else (-self.above, -self.below)
        if isinstance(above, int) and isinstance(below, int):
            shared = math.gcd(above, below)
            return above // shared, below // shared
        quotient = decimals.over(above, below)
        return (quotient, 1) if decimals.times(quotient, below) == above else (above, below)

    def without_number(self) -> float:
        """Take out the number above the line, or only the sign where there is one below, and return it."""
        above, below = self.number()
        taken = above if below == 1 else math.copysign(1, above)
        self.above, self.below = (1, 1) if below == 1 else (abs(above), below)
        return taken

    def expr(self) -> Expr:
        """Return the product as an expression."""
        above, below = self.number()
        if above == 0:
            return ZERO
        powers = _with_sizes({b: e for b, e in self.powers.items() if e})
        if above < 0 and (flipped := _flipped(powers)) is not None:
            above, powers = -above, flipped
        under = [as_power(b, -e, alone=False) for b, e in powers.items() if e < 0]
        bottom = ([Number(below)] if below != 1 else []) + under
        top = _numerator(above, powers)
        return Binary("/", top, _chain(bottom)) if bottom else top


def _numerator(above: float, powers: dict[Expr, float]) -> Expr:
    """Return the number and the positive powers as a product; of 1 or -1 before others only the sign is written."""
    sign_only = above in (1, -1)
    factors = [as_power(b, e, alone=len(powers) == 1 and sign_only) for b, e in powers.items() if e > 0]
    if not factors or not sign_only:
        return _chain([whole(above), *factors])
    return _signed(_chain(factors)) if above == -1 else _chain(factors)


def _signed(product: Expr) -> Expr:
    """Return -product with the sign at its first factor, where Python has it."""
    if isinstance(product, Binary) and product.op == "*":
        return Binary("*", _signed(product.left), product.right)
    return Unary("-", product)


def _chain(factors: Iterable[Expr]) -> Expr:
    return reduce(lambda left, right: Binary("*", left, right), factors)


def _with_sizes(powers: dict[Expr, float]) -> dict[Expr, float]:
    """Return the factors with |x| in place of x * sign(x)."""
    for base, exponent in powers.items():
        if isinstance(base, Call) and base.function == "sign" and exponent == powers.get(base.args[0]) == 1:
            size = Call("abs", base.args)
            others = {b: e for b, e in powers.items() if b not in (base, base.args[0])}
            return _with_sizes({**others, size: others.get(size, 0) + 1})
    return powers


def _flipped(powers: dict[Expr, float]) -> dict[Expr, float] | None:
    """Return the factors with one difference turned round, None where there is none."""
    for base, exponent in powers.items():
        if isinstance(base, Binary) and base.op == "-" and exponent == 1 and base.left != base.right:
            turned = Binary("-", base.right, base.left)
            if turned in powers:
                return {b: e + (b == turned) for b, e in powers.items() if b is not base}
            return {(turned if b is base else b): e for b, e in powers.items()}
    return None


def as_power(base: Expr, exponent: float, alone: bool) -> Expr:
    """Return base ** exponent; the square of a name that stands `alone` is `a * a`."""
    if exponent == 1:
        return base
    if exponent % 1 == 0.5:
        root = Call("sqrt", (base,))
        return root if exponent == 0.5 else Binary("*", as_power(base, exponent - 0.5, alone=False), root)
    if exponent == 2 and alone and isinstance(base, Name):
        return Binary("*", base, base)
    return Binary("**", base, whole(exponent))

"""Tree -> mathematics, in a notation: brackets only where they are needed, products as a textbook writes them."""

from __future__ import annotations

from collections.abc import Mapping

from dotnn.ir.expr import (
    Attribute,
    Binary,
    Bracketed,
    Call,
    Choice,
    Expr,
    Index,
    Keyword,
    Literal,
    Method,
    Name,
    Number,
    Sequence,
    Slice,
    Unary,
)
from dotnn.ir.expr.visit import children
from dotnn.ir.maths.notation import Notation
from dotnn.ir.maths.symbol import Symbol

OR, AND, NOT, COMPARISON, SUM, QUOTIENT, OVER, SIGN, PRODUCT, FRACTION, ATOM = range(2, 13)
"""How tightly a construct binds. A sum over indices ends where the product ends in which it stands last."""

SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠", "and": "∧", "or": "∨"}
LOGIC = {"and": AND, "or": OR, **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), COMPARISON)}
FENCES = {"abs": ("|", "|"), "floor": ("⌊", "⌋")}
NAMES = {"maximum": "max", "minimum": "min", "sigmoid": "σ", "pi": "π"}
"""What functions are called in mathematics where that is not the name that they have in formulas."""
OVERS = {
    "sum_over": "Σ",
    "max_over": "max",
    "min_over": "min",
    "mean_over": "mean",
    "argmax_over": "argmax",
    "argmin_over": "argmin",
}
ONE, TWO = Number(1), Number(2)
Written = tuple[str, int]
"""A text, and how tightly it binds."""


def write(expr: Expr, notation: Notation, symbols: Mapping[str, Symbol], ranks: Mapping[str, int]) -> str:
    """Return the text of a formula.

    `symbols` are those of the values that it reads by name, other names are indices; `ranks` says how many axes the
    values have: the product of two arrays is written ⊙ where it is taken element by element.
    """
    return _Writer(notation, symbols, ranks).value(expr, 0)


class _Writer:
    def __init__(self, notation: Notation, symbols: Mapping[str, Symbol], ranks: Mapping[str, int]) -> None:
        self.notation, self.symbols, self.ranks = notation, symbols, ranks

    def text(self, expr: Expr, binding: int = 0) -> str:
        """Return the text of a part, in brackets where it binds less tightly than it must."""
        text, tightness = self.written(expr)
        return text if tightness >= binding else self.notation.fenced("(", [text], ")")

    def written(self, expr: Expr) -> Written:
        """Return a text and how tightly it binds."""
        match expr:
            case Binary():
                return self.binary(expr)
            case Unary("-", operand):
                is_over = self.tightness(operand) == OVER
                return self.notation.negative(self.value(operand, OVER if is_over else SIGN)), OVER if is_over else SIGN
            case Unary(_, operand):
                return self.notation.operator("¬", "", self.text(operand, ATOM)), NOT
            case Choice(test, yes, no):
                return self.notation.cases(self.test(test), self.text(yes), self.text(no)), ATOM
            case Call():
                return self.call(expr)
            case Bracketed(inner):
                return self.written(inner)
        return self.atom(expr), ATOM

    def atom(self, expr: Expr) -> str:
        match expr:
            case Name(id):
                return self.notation.symbol(self.symbols[id], []) if id in self.symbols else self.notation.letter(id)
            case Index(Name(id), items) if id in self.symbols:
                return self.notation.symbol(self.symbols[id], [self.text(item) for item in items])
            case Number():
                return self.number(expr)
            case Attribute(operand, "T"):
                return self.notation.transposed(self.text(operand, ATOM))
            case Sequence(items):
                return self.notation.fenced("(", [self.text(item) for item in items], ")")
        return self.other(expr)

    def other(self, expr: Expr) -> str:
        """Return what is written as in a program: what is rare, and has no sign of its own."""
        match expr:
            case Index(operand, items):
                return self.notation.function("part", [self.text(operand), *map(self.text, items)])
            case Slice(start, stop):
                ends = [self.text(end) if end is not None else "" for end in (start, stop)]
                return self.notation.letter(":".join(ends))
            case Method(operand, name, args):
                return self.notation.function(name, [self.text(operand), *map(self.text, args)])
            case Attribute(operand, name):
                return self.notation.function(name, [self.text(operand)])
            case Keyword(_, value):
                return self.text(value)
            case Literal(value):
                return self.notation.letter("…" if value is ... else str(value))
        raise AssertionError(expr)

    def number(self, number: Number) -> str:
        mantissa, e, exponent = (str(number) if number.text else f"{number.value!r}").partition("e")
        if not e:
            return self.notation.number(mantissa.removesuffix(".0"))
        power = self.notation.power(self.notation.number("10"), self.written(_whole(exponent))[0])
        return power if float(mantissa) == 1 else self.notation.operator("·", self.notation.number(mantissa), power)

    def binary(self, expr: Binary) -> Written:
        match expr.op:
            case "+" | "-":
                sign = "−" if expr.op == "-" else "+"
                left, right = self.value(expr.left, SUM), self.value(expr.right, QUOTIENT)
                return self.notation.operator(sign, left, right), SUM
            case "*" | "@":
                return self.product(expr)
            case "/":
                return self.quotient(expr)
            case "//":
                inner = self.quotient(Binary("/", expr.left, expr.right))[0]
                return self.notation.fenced("⌊", [inner], "⌋"), ATOM
            case "%":
                return self.notation.operator("mod", self.value(expr.left, ATOM), self.value(expr.right, ATOM)), SUM
            case "**":
                return self.power(expr.left, expr.right)
        binding = LOGIC[expr.op]
        left, right = self.text(expr.left, binding + 1), self.text(expr.right, binding + 1)
        return self.notation.operator(SIGNS[expr.op], left, right), binding

    def value(self, expr: Expr, binding: int) -> str:
        """Return an operand of arithmetic; a condition counts 1 where it holds, else 0 (Iverson's bracket)."""
        if is_condition(expr):
            return self.notation.fenced("[", [self.text(expr)], "]")
        return self.text(expr, binding)

    def product(self, expr: Binary) -> Written:
        both_arrays = self.is_by_element(expr)
        is_apart = not self.rank(expr.left) or not self.mixes(expr.right, both_arrays)
        left, right = self.value(expr.left, SIGN), self.value(expr.right, PRODUCT if is_apart else ATOM)
        binding = min(PRODUCT, self.tightness(expr.left))
        if self.tightness(expr.right) == OVER:  # it may stand last without brackets
            right, binding = self.text(expr.right), OVER
        sign = "⊙" if both_arrays else "·" if isinstance(expr.right, Number) or _begins_with_number(expr.right) else ""
        return self.notation.operator(sign, left, right), max(binding, OVER)

    def is_by_element(self, expr: Binary) -> bool:
        """Whether a product is one of arrays, element by element."""
        return expr.op == "*" and bool(self.rank(expr.left) and self.rank(expr.right))

    def mixes(self, right: Expr, by_element: bool) -> bool:
        """Whether a second factor is a product of another kind, so that without brackets it would be read otherwise."""
        match right:
            case Binary("*" | "@", first):
                is_scaled = right.op == "*" and not self.is_by_element(right)
                is_other = by_element if is_scaled else self.is_by_element(right) is not by_element
                return is_other or self.mixes(first, by_element)
        return False

    def tightness(self, expr: Expr) -> int:
        binding = ATOM if is_condition(expr) else self.written(expr)[1]
        return binding if binding >= OVER else PRODUCT  # else it has brackets

    def quotient(self, expr: Binary) -> Written:
        """Return a quotient; what divides a sum over indices stands in front of it."""
        if isinstance(expr.left, Unary) and expr.left.op == "-":
            return self.written(Unary("-", Binary("/", expr.left.operand, expr.right)))
        if isinstance(expr.left, Call) and expr.left.function in OVERS:
            return self.product(Binary("*", Binary("/", ONE, expr.right), expr.left))
        if self.notation.is_linear:
            return self.notation.fraction(self.value(expr.left, SIGN), self.value(expr.right, ATOM)), QUOTIENT
        return self.notation.fraction(self.value(expr.left, 0), self.value(expr.right, 0)), FRACTION

    def power(self, base: Expr, exponent: Expr) -> Written:
        plain = isinstance(base, Number) or (isinstance(base, Name) and base.id not in self.symbols)
        text = self.text(base) if plain else self.notation.fenced("(", [self.text(base)], ")")
        return self.notation.power(text, self.text(exponent, 0)), ATOM

    def call(self, expr: Call) -> Written:
        match expr:
            case Call("where", (test, yes, no)):
                return self.notation.cases(self.test(test), self.value(yes, 0), self.value(no, 0)), ATOM
            case Call(kind, (body, *indices)) if kind in OVERS:
                names = [self.text(index) for index in indices]
                return self.notation.over(OVERS[kind], names, self.value(body, PRODUCT)), OVER
            case Call("sqrt" | "root", (x,)):
                return self.notation.root(self.text(x)), ATOM
            case Call("square", (x,)):
                return self.power(x, TWO)
            case Call("abs" | "floor" as name, (x,)):
                left, right = FENCES[name]
                return self.notation.fenced(left, [self.text(x)], right), ATOM
            case Call(name, ()):
                return self.notation.letter(NAMES.get(name, name)), ATOM
            case Call("mod", (x, y)):
                return self.binary(Binary("%", x, y))
        parts = [self.value(arg, 0) for arg in expr.args]
        return self.notation.function(NAMES.get(expr.function, expr.function), parts), ATOM

    def test(self, test: Expr) -> str:
        """Return a condition; a number holds where it is not 0."""
        return self.text(test if is_condition(test) else Binary("!=", test, Number(0)))

    def rank(self, expr: Expr) -> int:
        """Return how many axes a part has."""
        match expr:
            case Name(id):
                return self.ranks.get(id, 0)
            case Index():
                return 0
            case Call(kind) if kind in OVERS:
                return 0
        return max((self.rank(part) for part in children(expr)), default=0)


def is_condition(expr: Expr) -> bool:
    """Whether a part is true or false."""
    match expr:
        case Binary(op):
            return op in LOGIC
        case Unary("not"):
            return True
        case Bracketed(inner):
            return is_condition(inner)
    return False


def _begins_with_number(expr: Expr) -> bool:
    match expr:
        case Binary("*" | "/" | "**", left):
            return isinstance(left, Number) or _begins_with_number(left)
    return False


def _whole(text: str) -> Expr:
    value = int(text)
    return Unary("-", Number(-value)) if value < 0 else Number(value)

"""Tree -> text, in a dialect. Only the brackets that precedence asks for are written, one space around an operator."""

from __future__ import annotations

from collections.abc import Collection

from dotnn.ir.expr.dialects import NUMPY, Dialect, Unspellable
from dotnn.ir.expr.functions import FUNCTIONS, Function
from dotnn.ir.expr.tree import (
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
from dotnn.ir.expr.visit import walk

CHOICE, NOT, COMPARISON, SIGN, POWER, NUMBER, POSTFIX = 1, 4, 5, 10, 11, 12, 13
BINDING = {
    "or": 2, "and": 3, **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), COMPARISON), "|": 6, "&": 7,
    **dict.fromkeys("+-", 8), **dict.fromkeys(("*", "/", "//", "%", "@", "mod"), 9), "**": POWER, "^": POWER,
}  # fmt: skip
"""How tightly an operator binds, as in Python."""


def spell(expr: Expr, dialect: Dialect = NUMPY, helpers: Collection[str] = (), numbers: Collection[str] = ()) -> str:
    """Return the text of an expression.

    `helpers` are the functions besides the dialect's that it may call, `numbers` the names of plain numbers.
    Raises `Unspellable` where the dialect has no word for something.
    """
    return _Writer(dialect, helpers, numbers).text(dialect.idiomatic(expr, numbers))


class _Writer:
    def __init__(self, dialect: Dialect, helpers: Collection[str], numbers: Collection[str]) -> None:
        self.dialect = dialect
        self.helpers = helpers
        self.numbers = numbers

    def text(self, expr: Expr, binding: int = 0) -> str:
        """Return the text of a part, in brackets where it binds less tightly than it must."""
        text, tightness = self.written(expr)
        return f"({text})" if tightness < binding else text

    def written(self, expr: Expr) -> tuple[str, int]:
        """Return a text and how tightly it binds."""
        match expr:
            case Name(id):
                return id, POSTFIX
            case Number():
                return str(expr), NUMBER
            case Literal():
                return _literal(expr), POSTFIX
            case Binary():
                return self.binary(expr)
            case Unary():
                return self.unary(expr)
            case Choice(test, yes, no):
                inner = self.text(yes, CHOICE + 1), self.text(test, CHOICE + 1), self.text(no, CHOICE)
                return "{} if {} else {}".format(*inner), CHOICE
            case Call():
                return self.call(expr)
        return self.postfix(expr), POSTFIX

    def binary(self, expr: Binary) -> tuple[str, int]:
        op = self.dialect.logic.get(expr.op, expr.op)
        binding = BINDING[op]
        if expr.op == "**":
            left, right = self.text(expr.left, NUMBER), self.text(expr.right, SIGN)
        else:
            left = self.text(expr.left, binding + (binding == COMPARISON))
            right = self.text(expr.right, binding + 1)
        return f"{left} {op} {right}", binding

    def unary(self, expr: Unary) -> tuple[str, int]:
        if expr.op == "-":
            return f"-{self.text(expr.operand, SIGN)}", SIGN
        if (word := self.dialect.logic.get(expr.op)) and not self.is_number(expr.operand):
            return f"{word}{self.text(expr.operand, SIGN)}", SIGN
        return f"not {self.text(expr.operand, NOT)}", NOT

    def call(self, expr: Call) -> tuple[str, int]:
        of_numbers = (
            expr.function in FUNCTIONS and self.is_number(expr) and "math" in FUNCTIONS[expr.function].spellings
        )
        if expr.function in self.helpers and not self.dialect.has(expr.function) and not of_numbers:
            return f"{expr.function}({self.items(expr.args)})", POSTFIX
        if expr.function not in FUNCTIONS:
            raise Unspellable(f"{self.dialect.title} has no {expr.function}, and it is none of the helpers here")
        return self.known(FUNCTIONS[expr.function], expr.args), POSTFIX

    def known(self, function: Function, args: tuple[Expr, ...]) -> str:
        """Return the call of a function of the table."""
        word = self.dialect.word(function, of_numbers=function.elementwise and all(map(self.is_number, args)))
        if not function.operands:
            return word
        if "{" in word:
            return word.format(**dict(zip(function.operands, map(self.text, args), strict=True)))
        return f"{word}({self.items(args)})"

    def is_number(self, expr: Expr) -> bool:
        """Whether an expression holds nothing but plain numbers and functions of them."""
        plain = (Number, Unary, Binary, Call)
        return all(
            isinstance(part, plain) or (isinstance(part, Name) and part.id in self.numbers) for part in walk(expr)
        )

    def items(self, items: tuple[Expr, ...]) -> str:
        return ", ".join(map(self.text, items))

    def postfix(self, expr: Expr) -> str:
        match expr:
            case Method():
                return self.method(expr)
            case Attribute(operand, name):
                return f"{self.text(operand, POSTFIX)}.{name}"
            case Index(operand, items):
                return f"{self.text(operand, POSTFIX)}[{self.items(items)}]"
            case Slice(start, stop):
                return ":".join(self.text(end) if end is not None else "" for end in (start, stop))
            case Keyword(name, value):
                return f"{name}={self.text(value)}"
            case Sequence():
                return self.sequence(expr)
            case Bracketed(inner):
                return f"({self.text(inner)})"
        raise AssertionError(expr)

    def sequence(self, expr: Sequence) -> str:
        comma = "," * (expr.brackets == "()" and len(expr.items) == 1)
        return f"{expr.brackets[0]}{self.items(expr.items)}{comma}{expr.brackets[1]}"

    def method(self, expr: Method) -> str:
        words = self.dialect.methods
        if words is None or _root(expr) in self.dialect.modules:
            return f"{self.text(expr.operand, POSTFIX)}.{expr.name}({self.items(expr.args)})"
        if expr.name not in words:
            raise Unspellable(f"{self.dialect.title} has no method {expr.name}")
        return f"{words[expr.name]}({self.items((expr.operand, *expr.args))})"


def _root(expr: Expr) -> str:
    """Return the name that a chain of dots begins with, "" where it is none."""
    while isinstance(expr, Method | Attribute):
        expr = expr.operand
    return expr.id if isinstance(expr, Name) else ""


def _literal(expr: Literal) -> str:
    value = expr.value
    if isinstance(value, str):
        plain = value.isprintable() and "\\" not in value and '"' not in value
        return f'"{value}"' if plain else repr(value)
    return "..." if value is ... else repr(value)

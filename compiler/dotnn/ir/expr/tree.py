"""The nodes of an expression. They know no dialect: `exp` is a call of "exp", however NumPy or TensorFlow spell it."""

from __future__ import annotations

from types import EllipsisType
from typing import ClassVar

from dotnn.ir.expr.frozen import Frozen


class Expr(Frozen):
    """Any node."""

    __slots__ = ("_size",)  # what `functions.size` has counted

    def __str__(self) -> str:
        from dotnn.ir.expr.dialects import LANGUAGE
        from dotnn.ir.expr.spell import spell

        return spell(self, LANGUAGE)


class Name(Expr):
    """A value, an argument, a slot."""

    id: str


class Number(Expr):
    """A number that is not negative; `text` is how its author wrote it."""

    value: float
    text: str = ""
    _uncompared: ClassVar[frozenset[str]] = frozenset({"text"})

    def __str__(self) -> str:
        return self.text or repr(self.value)


def number(value: float) -> Expr:
    """Return a number as an expression, its sign in front."""
    return Unary("-", Number(-value)) if value < 0 else Number(value)


class Literal(Expr):
    """A text, `True`, `False`, `None`, or the `...` of an index."""

    value: str | bool | EllipsisType | None


class Unary(Expr):
    """`-x` or `not x`."""

    op: str
    operand: Expr


class Binary(Expr):
    """`left op right`: arithmetic, a comparison, `and`, `or`."""

    op: str
    left: Expr
    right: Expr


class Keyword(Expr):
    """`name=value` among the arguments of a call."""

    name: str
    value: Expr


class Call(Expr):
    """`function(args)`: a name of `functions`, or a helper's. A constant such as pi is a call without arguments."""

    function: str
    args: tuple[Expr, ...] = ()


class Method(Expr):
    """`operand.name(args)`."""

    operand: Expr
    name: str
    args: tuple[Expr, ...] = ()


class Attribute(Expr):
    """`operand.name`, such as `W.T`."""

    operand: Expr
    name: str


class Index(Expr):
    """`operand[items]`."""

    operand: Expr
    items: tuple[Expr, ...]


class Slice(Expr):
    """`start:stop` in an index; either may be missing."""

    start: Expr | None = None
    stop: Expr | None = None


class Choice(Expr):
    """`yes if test else no`, where the test is one number."""

    test: Expr
    yes: Expr
    no: Expr


class Sequence(Expr):
    """A tuple, or with `brackets` "[]" a list."""

    items: tuple[Expr, ...]
    brackets: str = "()"


class Bracketed(Expr):
    """Brackets that no precedence asks for, which their author wrote for the reader."""

    inner: Expr


class Equation(Frozen):
    """`target = value`."""

    target: str
    value: Expr

    def __str__(self) -> str:
        return f"{self.target} = {self.value}"


def constant(value: object) -> Expr:
    """Return a plain value of Python as an expression."""
    if isinstance(value, tuple | list):
        return Sequence(tuple(map(constant, value)), "[]" if isinstance(value, list) else "()")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    assert isinstance(value, str | bool | None)
    return Literal(value)

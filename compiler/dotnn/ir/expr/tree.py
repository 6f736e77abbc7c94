"""The nodes of an expression, and what is asked of every tree: its parts, its names, and itself with parts replaced.

The tree knows no dialect: `exp` is a call of "exp", however NumPy or TensorFlow spell it (see `functions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import is_
from types import EllipsisType
from typing import ClassVar

from dotnn.ir.expr.frozen import Frozen


class Expr(Frozen):
    """Any node."""


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


def constant(value: object) -> Expr:
    """Return a plain value of Python as an expression."""
    if isinstance(value, tuple | list):
        return Sequence(tuple(map(constant, value)), "[]" if isinstance(value, list) else "()")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    assert isinstance(value, str | bool | None)
    return Literal(value)


def children(expr: Expr) -> Iterator[Expr]:
    """Yield the direct parts of a node, from left to right."""
    if isinstance(expr, Choice):
        yield from (expr.yes, expr.test, expr.no)
        return
    for part in vars(expr).values():
        if isinstance(part, Expr):
            yield part
        elif isinstance(part, tuple):
            yield from part


def walk(expr: Expr) -> Iterator[Expr]:
    """Yield the node and all below it, from left to right."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def reads(expr: Expr) -> tuple[str, ...]:
    """Return the names that an expression reads, each once, in the order of the text."""
    return tuple(dict.fromkeys(e.id for e in walk(expr) if isinstance(e, Name)))


def calls(expr: Expr) -> tuple[str, ...]:
    """Return the functions that an expression calls, each once, in the order of the text."""
    return tuple(dict.fromkeys(e.function for e in walk(expr) if isinstance(e, Call)))


def map_children(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Return the node with every direct part replaced by `change(part)`; the node itself where nothing changes."""

    def changed(part: object) -> object:
        if isinstance(part, Expr):
            return change(part)
        if not isinstance(part, tuple):
            return part
        items = tuple(map(change, part))
        return part if all(map(is_, items, part)) else items

    parts = {name: changed(part) for name, part in vars(expr).items()}
    return expr if all(parts[name] is part for name, part in vars(expr).items()) else type(expr)(**parts)


def substitute(expr: Expr, values: Mapping[str, Expr | str]) -> Expr:
    """Return the expression with names replaced by expressions, or (a text) by other names."""
    if isinstance(expr, Name):
        value = values.get(expr.id, expr)
        return Name(value) if isinstance(value, str) else value
    return expr if isinstance(expr, Number | Literal) else map_children(expr, lambda part: substitute(part, values))

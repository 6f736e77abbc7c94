"""What is asked of every tree: its parts, its names, what it calls, and itself with parts replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import is_

from dotnn.ir.expr.tree import Call, Choice, Expr, Literal, Name, Number


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

"""The children of nodes, and how deep they nest. Nothing of that recurses, so any tree can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import TypeVar

from dotnn.core.diagnostics import Span
from dotnn.syntax import nodes

N = TypeVar("N", bound=nodes.Node)

_LEAVES = (nodes.Number, nodes.Name, nodes.String)


def children(expr: nodes.Expr) -> tuple[nodes.Expr, ...]:
    """Return the expressions directly inside an expression, in the order of the text."""
    match expr:
        case nodes.List(items=items):
            return items
        case nodes.Call(args=args):
            return tuple(arg.value for arg in args)
        case nodes.Pipe(head=head, stages=stages):
            return (head, *stages)
        case nodes.Unary(operand=operand) | nodes.Attribute(value=operand):
            return (operand,)
        case nodes.Index(value=value, items=items):
            return (value, *items)
        case nodes.Slice(start=start, stop=stop):
            return tuple(filter(None, (start, stop)))
        case nodes.Binary(left=first, right=second) | nodes.Range(low=first, high=second):
            return (first, second)
    return ()


def by_position(call: nodes.Call) -> list[nodes.Expr]:
    """Return the arguments of a call that have no name."""
    return [a.value for a in call.args if a.name is None]


def labels(expr: nodes.Expr) -> list[str]:
    """Return the names of `a.b.c`; the first is empty where it is none."""
    found: list[str] = []
    while isinstance(expr, nodes.Attribute):
        found.append(expr.name.id)
        expr = expr.value
    return [expr.id if isinstance(expr, nodes.Name) else "", *reversed(found)]


def expressions(file: nodes.File) -> Iterator[nodes.Expr]:
    """Give every whole expression of a spec: values, limits, dimensions and defaults."""
    for section in file.sections:
        yield from section_expressions(section)


def section_expressions(section: nodes.Section) -> Iterator[nodes.Expr]:
    """Give every whole expression of a section."""
    if isinstance(section, nodes.BlockSection | nodes.Definition):
        ends = ((param.default, param.limits) for param in section.params)
        yield from (end for pair in ends for end in pair if end is not None)
    if isinstance(section, nodes.Definition):
        yield section.value
    for statement in section.statements:
        yield from statement_expressions(statement)


def statement_expressions(statement: nodes.Stmt) -> tuple[nodes.Expr, ...]:
    """Return the expressions of a statement."""
    match statement:
        case nodes.Assign(value=value, limits=None) | nodes.LayerDef(value=value) | nodes.Output(value=value):
            return (value,)
        case nodes.Slot(value=value) | nodes.Next(value=value):
            return (value,)
        case nodes.Assign(value=value, limits=nodes.Expr() as limits):
            return (value, limits)
        case nodes.TensorDecl(dims=dims) | nodes.ArrayDecl(dims=dims, start=None):
            return dims
        case nodes.ArrayDecl(dims=dims, start=nodes.Expr() as start):
            return (*dims, start)
        case _:
            return ()


def is_deeper(expr: nodes.Expr, most: int) -> bool:
    """Tell whether a tree has more than `most` levels, the expression itself being the first."""
    pending = [(expr, 1)]
    while pending:
        part, level = pending.pop()
        if level > most:
            return True
        inner = children(part)
        if level < most:  # leaves matter on the last level only, and there may be millions of them
            inner = tuple(child for child in inner if not isinstance(child, _LEAVES))
        pending.extend((child, level + 1) for child in inner)
    return False


def moved(node: N, by: int) -> N:
    """Return a node as if its text began so many characters later."""
    parts = {field.name: _moved(getattr(node, field.name), by) for field in fields(node)}
    return replace(node, **parts)  # type: ignore[arg-type]  # each part is of the type that it was of


def _moved(value: object, by: int) -> object:
    if isinstance(value, Span):
        return Span(value.start + by, value.end + by)
    if isinstance(value, nodes.Node):
        return moved(value, by)
    return tuple(_moved(part, by) for part in value) if isinstance(value, tuple) else value

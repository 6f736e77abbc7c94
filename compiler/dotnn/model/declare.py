"""Declarations: `input x: [2]`, `input tokens: int[40]`, `target y: class[10]`."""

from __future__ import annotations

import math

from dotnn.core.diagnostics import Span
from dotnn.core.limits import MAX_SIZE
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.model import messages
from dotnn.model.constants import Constants, integer
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared
from dotnn.syntax import nodes

KINDS = ("int", "category", "class", "date")


def read_declaration(decl: nodes.TensorDecl, constants: Constants) -> Declared:
    """Return what a declaration says, or raise `Fail`."""
    name, kind = decl.name.id, decl.kind.id if decl.kind else "real"
    span = decl.kind.span if decl.kind else decl.span
    if kind not in ("real", *KINDS):
        raise Fail(messages.calls.unknown_entry(span, "kind of tensor", kind, KINDS))
    if kind == "date":
        return _date(decl, span)
    sizes = [integer(d, constants, "a size", MAX_SIZE) for d in decl.dims]
    if math.prod(sizes) > MAX_SIZE:
        message = f"{name} would hold {math.prod(sizes):,} numbers; the limit is {MAX_SIZE:,}"
        raise Fail(messages.shapes.limit(decl.span, message))
    if kind in ("class", "category"):
        return _classes(decl, sizes, span)
    if kind == "int" and decl.role != "input":
        help = f"for classes: target {name}: class[10]; for numbers: target {name}: [{', '.join(map(str, sizes))}]"
        raise Fail(messages.shapes.bad_declaration(span, "a target cannot be int[…]", help))
    return Declared(name, decl.role, kind, TensorType((BATCH, *sizes), kind), 0, decl.span)


def _date(decl: nodes.TensorDecl, span: Span) -> Declared:
    """Return an input of dates, which are three numbers each."""
    name = decl.name.id
    if decl.role != "input":
        help = f"a number that stands for it is a target {name}: [1]"
        raise Fail(messages.shapes.bad_declaration(span, "a target cannot be a date", help))
    if decl.sized:
        message = "a date has no sizes: it is three numbers, the year, the day of the year and the weekday"
        raise Fail(messages.shapes.bad_declaration(decl.span, message, f"write input {name}: date"))
    return Declared(name, decl.role, "date", TensorType((BATCH, 3), "real"), 0, decl.span)


def _classes(decl: nodes.TensorDecl, sizes: list[int], span: Span) -> Declared:
    """Return a target of classes, one whole number for each example or each of its steps, or an input of texts."""
    assert decl.kind is not None
    name, kind = decl.name.id, decl.kind.id
    if kind == "class" and decl.role != "target":
        help = f"texts come in as input {name}: category[12], whole numbers as input {name}: int[1]"
        raise Fail(messages.shapes.bad_declaration(span, "an input cannot be class[…]", help))
    if kind == "category" and decl.role != "input":
        help = f"texts to be told apart are classes: target {name}: class[{', '.join(map(str, sizes))}]"
        raise Fail(messages.shapes.bad_declaration(span, "a target cannot be category[…]", help))
    if kind == "category" and len(sizes) != 1:
        message = "category[…] takes one number, how many different texts there are, and one more for all others"
        help = f"for instance: {decl.role} {name}: category[10]"
        raise Fail(messages.shapes.bad_declaration(span, message, help))
    if not sizes:
        help = f"for instance: target {name}: class[10], or class[12, 10] for each of 12 steps"
        raise Fail(messages.shapes.bad_declaration(span, "class[…] says how many classes there are", help))
    return Declared(name, decl.role, kind, TensorType((BATCH, *sizes[:-1]), "int"), sizes[-1], decl.span)

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

KINDS = ("int", "class")


def read_declaration(decl: nodes.TensorDecl, constants: Constants) -> Declared:
    """Return what a declaration says, or raise `Fail`."""
    name, kind = decl.name.id, decl.kind.id if decl.kind else "real"
    span = decl.kind.span if decl.kind else decl.span
    if kind not in ("real", *KINDS):
        raise Fail(messages.calls.unknown_entry(span, "kind of tensor", kind, KINDS))
    sizes = [integer(d, constants, "a size", MAX_SIZE) for d in decl.dims]
    if math.prod(sizes) > MAX_SIZE:
        message = f"{name} would hold {math.prod(sizes):,} numbers; the limit is {MAX_SIZE:,}"
        raise Fail(messages.shapes.limit(decl.span, message))
    if kind == "class":
        return _classes(decl, sizes, span)
    if kind == "int" and decl.role != "input":
        help = f"for classes: target {name}: class[10]; for numbers: target {name}: [{', '.join(map(str, sizes))}]"
        raise Fail(messages.shapes.bad_declaration(span, "a target cannot be int[…]", help))
    return Declared(name, decl.role, kind, TensorType((BATCH, *sizes), kind), 0, decl.span)


def _classes(decl: nodes.TensorDecl, sizes: list[int], span: Span) -> Declared:
    name = decl.name.id
    if decl.role != "target":
        help = f"classes are targets; whole numbers come in as input {name}: int[1]"
        raise Fail(messages.shapes.bad_declaration(span, "an input cannot be class[…]", help))
    if len(sizes) != 1:
        help = f"for instance: target {name}: class[10]"
        raise Fail(messages.shapes.bad_declaration(span, "class[…] takes one number, how many classes there are", help))
    return Declared(name, decl.role, "class", TensorType((BATCH,), "int"), sizes[0], decl.span)

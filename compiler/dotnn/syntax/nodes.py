"""The abstract syntax tree: frozen dataclasses that mirror the text and know nothing of its meaning."""

from __future__ import annotations

from dataclasses import dataclass

from dotnn.core.diagnostics import Span


@dataclass(frozen=True, slots=True)
class Node:
    """Anything that has a place in the source."""

    span: Span


# ------------------------------------------------------------------------------------------------ expressions


@dataclass(frozen=True, slots=True)
class Expr(Node):
    """An expression."""


@dataclass(frozen=True, slots=True)
class Number(Expr):
    """`3`, `0.5`, `1e-3`; `80%` has the value 0.8 and `percent` set."""

    value: int | float
    percent: bool = False


@dataclass(frozen=True, slots=True)
class String(Expr):
    """`"text"`."""

    value: str


@dataclass(frozen=True, slots=True)
class Name(Expr):
    """A plain name; what it means is decided by the model stage."""

    id: str


@dataclass(frozen=True, slots=True)
class List(Expr):
    """`[a, b, …]`."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Arg(Node):
    """An argument of a call, `value` or `name = value`."""

    name: Name | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """`func(args)`."""

    func: Name
    args: tuple[Arg, ...]


@dataclass(frozen=True, slots=True)
class Pipe(Expr):
    """`head -> stage -> stage`; each stage is a `Name` or a `Call`."""

    head: Expr
    stages: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Unary(Expr):
    """`-operand` or `not operand`."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Expr):
    """`left op right`; `op` is one of + - * / ^ @ mod < <= > >= == != and or (`**` is read as `^`)."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Range(Expr):
    """`low..high`, a closed interval."""

    low: Expr
    high: Expr


@dataclass(frozen=True, slots=True)
class Slice(Expr):
    """`start:stop` in an index; either end may be missing."""

    start: Expr | None
    stop: Expr | None


@dataclass(frozen=True, slots=True)
class Index(Expr):
    """`value[3]`, `value[2:5, :]`; each of `items` is an expression or a `Slice`."""

    value: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Attribute(Expr):
    """`value.name`, such as `a.T`."""

    value: Expr
    name: Name


# ------------------------------------------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Stmt(Node):
    """A statement of a section."""


@dataclass(frozen=True, slots=True)
class Assign(Stmt):
    """`name = value`, in `params` also `name = value in limits`."""

    name: Name
    value: Expr
    limits: Expr | None = None


@dataclass(frozen=True, slots=True)
class TensorDecl(Stmt):
    """`input x: [2]`, `target y: class[10]`; `role` is the keyword, `kind` one of "real", "int", "class", …

    `kind` is the name before the bracket ("real" when there is none); it is checked by the model stage. A date
    has no bracket, it is not `sized`.
    """

    role: str
    name: Name
    kind: Name | None
    dims: tuple[Expr, ...]
    sized: bool = True


@dataclass(frozen=True, slots=True)
class ArrayDecl(Stmt):
    """`param W: [n, m] = xavier as weight`, `state h: [n] = 0`; `role` is the word, `start` what stands after `=`."""

    role: str
    name: Name
    dims: tuple[Expr, ...]
    start: Expr | None = None
    kind: Name | None = None


@dataclass(frozen=True, slots=True)
class Next(Stmt):
    """`next h = value`: what a state is after the step."""

    name: Name
    value: Expr


@dataclass(frozen=True, slots=True)
class LayerDef(Stmt):
    """`layer s = dense(64)`: one set of weights with a name."""

    name: Name
    value: Expr


@dataclass(frozen=True, slots=True)
class Output(Stmt):
    """`output p = expr`, or `output expr` (`name` is None)."""

    name: Name | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Slot(Stmt):
    """`slot m = 0`: what an optimizer keeps from update to update, and the number that it starts from."""

    name: Name
    value: Expr


# --------------------------------------------------------------------------------------------------- sections


@dataclass(frozen=True, slots=True)
class BlockParam(Node):
    """A parameter of a block or of a definition, with its default and its limits if it has them.

    `kind` is what comes after a colon, as in `y: class`; only a parameter of a definition may have one.
    """

    name: Name
    default: Expr | None
    limits: Expr | None = None
    kind: Name | None = None


@dataclass(frozen=True, slots=True)
class Section(Node):
    """`params { … }`, `data { … }`, `train { … }`, `check { … }`; `keyword` says which."""

    keyword: str
    statements: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class TurnSection(Section):
    """`train name { … }`: one of several that take turns."""

    name: Name


@dataclass(frozen=True, slots=True)
class ModelSection(Section):
    """`model Name { … }`."""

    name: Name


@dataclass(frozen=True, slots=True)
class BlockSection(Section):
    """`block Name(params) { … }`."""

    name: Name
    params: tuple[BlockParam, ...]


@dataclass(frozen=True, slots=True)
class CellSection(BlockSection):
    """`cell Name(params) { … }`: one step of time."""


@dataclass(frozen=True, slots=True)
class Definition(Section):
    """`activation name(z, argument = default in limits) = value`; `keyword` is the word that it begins with."""

    name: Name
    params: tuple[BlockParam, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class Procedure(Definition):
    """`optimizer name(params) { … }`: its statements run in order; `value` lists what they compute."""


@dataclass(frozen=True, slots=True)
class Use(Section):
    """`use "file.nn"`, or `use std.losses`; `what` is the text, or the names with dots between them."""

    what: String | Name


@dataclass(frozen=True, slots=True)
class File(Node):
    """A whole spec; sections in the order of the text."""

    sections: tuple[Section, ...]

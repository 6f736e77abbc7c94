"""A script as a tree: functions, and the few kinds of statements that a textbook needs.

Expressions are text: an op says its own line (`ir.op`), and what surrounds it is put around that. Every statement may
say where it comes from; the printer makes a source map of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """Where a statement comes from: the op, the value's name in the graph, the path of the layer, the spec's line."""

    op: str = ""
    value: str = ""
    layer: str = ""
    line: int = 0


NOWHERE = Origin()


@dataclass(frozen=True)
class Assign:
    """`a, b = value`, or with another `sign`, `a += value`; `comment` stands behind it, if there is room.

    With a `place` of the spec it is a paragraph that needs no heading: the spec says the same.
    """

    targets: tuple[str, ...]
    value: str
    comment: str = ""
    sign: str = "="
    origin: Origin = NOWHERE
    place: str = ""


@dataclass(frozen=True)
class For:
    """A loop, or another block of one head: it begins with `for`, `while` or `with`."""

    head: str
    body: tuple[Stmt, ...]
    comment: str = ""


@dataclass(frozen=True)
class If:
    """A condition; `otherwise` is what stands below `else`, or below `elif` where it is another condition alone."""

    test: str
    body: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...] = ()


@dataclass(frozen=True)
class Try:
    """What may fail, which exceptions are caught, and what is done then."""

    body: tuple[Stmt, ...]
    caught: str
    handled: tuple[Stmt, ...]


@dataclass(frozen=True)
class Return:
    """`return value`; a value of the network is at `at` in it, index by index, where it is not all of it."""

    value: str
    origin: Origin = NOWHERE
    at: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class Do:
    """An expression, or `break` or `raise`, that is run for what it does.

    `completes` is the target of the statement before it, where the two together make a value.
    """

    code: str
    origin: Origin = NOWHERE
    completes: str = ""


@dataclass(frozen=True)
class Heading:
    """A comment that heads a paragraph, with a place of the spec at the right; a blank line before it."""

    text: str
    place: str = ""


@dataclass(frozen=True)
class Note:
    """A comment on a line of its own, with a place of the spec at the right where there is one."""

    text: str
    place: str = ""


@dataclass(frozen=True)
class Blank:
    """An empty line."""


Stmt = Assign | For | If | Try | Return | Do | Heading | Note | Blank


def assign(target: str, value: str, sign: str = "=", comment: str = "") -> Assign:
    """Return an assignment to a single target."""
    return Assign((target,), value, comment, sign)


@dataclass(frozen=True)
class Function:
    """A function; the first line of its docstring may have a place or a source at the right."""

    name: str
    arguments: tuple[str, ...]
    doc: str
    place: str
    body: tuple[Stmt, ...]


@dataclass(frozen=True)
class Prose:
    """Lines of Python that are written as they are."""

    text: str


@dataclass(frozen=True)
class Banner:
    """The line that begins a part of a script."""

    title: str


Item = Function | Prose | Banner


@dataclass(frozen=True)
class Module:
    """A script: its head (up to the imports and constants), and what it defines."""

    head: str
    items: Sequence[Item]

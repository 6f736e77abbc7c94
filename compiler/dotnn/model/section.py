"""Reading a section of keys (`train`, `data`, `check`): every key is consumed or it is an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from dotnn.core.arguments import Arg
from dotnn.core.diagnostics import Diagnostic, Reporter, Span
from dotnn.model import messages
from dotnn.model.bind import convert, default_of
from dotnn.model.constants import Constants, Poisoned
from dotnn.model.messages.base import Fail
from dotnn.syntax import nodes

T = TypeVar("T")


class SectionReader:
    """The keys of one section, each to be taken exactly once.

    `known` are the section's own keys, `others` more that it takes (the names of inputs and targets in `data`), and
    `hints` says of a key that belongs somewhere else where that is. `failed` holds the keys that were wrong.
    """

    def __init__(
        self,
        section: nodes.Section | None,
        keyword: str,
        known: Sequence[str],
        constants: Constants,
        reporter: Reporter,
        *,
        others: Sequence[str] = (),
        hints: Mapping[str, str] | None = None,
    ) -> None:
        self.section = section
        self.keyword = keyword
        self.constants = constants
        self.reporter = reporter
        self.hints = hints or {}
        self.values: dict[str, nodes.Expr] = {}
        self.spans: dict[str, nodes.Name] = {}
        self.failed: set[str] = set()
        for statement in section.statements if section else ():
            self._add(statement, [*others, *known])

    def _add(self, statement: nodes.Stmt, known: Sequence[str]) -> None:
        if not isinstance(statement, nodes.Assign):
            self.reporter.add(misplaced(statement, self.keyword))
            return
        name = statement.name
        if statement.limits is not None:
            help = f"give the value a name in `params` and use it here: params {{ {name.id} = … in … }}"
            self.reporter.add(
                messages.sections.statement_not_allowed(statement.limits.span, "a range", self.keyword, help)
            )
        if name.id not in known:
            help = self.hints.get(name.id, "")
            self.reporter.add(messages.sections.unknown_key(name.span, self.keyword, name.id, known, help))
        elif name.id in self.values:
            line = self.reporter.source.line_of(self.spans[name.id].span)
            self.reporter.add(messages.names.duplicate_key(name.span, name.id, line))
        else:
            self.values[name.id] = statement.value
            self.spans[name.id] = name

    @property
    def head(self) -> Span:
        """The place of the section's keyword."""
        assert self.section is not None
        return head_of(self.section)

    @contextmanager
    def reporting(self, key: str) -> Iterator[None]:
        """Turn a `Fail` raised inside into a report, and go on with the next key. A poisoned name stays silent."""
        try:
            yield
        except (Fail, Poisoned) as failure:
            self.failed.add(key)
            if isinstance(failure, Fail):
                self.reporter.add(failure.diagnostic)

    def take(self, arg: Arg) -> Any:
        """Return the value of a plain key, or its default after a reported error."""
        if arg.name in self.values:
            with self.reporting(arg.name):
                return convert(f"`{self.keyword}`", arg, self.values[arg.name], self.constants)
        return default_of(arg)

    def read(self, key: str, reader: Callable[[nodes.Expr], T], default: T) -> T:
        """Return what `reader` makes of a key's expression, or `default`."""
        if key in self.values:
            with self.reporting(key):
                return reader(self.values[key])
        return default

    def each(self, key: str, reader: Callable[[nodes.Expr], T]) -> tuple[T, ...]:
        """Return what `reader` makes of each element of a key's list (or of its only value), without the wrong ones."""
        found = []
        for item in items(self.values[key]) if key in self.values else ():
            with self.reporting(key):
                found.append(reader(item))
        return tuple(found)


def misplaced(statement: nodes.Stmt, section: str) -> Diagnostic:
    """Return the error for a statement that does not belong in a section."""
    if isinstance(statement, nodes.ArrayDecl):
        what, home = ARRAYS[statement.role]
    else:
        what, home = STATEMENTS[type(statement)]
    return messages.sections.statement_not_allowed(statement.span, what, section, home)


ARRAYS = {
    "param": ("a parameter", "a `block` or a `cell` declares parameters; a number that others use goes into `params`"),
    "state": ("a state", "states belong to a cell: cell NAME(units) { input x: [n]  state h: [units] = 0  … }"),
}
STATEMENTS = {
    nodes.Next: ("`next`", "it says in a `cell` what a state is after the step"),
    nodes.TensorDecl: ("a declaration", "inputs and targets are declared in `model`"),
    nodes.LayerDef: ("a layer", "layers are named in `model`"),
    nodes.Output: ("an output", "outputs are marked in `model`"),
    nodes.Slot: ("a slot", "what an update keeps for the next is declared in `optimizer name(…) { … }`"),
}


def head_of(section: nodes.Section) -> Span:
    """Return the place of a section's keyword."""
    return Span(section.span.start, section.span.start + len(section.keyword))


def items(expr: nodes.Expr) -> tuple[nodes.Expr, ...]:
    """Return the elements of a list, or the expression itself as the only one."""
    return expr.items if isinstance(expr, nodes.List) else (expr,)

"""Reading a section of keys (`train`, `data`, `check`): every key is consumed or it is an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dotnn.diagnostics import Reporter
from dotnn.model import messages
from dotnn.model.bind import convert, default_of
from dotnn.model.constants import Constants, evaluate
from dotnn.model.messages import Fail
from dotnn.model.scope import Poisoned
from dotnn.schema import Arg
from dotnn.syntax import nodes


class Keys:
    """The keys of one section, each to be taken exactly once."""

    def __init__(
        self, section: nodes.Section | None, keyword: str, known: Sequence[str], constants: Constants, reporter: Reporter,
        others: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.section = section
        self.keyword = keyword
        self.constants = constants
        self.reporter = reporter
        self.values: dict[str, nodes.Expr] = {}
        self.spans: dict[str, nodes.Name] = {}
        for statement in section.statements if section else ():
            self._add(statement, [*known, *others])

    def _add(self, statement: nodes.Stmt, known: Sequence[str]) -> None:
        if not isinstance(statement, nodes.Assign) or statement.limits is not None:
            what = "this range" if isinstance(statement, nodes.Assign) else "this statement"
            self.reporter.add(messages.statement_not_allowed(statement.span, what, self.keyword))
        elif statement.name.id not in known:
            self.reporter.add(messages.unknown_key(statement.name.span, self.keyword, statement.name.id, known))
        elif statement.name.id in self.values:
            line = self.reporter.source.line_of(self.spans[statement.name.id].span)
            self.reporter.add(messages.duplicate_name(statement.name.span, statement.name.id, line))
        else:
            self.values[statement.name.id] = statement.value
            self.spans[statement.name.id] = statement.name

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Turn a `Fail` raised inside into a report, and go on with the next key. A poisoned name stays silent."""
        try:
            yield
        except Fail as failure:
            self.reporter.add(failure.diagnostic)
        except Poisoned:
            pass

    def take(self, arg: Arg) -> Any:
        """Return the value of a plain key, or its default after a reported error."""
        if arg.name in self.values:
            expr = self.values[arg.name]
            with self.reporting():
                return convert(f"`{self.keyword}`", arg, evaluate(expr, self.constants), expr.span, self.constants)
        return default_of(arg)

    def read(self, key: str, reader: Callable[[nodes.Expr], Any], default: Any) -> Any:
        """Return what `reader` makes of a key's expression, or `default`."""
        if key in self.values:
            with self.reporting():
                return reader(self.values[key])
        return default


def items(expr: nodes.Expr) -> tuple[nodes.Expr, ...]:
    """Return the elements of a list, or the expression itself as the only one."""
    return expr.items if isinstance(expr, nodes.List) else (expr,)

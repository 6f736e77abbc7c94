"""Reading the `params` section, with `--set` applied and limits checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dotnn.core.arguments import Symbol, show
from dotnn.core.diagnostics import CompileError, Reporter, Source, Span
from dotnn.library.layers import ACTIVATIONS
from dotnn.model import messages
from dotnn.model.constants import WORDS, Constant, Interval, Poison, Poisoned, covers, describe, evaluate, limits_of
from dotnn.model.messages.base import Fail
from dotnn.model.order import Circle, dependency_order
from dotnn.model.scope import names_read
from dotnn.model.section import misplaced
from dotnn.model.synonyms import suggest
from dotnn.model.way import OPTION, Way
from dotnn.syntax import nodes
from dotnn.syntax.parse import parse_expression

Overrides = Mapping[str, tuple[nodes.Expr, Source]]


def read_params(
    section: nodes.Section | None,
    sets: Sequence[str],
    reporter: Reporter,
    free: Mapping[str, nodes.Name],
    way: Way = OPTION,
) -> dict[str, Constant]:
    """Return the constants of the spec, in its order; a wrong one is `Poison`. They may use each other in any order.

    `free` are names of sizes that settings may define, too; `way` is how these are given.
    """
    definitions = _definitions(section, reporter)
    overrides = _overrides(sets, [*definitions, *free], reporter, way)
    definitions |= {n: nodes.Assign(at.span, at, at, None) for n, at in free.items() if n in overrides}
    params = _Params(definitions, overrides, reporter)
    for name in params.in_order():
        params.define(name)
    return {name: params.constants[name] for name in definitions}


def _definitions(section: nodes.Section | None, reporter: Reporter) -> dict[str, nodes.Assign]:
    """Return the statements by the names that they define; report what does not belong here, and second ones."""
    found: dict[str, nodes.Assign] = {}
    for statement in section.statements if section else ():
        if not isinstance(statement, nodes.Assign):
            reporter.add(misplaced(statement, "params"))
        elif statement.name.id in found:
            place = reporter.source.place(found[statement.name.id].name.span)
            reporter.add(messages.names.duplicate_name(statement.name.span, statement.name.id, place))
        else:
            found[statement.name.id] = statement
    return found


class _Params:
    """The parameters that are known so far."""

    def __init__(self, definitions: Mapping[str, nodes.Assign], overrides: Overrides, reporter: Reporter) -> None:
        self.definitions = definitions
        self.overrides = overrides
        self.reporter = reporter
        self.constants: dict[str, Constant] = {}

    def in_order(self) -> list[str]:
        """Return the names so that each comes after what it needs; circles are reported and left out."""
        reads = {name: self._reads(name) & self.definitions.keys() for name in self.definitions}
        while True:
            try:
                return dependency_order(reads)
            except Circle as circle:
                span = self.definitions[circle.names[0]].name.span
                self.reporter.add(messages.names.cycle(span, circle.names, "give one of them a number"))
                for name in circle.names:
                    self.constants[name] = Poison()
                    reads.pop(name)

    def _reads(self, name: str) -> set[str]:
        statement = self.definitions[name]
        value = self.overrides[name][0] if name in self.overrides else statement.value
        return names_read(value) | (names_read(statement.limits) if statement.limits else set())

    def define(self, name: str) -> None:
        """Evaluate a parameter, or report what is wrong with it."""
        try:
            self.constants[name] = self._value(self.definitions[name])
        except (Fail, Poisoned) as failure:
            self.constants[name] = Poison()
            if isinstance(failure, Fail):
                self.reporter.add(failure.diagnostic)

    def _value(self, statement: nodes.Assign) -> Constant:
        name = statement.name.id
        if name in ACTIVATIONS or name in WORDS:
            raise Fail(messages.names.reserved_name(statement.name.span, name))
        expr, source = self.overrides.get(name, (statement.value, None))
        try:
            value = evaluate(expr, self.constants)
            self._check_limits(statement, value, expr.span)
        except Fail as failure:
            raise Fail(replace(failure.diagnostic, source=source)) from None
        return value

    def _check_limits(self, statement: nodes.Assign, value: Constant, span: Span) -> None:
        if statement.limits is None:
            return
        limits, text = limits_of(statement.limits, self.constants)
        if covers(limits, value):
            return
        place = self.reporter.source.place(statement.limits.span)
        error = messages.constants.out_of_range(span, statement.name.id, show(value), text, place)
        if isinstance(limits, Interval) and not isinstance(value, (int, float)):
            error = replace(error, help=f"it must be a number, and {describe(value)} is not one")
        elif not isinstance(limits, Interval) and isinstance(value, Symbol):
            error = replace(error, help=suggest(value.id, [str(v) for v in limits]))
        raise Fail(error)


def _overrides(sets: Sequence[str], known: Sequence[str], reporter: Reporter, way: Way) -> Overrides:
    """Return what `--set` gives, by name, with the source in which an error is shown."""
    found: dict[str, tuple[nodes.Expr, Source]] = {}
    for text in sets:
        before, equals, value = text.partition("=")
        name, source = before.strip(), Source(way.called, text)
        if not equals or not name or not value.strip():
            reporter.add(replace(messages.constants.set_syntax(Span(0, len(text)), text, way), source=source))
        elif name not in known:
            reporter.add(replace(messages.constants.unknown_set(Span(0, len(before)), name, known, way), source=source))
        elif name in found:
            reporter.add(replace(messages.constants.set_twice(Span(0, len(before)), name), source=source))
        else:
            # Blanks in place of `name=` keep the offsets of the value as they are in the whole text.
            try:
                found[name] = parse_expression(" " * (len(before) + 1) + value, source), source
            except CompileError as error:
                reporter.found.extend(replace(d, source=source) for d in error.diagnostics)
    return found

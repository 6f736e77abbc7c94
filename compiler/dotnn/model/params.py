"""Reading the `params` section, with `--set` applied and limits checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dotnn.core.arguments import Symbol, show
from dotnn.core.diagnostics import CompileError, Reporter, Source, Span
from dotnn.library.layers import ACTIVATIONS
from dotnn.model import messages
from dotnn.model.constants import WORDS, Constants, Interval, Poison, Poisoned, covers, describe, evaluate, limits_of
from dotnn.model.messages.base import Fail
from dotnn.model.section import STATEMENTS
from dotnn.model.synonyms import suggest
from dotnn.syntax import nodes
from dotnn.syntax.parse import parse_expression

Overrides = Mapping[str, tuple[nodes.Expr, Source]]


def read_params(section: nodes.Section | None, sets: Sequence[str], reporter: Reporter) -> dict[str, Any]:
    """Return the constants of the spec; a wrong one is `Poison`."""
    statements = [s for s in section.statements if isinstance(s, nodes.Assign)] if section else []
    overrides = _overrides(sets, [s.name.id for s in statements], reporter)
    constants: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for statement in section.statements if section else ():
        if not isinstance(statement, nodes.Assign):
            what, home = STATEMENTS[type(statement)]
            reporter.add(messages.sections.statement_not_allowed(statement.span, what, "params", home))
            continue
        name = statement.name
        if name.id in lines:
            reporter.add(messages.names.duplicate_name(name.span, name.id, lines[name.id]))
            continue
        lines[name.id] = reporter.source.line_of(name.span)
        try:
            constants[name.id] = _value(statement, constants, overrides, reporter)
        except (Fail, Poisoned) as failure:
            constants[name.id] = Poison()
            if isinstance(failure, Fail):
                reporter.add(failure.diagnostic)
    return constants


def _value(statement: nodes.Assign, constants: Constants, overrides: Overrides, reporter: Reporter) -> Any:
    name = statement.name.id
    if name in ACTIVATIONS or name in WORDS:
        raise Fail(messages.names.reserved_name(statement.name.span, name))
    if name in overrides:
        expr, source = overrides[name]
        try:
            value = evaluate(expr, constants)
            _check_limits(statement, value, expr.span, constants, reporter)
        except Fail as failure:
            raise Fail(replace(failure.diagnostic, source=source)) from None
        return value
    value = evaluate(statement.value, constants)
    _check_limits(statement, value, statement.value.span, constants, reporter)
    return value


def _check_limits(statement: nodes.Assign, value: Any, span: Span, constants: Constants, reporter: Reporter) -> None:
    if statement.limits is None:
        return
    limits, text = limits_of(statement.limits, constants)
    if covers(limits, value):
        return
    line = reporter.source.line_of(statement.limits.span)
    error = messages.constants.out_of_range(span, statement.name.id, show(value), text, line)
    if isinstance(limits, Interval) and not isinstance(value, (int, float)):
        error = replace(error, help=f"it must be a number; {describe(value)} is none")
    elif not isinstance(limits, Interval) and isinstance(value, Symbol):
        error = replace(error, help=suggest(value.id, [str(v) for v in limits]))
    raise Fail(error)


def _overrides(sets: Sequence[str], known: Sequence[str], reporter: Reporter) -> Overrides:
    """Return what `--set` gives, by name, with the source in which an error is shown."""
    found: dict[str, tuple[nodes.Expr, Source]] = {}
    for text in sets:
        before, equals, value = text.partition("=")
        name, source = before.strip(), Source("--set", text)
        if not equals or not name or not value.strip():
            reporter.add(replace(messages.constants.set_syntax(Span(0, len(text)), text), source=source))
        elif name not in known:
            reporter.add(replace(messages.constants.unknown_set(Span(0, len(before)), name, known), source=source))
        elif name in found:
            reporter.add(replace(messages.constants.set_twice(Span(0, len(before)), name), source=source))
        else:
            # Blanks in place of `name=` keep the offsets of the value as they are in the whole text.
            try:
                found[name] = parse_expression(" " * (len(before) + 1) + value, source), source
            except CompileError as error:
                reporter.found.extend(replace(d, source=source) for d in error.diagnostics)
    return found

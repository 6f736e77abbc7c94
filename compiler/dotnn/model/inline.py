"""Arrays that are written in the spec: `x = [[0, 0], [0, 1]]`, or `source = inline(x = [[0, 0], [0, 1]])`.

An error points at the row that is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import cast

from dotnn.core.diagnostics import Diagnostic
from dotnn.library.sources import SOURCES
from dotnn.model import messages
from dotnn.model.constants import Constants, describe, evaluate
from dotnn.model.messages.base import Fail, several
from dotnn.model.model import Declared, Model, Nested
from dotnn.model.raw import raw_declaration
from dotnn.model.section import SectionReader
from dotnn.syntax import nodes

Shape = tuple[int, ...]


def written_out(section: nodes.Section) -> nodes.Section:
    """Return a `data` section in which each array of `source = inline(x = …)` is a key of its own: `x = …`.

    A call that is not of such arrays stays, for the reader of sources to say what is wrong with it.
    """
    return replace(section, statements=tuple(chain.from_iterable(map(_keys_of, section.statements))))


def _keys_of(statement: nodes.Stmt) -> tuple[nodes.Stmt, ...]:
    value = statement.value if isinstance(statement, nodes.Assign) and statement.name.id == "source" else None
    if not isinstance(value, nodes.Call) or not is_inline_call(value):
        return (statement,)
    keys = [nodes.Assign(arg.span, arg.name, arg.value) for arg in value.args if arg.name and _is_list(arg.value)]
    return tuple(keys) if keys and len(keys) == len(value.args) else (statement,)


def is_inline_call(call: nodes.Call) -> bool:
    """Whether a source is the spec itself."""
    return call.func.id in SOURCES and SOURCES[call.func.id].wraps == "rows"


def _is_list(expr: nodes.Expr) -> bool:
    return isinstance(expr, nodes.List)


def read_inline(name: str, expr: nodes.Expr, constants: Constants) -> list[Nested]:
    """Return nested lists of numbers that form an array, or raise `Fail` at the first row that does not fit."""
    value = evaluate(expr, constants)
    if not isinstance(value, list) or not value:
        found = "an empty list" if value == [] else describe(value)
        raise Fail(
            messages.data.inline_data(expr.span, f"{name} must be a list with one entry per example, not {found}")
        )
    _shape(value, expr, name)
    return cast(list[Nested], value)


def _shape(value: object, expr: nodes.Expr, name: str) -> Shape:
    if not isinstance(expr, nodes.List) or not isinstance(value, list):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            message = f"{name} holds {describe(value)} where a number is needed"
            raise Fail(
                messages.data.inline_data(
                    expr.span, message, "", "texts and larger tables belong in a file: source = csv(…)"
                )
            )
        return ()
    first: Shape = ()
    for place, (part, item) in enumerate(zip(value, expr.items, strict=True)):
        shape = _shape(part, item, name)
        if place == 0:
            first = shape
        elif shape != first:
            message = f"this row of {name} has {_words(shape)}, the first has {_words(first)}"
            raise Fail(messages.data.inline_data(item.span, message, "", "all rows are of the same length"))
    return (len(value), *first)


def _words(shape: Shape) -> str:
    if not shape:
        return "no brackets: it is a number"
    return several(shape[0], "number") if len(shape) == 1 else f"the shape {list(shape)}"


def check_inline(
    section: SectionReader,
    inline: Mapping[str, list[Nested]],
    declared: Mapping[str, Declared],
    shapes: Mapping[str, Shape],
) -> None:
    """Report arrays whose examples have other `shapes` than they should, and differing numbers of examples."""
    for name, value in inline.items():
        wanted = shapes[name]
        found = _shape(value, section.values[name], name)[1:]
        if not _fits(found, wanted):
            section.reporter.add(_misshapen(declared[name], section.values[name], found, wanted))
            return
    _check_counts(section, {name: len(value) for name, value in inline.items()})


def _fits(found: Shape, wanted: Shape) -> bool:
    """Whether examples have the shape that is wanted; the brackets around a single number may be left out, or added."""
    return found == wanted or (wanted[-1:] == (1,) and found == wanted[:-1]) or (wanted == () and found == (1,))


def _misshapen(declared: Declared, expr: nodes.Expr, found: Shape, wanted: Shape) -> Diagnostic:
    assert isinstance(expr, nodes.List)
    name = declared.name
    kind = str(list(wanted))
    help = f"declare {declared.role} {name}: {list(found)}, or write rows of the declared shape"
    if declared.kind == "class":
        kind, help = declared.shown, "a class is one whole number from 0: y = [0, 2, 1]"
        if wanted:
            help = f"there is a class for each of {' x '.join(map(str, wanted))} steps: y = [[0, 2, …], …]"
    if declared.kind == "weight":
        message = f"each example of {name} has {_words(found)}, but a weight is one number"
        return messages.data.inline_data(expr.items[0].span, message, "", "for instance: weights = [1, 0.5, 2]")
    message = f"each example of {name} has {_words(found)}, but {name} is declared {kind}"
    return messages.data.inline_data(expr.items[0].span, message, "", help)


def _check_counts(section: SectionReader, counts: Mapping[str, int]) -> None:
    if len(set(counts.values())) < 2:
        return
    first, *others = counts
    odd = next(name for name in others if counts[name] != counts[first])
    message = f"{odd} has {several(counts[odd], 'example')}, but {first} has {counts[first]}"
    help = "every example needs one entry in each array"
    section.reporter.add(messages.data.inline_data(section.spans[odd].span, message, "", help))


RANGES = {"weight": "0 or more", "unit": "from 0 to 1", "sign": "-1 or +1", "int": "a whole number", "binary": "0 or 1"}


def check_values(section: SectionReader, model: Model) -> None:
    """Report the first number of each array that its loss (or its kind) does not allow."""
    for name, value in model.data.inline.items() if model.data else ():
        kind = raw_declaration(model, name)[0]
        bad = _first_bad(value, section.values[name], kind)
        if bad is not None:
            section.reporter.add(_not_allowed(name, kind, bad, _asked_by(model, name, kind)))


def _asked_by(model: Model, name: str, kind: str) -> str:
    """Return the loss or the metric that allows no other values, "" where it is the declaration."""
    if kind == "binary":
        return next(m.metric.name for m in model.train.metrics if m.target == name and "real" not in m.metric.functions)
    return next((t.loss.name for t in model.train.losses if name in t.targets), "")


def _first_bad(value: Nested, expr: nodes.Expr, kind: str) -> nodes.Expr | None:
    if isinstance(expr, nodes.List) and isinstance(value, list):
        bad = (_first_bad(part, item, kind) for part, item in zip(value, expr.items, strict=True))
        return next((expr for expr in bad if expr is not None), None)
    return None if _allowed(cast(float, value), kind) else expr


def _allowed(value: float, kind: str) -> bool:
    base, _, count = kind.removesuffix("?").partition(":")
    if base == "above":
        return value > float(count)
    if base in ("class", "int"):
        return value == int(value) and (not count or 0 <= value < int(count))
    if base == "weight":
        return value >= 0
    if base in ("sign", "binary"):
        return value in ((-1, 1) if base == "sign" else (0, 1))
    return base != "unit" or 0 <= value <= 1


def _not_allowed(name: str, kind: str, expr: nodes.Expr, loss: str) -> Diagnostic:
    base, _, count = kind.removesuffix("?").partition(":")
    text = describe(evaluate(expr, {}))
    if base == "class":
        message = f"{name} holds {text}, which is not one of the {count} classes"
        return messages.data.inline_data(expr.span, message, "", f"classes are counted from 0: 0 to {int(count) - 1}")
    if base == "int" and count:
        message = f"{name} holds {text}, which is not one of the {count} symbols that a layer knows"
        return messages.data.inline_data(expr.span, message, "", f"they are counted from 0: 0 to {int(count) - 1}")
    if base == "above":
        message = f"{name} holds {text}, which has no logarithm: it must be above {float(count):g}"
        return messages.data.inline_data(expr.span, message, "", f"add a number: scale = log({name}, plus = 1)")
    because = f": {loss} needs it" if loss else ""
    message = f"{name} holds {text}, but must be {RANGES[base]}{because}"
    fixes = {
        "unit": f"scale it in `data`: scale = range({name}); or use another loss, such as mse",
        "binary": "for other numbers there are the metrics mae, rmse and r2",
    }
    help = fixes.get(base, "")
    return messages.data.inline_data(expr.span, message, "", help or f"write numbers that are {RANGES[base]}")

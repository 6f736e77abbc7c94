"""Reading arrays that have a file each: `x = npy("x.npy")`, `test = arrays(x = idx("x.gz"), y = idx("y.gz"))`."""

from __future__ import annotations

from collections.abc import Mapping

from dotnn.core.diagnostics import Span
from dotnn.library.sources import SOURCES
from dotnn.model import messages
from dotnn.model.messages.base import Fail
from dotnn.model.model import FileSource
from dotnn.model.preparations import Declarations, declared_name
from dotnn.model.section import SectionReader
from dotnn.model.splits import Column
from dotnn.syntax import nodes

FORMAT = next(name for name, entry in SOURCES.items() if entry.wraps == "files")


def is_array_call(expr: nodes.Expr) -> bool:
    """Whether an expression is a file of one array."""
    return isinstance(expr, nodes.Call) and expr.func.id in SOURCES and SOURCES[expr.func.id].single


def array_calls(section: SectionReader, declared: Declarations) -> dict[str, nodes.Call]:
    """Return the files of inputs and targets that a `data` section binds by their names."""
    values = section.values.items()
    return {
        name: expr for name, expr in values if name in declared and isinstance(expr, nodes.Call) and is_array_call(expr)
    }


def read_arrays(
    section: SectionReader, calls: Mapping[str, nodes.Call], declared: Declarations, beside: Mapping[str, Column]
) -> FileSource | None:
    """Return the source of arrays that have a file each; errors go to the reporter of `section`."""
    for name, call in calls.items():
        with section.reporting(name):
            _check(name, call, call.span, declared)
    if section.failed & calls.keys():
        section.failed.add("source")  # what else there is about it follows from that
        return None
    with section.reporting("source"):
        return _source(calls, section.spans[next(iter(calls))].span, beside)
    return None


def arrays_source(call: nodes.Call, declared: Declarations, beside: Mapping[str, Column]) -> FileSource:
    """Return the source that `arrays(x = npy(…), …)` names. Raises `Fail`."""
    calls: dict[str, nodes.Call] = {}
    for arg in call.args:
        if arg.name is None:
            raise Fail(messages.data.arrays_form(arg.span, "a file is given by the name of its input or target"))
        name = declared_name(arg.name, declared).name
        if not isinstance(arg.value, nodes.Call) or not is_array_call(arg.value):
            raise Fail(messages.data.arrays_form(arg.value.span, f"{name} needs a file of one array"))
        if name in calls:
            raise Fail(messages.calls.repeated_argument(arg.span, call.func.id, name))
        _check(name, arg.value, arg.span, declared)
        calls[name] = arg.value
    if not calls:
        raise Fail(messages.data.arrays_form(call.span, "there is a file for each input and target"))
    return _source(calls, call.span, beside)


def _check(name: str, call: nodes.Call, place: Span, declared: Declarations) -> None:
    """Raise `Fail` where a call names not just a file, or an input holds texts."""
    item = declared.get(name)
    if len(call.args) != 1 or call.args[0].name is not None or not isinstance(call.args[0].value, nodes.String):
        raise Fail(messages.data.arrays_form(place, f"{call.func.id} takes the name of a file, and nothing else"))
    if item is not None and item.kind in ("category", "date"):
        raise Fail(messages.data.needs_table(place, name, SOURCES[call.func.id].file))


def _source(calls: Mapping[str, nodes.Call], span: Span, beside: Mapping[str, Column]) -> FileSource:
    for name, column in beside.items():
        raise Fail(messages.data.no_source(column.span, name))
    files = {name: call.args[0].value for name, call in calls.items()}
    words = {name: file.value for name, file in files.items() if isinstance(file, nodes.String)}
    places = {word: files[name].span for name, word in words.items()}
    fields = {name: (word,) for name, word in words.items()}
    formats = {name: call.func.id for name, call in calls.items()}
    return FileSource(FORMAT, next(iter(words.values())), fields, span, places, formats=formats)

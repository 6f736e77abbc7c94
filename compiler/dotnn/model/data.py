"""Reading the `data` section. The files themselves are read when a model is trained, not here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dotnn.core.diagnostics import Span, did_you_mean
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.sources import SOURCES, DataSource
from dotnn.model import messages
from dotnn.model.inline import check_inline, read_inline
from dotnn.model.messages.base import Fail
from dotnn.model.model import Data, Declared, FileSource, Nested, Split
from dotnn.model.preparations import Declarations, Preparations, declared_name, is_made, read_preparations
from dotnn.model.section import SectionReader, items
from dotnn.model.splits import BESIDE, Column, read_split
from dotnn.syntax import nodes

DATA_KEYS = ("source", "val", "test", "missing", "scale", "one_hot", "split", "weights")
WEIGHTS = "weights"
PARTS = ("val", "test")
"""The parts that may have a file of their own."""


def read_weights(section: SectionReader, declared: Declarations) -> dict[str, Declared]:
    """Return what says how much each example counts, as a target of that name; nothing where the spec has no such key.

    The key yields to an input or target that is called so.
    """
    if WEIGHTS in declared or WEIGHTS not in section.values:
        return {}
    return {WEIGHTS: Declared(WEIGHTS, "target", "weight", TensorType((BATCH,)), 0, section.spans[WEIGHTS].span)}


def _weights_column(section: SectionReader, declared: Declarations) -> dict[str, Column]:
    """Return the column or array of the source that the weights are in; none where they are written in the spec."""
    item, expr = declared.get(WEIGHTS), section.values.get(WEIGHTS)
    if item is None or item.kind != "weight" or isinstance(expr, nodes.List):
        return {}
    if not isinstance(expr, nodes.Name | nodes.String):
        assert expr is not None
        raise Fail(messages.data.weights_form(expr.span))
    return {WEIGHTS: expr}


def read_data(section: SectionReader, declared: Declarations) -> Data | None:
    """Return where the examples come from, and what is done to them; errors go to the reporter of `section`.

    A key yields to an input or target of its name.
    """
    if section.section is None:
        return None
    keys = [key for key in DATA_KEYS if key not in declared]
    inline = _inline(section, declared)
    found = read_preparations(section, keys, declared)
    nothing: tuple[Split | None, dict[str, Column]] = (None, {})
    split, columns = nothing
    if "split" in keys:
        split, columns = section.read("split", lambda e: read_split(e, section.constants, declared), nothing)
    weights: dict[str, Column] = {}
    with section.reporting(WEIGHTS):
        weights = _weights_column(section, declared)
    beside = {**found.columns, **columns, **weights}
    source = section.read("source", lambda e: _source(e, declared, found, beside), None) if "source" in keys else None
    if inline and source:
        section.reporter.add(messages.data.inline_and_source(section.spans["source"].span, list(inline)))
    else:
        _complete(section, declared, beside, source)
    if not section.failed:
        _check_inline(section, declared, inline, found)
    files = _files(section, [key for key in PARTS if key in keys and key in section.values], source, split)
    kinds = {name: BESIDE[name] for name in columns} | ({"part": "text"} if files else {})
    ways = {name: tuple(some) for name, some in found.ways.items()}
    return Data(inline, source, ways, found.made_of, split, kinds, files)


def _files(
    section: SectionReader, parts: Sequence[str], source: FileSource | None, split: Split | None
) -> dict[str, FileSource]:
    """Return the files of parts that have one, which hold the columns or keys of the source."""
    found: dict[str, FileSource] = {}
    for part in parts:
        with section.reporting(part):
            call, file = _file_call(section.values[part])
            if "source" in section.failed:
                continue
            if source is None or call.func.id != source.format:
                form = f'{source.format}("{part}.csv")' if source else ""
                raise Fail(messages.data.part_source(call.func.span, part, form))
            if len(call.args) > 1:
                raise Fail(messages.data.part_columns(call.args[1].span, part, f'{call.func.id}("{file.value}")'))
            if split is not None and split.fractions[part]:
                raise Fail(messages.data.part_twice(section.spans[part].span, part))
            found[part] = replace(source, path=file.value, span=file.span)
    return found


def _inline(section: SectionReader, declared: Declarations) -> dict[str, list[Nested]]:
    """Return the arrays that are written in the spec, by the name of their input or target."""
    inline: dict[str, list[Nested]] = {}
    for name, expr in section.values.items():
        item = declared.get(name)
        of_source = item is not None and item.kind == "weight" and not isinstance(expr, nodes.List)
        if name in declared and not is_made(expr) and not of_source:
            with section.reporting(name):
                inline[name] = read_inline(name, expr, section.constants)
    return inline


def _check_inline(
    section: SectionReader, declared: Declarations, inline: Mapping[str, list[Nested]], found: Preparations
) -> None:
    whole = {name: d for name, d in declared.items() if d is not None}
    shapes = {name: _raw_shape(d, found) for name, d in whole.items()}
    check_inline(section, {name: v for name, v in inline.items() if name in whole}, whole, shapes)


def _raw_shape(item: Declared, found: Preparations) -> tuple[int, ...]:
    """Return the shape of one example as it is read."""
    shape = item.type.example
    for way in reversed(found.of(item.name)):
        shape = way.entry.raw_shape(shape)
    return shape


def _complete(
    section: SectionReader, declared: Declarations, beside: Mapping[str, Column], source: FileSource | None
) -> None:
    """Report inputs and targets that have no data, and columns where there is no source of any."""
    given = {*section.values, *(source.fields if source else ())}
    missing = [name for name in declared if name not in given]
    if missing and "source" not in section.failed:
        place = section.spans["source"].span if source else section.head
        section.reporter.add(messages.data.data_missing(place, missing))
    if source is None and beside and "source" not in section.failed:
        name, column = next(iter(beside.items()))
        section.reporter.add(messages.data.no_source(column.span, name))


def _source(expr: nodes.Expr, declared: Declarations, found: Preparations, beside: Mapping[str, Column]) -> FileSource:
    """Return the source; `beside` are columns that something else names, by what they are for."""
    call, file = _file_call(expr)
    entry = SOURCES[call.func.id]
    fields: dict[str, tuple[str, ...]] = {}
    places: dict[str, Span] = {}
    for arg in call.args[1:]:
        if arg.name is None:
            message = "columns and keys are given by the name of their input or target"
            raise Fail(messages.data.source_form(arg.span, message))
        item = declared_name(arg.name, declared)
        if item.name in beside or item.name in found.made_of:
            raise Fail(messages.data.given_twice(arg.span, item.name))
        places |= {_word(e): e.span for e in items(arg.value)}
        fields[item.name] = tuple(map(_word, items(arg.value)))
        _check_width(entry, item, found, len(fields[item.name]), arg.span)
    for name, column in beside.items():
        if name in declared:
            item = declared_name(nodes.Name(column.span, name), declared)
            _check_width(entry, item, found, 1, column.span)
        fields[name] = (_word(column),)
        places[_word(column)] = column.span
    return FileSource(call.func.id, file.value, fields, file.span, places)


def _file_call(expr: nodes.Expr) -> tuple[nodes.Call, nodes.String]:
    """Return the call of a registered source, and the name of its file, or raise `Fail`."""
    if not isinstance(expr, nodes.Call):
        forms = " or ".join(entry.form for entry in SOURCES.values())
        raise Fail(messages.data.source_form(expr.span, f"a source is {forms}"))
    if expr.func.id not in SOURCES:
        hint = did_you_mean(expr.func.id, SOURCES)
        raise Fail(messages.data.source_form(expr.func.span, f'there is no data format "{expr.func.id}"', hint))
    place = expr.args[0].span if expr.args else expr.span
    first = expr.args[0].value if expr.args and expr.args[0].name is None else None
    if not isinstance(first, nodes.String):
        raise Fail(messages.data.source_form(place, "a source starts with the name of its file"))
    return expr, first


def _check_width(entry: DataSource, item: Declared, found: Preparations, count: int, span: Span) -> None:
    """Raise `Fail` where so many columns or arrays of a source cannot make up an example."""
    shape = _raw_shape(item, found)
    if item.kind == "category" and not entry.table:
        raise Fail(messages.data.needs_table(span, item.name, entry.file))
    if not entry.holds(shape):
        raise Fail(messages.data.columns_rank(span, item.name, str(list(item.type.example))))
    width = entry.width(shape)
    if count != width and entry.table:
        raise Fail(messages.data.columns_shape(span, item.name, str(list(item.type.example)), width, count))
    if count != width:
        raise Fail(messages.data.source_form(span, f"{item.name} is one array of {entry.file}: name one key"))


def _word(expr: nodes.Expr) -> str:
    """Return a column's name, written as a word or, where it is no word, as a text."""
    if isinstance(expr, nodes.Name):
        return expr.id
    if isinstance(expr, nodes.String):
        return expr.value
    raise Fail(messages.data.source_form(expr.span, 'a column is written as a word, or as a text: "sepal length (cm)"'))

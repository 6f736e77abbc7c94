"""Reading where examples come from: a call of a registered source, with what of it each input and target is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dotnn.core.diagnostics import Span, did_you_mean
from dotnn.library.sources import SOURCES, DataSource
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.columns import Columns, column_word, is_except
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared, FileSource, Split
from dotnn.model.preparations import Declarations, Preparations, declared_name
from dotnn.model.section import SectionReader, items
from dotnn.model.splits import Column
from dotnn.syntax import nodes


@dataclass(frozen=True)
class SourceReader:
    """Reads the sources of a `data` section; `beside` are columns that something else names, by what they are for."""

    section: SectionReader
    declared: Declarations
    found: Preparations
    beside: Mapping[str, Column]

    def source(self, expr: nodes.Expr) -> FileSource:
        """Return the source. Raises `Fail`."""
        call, file = _file_call(expr)
        entry = SOURCES[call.func.id]
        options = self._options(entry, call)
        fields = _Fields(Columns(self.section.reporter.source, file, options))
        named = [arg for arg in call.args[1:] if not self._is_option(entry, arg)]
        for arg in sorted(named, key=lambda arg: is_except(arg.value)):  # what is left is known at last
            self._field(entry, arg, fields)
        for name, column in self.beside.items():
            fields.add(name, [(column_word(column), column.span)])
            if name in self.declared:
                self._check_width(entry, declared_name(nodes.Name(column.span, name), self.declared), 1, column.span)
        in_order = {arg.name.id: fields.words[arg.name.id] for arg in named if arg.name is not None}
        return FileSource(
            call.func.id, file.value, {**in_order, **fields.words}, file.span, fields.places, options=options
        )

    def _field(self, entry: DataSource, arg: nodes.Arg, fields: _Fields) -> None:
        """Read what an input or target is of a source."""
        if arg.name is None:
            message = "columns and keys are given by the name of their input or target"
            raise Fail(messages.data.source_form(arg.span, message))
        if arg.name.id not in self.declared:
            known = [*self.declared, *(option.name for option in entry.args)]
            raise Fail(messages.data.data_name(arg.name.span, arg.name.id, known))
        item = declared_name(arg.name, self.declared)
        if item.name in self.found.columns or item.name in self.found.made_of:
            raise Fail(messages.data.given_twice(arg.span, item.name))
        if is_except(arg.value) and entry.table:
            assert isinstance(arg.value, nodes.Call)
            others = [column_word(column) for column in self.beside.values()]
            fields.add(item.name, fields.columns.others(arg.value, [*fields.places, *others]))
        else:
            fields.add(item.name, fields.columns.named(arg.value) if entry.table else _keys(arg.value))
        self._check_width(entry, item, len(fields.words[item.name]), arg.span)

    def _is_option(self, entry: DataSource, arg: nodes.Arg) -> bool:
        """Whether an argument says how a file is written; an input or target of that name goes first."""
        if arg.name is None or arg.name.id in self.declared:
            return False
        return any(arg.name.id == option.name for option in entry.args)

    def _options(self, entry: DataSource, call: nodes.Call) -> dict[str, Any]:
        """Return how a file is written, where that is not as usual."""
        given = [arg for arg in call.args if self._is_option(entry, arg)]
        attrs = bind(entry.name, entry.args, given, call.span, self.section.constants)
        problem = entry.conflict(attrs)
        if problem:
            raise Fail(messages.data.source_form(given[0].span, problem, 'for instance: delimiter = ";"'))
        usual = {option.name: option.default for option in entry.args}
        return {name: value for name, value in attrs.items() if value != usual[name]}

    def _check_width(self, entry: DataSource, item: Declared, count: int, span: Span) -> None:
        """Raise `Fail` where so many columns or arrays of a source cannot make up an example."""
        shape, declared = raw_shape(item, self.found), str(list(item.type.example))
        if item.kind == "category" and not entry.table:
            raise Fail(messages.data.needs_table(span, item.name, entry.file))
        if not entry.holds(shape):
            raise Fail(messages.data.columns_rank(span, item.name, declared))
        width = entry.width(shape)
        if count != width and entry.table:
            raise Fail(messages.data.columns_shape(span, item.name, declared, width, count))
        if count != width:
            raise Fail(messages.data.source_form(span, f"{item.name} is one array of {entry.file}: name one key"))

    # ------------------------------------------------------------------------------------------------------ parts

    def parts(self, names: Sequence[str], source: FileSource | None, split: Split | None) -> dict[str, FileSource]:
        """Return the files of parts that have one, which hold the columns or keys of the source."""
        found: dict[str, FileSource] = {}
        for part in names:
            with self.section.reporting(part):
                file = self._part(part, source)
                if file is None:
                    continue
                if split is not None and split.fractions[part]:
                    raise Fail(messages.data.part_twice(self.section.spans[part].span, part))
                found[part] = file
        return found

    def _part(self, part: str, source: FileSource | None) -> FileSource | None:
        call, file = _file_call(self.section.values[part])
        if "source" in self.section.failed:
            return None
        if source is None or call.func.id != source.format:
            form = f'{source.format}("{part}.csv")' if source else ""
            raise Fail(messages.data.part_source(call.func.span, part, form))
        if len(call.args) > 1:
            raise Fail(messages.data.part_columns(call.args[1].span, part, f'{call.func.id}("{file.value}")'))
        return replace(source, path=file.value, span=file.span)


@dataclass(frozen=True)
class _Fields:
    """What of a source each input and target is, and where the spec says so."""

    columns: Columns
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    places: dict[str, Span] = field(default_factory=dict)

    def add(self, name: str, found: Sequence[tuple[str, Span]]) -> None:
        """Keep the words of an input or target."""
        self.words[name] = tuple(word for word, _ in found)
        self.places.update(found)


def _keys(expr: nodes.Expr) -> list[tuple[str, Span]]:
    return [(column_word(item), item.span) for item in items(expr)]


def raw_shape(item: Declared, found: Preparations) -> tuple[int, ...]:
    """Return the shape of one example as it is read."""
    shape = item.type.example
    for way in reversed(found.of(item.name)):
        shape = way.entry.raw_shape(shape)
    return shape


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

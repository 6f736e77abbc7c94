"""Reading where examples come from: a call of a registered source, with what of it each input and target is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dotnn.core.diagnostics import Span, did_you_mean
from dotnn.library.sources import SOURCES, DataSource
from dotnn.model import messages
from dotnn.model.array_files import arrays_source
from dotnn.model.bind import bind
from dotnn.model.columns import Columns, column_word, is_except
from dotnn.model.inline import is_inline_call
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared, FileSource, Split
from dotnn.model.preparations import Declarations, Preparations, declared_name
from dotnn.model.section import SectionReader, items
from dotnn.model.splits import BESIDE, Column
from dotnn.model.windows import AT_THE_STEP, KEY, check_windows_shape, read_spans, shared_columns
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
        call = source_call(expr)
        if is_inline_call(call):
            raise Fail(messages.data.inline_form(call.span, SOURCES[call.func.id].form))
        if SOURCES[call.func.id].wraps == "files":
            return arrays_source(call, self.declared, self.beside)
        if not SOURCES[call.func.id].wraps:
            return self._of_file(call, {})
        inner = call.args[0].value if call.args else None
        if not isinstance(inner, nodes.Call) or not getattr(SOURCES.get(inner.func.id), "located", False):
            raise Fail(messages.data.windows_form(call.span, "windows are those of a csv table"))
        return self._of_file(inner, read_spans(call, self.section.constants, self.declared), call.span)

    def _of_file(self, call: nodes.Call, spans: Mapping[str, tuple[int, int]], span: Span | None = None) -> FileSource:
        """Return what is read of a file; inputs and targets have the steps of `spans`, where there are some."""
        file, entry = _file_of(call), SOURCES[call.func.id]
        options = self._options(entry, call)
        fields = _Fields(Columns(self.section.reporter.source, file, options), {})
        named = [arg for arg in call.args[1:] if not self._is_option(entry, arg)] or self._usual(entry, call)
        series: dict[str, tuple[str, ...]] = {}
        for arg in sorted(named, key=lambda arg: is_except(arg.value)):  # what is left is known at last
            if spans and arg.name is not None and arg.name.id not in self.declared:
                series[arg.name.id] = fields.add("", self._words(entry, arg, fields))
            else:
                self._field(entry, arg, fields, spans)
        self._add_shared(entry, fields, series, span or call.span, spans)
        self._add_beside(entry, fields, spans)
        words = fields.in_order([arg.name.id for arg in named if arg.name is not None])
        usual = {name: KEY if name in BESIDE and name in self.beside else AT_THE_STEP for name in words}
        steps = {name: spans.get(name, usual[name]) for name in words} if spans else {}
        if entry.keys:
            options, steps = self._settled(entry, words, options)
        return FileSource(call.func.id, file.value, words, file.span, fields.places, options, steps)

    def _add_shared(
        self,
        entry: DataSource,
        fields: _Fields,
        series: Mapping[str, tuple[str, ...]],
        span: Span,
        spans: Mapping[str, tuple[int, int]],
    ) -> None:
        """Add the inputs and targets whose windows are of a series that the source names, in their order."""
        for name in (name for name in spans if name not in fields.words):
            columns = shared_columns(series, name, span)
            self._check_named(entry, name, len(columns), span, spans)
            fields.words[name] = columns

    def _add_beside(self, entry: DataSource, fields: _Fields, spans: Mapping[str, tuple[int, int]]) -> None:
        """Add the columns that something else names."""
        for name, column in self.beside.items():
            if entry.keys:
                raise Fail(messages.data.source_form(column.span, f"{entry.file} has {' and '.join(entry.keys)}"))
            fields.add(name, [(column_word(column), column.span)])
            if name in self.declared:
                self._check_named(entry, name, 1, column.span, spans)

    def _check_named(
        self, entry: DataSource, name: str, count: int, span: Span, spans: Mapping[str, tuple[int, int]]
    ) -> None:
        self._check(entry, declared_name(nodes.Name(span, name), self.declared), count, span, spans)

    def _usual(self, entry: DataSource, call: nodes.Call) -> list[nodes.Arg]:
        """Return what the only input and the only target are of a source whose keys are an input's and a target's."""
        by_role = [[d for d in self.declared.values() if d and d.role == role] for role in ("input", "target")]
        if not entry.numbered or any(len(some) != 1 for some in by_role):
            return []
        found = zip([some[0].name for some in by_role], entry.keys, strict=True)
        span = call.func.span
        return [nodes.Arg(span, nodes.Name(span, name), nodes.Name(span, key)) for name, key in found]

    def _settled(
        self, entry: DataSource, words: Mapping[str, tuple[str, ...]], options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, tuple[int, int]]]:
        """Return the arguments and the windows of a source with fixed keys."""
        items = {name: declared_name(nodes.Name(Span(0, 0), name), self.declared) for name in words}
        shapes = {key: raw_shape(items[name], self.found) for name, (key,) in words.items()}
        spans = entry.spans(shapes) if shapes.keys() == set(entry.keys) else {}
        steps = {name: spans[key] for name, (key,) in words.items() if key in spans}
        return dict(entry.settled(options, shapes)), steps

    def _field(self, entry: DataSource, arg: nodes.Arg, fields: _Fields, spans: Mapping[str, tuple[int, int]]) -> None:
        """Read what an input or target is of a source."""
        if arg.name is None:
            message = "columns and keys are given by the name of their input or target"
            raise Fail(messages.data.source_form(arg.span, message))
        if arg.name.id not in self.declared:
            known = [*self.declared, *(option.name for option in entry.args)]
            raise Fail(messages.data.data_name(arg.name.span, arg.name.id, known))
        item = declared_name(arg.name, self.declared)
        if item.name in self.beside or item.name in self.found.made_of:
            raise Fail(messages.data.given_twice(arg.span, item.name))
        words = fields.add(item.name, self._words(entry, arg, fields))
        if entry.keys:
            self._check_key(entry, item, words, arg.span, fields.columns.form)
            return
        self._check(entry, item, len(words), arg.span, spans)

    def _check_key(
        self, entry: DataSource, item: Declared, words: Sequence[str], span: Span, options: Mapping[str, Any]
    ) -> None:
        """Raise `Fail` where a source has no such array, or an input or target cannot hold it."""
        if len(words) != 1 or words[0] not in entry.keys:
            message = f"{entry.file} has {' and '.join(entry.keys)}"
            raise Fail(messages.data.source_form(span, message, f"for instance: {entry.form}"))
        attrs = {option.name: option.default for option in entry.args} | dict(options)
        problem = entry.misfit(words[0], item.kind, raw_shape(item, self.found), attrs)
        if problem:
            raise Fail(messages.data.key_misfit(span, problem, item.name, str(list(item.type.example))))

    def _words(self, entry: DataSource, arg: nodes.Arg, fields: _Fields) -> list[tuple[str, Span]]:
        """Return the columns or keys that an argument names, each with its place."""
        if not entry.table:
            return _keys(arg.value)
        if not is_except(arg.value):
            return fields.columns.named(arg.value)
        assert isinstance(arg.value, nodes.Call)
        others = [column_word(column) for column in self.beside.values()]
        return fields.columns.others(arg.value, [*fields.places, *others])

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

    def _check(
        self, entry: DataSource, item: Declared, count: int, span: Span, spans: Mapping[str, tuple[int, int]]
    ) -> None:
        """Raise `Fail` where so many columns or arrays of a source cannot make up an example."""
        if item.name in spans:
            check_windows_shape(item, spans[item.name], count, span)
            return
        shape, declared = raw_shape(item, self.found), str(list(item.type.example))
        if item.kind in ("category", "date") and not entry.table:
            raise Fail(messages.data.needs_table(span, item.name, entry.file))
        if not entry.holds(shape):
            raise Fail(messages.data.columns_rank(span, item.name, declared))
        width = entry.width(shape)
        if count != width and entry.table:
            raise Fail(
                messages.data.columns_shape(span, item.name, declared, width, count, target=item.role == "target")
            )
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
        call = source_call(self.section.values[part])
        if "source" in self.section.failed:
            return None
        if source is not None and source.formats and SOURCES[call.func.id].wraps == "files":
            found = arrays_source(call, self.declared, self.beside)
            if found.fields.keys() != source.fields.keys():
                named = ", ".join(source.fields)
                raise Fail(messages.data.arrays_form(call.span, f"the part {part} needs a file for each of {named}"))
            return found
        if source is None or call.func.id != source.format:
            form = _part_form(part, source) if source else ""
            raise Fail(messages.data.part_source(call.func.span, part, form))
        file = _file_of(call)
        if len(call.args) > 1:
            raise Fail(messages.data.part_columns(call.args[1].span, part, f'{call.func.id}("{file.value}")'))
        return replace(source, path=file.value, span=file.span)


def _part_form(part: str, source: FileSource) -> str:
    """Return how the file of a part is written."""
    if source.formats:
        return f"arrays({', '.join(f'{name} = {form}(…)' for name, form in source.formats.items())})"
    return f'{source.format}("{part}{source.entry.ending}")'


@dataclass(frozen=True)
class _Fields:
    """What of a source each input and target is, and where the spec says so."""

    columns: Columns
    words: dict[str, tuple[str, ...]]
    places: dict[str, Span] = field(default_factory=dict)

    def add(self, name: str, found: Sequence[tuple[str, Span]]) -> tuple[str, ...]:
        """Keep, and return, the words of an input or target."""
        self.words[name] = tuple(word for word, _ in found)
        self.places.update(found)
        return self.words[name]

    def in_order(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the words by input and target, those that are named in the order of `names`, then the others."""
        rank = {name: place for place, name in enumerate(dict.fromkeys(names))}
        found = sorted(self.words.items(), key=lambda pair: rank.get(pair[0], len(rank)))
        return {name: words for name, words in found if name}


def _keys(expr: nodes.Expr) -> list[tuple[str, Span]]:
    return [(column_word(item), item.span) for item in items(expr)]


def raw_shape(item: Declared, found: Preparations) -> tuple[int, ...]:
    """Return the shape of one example as it is read."""
    shape = item.type.example
    for way in reversed(found.of(item.name)):
        shape = way.entry.raw_shape(shape)
    return shape


def source_call(expr: nodes.Expr) -> nodes.Call:
    """Return the call of a registered source, or raise `Fail`."""
    if not isinstance(expr, nodes.Call):
        forms = " or ".join(entry.form for entry in SOURCES.values() if not entry.single)
        raise Fail(messages.data.source_form(expr.span, f"a source is {forms}"))
    if expr.func.id in SOURCES and SOURCES[expr.func.id].single:
        entry = SOURCES[expr.func.id]
        raise Fail(messages.data.arrays_form(expr.span, f"{entry.file} holds the array of one input or target"))
    if expr.func.id not in SOURCES:
        hint = did_you_mean(expr.func.id, SOURCES)
        raise Fail(messages.data.source_form(expr.func.span, f'there is no data format "{expr.func.id}"', hint))
    return expr


def _file_of(call: nodes.Call) -> nodes.String:
    """Return the name of the file that a call of a source begins with, or raise `Fail`."""
    place = call.args[0].span if call.args else call.span
    first = call.args[0].value if call.args and call.args[0].name is None else None
    if not isinstance(first, nodes.String):
        raise Fail(messages.data.source_form(place, "a source starts with the name of its file"))
    return first

"""Files that a spec names, only from its folder, and the examples in them."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np

from dotnn.core.diagnostics import CompileError, Diagnostic, Source, Span, render
from dotnn.core.registry import module_of, origin
from dotnn.library.sources import DataSource
from dotnn.model import messages
from dotnn.model.files import path_beside, stop
from dotnn.model.model import FileSource, Model
from dotnn.model.raw import Declaration, raw_declarations, read_kinds
from dotnn.reports.console import warn
from dotnn.running.converted import load_converted
from dotnn.running.data_errors import NO_TABLE, all_faults, from_data_error, own_error
from dotnn.running.data_help import in_table
from dotnn.running.data_warnings import counted_from_one, table_warnings
from dotnn_runtime.predict_io import ArrayReader, TableReader
from dotnn_runtime.script.arrays import check_arrays
from dotnn_runtime.script.csv_file import from_one
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.npz_file import read_npz
from dotnn_runtime.script.series import in_windows
from dotnn_runtime.script.split import join_parts

Arrays = dict[str, np.ndarray]
Labels = dict[str, list[str]]


def inside(model: Model, name: str, span: Span) -> Path:
    """Return the path of a file that the spec names. Raises `CompileError` where there is none in the spec's folder."""
    path = path_beside(model, name, span)
    if path.is_dir():
        raise stop(model, Diagnostic("NN401", f'"{name}" is a folder, not a file', span, help="name the file in it"))
    if not path.is_file():
        help = _similar_file(Path(model.source.path).resolve().parent, name)
        raise stop(model, Diagnostic("NN401", f'there is no file "{name}" beside the spec', span, help=help))
    return path


def _similar_file(folder: Path, name: str) -> str:
    """Return a hint for a file that is not there: the closest of its folder, or what that folder is."""
    wanted = Path(name)
    try:
        there = sorted(p.name for p in (folder / wanted).parent.iterdir())[:1000]
    except OSError:
        return f'there is no folder "{wanted.parent}" either'
    close = difflib.get_close_matches(wanted.name, there, n=1, cutoff=0.7)
    return f'did you mean "{wanted.with_name(close[0])}"?' if close else "check the name, or put the file there"


def load_examples(model: Model, given: str | None = None) -> tuple[Arrays, Labels]:
    """Return raw arrays by name, and the labels of classes that are strings.

    `given` is a path from the command line: the data file itself, or the folder that holds it. Raises `CompileError`.
    """
    source = model.data.source if model.data else None
    if model.data is not None and source is None and given is None:
        return {name: np.asarray(rows) for name, rows in model.data.inline.items()}, {}
    if source is not None and source.formats:
        arrays, labels = _array_files(model, source, given)
    elif source is not None and source.entry.converted:
        arrays, labels = load_converted(model, source, given)
    else:
        path, shown, span = _data_file(model, given)
        arrays, labels = _checked(model, source, path, Labels(), (shown, span))
    if model.data is None or not model.data.files:
        return arrays, labels
    parts = {"train": arrays}
    for part, file in model.data.files.items():
        if file.formats:
            parts[part], _ = _array_files(model, file, given, labels)
        elif file.entry.converted:
            parts[part], _ = load_converted(model, file, given, labels)
        else:
            path = _beside(model, file.path, file.span, given)
            parts[part], _ = _checked(model, file, path, labels, (file.path, file.span))
    return join_parts(parts), labels


def _array_files(
    model: Model, source: FileSource, given: str | None, labels: Labels | None = None
) -> tuple[Arrays, Labels]:
    """Return the arrays that have a file each, and the labels of classes that are counted from 1.

    Raises `CompileError`, at the name of the file that is wrong.
    """
    arrays: Arrays = {}
    labels = dict(labels or {})
    declared = {name: kind for name, kind in raw_declarations(model).items() if name in source.fields}
    for name, (file,) in source.fields.items():
        span = source.places[file]
        path = _beside(model, file, span, given)
        try:
            array = single_reader(source.reader(name))(path)
            alone, told = _from_zero(model, source, {name: array}, {name: declared[name]}, labels)
            array, labels = alone[name], labels | told
            arrays |= check_arrays({name: array}, {name: declared[name]})
        except DataError as error:
            raise stop(model, from_data_error(error, span, file)) from None
    try:
        return check_arrays(arrays, declared), labels
    except DataError as error:
        raise stop(model, from_data_error(error, source.span)) from None


def load_others(model: Model, given: str, labels: Labels) -> Arrays:
    """Return the raw examples of another file, whose classes have the `labels` of the run. Raises `CompileError`.

    What only a split reads, a column of groups say, need not be there, nor the files of other parts.
    """
    alone = _without_parts(model)
    path, shown, span = _data_file(alone, given)
    return _checked(alone, alone.data.source if alone.data else None, path, labels, (shown, span))[0]


def _without_parts(model: Model) -> Model:
    if model.data is None:
        return model
    source = model.data.source
    needed = {name: kind for name, kind in model.data.beside.items() if kind == "weight"}
    dropped = model.data.beside.keys() - needed.keys()
    if source is not None:
        source = replace(source, fields={name: words for name, words in source.fields.items() if name not in dropped})
    return replace(model, data=replace(model.data, source=source, split=None, beside=needed, files={}))


def _checked(
    model: Model, source: FileSource | None, path: Path, labels: Labels, named: tuple[str, Span | None]
) -> tuple[Arrays, Labels]:
    """Return what a file holds; `named` is how the user named it, and where the spec does. Raises `CompileError`."""
    declared = {name: kind for name, kind in raw_declarations(model).items() if name != "part"}
    try:
        if source is None:
            arrays = read_npz(path, {name: name for name in declared})
        else:
            arrays, labels = _read(path, source, model, labels)
        arrays, labels = _from_zero(model, source, arrays, declared, labels)
        return check_arrays(arrays, declared), labels
    except DataError as error:
        raise _located(model, _in_table(model, error, path), *named) from None


def _from_zero(
    model: Model, source: FileSource | None, arrays: Arrays, declared: Mapping[str, Declaration], labels: Labels
) -> tuple[Arrays, Labels]:
    """Return arrays whose classes are counted from 0, and with the labels those that are counted from 1.

    Of a table the reader has done so.
    """
    if source is not None and source.entry.table:
        return arrays, labels
    found, named = dict(arrays), dict(labels)
    for name, (kind, _) in declared.items():
        values = np.asarray(arrays.get(name, ()))
        if not kind.startswith("class") or values.dtype.kind not in "iu":
            continue
        texts = from_one(values, kind)
        if texts and name not in labels:
            named[name] = texts
            span = source.span if source is not None else model.train.losses[0].span
            warn((render(messages.warnings.from_one(span, name, len(texts)), model.source),))
        if counted_from_one(named.get(name, ())):
            found[name] = values.astype(np.int64) - 1
    return found, named


def _beside(model: Model, name: str, span: Span, given: str | None) -> Path:
    """Return the path of one of several files: where the spec names it, or beside what the command line names."""
    if given is None:
        return inside(model, name, span)
    base = Path(given)
    path = (base if base.is_dir() else base.parent) / name
    if not path.is_file():
        raise stop(model, Diagnostic("NN401", f'there is no file "{path}"', span, help="put the file there"))
    return path


def _read(path: Path, source: FileSource, model: Model, known: Labels) -> tuple[Arrays, Labels]:
    """Return what the reader of a source finds at `path`: tables also have the texts of classes, if not `known`."""
    if not source.entry.table:
        return array_reader(source.entry)(path, {name: keys[0] for name, keys in source.fields.items()}), known
    reader, columns = table_reader(source.entry), {name: list(columns) for name, columns in source.fields.items()}
    kinds = read_kinds(model)
    with warnings.catch_warnings(action="ignore"):  # what they say is said below, with its place in the spec
        arrays, labels = reader(path, columns, kinds, known or None, **source.options)
    if model.data is not None and source is model.data.source:  # nothing is learned from the files of other parts
        warn(tuple(render(d, model.source) for d in table_warnings(source, arrays, labels, kinds)))
    return in_windows(arrays, source.windows) if source.windows else arrays, labels


def table_reader(entry: DataSource) -> TableReader:
    """Return the function that reads a source of columns, the one whose text a script carries."""
    return cast(TableReader, _reader(entry))


def array_reader(entry: DataSource) -> ArrayReader:
    """Return the function that reads a source of arrays, the one whose text a script carries."""
    return cast(ArrayReader, _reader(entry))


def single_reader(entry: DataSource) -> Callable[[str | Path], np.ndarray]:
    """Return the function that reads a file of one array, the one whose text a script carries."""
    return cast(Callable[[str | Path], np.ndarray], _reader(entry))


def _reader(entry: DataSource) -> object:
    module, _, function = entry.reader.rpartition(".")
    package = origin(entry)
    home = f"{module_of(package).__name__}.script" if package else "dotnn_runtime.script"
    return getattr(import_module(f"{home}.{module}"), function)


def _in_table(model: Model, error: DataError, path: Path) -> DataError:
    """Return an error of one element of an array with its line, where the array was read from a table."""
    source = model.data.source if model.data else None
    if source is None or not source.entry.located or source.windows:
        return error
    alone = {name: columns[0] for name, columns in source.fields.items() if len(columns) == 1}
    return in_table(error, path, alone, source.options)


def _located(model: Model, error: DataError, shown: str, span: Span | None) -> CompileError:
    """Return the errors at the lines of the data file, else at the place in the spec, else on the command line."""
    source = model.data.source if model.data else None
    form = NO_TABLE if source and source.entry.numbered else source.options if source else {}
    first, *others = all_faults(error, _place_of_fault(model, error) or span, shown, form)
    if first.source is not None and span is not None:
        place = f"read by {model.source.path}:{model.source.line_of(span)}"
        first = replace(first, note=f"{place}; {first.note}" if first.note else place)
    if first.span is None:
        first = replace(first, span=Span(0, len(shown)), source=Source("--data", shown))
    return CompileError([first, *others], model.source)


def _data_file(model: Model, given: str | None) -> tuple[Path, str, Span | None]:
    """Return the path of the data, how the user named it, and where the spec does (None: on the command line)."""
    source = model.data.source if model.data else None
    if given is not None:
        path = Path(given)
        path = path / source.path if source is not None and path.is_dir() else path
        if given != "-" and (path.is_dir() or not path.exists()):
            raise stop(model, messages.data.no_file_given(given, str(path)))
        return path, given, None
    if source is None:
        help = 'add data { source = csv("file.csv", …) } or pass --data FILE.npz'
        message = "there is nothing to train on: the spec has no data section"
        raise stop(model, Diagnostic("NN405", message, model.train.losses[0].span, help=help))
    return inside(model, source.path, source.span), source.path, source.span


def _place_of_fault(model: Model, error: DataError) -> Span | None:
    """Return where the spec names the column, key or array that a message is about."""
    if model.data is None or model.data.source is None:
        return None
    message, source = error.message, model.data.source
    for word, span in source.places.items():
        if message == f"there is no {source.entry.noun} {word}":
            return span
    for name, words in source.fields.items():
        if error.row is None and message.startswith((f"{name} ", f"{name}[")):
            return source.places[words[0]]
    return None


@contextmanager
def refusals(model: Model | None = None) -> Iterator[None]:
    """Turn the `DataError` of a script into a `CompileError`, where a model is given at the spec's data source."""
    try:
        yield
    except Exception as error:
        known = own_error(error)
        if not isinstance(known, DataError):
            raise
        span = model.data.source.span if model and model.data and model.data.source else None
        raise CompileError([from_data_error(known, span)], model.source if model else None) from None

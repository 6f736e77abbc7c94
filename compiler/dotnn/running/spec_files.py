"""Files that a spec names: data and initial weights, only from the folder of the spec."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from dotnn.codegen.data import raw_kinds
from dotnn.core.diagnostics import CompileError, Diagnostic, Source, Span, render
from dotnn.library.sources import SOURCES, DataSource
from dotnn.model import messages
from dotnn.model.files import path_beside, stop
from dotnn.model.model import FileSource, Model
from dotnn.reports.console import warn
from dotnn.syntax.scan import scan
from dotnn_runtime.script.arrays import check_arrays
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.npz_file import load_arrays, read_npz

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


# ------------------------------------------------------------------------------------------------ initial weights


def initial_values(model: Model) -> dict[str, Any]:
    """Return the arrays of the parameters that start from a file. Raises `CompileError`."""
    values: dict[str, Any] = {}
    wanted: dict[str, list[str]] = {}
    for name, p in model.params.items():
        if p.init.name == "file":
            wanted.setdefault(p.init.attrs["path"], []).append(name)
    for file, names in wanted.items():
        values |= _stored(model, file, names)
    return values


def _stored(model: Model, file: str, names: list[str]) -> Arrays:
    """Return the arrays of one file, checked against the parameters of these names."""
    span = _place_of_text(model, file) or model.params[names[0]].span
    try:
        arrays = load_arrays(inside(model, file, span), names)
    except DataError as error:
        raise stop(model, from_data_error(error, span, file)) from None
    problems = []
    for name, array in arrays.items():
        p = model.params[name]
        if array.shape != p.shape or array.dtype.kind not in "fiu":
            message = f'"{name}" has the shape {list(array.shape)} in "{file}", but {list(p.shape)} in the model'
            help = f"its shape follows from the layer in line {model.source.line_of(p.span)}"
            problems.append(Diagnostic("NN404", message, span, help=help))
        elif not np.isfinite(array).all():
            message = f'"{name}" holds numbers in "{file}" that are not finite'
            problems.append(Diagnostic("NN404", message, span, help="train the network that wrote it again"))
    if problems:
        raise stop(model, *problems)
    return arrays


def _place_of_text(model: Model, text: str) -> Span | None:
    """Return where the spec writes this text, if it does so plainly."""
    pieces = scan(model.source.text)
    return next((p.span for p in pieces if p.kind == "string" and p.text == f'"{text}"'), None)


# ------------------------------------------------------------------------------------------------------- examples


def load_examples(model: Model, given: str | None = None) -> tuple[Arrays, Labels]:
    """Return raw arrays by name, and the labels of classes that are strings.

    `given` is a path from the command line: the data file itself, or the folder that holds it. Raises `CompileError`.
    """
    source = model.data.source if model.data else None
    if model.data is not None and source is None and given is None:
        return {name: np.asarray(rows) for name, rows in model.data.inline.items()}, {}
    path, shown, span = _data_file(model, given)
    try:
        if source is None:
            arrays, labels = read_npz(path, {name: name for name in (*model.inputs, *model.targets)}), Labels()
        else:
            arrays, labels = _read(path, source, model)
        arrays = check_arrays(arrays, _raw_declarations(model))
    except DataError as error:
        raise stop(model, _located(model, error, shown, span)) from None
    return arrays, labels


def _read(path: Path, source: FileSource, model: Model) -> tuple[Arrays, Labels]:
    """Return what the reader of a source finds at `path`: tables also have the texts of classes."""
    reader = _reader(source.entry)
    if not source.entry.table:
        return reader(path, {name: keys[0] for name, keys in source.fields.items()}), {}
    kinds = raw_kinds(model)
    arrays: Arrays
    labels: Labels
    with warnings.catch_warnings(action="ignore"):  # what they say is said below, with its place in the spec
        arrays, labels = reader(path, {name: list(columns) for name, columns in source.fields.items()}, kinds)
    _warn_of_few_classes(model, source, labels, kinds)
    return arrays, labels


def _reader(entry: DataSource) -> Callable[..., Any]:
    """Return the function that reads a source, the one whose text a script carries."""
    module, _, function = entry.reader.rpartition(".")
    reader: Callable[..., Any] = getattr(import_module(f"dotnn_runtime.script.{module}"), function)
    return reader


def _warn_of_few_classes(model: Model, source: FileSource, labels: Labels, kinds: Mapping[str, str]) -> None:
    counts = {name: int(kinds[name].partition(":")[2]) for name in labels}
    few = [name for name, texts in labels.items() if len(texts) < counts[name]]
    found = [messages.warnings.few_classes(source.span, source.fields[n][0], labels[n], counts[n]) for n in few]
    warn(tuple(render(d, model.source) for d in found))


def _located(model: Model, error: DataError, shown: str, span: Span | None) -> Diagnostic:
    """Return the diagnostic at the line of the data file, else at the place in the spec, else on the command line."""
    diagnostic = from_data_error(error, _place_of_fault(model, error) or span, shown)
    if diagnostic.source is not None and span is not None:
        return replace(diagnostic, note=f"read by {model.source.path}:{model.source.line_of(span)}")
    if diagnostic.span is None:
        return replace(diagnostic, span=Span(0, len(shown)), source=Source("--data", shown))
    return diagnostic


def _data_file(model: Model, given: str | None) -> tuple[Path, str, Span | None]:
    """Return the path of the data, how the user named it, and where the spec does (None: on the command line)."""
    source = model.data.source if model.data else None
    if given is not None:
        path = Path(given)
        path = path / source.path if source is not None and path.is_dir() else path
        if given != "-" and (path.is_dir() or not path.exists()):
            message = f'there is no file "{path}"'
            place = Source("--data", given)
            raise stop(model, Diagnostic("NN401", message, Span(0, len(given)), help="check the path", source=place))
        return path, given, None
    if source is None:
        help = 'add data { source = csv("file.csv", …) } or pass --data FILE.npz'
        message = "there is nothing to train on: the spec has no data section"
        raise stop(model, Diagnostic("NN405", message, model.train.losses[0].span, help=help))
    return inside(model, source.path, source.span), source.path, source.span


def _raw_declarations(model: Model) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return kind and shape of every array as it is read: before one-hot encoding and scaling."""
    one_hot = model.data.one_hot if model.data else ()
    kinds = raw_kinds(model)
    declared = {**model.inputs, **model.targets}
    return {n: (kinds[n], () if n in one_hot else d.type.example) for n, d in declared.items()}


def _place_of_fault(model: Model, error: DataError) -> Span | None:
    """Return where the spec names the column, key or array that a message is about."""
    if model.data is None or model.data.source is None:
        return None
    message, source = plain_message(error), model.data.source
    for word, span in source.places.items():
        if message == f"there is no {source.entry.noun} {word}":
            return span
    for name, words in source.fields.items():
        if error.row is None and message.startswith((f"{name} ", f"{name}[")):
            return source.places[words[0]]
    return None


@contextmanager
def refusals(model: Model) -> Iterator[None]:
    """Turn the `DataError` of a script that refuses the examples into a `CompileError` at the spec's data source."""
    try:
        yield
    except Exception as error:
        known = own_error(error)
        if not isinstance(known, DataError):
            raise
        span = model.data.source.span if model.data and model.data.source else None
        raise CompileError([from_data_error(known, span)], model.source) from None


def own_error(error: Exception) -> Exception:
    """Return the `DataError` of dotnn for that of a script, which carries its own copy of the class; others as is."""
    if type(error).__name__ != "DataError":
        return error
    help = getattr(error, "help", "")
    return DataError(str(error).removesuffix(f" ({help})"), help=help)


def plain_message(error: DataError) -> str:
    """Return what an error says without its place and its hint."""
    where = [str(error.path)] if error.path is not None else []
    where += [f"row {error.row}"] if error.row is not None else []
    where += [f"column {error.column}"] if error.column is not None else []
    message = str(error).removeprefix(f"{', '.join(where)}: " if where else "")
    return message.removesuffix(f" ({error.help})") if error.help else message


IN_PLAIN_WORDS = (
    (re.compile("holds object, not"), "holds Python objects, not"),
    (re.compile(r"holds <U\d+, not"), "holds texts, not"),
)
"""What NumPy says, and what it means."""

FIXES = (
    (re.compile("cells, the header"), "give every row as many cells as the header has"),
    (re.compile("finite number|an integer"), "correct the cell, or leave the row out"),
    (re.compile("has shape"), "store arrays of the declared shape, or change the declaration"),
)
"""The fix, where the data readers do not say it."""


def from_data_error(error: DataError, span: Span | None, file: str = "") -> Diagnostic:
    """Turn an error of the data readers into a diagnostic: at the line of the data file, else in the spec."""
    message = plain_message(error)
    for pattern, words in IN_PLAIN_WORDS:
        message = pattern.sub(words, message)
    help = error.help or next((h for pattern, h in FIXES if pattern.search(message)), "check the file")
    if "UTF-8" in message and (name := _format_of_arrays(file)):
        help = f"it is no table; read it with {name}(…)"
    source = _line_of(error, file)
    if source is not None:
        return Diagnostic("NN403", message, _cell(source.text, error.column), "", help, source=source)
    return Diagnostic("NN403", message, span, file if error.path is not None else "", help)


def _format_of_arrays(file: str) -> str:
    """Return the source of arrays whose files are named like this one, "" for none."""
    return next((s.name for s in SOURCES.values() if not s.table and file.endswith(s.ending)), "")


def _line_of(error: DataError, file: str) -> Source | None:
    """Return the line of the data file that an error is about, if it has one that can be shown."""
    if error.path is None or error.row is None:
        return None
    try:
        with open(error.path, encoding="utf-8-sig", newline="") as lines:
            text = next(line for number, line in enumerate(lines, 1) if number == error.row)
    except (OSError, UnicodeDecodeError, StopIteration):
        return None
    return Source(file or str(error.path), text.rstrip("\r\n"), first_line=error.row)


def _cell(line: str, column: int | None) -> Span:
    """Return the place of a cell (counted from 1) in a line of CSV; the end of the line for one that is missing."""
    starts, quoted = [0], False
    for offset, char in enumerate(line):
        quoted ^= char == '"'
        if char == "," and not quoted:
            starts.append(offset + 1)
    if column is None:
        return Span(0, len(line))
    if column > len(starts):
        return Span(len(line), len(line) + 1)
    ends = [*(start - 1 for start in starts[1:]), len(line)]
    return Span(starts[column - 1], max(starts[column - 1] + 1, ends[column - 1]))

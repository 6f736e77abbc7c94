"""What only the data tell: which columns of a table hold texts, and which classes are counted from 1."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from dotnn.core.diagnostics import CompileError
from dotnn.model.files import path_beside
from dotnn.model.model import FileSource, Model
from dotnn.model.raw import read_kinds
from dotnn.running.spec_files import Labels, array_reader, single_reader, table_reader
from dotnn_runtime.script.csv_file import from_one
from dotnn_runtime.script.errors import DataError

TOLD = ("class", "unit", "binary", "sign")
"""The kinds of targets whose numbers a column need not hold."""


def told_by_data(model: Model, read: Labels | None = None) -> Labels:
    """Return the texts of the classes of the spec's table, of those targets that have some.

    `read` are the texts of all classes, where the spec's own files have been read. Nothing where the table is not
    there, or cannot be read: that is said where it is needed.
    """
    source = model.data.source if model.data else None
    if source is None or not source.entry.table or source.entry.numbered:
        return {}
    kinds = read_kinds(model)
    columns = {n: list(words) for n, words in source.fields.items() if kinds.get(n, "").partition(":")[0] in TOLD}
    if read is not None:
        return {name: read[name] for name in columns if name in read}
    try:
        path = path_beside(model, source.path, source.span)
        if not columns or not path.is_file():
            return {}
        with warnings.catch_warnings(action="ignore"):
            return table_reader(source.entry)(path, columns, kinds, None, **source.options)[1]
    except (CompileError, DataError, OSError):
        return {}


def classes_from_one(model: Model, read: Labels | None = None) -> tuple[str, ...]:
    """Return the targets of the spec's files of arrays whose classes are counted from 1.

    `read` are the texts of all classes, where the files have been read: of arrays, those that are counted from 1 have
    some. Nothing where a file is not there, or cannot be read: that is said where it is needed. A table's reader finds
    its own when it reads.
    """
    source = model.data.source if model.data else None
    if source is None or source.entry.table or source.entry.converted:
        return ()
    kinds = {n: kind for n, kind in read_kinds(model).items() if n in model.targets and kind.startswith("class")}
    if read is not None:
        return tuple(name for name in kinds if name in read)
    return tuple(name for name, kind in kinds.items() if _holds_from_one(model, source, name, kind))


def _holds_from_one(model: Model, source: FileSource, name: str, kind: str) -> bool:
    """Whether the array of a target counts its classes from 1."""
    try:
        array = _array(source, name, path_beside(model, source.path_of(name), source.span))
    except (CompileError, DataError, OSError):
        return False
    return array.dtype.kind in "iu" and bool(from_one(array, kind))


def _array(source: FileSource, name: str, path: Path) -> np.ndarray:
    if source.formats:
        return single_reader(source.reader(name))(path)
    return array_reader(source.entry)(path, {name: source.fields[name][0]})[name]

"""What only the data tell of a table: which of its columns hold texts, or classes that are counted from 1."""

from __future__ import annotations

import warnings

from dotnn.core.diagnostics import CompileError
from dotnn.model.files import path_beside
from dotnn.model.model import Model
from dotnn.model.raw import read_kinds
from dotnn.running.spec_files import Labels, table_reader
from dotnn_runtime.script.errors import DataError

TOLD = ("class", "unit", "binary", "sign")
"""The kinds of targets whose numbers a column need not hold."""


def told_by_data(model: Model) -> Labels:
    """Return the texts of the classes of the spec's table, of those targets that have some.

    Nothing where the table is not there, or cannot be read: that is said where it is needed.
    """
    source = model.data.source if model.data else None
    if source is None or not source.entry.table or source.entry.numbered:
        return {}
    kinds = read_kinds(model)
    columns = {n: list(words) for n, words in source.fields.items() if kinds.get(n, "").partition(":")[0] in TOLD}
    try:
        path = path_beside(model, source.path, source.span)
        if not columns or not path.is_file():
            return {}
        with warnings.catch_warnings(action="ignore"):
            return table_reader(source.entry)(path, columns, kinds, None, **source.options)[1]
    except (CompileError, DataError, OSError):
        return {}

"""What is doubtful in a table: classes that never occur, columns that never change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dotnn.core.diagnostics import Diagnostic
from dotnn.model import messages
from dotnn.model.model import FileSource
from dotnn_runtime.script.csv_file import numbers_from_one


def table_warnings(
    source: FileSource,
    arrays: Mapping[str, np.ndarray],
    labels: Mapping[str, Sequence[str]],
    kinds: Mapping[str, str],
) -> Iterator[Diagnostic]:
    """Yield the warnings about a table that has been read; `labels` are the texts of its classes."""
    for name, texts in labels.items():
        count, column = int(kinds[name].partition(":")[2] or 2), source.fields[name][0]
        if counted_from_one(texts):
            yield messages.warnings.from_one(source.span, column, count)
        if len(texts) < count:
            yield messages.warnings.few_classes(source.span, column, list(texts), count)
    for name, array in arrays.items():
        yield from _constant_columns(source, name, array.reshape(len(array), -1))


def counted_from_one(texts: Sequence[str]) -> bool:
    """Whether the texts of classes are the numbers from 1 on."""
    return len(texts) > 0 and list(texts) == numbers_from_one(len(texts))


def _constant_columns(source: FileSource, name: str, rows: np.ndarray) -> Iterator[Diagnostic]:
    if len(rows) < 2:
        return
    for column, values in zip(source.fields[name], rows.T, strict=True):
        if (values == values[0]).all():
            yield messages.warnings.constant_column(source.places[column], column, len(rows))

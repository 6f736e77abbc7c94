"""Errors of the data readers as diagnostics: at the line of the data file, else in the spec."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from dotnn.core.diagnostics import Diagnostic, Source, Span
from dotnn.library.sources import SOURCES
from dotnn.running.data_help import fix_of
from dotnn_runtime.script.errors import DataError, TableError
from dotnn_runtime.script.text_file import open_table


def own_error(error: Exception) -> Exception:
    """Return the `DataError` of dotnn for that of a script, which carries its own copy of the class; others as is."""
    if all(kind.__name__ != "DataError" for kind in type(error).__mro__):
        return error
    help = getattr(error, "help", "")
    return DataError(str(error).removesuffix(f" ({help})"), help=help)


IN_PLAIN_WORDS = (
    (re.compile("cannot be read: No such file or directory$"), "there is no such file"),
    (re.compile("holds object, not"), "holds Python objects, not"),
    (re.compile(r"holds <U\d+, not"), "holds texts, not"),
)
"""What NumPy says, and what it means."""


def from_data_error(
    error: DataError, span: Span | None, file: str = "", form: Mapping[str, Any] | None = None
) -> Diagnostic:
    """Turn an error of the data readers into a diagnostic: at the line of the data file, else in the spec."""
    message = error.message
    for pattern, words in IN_PLAIN_WORDS:
        message = pattern.sub(words, message)
    help = fix_of(message, error.help)
    if "UTF-8" in message and (name := _format_of_arrays(file)):
        help = f"it is no table; read it with {name}(…)"
    source = _line_of(error, file)
    if source is not None:
        return Diagnostic("NN403", message, _cell(source.text, error.column, form or {}), "", help, source=source)
    return Diagnostic("NN403", message, span, file if error.path is not None else "", help)


def all_faults(
    error: DataError, span: Span | None, file: str = "", form: Mapping[str, Any] | None = None
) -> list[Diagnostic]:
    """Return a diagnostic for each fault that an error tells of a table, the first with their number; else its own.

    `form` says how the table is written.
    """
    if not isinstance(error, TableError):
        return [from_data_error(error, span, file, form)]
    first, *others = (from_data_error(fault, span, file, form) for fault in error.faults)
    return [replace(first, note=f"{error.count} faults in all"), *others]


def _format_of_arrays(file: str) -> str:
    """Return the source of arrays whose files are named like this one, "" for none."""
    return next((s.name for s in SOURCES.values() if not s.table and s.reads(file)), "")


def _line_of(error: DataError, file: str) -> Source | None:
    """Return the line of the data file that an error is about, if it has one that can be shown."""
    if error.path is None or error.row is None:
        return None
    try:
        with open_table(error.path, 2**40) as content, io.TextIOWrapper(content, "utf-8-sig", newline="") as lines:
            text = next(islice(lines, error.row - 1, None))
    except (OSError, DataError, UnicodeDecodeError, StopIteration):
        return None
    return Source(file or str(error.path), text.rstrip("\r\n"), first_line=error.row)


NO_TABLE = {"delimiter": ""}
"""The form of a text: a column is a character."""


def _cell(line: str, column: int | None, form: Mapping[str, Any]) -> Span:
    """Return the place of a cell (counted from 1) in a line of a table; the end of the line for one that is missing."""
    delimiter, quote = form.get("delimiter", ","), form.get("quoting", '"')
    if column is not None and not delimiter:
        return Span(column - 1, column)
    starts, quoted = [0], False
    for offset, char in enumerate(line):
        quoted ^= char == quote
        if char == delimiter and not quoted:
            starts.append(offset + 1)
    if column is None:
        return Span(0, len(line))
    if column > len(starts):
        return Span(len(line), len(line) + 1)
    ends = [*(start - 1 for start in starts[1:]), len(line)]
    return Span(starts[column - 1], max(starts[column - 1] + 1, ends[column - 1]))

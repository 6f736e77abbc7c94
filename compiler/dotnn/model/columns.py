"""The columns that a source of a table names: one by one, as a range, or as all but some. These need its header."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dotnn.core.diagnostics import Source, Span, did_you_mean, join_names
from dotnn.model import messages
from dotnn.model.files import FILE_HELP, OUTSIDE_HELP, folder_of, path_within
from dotnn.model.messages.base import Fail
from dotnn.model.section import items
from dotnn.syntax import nodes

EXCEPT = "except"
LONGEST_HEADER = 2**22
"""So many bytes of a file are looked through for its header, at most."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table whose file a spec names; the file is opened only where its header is asked for."""

    source: Source
    file: nodes.String
    form: Mapping[str, Any]

    @cached_property
    def header(self) -> tuple[str, ...]:
        """The names of all columns, in order. Raises `Fail` where the file cannot tell them."""
        name, span, folder = self.file.value, self.file.span, folder_of(self.source)
        path = path_within(folder, folder, name, span, FILE_HELP, OUTSIDE_HELP)
        if not path.is_file():
            raise Fail(messages.data.no_header(span, name))
        try:
            with open(path, "rb") as raw:
                packed = raw.read(2) == b"\x1f\x8b"
                raw.seek(0)
                unpacked = gzip.GzipFile(fileobj=raw) if packed else raw
                line = unpacked.readline(LONGEST_HEADER).decode("utf-8-sig")
            row = next(csv.reader([line], **_dialect(self.form)))
        except (OSError, EOFError, zlib.error, ValueError, csv.Error, StopIteration) as error:
            raise Fail(messages.data.bad_header(span, name, str(error))) from None
        return tuple(cell.strip() for cell in row)

    def named(self, expr: nodes.Expr) -> list[tuple[str, Span]]:
        """Return the columns that an input or target names, each with its place in the spec. Raises `Fail`."""
        return [found for item in items(expr) for found in self._of(item)]

    def _of(self, expr: nodes.Expr) -> list[tuple[str, Span]]:
        if not isinstance(expr, nodes.Range):
            return [(column_word(expr), expr.span)]
        first, last = (self._place(end) for end in (expr.low, expr.high))
        if last < first:
            low, high = column_word(expr.low), column_word(expr.high)
            raise Fail(messages.data.range_of_columns(expr.span, low, high))
        return [(name, expr.span) for name in self.header[first : last + 1]]

    def _place(self, expr: nodes.Expr) -> int:
        word = column_word(expr)
        if word not in self.header:
            raise Fail(messages.data.no_column(expr.span, word, self.file.value, did_you_mean(word, self.header)))
        return self.header.index(word)

    def others(self, call: nodes.Call, used: Sequence[str]) -> list[tuple[str, Span]]:
        """Return the columns but those that `except(…)` names and those `used` elsewhere; none without a name."""
        left_out = set(used)
        for arg in call.args:
            if arg.name is not None:
                raise Fail(messages.data.source_form(arg.span, "except(…) lists columns"))
            self._known(arg.value)
            left_out |= {name for name, _ in self.named(arg.value)}
        found = [(name, call.span) for name in self.header if name and name not in left_out]
        if not found:
            raise Fail(messages.data.no_columns_left(call.span, self.file.value, join_names(self.header)))
        return found

    def _known(self, expr: nodes.Expr) -> None:
        """Raise `Fail` for a name that is no column."""
        for item in items(expr):
            if not isinstance(item, nodes.Range):
                self._place(item)


def _dialect(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return how Python's reader of tables is told what a table looks like."""
    quoting = form.get("quoting", '"')
    marks = {"quotechar": quoting} if quoting else {"quoting": csv.QUOTE_NONE}
    return {"strict": True, "delimiter": form.get("delimiter", ","), **marks}


def is_except(expr: nodes.Expr) -> bool:
    """Whether an expression stands for all columns but some."""
    return isinstance(expr, nodes.Call) and expr.func.id == EXCEPT


def column_word(expr: nodes.Expr) -> str:
    """Return a column's name, written as a word or, where it is no word, as a text. Raises `Fail`."""
    if isinstance(expr, nodes.Name):
        return expr.id
    if isinstance(expr, nodes.String):
        return expr.value
    raise Fail(messages.data.source_form(expr.span, 'a column is written as a word, or as a text: "sepal length (cm)"'))

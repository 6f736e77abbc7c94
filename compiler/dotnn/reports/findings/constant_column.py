"""Columns of the data that say nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.core.diagnostics import Span
from dotnn.model.model import Declared
from dotnn.reports.findings.base import Fault, Finding, column_place, place
from dotnn.reports.seen import Seen


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for each column of a table, or of numbers in the spec, that is the same in the training part."""
    made = seen.model.data.made_of if seen.model.data else {}
    for name, declared in seen.model.inputs.items():
        values = np.asarray(seen.parts["train"][name])
        if name in made or len(values) < 2 or not _has_columns(seen, declared):
            continue
        for i in np.flatnonzero((values == values[0]).all(axis=0)):
            column, span = _column(seen, name, int(i))
            message = f"the column {column} is the same in all {len(values)} examples of the training part"
            yield Fault(
                "constant_column",
                message,
                place(seen, span),
                f"leave {column} out",
                {"examples": len(values)},
                minor=True,
            )


def _has_columns(seen: Seen, declared: Declared) -> bool:
    """Whether an input's columns were chosen one by one: an image may have pixels that are always dark.

    A date is one column, and all of a table may be of one year.
    """
    data = seen.model.data
    table = data is not None and (data.source is None or data.source.entry.table)
    return table and len(declared.type.example) == 1 and declared.kind != "date"


def _column(seen: Seen, name: str, i: int) -> tuple[str, Span | None]:
    """Return what a column is called, and where the spec names it."""
    data = seen.model.data
    columns = data.source.fields.get(name, ()) if data is not None and data.source is not None else ()
    if data is None or data.source is None or i >= len(columns):
        return f"{name}[{i}]", seen.model.inputs[name].span
    return columns[i], column_place(seen, name, columns[i])


CONSTANT_COLUMN = Finding(
    "constant_column", "a column of the data is the same in every example", 80, look, of_data=True
)

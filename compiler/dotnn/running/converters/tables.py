"""Tables of other programs: Parquet, Arrow and Excel; Polars reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dotnn.running.converters.base import EXTRA, Converted, Converter
from dotnn.running.requirement import Requirement
from dotnn_runtime.script.errors import DataError

POLARS = Requirement("Polars, which reads such tables,", ("polars", "fastexcel"), EXTRA)


def _converter(name: str, doc: str, endings: tuple[str, ...], function: str) -> Converter:
    """Return the converter of files with these endings, which a function of Polars reads."""
    return Converter(
        name, doc, lambda path: path.suffix.lower() in endings, POLARS, lambda path: _table(path, function)
    )


def _table(path: Path, function: str) -> Converted:
    import polars

    read: Callable[[Path], Any] = getattr(polars, function)
    try:
        frame = read(path)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # of many kinds, as Polars and what it calls raise them
        reason = str(error).strip().split("\n")[0]
        raise DataError(f"cannot be read: {reason}", path, help="it is damaged, or of another kind") from None
    if not len(frame):
        raise DataError("the table has no rows", path, help="write one row for each example")
    nested = [name for name, kind in frame.schema.items() if kind.is_nested() or kind == polars.Binary]
    if nested:
        raise DataError(
            f"the column {nested[0]} holds {frame.schema[nested[0]]}", path, help="leave it out of the table"
        )
    return Converted(table=frame)


PARQUET = _converter("parquet", "a Parquet file", (".parquet", ".pq"), "read_parquet")
ARROW = _converter("arrow", "an Arrow or Feather file", (".arrow", ".feather", ".ipc"), "read_ipc")
EXCEL = _converter("excel", "the first sheet of an Excel file", (".xlsx", ".xls", ".xlsb"), "read_excel")

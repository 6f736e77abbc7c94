"""Reads named columns of a table with tabs between its cells."""

import pathlib

import numpy as np

from dotnn_runtime.script.errors import DataError, suggest
from dotnn_runtime.script.text_file import read_utf8


def read_tsv(
    path: str | pathlib.Path,
    columns: dict[str, list[str]],
    kinds: dict[str, str],
    labels: dict[str, list[str]] | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """Read columns with tabs between them; classes are whole numbers. Raises DataError."""
    header, *rows = [line.split("\t") for line in read_utf8(path, 512 * 2**20).splitlines()] or [[]]
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(f"the row has {len(row)} cells, the header {len(header)}", path, number)
    if not rows:
        raise DataError("there are no rows below the header", path)
    found = {}
    for name, wanted in columns.items():
        for column in wanted:
            if column not in header:
                raise DataError(f"there is no column {column}", path, help=suggest(column, header))
        cells = np.array(rows)[:, [header.index(column) for column in wanted]]
        found[name] = numbers_of(path, name, cells, kinds.get(name, "real"))
    return found, {}


def numbers_of(path: str | pathlib.Path, name: str, cells: np.ndarray, kind: str) -> np.ndarray:
    """Return the numbers of a value's cells, as its kind has them. Raises DataError."""
    try:
        numbers = cells.astype(np.float64 if kind == "real" else np.int64)
    except ValueError as error:
        raise DataError(f"{name} is not all numbers: {error}", path) from None
    if not np.isfinite(numbers).all():
        raise DataError(f"{name} is not finite everywhere", path)
    return numbers[:, 0] if kind.startswith("class") else numbers

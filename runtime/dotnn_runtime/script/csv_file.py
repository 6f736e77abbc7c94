"""Reads named columns of a CSV file into arrays; every error names the row and the column."""

import csv
import io
import math
import os
import pathlib
import typing
import warnings

import numpy as np

from dotnn_runtime.script.errors import DataError, reason_of, suggest
from dotnn_runtime.script.files import open_input


def read_csv(
    path: str | pathlib.Path,
    columns: dict[str, list[str]],
    kinds: dict[str, str],
    labels: dict[str, list[str]] | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """Read a comma-separated UTF-8 file with a header; return `(arrays, labels)`.

    `columns` maps a value to its columns, `kinds` to its kind (`real` where it has none):
    `{"d": ["temperature", "humidity"], "y": ["species"]}` and `{"y": "class:3"}`.
    A real value becomes float64 `(n, columns)`, an `int` one int64 `(n, columns)`, a class int64 `(n,)` or,
    of several columns, `(n, columns)`, a
    `text` its cells, `(n,)`, a `key` numbers or else its cells; where a kind ends in "?", a cell without a
    number becomes NaN. A
    class column holds integers, kept as they are, or strings, which become indices: by their place in
    `labels[name]` where given, else in sorted order; a mixture is refused. `labels` in the result holds the
    strings of every class that has some; where they are fewer than the classes of its kind, a warning says
    so. Blank lines are skipped, blanks around a cell ignored. Raises DataError; files above 512 MiB are
    refused.
    """
    numbers = None if labels else all_numbers(path, columns, kinds)
    return (numbers, {}) if numbers is not None else read_cells(path, columns, kinds, labels or {})


def all_numbers(
    path: str | pathlib.Path, columns: dict[str, list[str]], kinds: dict[str, str]
) -> dict[str, np.ndarray] | None:
    """Return the arrays of a table that holds finite numbers alone, by the reader that NumPy has for those.

    None where anything is unusual or wrong: `read_cells` takes the file then, and names the place.
    """
    places, values = number_table(path)
    if any(name not in places for names in columns.values() for name in names):
        return None
    arrays = {}
    for name, names in columns.items():
        array = of_kind(values[:, [places[column] for column in names]], kinds.get(name, "real"))
        if array is None:
            return None
        arrays[name] = array
    return arrays


def of_kind(columns: np.ndarray, kind: str) -> np.ndarray | None:
    """Return numbers `(n, columns)` as a value of their kind holds them, None where they cannot be one."""
    if kind == "text":
        return None  # a number is a text, too: as it is written
    if kind == "key":
        return columns[:, 0]
    if not kind.startswith(("class", "int")):
        return columns
    if ((columns != np.floor(columns)) | (abs(columns) >= 2.0**53)).any():
        return None
    whole = columns.astype(np.int64)
    if not kind.startswith("class"):
        return whole
    return whole[:, 0] if whole.shape[1] == 1 else whole


def number_table(path: str | pathlib.Path, max_bytes: int = 512 * 2**20) -> tuple[dict[str, int], np.ndarray]:
    """Return the places of the columns, from 0, and the rows of a table of finite numbers.

    No places for another table, for one of more than `max_bytes`, and for a pipe, which is read once.
    """
    if not os.path.isfile(path) or os.path.getsize(path) > max_bytes:
        return {}, np.empty((0, 0))
    with open_input(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        try:
            header = [cell.strip() for cell in next(csv.reader([text.readline()], strict=True))]
            with warnings.catch_warnings(action="ignore"):  # of a file without rows
                values = np.loadtxt(text, delimiter=",", comments=None, ndmin=2)
        except (ValueError, csv.Error, StopIteration):  # text that is not UTF-8 is a ValueError, too
            return {}, np.empty((0, 0))
        finally:
            text.detach()
    places = {name: i for i, name in enumerate(header)}
    alike = len(places) == len(header) == values.shape[1] and len(values) > 0
    return places if alike and np.isfinite(values).all() else {}, values


def read_cells(
    path: str | pathlib.Path,
    columns: dict[str, list[str]],
    kinds: dict[str, str],
    labels: dict[str, list[str]],
) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """Read a table cell by cell, see `read_csv`."""
    table = CsvTable(path)
    arrays, found = {}, {}
    for name, wanted in columns.items():
        kind = kinds.get(name, "real")
        if kind.startswith("class"):
            arrays[name], names = table.classes(wanted, kind, labels.get(name))
            if names:
                found[name] = names
        elif kind.startswith("int"):
            cells = [table.parsed(column, parse_integer, "an integer") for column in wanted]
            arrays[name] = np.array(cells, dtype=np.int64).T
        elif kind == "text":
            arrays[name] = np.array(table.texts(wanted), dtype=np.str_)
        elif kind == "key":
            arrays[name] = table.keys(wanted)
        else:
            parse = parse_optional if kind.endswith("?") else parse_number
            cells = [table.parsed(column, parse, "a finite number") for column in wanted]
            arrays[name] = np.array(cells, dtype=np.float64).T
    return arrays, found


class CsvTable:
    """A CSV file in memory: `header`, `rows` of text cells, and in `lines` the line where each row ends."""

    def __init__(self, path: str | pathlib.Path, max_bytes: int = 512 * 2**20) -> None:
        self.path = path
        reader = csv.reader(io.StringIO(read_utf8(path, max_bytes), newline=""), strict=True)
        try:
            filled = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
        except csv.Error as error:
            raise DataError(f"not a valid CSV file: {error}", path, reader.line_num) from None
        if not filled:
            raise DataError(
                "the file is empty", path, help="the first line must be a header with the column names"
            )
        self.lines = [line for line, _ in filled[1:]]
        self.rows = [row for _, row in filled[1:]]
        self.header = filled[0][1]
        self.places = {name: column for column, name in reversed(list(enumerate(self.header)))}
        self.check_header(filled[0][0])
        self.check_rows()

    def check_header(self, line: int) -> None:
        """Raise DataError for another delimiter than the comma, and for a name used twice."""
        delimiter = next((mark for mark in ";\t|" if mark in self.header[0]), None)
        if len(self.header) == 1 and delimiter:
            raise DataError(
                f"the delimiter is {delimiter!r}, not a comma", self.path, line, help="save it with commas"
            )
        for column, name in enumerate(self.header):
            if name and self.places[name] != column:
                first = self.places[name] + 1
                raise DataError(f"column {first} has the name {name} already", self.path, line, column + 1)

    def check_rows(self) -> None:
        """Raise DataError where there are no rows, or one is longer or shorter than the header."""
        if not self.rows:
            raise DataError("there are no rows below the header", self.path)
        width = len(self.header)
        for line, row in zip(self.lines, self.rows, strict=True):
            if len(row) != width:
                message = f"the row has {len(row)} cells, the header {width}"
                raise DataError(message, self.path, line, min(len(row), width) + 1)

    def index(self, name: str) -> int:
        """Return the place of a column, from 0."""
        if name not in self.places:
            no_header = all(is_number(cell) for cell in self.header)
            hint = (
                "the first line must be a header with the names" if no_header else suggest(name, self.header)
            )
            raise DataError(f"there is no column {name}", self.path, help=hint)
        return self.places[name]

    def parsed(self, name: str, parse: typing.Callable[[str], float], wanted: str) -> list[float]:
        """Return the cells of a column, each read by `parse`,
        whose ValueError becomes a DataError with the place.
        """
        column = self.index(name)
        values = []
        for line, row in zip(self.lines, self.rows, strict=True):
            try:
                values.append(parse(row[column]))
            except ValueError:
                raise self.bad_cell(name, line, column, row[column], wanted) from None
        return values

    def texts(self, names: list[str]) -> list[str]:
        """Return the cells of a column as they are; the column stands alone in `names`."""
        if len(names) != 1:
            raise DataError(
                f"a text stands in one column, not in {len(names)}: {', '.join(names)}", self.path
            )
        column = self.index(names[0])
        return [row[column] for row in self.rows]

    def keys(self, names: list[str]) -> np.ndarray:
        """Return the cells of a column as numbers where all of them are, else as texts; none may be empty."""
        cells = self.texts(names)
        column = self.index(names[0])
        if "" in cells:
            raise self.bad_cell(names[0], self.lines[cells.index("")], column, "", "a value")
        return np.array(list(map(parse_number, cells)) if all(map(is_number, cells)) else cells)

    def bad_cell(self, name: str, line: int, column: int, cell: str, wanted: str) -> DataError:
        """Return the error for a cell that is not what was `wanted`."""
        if not cell:
            hint = "fill the cell, or leave the row out"
            hint += ", or name what becomes of gaps: missing = median(x)" if "number" in wanted else ""
            return DataError(f"{name} is empty", self.path, line, column + 1, hint)
        hint = "write decimals with a point" if is_number(cell.replace(",", ".", 1)) and "," in cell else ""
        return DataError(f"{name} is {cell!r}, not {wanted}", self.path, line, column + 1, hint)

    def classes(self, names: list[str], kind: str, labels: list[str] | None) -> tuple[np.ndarray, list[str]]:
        """Return class columns as indices, `(n,)` or `(n, columns)`, and the
        strings they stand for (none where the cells are integers).
        """
        places = {name: self.index(name) for name in names}
        cells = [[row[column] for column in places.values()] for row in self.rows]
        if labels is None and all(is_integer(cell) for row in cells for cell in row):
            known, found = [], [[parse_integer(cell) for cell in row] for row in cells]
            indices = np.array(found, dtype=np.int64)
        else:
            for name, column in places.items() if labels is None else ():
                self.check_texts(name, column)
            known = self.distinct(places, kind) if labels is None else [str(label) for label in labels]
            indices = np.array([self.indices(*place, known) for place in places.items()], dtype=np.int64).T
        return (indices[:, 0] if len(names) == 1 else indices), known

    def indices(self, name: str, column: int, known: list[str]) -> np.ndarray:
        """Return the place of each cell of a class column among the known strings."""
        place = {label: i for i, label in enumerate(known)}
        for line, row in zip(self.lines, self.rows, strict=True):
            if row[column] not in place:
                message = f"{name} is {row[column]!r}, which is none of the classes"
                raise DataError(message, self.path, line, column + 1, suggest(row[column], known))
        return np.array([place[row[column]] for row in self.rows], dtype=np.int64)

    def check_texts(self, name: str, column: int) -> None:
        """Raise DataError, naming the rows, where a class
        column is not all texts: some are numbers, or nothing.
        """
        lines: dict[str, list[int]] = {"text": [], "whole number": [], "neither": []}
        for line, row in zip(self.lines, self.rows, strict=True):
            lines[kind_of_class(row[column])].append(line)
        texts, whole, neither = lines.values()
        if neither:
            raise self.not_a_class(name, column, neither, "which is neither a whole number nor a text")
        if texts and len(texts) <= len(whole):
            raise self.not_a_class(name, column, texts, f"but {len(whole)} rows hold whole numbers")
        if whole:
            raise self.not_a_class(name, column, whole, f"but {len(texts)} rows hold texts")

    def not_a_class(self, name: str, column: int, lines: list[int], reason: str) -> DataError:
        """Return the error for the cells of a class column in these lines, the first of which it shows."""
        cell = self.rows[self.lines.index(lines[0])][column]
        if not cell:
            return self.bad_cell(name, lines[0], column, "", "a class")
        more = ", ".join(str(line) for line in lines[1:8]) + (", …" if len(lines) > 8 else "")
        hint = "write whole numbers from 0 in every row, or texts in every row"
        hint += f"; the same in row{'s' * (len(lines) > 2)} {more}" if more else ""
        return DataError(f"{name} is {cell!r}, {reason}", self.path, lines[0], column + 1, hint)

    def distinct(self, places: dict[str, int], kind: str) -> list[str]:
        """Return the sorted distinct strings of class columns, at most as many as `kind` allows."""
        limit = int(kind.partition(":")[2] or len(self.rows) * len(places))
        seen: dict[str, int] = {}
        for line, row in zip(self.lines, self.rows, strict=True):
            for name, column in places.items():
                if not row[column]:
                    raise self.bad_cell(name, line, column, "", "a class")
                seen.setdefault(row[column], line)
                if len(seen) > limit:
                    told = f"the class number {len(seen)}, but there are {limit} classes"
                    hint = f"the classes above it: {', '.join(list(seen)[:-1])}"
                    raise DataError(f"{name} is {row[column]!r}, {told}", self.path, line, column + 1, hint)
        if ":" in kind and len(seen) < limit:
            named = " to ".join(dict.fromkeys([next(iter(places)), list(places)[-1]]))
            told = f"{named} has {len(seen)} different texts, but there are {limit} classes"
            warnings.warn(f"{told}: {', '.join(sorted(seen))}", stacklevel=4)
        return sorted(seen)


def parse_number(cell: str) -> float:
    """Return the finite number that `cell` writes; ValueError where it is none (Python's `1_000` is none)."""
    value = float(cell)
    if "_" in cell or not math.isfinite(value):
        raise ValueError(cell)
    return value


def parse_optional(cell: str) -> float:
    """Return the finite number that `cell` writes, NaN where it is empty or says that there is none."""
    gap = cell in ("", "?", "NA", "N/A", "nan", "NaN", "null", "NULL", "None")
    return math.nan if gap else parse_number(cell)


def parse_integer(cell: str) -> int:
    """Return the integer (of 64 bits) that `cell` writes, `7` or `7.0`; ValueError where it is none."""
    value = parse_number(cell)
    if value != math.floor(value) or abs(value) >= 2**63:
        raise ValueError(cell)
    return int(cell) if cell.lstrip("+-").isdecimal() else int(value)


def is_number(cell: str) -> bool:
    """Say whether `parse_number` reads `cell`."""
    try:
        parse_number(cell)
    except ValueError:
        return False
    return True


def is_float(cell: str) -> bool:
    """Say whether `cell` reads as a number, finite or not (`nan`, `inf`)."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def kind_of_class(cell: str) -> str:
    """Say what a cell of a class column holds: "text", a "whole number", or "neither" (nothing, 0.5, nan)."""
    if is_integer(cell):
        return "whole number"
    return "neither" if not cell or is_float(cell) else "text"


def is_integer(cell: str) -> bool:
    """Say whether `parse_integer` reads `cell`."""
    try:
        parse_integer(cell)
    except ValueError:
        return False
    return True


def read_utf8(path: str | pathlib.Path, max_bytes: int) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark.

    DataError for all that can go wrong.
    """
    with open_input(path) as file:
        content = read_limited(path, file, max_bytes)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise DataError("the text is not UTF-8", path, row, help="save it with the encoding UTF-8") from None


def read_limited(path: str | pathlib.Path, file: typing.IO[bytes], max_bytes: int) -> bytes:
    """Return the bytes of an open file; DataError for more than `max_bytes`, before they are read."""
    try:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        # A device has no size, and perhaps no end.
        content = file.read(size or max_bytes + 1) if size <= max_bytes else b""
    except OSError as error:
        raise DataError(f"cannot be read: {reason_of(error)}", path) from None
    if max(size, len(content)) > max_bytes:
        message = f"the file has {max(size, len(content)):,} bytes, the limit is {max_bytes:,}"
        raise DataError(message, path, help="store the arrays in an .npz file")
    return content

"""Reads named columns of a CSV file into arrays; every error names the row and the column."""

import csv
import io
import os
import pathlib
import typing
import warnings

import numpy as np

from dotnn_runtime.script.csv_cells import (
    CsvFormat,
    Faults,
    kind_of_class,
    parse_integer,
    parse_number,
    reads,
)
from dotnn_runtime.script.dates import check_date
from dotnn_runtime.script.errors import DataError, suggest
from dotnn_runtime.script.text_file import open_table, read_utf8


def read_csv(
    path: str | pathlib.Path,
    columns: dict[str, list[str]],
    kinds: dict[str, str],
    labels: dict[str, list[str]] | None = None,
    **form: typing.Any,
) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """Read a UTF-8 table with a header, plain or packed by gzip; return `(arrays, labels)`.

    `form` says how it is written, with the names that `CsvFormat` takes.

    `columns` maps a value to its columns, `kinds` to its kind (`real` where it has none):
    `{"d": ["temperature", "humidity"], "y": ["species"]}` and `{"y": "class:3"}`.
    A real value becomes float64 `(n, columns)`, an `int` one int64 `(n, columns)`, a class int64 `(n,)` or,
    of several columns, `(n, columns)`, a
    `text` its cells, `(n,)`, a `key` numbers or else its cells; where a kind ends in "?", a cell without a
    number becomes NaN. A
    class column holds integers, kept as they are, or strings, which become indices: by their place in
    `labels[name]` where given, else in sorted order; a mixture is refused. Integers from 1 to the number of
    classes have the labels "1", "2", …, and are counted from 0. The two strings of a column of kind `unit`,
    `binary` or `sign` become 0 and 1, or -1 and 1, in sorted order, (n, 1). `labels` in the result holds the
    strings of every class that has some; where they are fewer than the classes of its kind, a warning says
    so. Blank lines are skipped, blanks around a cell ignored. Raises DataError, which tells all that is wrong
    with numbers and rows; files above 512 MiB are refused.
    """
    written = CsvFormat(**form)
    numbers = None if labels else all_numbers(path, columns, kinds, written)
    return (numbers, {}) if numbers is not None else read_cells(path, columns, kinds, labels or {}, written)


def all_numbers(
    path: str | pathlib.Path,
    columns: dict[str, list[str]],
    kinds: dict[str, str],
    form: CsvFormat | None = None,
) -> dict[str, np.ndarray] | None:
    """Return the arrays of a table that holds finite numbers alone, by the reader that NumPy has for those.

    None where anything is unusual or wrong: `read_cells` takes the file then, and names the place.
    """
    places, values = number_table(path, form or CsvFormat())
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
    if kind in ("text", "date"):
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
    if from_one(whole, kind):
        return None
    return whole[:, 0] if whole.shape[1] == 1 else whole


def from_one(classes: np.ndarray, kind: str) -> list[str]:
    """Return the texts of classes that whole numbers count from 1: of a kind `class:N` whose least is 1 and
    whose most is N. None where they are counted from 0.
    """
    count = int(kind.partition(":")[2] or 0)
    counted = count and len(classes) and classes.min() == 1 and classes.max() == count
    return numbers_from_one(count) if counted else []


def numbers_from_one(count: int) -> list[str]:
    """Return "1", "2", … as many as there are classes."""
    return [str(number) for number in range(1, count + 1)]


def number_table(
    path: str | pathlib.Path, form: CsvFormat, max_bytes: int = 512 * 2**20
) -> tuple[dict[str, int], np.ndarray]:
    """Return the places of the columns, from 0, and the rows of a table of finite numbers.

    No places for another table, for one of more than `max_bytes`, one that has gaps of its own, and for a
    pipe, which is read once.
    """
    if form.missing is not None or not os.path.isfile(path) or os.path.getsize(path) > max_bytes:
        return {}, np.empty((0, 0))
    with open_table(path, max_bytes) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        try:
            header = [cell.strip() for cell in next(form.reader([text.readline()]))]
            lines = text if form.decimal == "." else map(form.with_point_everywhere, text)
            with warnings.catch_warnings(action="ignore"):  # of a file without rows
                values = np.loadtxt(lines, delimiter=form.delimiter, comments=None, ndmin=2)
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
    form: CsvFormat | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """Read a table cell by cell, see `read_csv`."""
    table = CsvTable(path, form=form)
    arrays: dict[str, np.ndarray] = {}
    found: dict[str, list[str]] = {}
    try:
        for name, wanted in columns.items():
            arrays[name], texts = table.value(name, wanted, kinds.get(name, "real"), labels.get(name))
            found |= texts
    except DataError as error:
        if error.row is None:
            raise
        table.faults.add([error])
    table.faults.stop()
    return arrays, found


class CsvTable:
    """A CSV file in memory: `header`, `rows` of text cells, and in `lines` the line where each row ends."""

    def __init__(
        self, path: str | pathlib.Path, max_bytes: int = 512 * 2**20, form: CsvFormat | None = None
    ) -> None:
        self.path, self.form, self.faults = path, form or CsvFormat(), Faults()
        reader = self.form.reader(io.StringIO(read_utf8(path, max_bytes), newline=""))
        try:
            filled = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
        except csv.Error as error:
            raise DataError(f"not a valid CSV file: {error}", path, reader.line_num) from None
        if not filled:
            raise DataError(
                "the file is empty", path, help="the first line must be a header with the column names"
            )
        wide = len(filled[0][1]) > 1  # in a table of one column, a line of blanks is a gap
        filled = [filled[0], *(pair for pair in filled[1:] if not wide or pair[1] != [""])]
        self.lines = [line for line, _ in filled[1:]]
        self.rows = [row for _, row in filled[1:]]
        self.header = filled[0][1]
        self.places = {name: column for column, name in reversed(list(enumerate(self.header)))}
        self.check_header(filled[0][0])
        self.check_rows()

    def check_header(self, line: int) -> None:
        """Raise DataError for zero bytes, another delimiter than the form's, and a name used twice."""
        if any("\0" in name for name in self.header):
            help = "save the table with the encoding UTF-8; UTF-16 has zero bytes between letters"
            raise DataError("the text is not UTF-8: it holds zero bytes", self.path, line, help=help)
        comma = self.form.delimiter == ","
        known, saved = ("a comma", "commas") if comma else [repr(self.form.delimiter)] * 2
        others = (mark for mark in ",;\t|" if mark != self.form.delimiter and mark in self.header[0])
        delimiter = next(others, None)
        if len(self.header) == 1 and delimiter:
            help = f'say so, csv("…", delimiter = "{delimiter}", …), or save it with {saved}'
            help = help.replace("\t", "\\t")
            raise DataError(f"the delimiter is {delimiter!r}, not {known}", self.path, line, help=help)
        for column, name in enumerate(self.header):
            if name and self.places[name] != column:
                first = self.places[name] + 1
                raise DataError(f"column {first} has the name {name} already", self.path, line, column + 1)

    def check_rows(self) -> None:
        """Raise DataError where there are no rows. A row that is longer or shorter than the header is one of
        the faults, and left out.
        """
        if not self.rows:
            raise DataError("there are no rows below the header", self.path)
        width = len(self.header)
        whole = []
        for line, row in zip(self.lines, self.rows, strict=True):
            if len(row) == width:
                whole.append((line, row))
                continue
            message = f"the row has {len(row)} cells, the header {width}"
            self.faults.add([DataError(message, self.path, line, min(len(row), width) + 1)])
        if not whole:
            self.faults.stop()
        self.lines, self.rows = [line for line, _ in whole], [row for _, row in whole]

    def value(
        self, name: str, columns: list[str], kind: str, labels: list[str] | None
    ) -> tuple[np.ndarray, dict[str, list[str]]]:
        """Return a value of a kind, and by its name the texts of its classes, if any; see `read_csv`."""
        if kind.startswith("class"):
            array, texts = self.classes(columns, kind, labels)
            return array, {name: texts} if texts else {}
        two = kind in ("unit", "binary", "sign")
        if two and (labels is not None or self.has_words(columns)):
            array, texts = self.classes(columns, "class:2", labels)
            return np.where(array == 1, 1.0, -1.0 if kind == "sign" else 0.0)[:, None], {name: texts}
        if kind == "date":
            self.parsed(columns[0], check_date, "a date such as 2024-03-01")
        if kind in ("text", "date"):
            return np.array(self.texts(columns), dtype=np.str_), {}
        if kind == "key":
            return self.keys(columns), {}
        if kind.startswith("int"):
            whole = [self.parsed(column, self.form.integer, "an integer") for column in columns]
            return np.array(whole, dtype=np.int64).T, {}
        parse = self.form.optional if kind.endswith("?") else self.form.number
        cells = [self.parsed(column, parse, "a finite number") for column in columns]
        return np.array(cells, dtype=np.float64).T, {}

    def has_words(self, names: list[str]) -> bool:
        """Whether a single column holds words, and no number."""
        if len(names) != 1:
            return False
        cells = [row[self.index(names[0])] for row in self.rows]
        kinds = {kind_of_class(cell) for cell in cells if cell}
        return kinds == {"text"}

    def index(self, name: str) -> int:
        """Return the place of a column, from 0."""
        if name not in self.places:
            no_header = all(reads(parse_number, cell) for cell in self.header)
            hint = (
                "the first line must be a header with the names" if no_header else suggest(name, self.header)
            )
            raise DataError(f"there is no column {name}", self.path, help=hint)
        return int(self.places[name])

    def parsed(self, name: str, parse: typing.Callable[[str], float], wanted: str) -> list[float]:
        """Return the cells of a column, each read by `parse`;
        where that raises ValueError, the place is one of the `faults`, and the number 0.
        """
        column = self.index(name)
        values, wrong = [], []
        for place, row in enumerate(self.rows):
            try:
                values.append(parse(row[column]))
            except ValueError:
                values.append(0.0)
                wrong.append(place)
        self.note(name, column, wrong, wanted)
        return values

    def note(self, name: str, column: int, wrong: list[int], wanted: str) -> None:
        """Keep the faults of the cells of a column, in these rows; one fault where no cell is as `wanted`."""
        all_are_wrong = len(wrong) == len(self.rows) > 1
        told = [
            self.bad_cell(name, self.lines[i], column, self.rows[i][column], wanted)
            for i in wrong[: 1 if all_are_wrong else 20]
        ]
        if all_are_wrong:
            told[0] = DataError(
                f"{told[0].message}, as no cell of the column is",
                self.path,
                told[0].row,
                column + 1,
                told[0].help,
            )
        self.faults.add(told, 1 if all_are_wrong else len(wrong))

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
        if not all(reads(self.form.number, cell) for cell in cells):
            return np.array(cells)
        return np.array(list(map(self.form.number, cells)))

    def bad_cell(self, name: str, line: int, column: int, cell: str, wanted: str) -> DataError:
        """Return the error for a cell that is not what was `wanted`."""
        if not cell:
            hint = "fill the cell, or leave the row out"
            hint += ", or name what becomes of gaps: missing = median(x)" if "number" in wanted else ""
            return DataError(f"{name} is empty", self.path, line, column + 1, hint)
        hint, decimal = "", self.form.decimal
        if decimal == "." and "," in cell and reads(parse_number, cell.replace(",", ".", 1)):
            hint = 'write decimals with a point, or say how they are written: decimal = ","'
        if decimal != "." and "." in cell and reads(parse_number, cell.replace(decimal, "")):
            hint = f"decimals are written with {decimal!r} here, and nothing marks the thousands"
        return DataError(f"{name} is {cell!r}, not {wanted}", self.path, line, column + 1, hint)

    def classes(self, names: list[str], kind: str, labels: list[str] | None) -> tuple[np.ndarray, list[str]]:
        """Return class columns as indices, `(n,)` or `(n, columns)`, and the
        strings they stand for (none where the cells are integers).
        """
        places = {name: self.index(name) for name in names}
        cells = [[row[column] for column in places.values()] for row in self.rows]
        if labels is None and all(reads(parse_integer, cell) for row in cells for cell in row):
            indices = np.array([[parse_integer(cell) for cell in row] for row in cells], dtype=np.int64)
            known = from_one(indices, kind)
            indices -= bool(known)
        else:
            known = self.distinct(places, kind) if labels is None else [str(label) for label in labels]
            indices = np.array([self.indices(*place, known) for place in places.items()], dtype=np.int64).T
        return (indices[:, 0] if len(names) == 1 else indices), known

    def indices(self, name: str, column: int, known: list[str]) -> np.ndarray:
        """Return the place of each cell of a class column among the known strings."""
        place = {label: i for i, label in enumerate(known)}
        found = [place.get(row[column], -1) for row in self.rows]
        wrong = [i for i, number in enumerate(found) if number < 0]
        told = []
        for i in wrong[:20]:
            cell = self.rows[i][column]
            message = f"{name} is {cell!r}, which is none of the classes"
            told.append(DataError(message, self.path, self.lines[i], column + 1, suggest(cell, known)))
        self.faults.add(told, len(wrong))
        return np.array(found, dtype=np.int64)

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
        """Return the sorted distinct strings of class columns of texts, at most as many as `kind` allows."""
        for name, column in places.items():
            self.check_texts(name, column)
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

"""How a table is written, and what its cells say."""

import csv
import math
import typing

from dotnn_runtime.script.errors import DataError, TableError


class CsvFormat:
    """How a table is written: what stands between its cells, before decimals, around cells, and for a gap.

    `missing` are the texts of a gap, None for the usual ones; `quoting` is the mark around cells, "" for
    none.
    """

    def __init__(
        self,
        delimiter: str = ",",
        decimal: str = ".",
        missing: typing.Sequence[str] | None = None,
        quoting: str = '"',
    ) -> None:
        self.delimiter, self.decimal, self.quoting, self.missing = delimiter, decimal, quoting, missing
        usual = ("", "?", "NA", "N/A", "nan", "NaN", "null", "NULL", "None")
        self.gaps = set(usual if missing is None else missing)

    def reader(self, lines: typing.Iterable[str]) -> typing.Any:
        """Return what takes lines apart into rows of cells, and counts them."""
        if not self.quoting:
            return csv.reader(lines, strict=True, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)
        return csv.reader(lines, strict=True, delimiter=self.delimiter, quotechar=self.quoting)

    def number(self, cell: str) -> float:
        """Return the finite number that `cell` writes; ValueError where it is none, or stands for a gap."""
        if self.missing is not None and cell in self.gaps:
            raise ValueError(cell)
        return parse_number(self.with_point(cell))

    def optional(self, cell: str) -> float:
        """Return the finite number that `cell` writes, NaN where it stands for a gap."""
        return math.nan if cell in self.gaps else parse_number(self.with_point(cell))

    def integer(self, cell: str) -> int:
        """Return the integer that `cell` writes, `7` or `7.0`; ValueError where it is none."""
        return parse_integer(self.with_point(cell))

    def with_point_everywhere(self, line: str) -> str:
        """Return a line of numbers as Python writes them; ValueError where one has a point."""
        if "." in line:
            raise ValueError(line)
        return line.replace(self.decimal, ".")

    def with_point(self, cell: str) -> str:
        """Return a number as Python writes it; ValueError where its point marks no decimals."""
        if self.decimal == ".":
            return cell
        if "." in cell:
            raise ValueError(cell)
        return cell.replace(self.decimal, ".", 1)


class Faults:
    """What is wrong with a table: all of it is counted, and the first of it told, with row and column."""

    def __init__(self) -> None:
        self.found: list[DataError] = []
        self.count = 0

    def add(self, errors: typing.Sequence[DataError], count: int | None = None) -> None:
        """Keep errors, in the order of their rows; `count` says how many there are where these are some."""
        self.found += errors
        self.count += len(errors) if count is None else count

    def stop(self, most: int = 20) -> None:
        """Raise the only error there is, or one that tells the first `most` and how many there are."""
        first = sorted(self.found, key=lambda error: (error.row or 0, error.column or 0))[:most]
        if self.count == 1:
            raise first[0]
        if first:
            raise TableError(first, self.count)


def parse_number(cell: str) -> float:
    """Return the finite number that `cell` writes; ValueError where it is none (Python's `1_000` is none)."""
    value = float(cell)
    if "_" in cell or not math.isfinite(value):
        raise ValueError(cell)
    return value


def parse_integer(cell: str) -> int:
    """Return the integer (of 64 bits) that `cell` writes, `7` or `7.0`; ValueError where it is none."""
    value = parse_number(cell)
    if value != math.floor(value) or abs(value) >= 2**63:
        raise ValueError(cell)
    return int(cell) if cell.lstrip("+-").isdecimal() else int(value)


def reads(parse: typing.Callable[[str], float], cell: str) -> bool:
    """Say whether `parse` reads `cell`: raises no ValueError."""
    try:
        parse(cell)
    except ValueError:
        return False
    return True


def is_float(cell: str) -> bool:
    """Say whether `cell` reads as a number, finite or not (`nan`, `inf`)."""
    return "_" not in cell and reads(float, cell)


def kind_of_class(cell: str) -> str:
    """Say what a cell of a class column holds: "text", a "whole number", or "neither" (nothing, 0.5, nan)."""
    if reads(parse_integer, cell):
        return "whole number"
    return "neither" if not cell or is_float(cell) else "text"

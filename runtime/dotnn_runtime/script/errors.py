"""The exception of the helpers, and what its messages are made of."""

import difflib
import pathlib


class DataError(ValueError):
    """Data that cannot be used: what is wrong (`message`), where, and the likely fix (`help`).

    `row` and `column` count from 1, and row 1 of a CSV file is its header; None where there is no such place.
    """

    def __init__(
        self,
        message: str,
        path: str | pathlib.Path | None = None,
        row: int | None = None,
        column: int | None = None,
        help: str = "",
    ) -> None:
        self.message, self.help = message, help
        self.path, self.row, self.column = path, row, column
        where = [str(path)] if path is not None else []
        where += [f"row {row}"] if row is not None else []
        where += [f"column {column}"] if column is not None else []
        text = f"{', '.join(where)}: {message}" if where else message
        super().__init__(f"{text} ({help})" if help else text)


class TableError(DataError):
    """Several errors of one table: the first one, with the others below; `faults` are some of `count`."""

    def __init__(self, faults: list[DataError], count: int) -> None:
        first = faults[0]
        super().__init__(first.message, first.path, first.row, first.column, first.help)
        self.faults, self.count = faults, count

    def __str__(self) -> str:
        lines = [super().__str__()]
        for fault in self.faults[1:]:
            lines.append(f"  row {fault.row}, column {fault.column}: {fault.message}")
        left = self.count - len(self.faults)
        return "\n".join([*lines, f"  {self.count} in all, {left} of them not shown"] if left else lines)


def reason_of(error: Exception) -> str:
    """Return what an error of ours or of the system says, without the file that it is about."""
    return str(getattr(error, "message", "") or getattr(error, "strerror", "") or error)


def suggest(name: str, known: list[str]) -> str:
    """Return a hint for the unknown `name`: the closest known one and the list of all (cut after 20)."""
    close = difflib.get_close_matches(name, known, n=1)
    listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    return (f"did you mean {close[0]}? " if close else "") + (
        f"there is: {listed}" if known else "there is none"
    )

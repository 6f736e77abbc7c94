"""What to do about a message of the data readers, and where in a table it belongs.

The readers are carried by scripts, and say what they can from there. Here the spec and the file are known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dotnn_runtime.script.csv_cells import CsvFormat
from dotnn_runtime.script.csv_file import CsvTable
from dotnn_runtime.script.errors import DataError

FIXES = (
    ("cells, the header", "give every row as many cells as the header has"),
    (
        r"'(?i:(?![-+]?(?:nan|null|none|inf|infinity)'))[^']*[a-zA-Z]{3}[^']*', not a finite number, as no cell",
        "a column of texts is an input x: category[n], or a target t: class[n] with the loss cross_entropy",
    ),
    (r"'[^']*[a-zA-Z]{3}[^']*', not a finite number", "correct the cell, or leave the example out"),
    ("not a finite number|not an integer|not finite|no integer", "correct the number, or leave the example out"),
    ("not a date", "write year, month and day, or leave the example out"),
    ("field larger than", "leave out the column of long texts: a cell has 131,072 characters at most"),
    ("not a valid CSV file", "quote a cell that holds a comma, and end every quote that begins"),
    ("no rows below the header", "write one row for each example"),
    ("has the name .* already", "give every column a name of its own"),
    ("a class stands in one column", "name one column, or declare the target as numbers: [n]"),
    ("bytes, the limit is", "leave out what is not needed, or store fewer examples"),
    ("there is no such file", "check the name of the file, and the folder"),
    ("cannot be read", "look at the permissions of the file, and that nothing else is writing it"),
    ("is ragged", "give all examples the same shape"),
    (
        "holds texts, not whole numbers",
        "number the classes from 0: np.unique(texts, return_inverse=True)[1] does, in sorted order",
    ),
    ("not numbers|not whole numbers|not real numbers", "store numbers, and classes as integers from 0"),
    ("holds no examples", "store at least one example, along the first axis"),
    ("numbers of examples differ", "store as many examples in every array"),
    ("outside of 0…|fit into 64 bits", "count classes from 0"),
    ("allowed is 0…1", "scale it in `data`: scale = range(…); or use another loss, such as mse"),
    (r"allowed is -1 and \+1", "write the two classes as -1 and 1, or use bce and the classes 0 and 1"),
    (
        "a probability is not negative|probabilities sum to 1",
        "give every example shares that add up to 1, none below 0",
    ),
    ("which has no logarithm", "correct the number, or add one to all: scale = log(x, plus = 1)"),
    ("a text stands in one column", "name one column"),
    ("too large or too close", "look for a wrong number in the column, or scale with divide(…)"),
    ("a scaling must read", "the file is damaged: train again"),
    ("declares .* bytes and has", "the file is damaged: write it anew with numpy.savez"),
    ("has shape", "store arrays of the declared shape, or change the declaration"),
)
"""What a message says, and the fix where the readers know none."""
BETTER = (
    ("the text is not UTF-8", "save the table with the encoding UTF-8"),
    ("the class number", "declare as many classes as there are, or correct the cell: {0}"),
)
"""The fix instead of the one that the readers know."""
_SHAPES = re.compile(r"(\S+) has shape \(([\d, ]*)\), needed is \(n, ?([\d, ]*)\)")
_ELEMENT = re.compile(r"(\S+)\[(\d+)[\d, ]*\] is ")


def fix_of(message: str, known: str) -> str:
    """Return what to do about a message; `known` is what the readers say of it, if anything."""
    axes = _axes_fix(message)
    if axes:
        return axes
    better = next((fix for text, fix in BETTER if text in message), "")
    return better.format(known) or known or next((fix for text, fix in FIXES if re.search(text, message)), "")


def _axes_fix(message: str) -> str:
    """Return the transposition that an array needs whose axes stand in another order, "" where it is another fault."""
    match = _SHAPES.search(message)
    if match is None:
        return ""
    name, found, wanted = match[1], _sizes(match[2]), _sizes(match[3])
    if len(found) == len(wanted) + 1 and found[:-1] == wanted:
        moved = _moved(name, (len(wanted), *range(len(wanted))))
        return f"the first axis counts examples: store {moved}, or change the declaration"
    order = _order(found[1:], wanted)
    if order is None:
        return ""
    return f"the axes are in another order: store {_moved(name, (0, *(i + 1 for i in order)))}"


def _moved(name: str, order: Sequence[int]) -> str:
    return f"{name}.T" if tuple(order) == (1, 0) else f"{name}.transpose({', '.join(map(str, order))})"


def _order(found: Sequence[int], wanted: Sequence[int]) -> list[int] | None:
    """Return which axis goes where, None where the sizes differ, or two are alike and their order cannot be known."""
    if tuple(found) == tuple(wanted) or sorted(found) != sorted(wanted) or len(set(found)) < len(found):
        return None
    return [list(found).index(size) for size in wanted]


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(",") if size.strip())


def in_table(
    error: DataError, path: Path, column_of: Mapping[str, str], form: Mapping[str, Any] | None = None
) -> DataError:
    """Return an error of one element as one of its line in a table, whose columns `column_of` gives."""
    match = _ELEMENT.match(str(error))
    if match is None or match[1] not in column_of or error.path is not None:
        return error
    table = CsvTable(path, form=CsvFormat(**(form or {})))
    column = table.index(column_of[match[1]])
    example = int(match[2])
    reason = str(error)[str(error).index(",", match.end()) :]
    message = f"{column_of[match[1]]} is {table.rows[example][column]}{reason}"
    message = message.removesuffix(f" ({error.help})")
    return DataError(message, path, table.lines[example], column + 1, error.help)

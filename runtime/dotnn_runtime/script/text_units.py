"""Reads a text as a series of whole numbers: its characters, or its words."""

import pathlib
import re
import typing

import numpy as np

from dotnn_runtime.script.errors import DataError, TableError
from dotnn_runtime.script.text_file import read_utf8


def read_text(
    path: str | pathlib.Path,
    columns: dict[str, list[str]],
    kinds: dict[str, str],
    labels: dict[str, list[str]] | None = None,
    *,
    by: str = "char",
) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """Read a UTF-8 text as a table of one column is read, a row for each unit; return `(arrays, labels)`.

    The units are characters, or `by` word: words and marks, blanks left out. Each is its place among all
    different ones in sorted order, or in `labels`, the texts of the training. Every name in `columns` gets
    these numbers, int64 `(n,)`, and each class among them the texts. Raises DataError for a text that cannot
    be read, has more different units than a class may have, or ones that `labels` lack.
    """
    text = read_utf8(path, 512 * 2**20).replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise DataError("the text holds a zero byte", path, help="it is no text, or damaged")
    places = [(match.group(), match.start()) for match in units_of(text, by)]
    if not places:
        raise DataError("the text is empty", path)
    known = list(next(iter(labels.values()))) if labels else sorted({unit for unit, _ in places})
    classes = [name for name in columns if kinds.get(name, "").startswith("class")]
    for name in classes:
        check_classes(path, name, kinds[name], len(known))
    number = {unit: i for i, unit in enumerate(known)}
    unknown = [(unit, start) for unit, start in places if unit not in number]
    if unknown:
        told = [unknown_unit(path, text, *place) for place in unknown[:20]]
        raise told[0] if len(unknown) == 1 else TableError(told, len(unknown))
    numbers = np.array([number[unit] for unit, _ in places], dtype=np.int64)
    return dict.fromkeys(columns, numbers), dict.fromkeys(classes, known)


def check_classes(path: str | pathlib.Path, name: str, kind: str, units: int) -> None:
    """Raise DataError where a text has more different units than a class, "class:30", may have."""
    count = int(kind.partition(":")[2] or units)
    if units > count:
        message = f"the text has {units} different units, but {name} has {count} classes"
        raise DataError(message, path, help=f"declare class[{units}]")


def units_of(text: str, by: str) -> typing.Iterator[re.Match[str]]:
    """Yield the units of a text, one match each."""
    return re.finditer(r"\w+|[^\w\s]" if by == "word" else r"(?s:.)", text)


def joined_units(units: typing.Iterable[str], by: str) -> str:
    """Return a text of units: characters as they are, words with blanks between them.

    There is none before a mark, nor behind a bracket, an apostrophe or a hyphen.
    """
    if by == "char":
        return "".join(units)
    return re.sub(r" (?=[^\w\s(])|(?<=[(’'-]) ", "", " ".join(units))


def unknown_unit(path: str | pathlib.Path, text: str, unit: str, start: int) -> DataError:
    """Return the error for a unit that the training has not seen."""
    row, line = text.count("\n", 0, start) + 1, text.rfind("\n", 0, start)
    message = f"{unit!r} does not occur in the text that was trained on"
    return DataError(message, path, row, start - line, "leave it out, or train on a text that has it")

"""Predictions as a table, on the screen or in a file."""

import csv
import io
import math
import pathlib
import sys
import typing

import numpy as np

from dotnn_runtime.script.atomic import write_output
from dotnn_runtime.script.errors import DataError, reason_of
from dotnn_runtime.script.storage import npz_bytes


def column_names(name: str, shape: typing.Sequence[int], texts: typing.Sequence[str] = ()) -> list[str]:
    """Return the CSV columns of a value without names of its own: `y` for one number, else `y1`, `y2`, …

    With more axes than one the places are joined: `(2, 2)` gives `y1_1`, `y1_2`,
    `y2_1`, `y2_2`. Where the numbers of one axis belong to classes that have
    `texts`, these take the place of the numbers: `y_setosa`, `y_virginica`.
    """
    if math.prod(shape) == 1:
        return [name]
    columns = [name + "_".join(str(i + 1) for i in place) for place in np.ndindex(*shape)]
    known = texts[: shape[0]] if len(shape) == 1 else ()
    return [f"{name}_{text}" for text in known] + columns[len(known) :]


def write_predictions(
    outputs: dict[str, np.ndarray],
    path: str | pathlib.Path | None = None,
    *,
    overwrite: bool = False,
    labels: dict[str, list[str]] | None = None,
) -> None:
    """Write outputs, `(n, …)` each, to `path`: CSV, or .npz by its ending; None and `-` print CSV.

    An output of strings, such as the names of classes, is allowed in CSV. `labels` holds the texts of
    the classes of an output, which name its columns. Numbers are written so that they read back exactly.
    Raises DataError where the file exists and `overwrite` is not set, and where it cannot be written.
    """
    texts = labels or {}
    if path is None or str(path) == "-":
        sys.stdout.write(predictions_csv(outputs, texts))
        return
    path = pathlib.Path(path)
    as_arrays = path.suffix.lower() == ".npz"
    content = npz_bytes(outputs) if as_arrays else predictions_csv(outputs, texts).encode()
    try:
        there = (path.is_file() or path.is_dir()) and not overwrite  # a pipe or a device loses nothing
        if not there:
            write_output(path, content)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be written: {reason_of(error)}", path) from None
    if there:
        raise DataError("the file exists", path, help="name another file, or use --force")


def predictions_csv(outputs: dict[str, np.ndarray], labels: dict[str, list[str]]) -> str:
    """Return outputs as CSV with a header: a row per example, a column per number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(csv_header({name: values.shape[1:] for name, values in outputs.items()}, labels))
    blocks = [values.reshape(len(values), -1) for values in outputs.values()]
    # str of a NumPy number is the shortest text that reads back as that number in its own precision.
    writer.writerows([str(cell) for row in rows for cell in row] for rows in zip(*blocks, strict=True))
    return text.getvalue()


def csv_header(shapes: dict[str, tuple[int, ...]], labels: dict[str, list[str]]) -> list[str]:
    """Return the columns of outputs whose examples have these shapes, each of them once."""
    header = [c for name, shape in shapes.items() for c in column_names(name, shape, labels.get(name, ()))]
    if len(set(header)) == len(header):
        return header
    # a text makes another output's name
    return [c for name, shape in shapes.items() for c in column_names(name, shape)]

"""Predictions as a table, on the screen or in a file."""

import csv
import io
import math
import pathlib
import sys
import typing

import numpy as np

from dotnn_runtime.script.atomic import write_output
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.storage import npz_bytes


def column_names(name: str, shape: typing.Sequence[int]) -> list[str]:
    """Return the CSV columns of a value without names of its own: `y` for one number, else `y1`, `y2`, …

    With more axes than one the places are joined: `(2, 2)` gives `y1_1`, `y1_2`, `y2_1`, `y2_2`.
    """
    if math.prod(shape) == 1:
        return [name]
    return [name + "_".join(str(i + 1) for i in place) for place in np.ndindex(*shape)]


def write_predictions(
    outputs: dict[str, np.ndarray], path: str | pathlib.Path | None = None, *, overwrite: bool = False
) -> None:
    """Write outputs, `(n, …)` each, to `path`: CSV, or .npz by its ending; None and `-` print CSV.

    An output of strings, such as the names of classes, is allowed in CSV. Numbers are written so that they read back
    exactly. Raises DataError where the file exists and `overwrite` is not set, and where it cannot be written.
    """
    if path is None or str(path) == "-":
        sys.stdout.write(predictions_csv(outputs))
        return
    path = pathlib.Path(path)
    content = npz_bytes(outputs) if path.suffix.lower() == ".npz" else predictions_csv(outputs).encode()
    try:
        there = (path.is_file() or path.is_dir()) and not overwrite  # a pipe or a device loses nothing
        if not there:
            write_output(path, content)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be written: {getattr(error, 'strerror', '') or error}", path) from None
    if there:
        raise DataError("the file exists", path, help="name another file, or use --force")


def predictions_csv(outputs: dict[str, np.ndarray]) -> str:
    """Return outputs as CSV with a header: a row per example, a column per number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column for name, values in outputs.items() for column in column_names(name, values.shape[1:])])
    blocks = [values.reshape(len(values), -1) for values in outputs.values()]
    # str of a NumPy number is the shortest text that reads back as that number in its own precision.
    writer.writerows([str(cell) for row in rows for cell in row] for rows in zip(*blocks, strict=True))
    return text.getvalue()

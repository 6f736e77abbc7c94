"""Reads the input of `dotnn predict` and writes its output."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dotnn_runtime.script.arrays import check_arrays
from dotnn_runtime.script.atomic import write_atomically
from dotnn_runtime.script.csv_file import read_csv
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.npz_file import read_npz
from dotnn_runtime.script.storage import save_weights

Declarations = Mapping[str, tuple[str, tuple[int, ...]]]


def column_names(name: str, shape: Sequence[int]) -> list[str]:
    """Return the CSV columns of a value without names of its own: `y` for one number, else `y1`, `y2`, …

    With more axes than one the places are joined: `(2, 2)` gives `y1_1`, `y1_2`, `y2_1`, `y2_2`.
    """
    if int(np.prod(shape)) == 1:
        return [name]
    return [name + "_".join(str(i + 1) for i in place) for place in np.ndindex(*shape)]


def read_inputs(
    path: str | Path,
    declarations: Declarations,
    columns: Mapping[str, Sequence[str]] | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, np.ndarray]:
    """Read the inputs of a network, in raw units, from `path`: a CSV file with a header, an .npz or an .npy file.

    `declarations` is the script's `INPUTS`. `columns` maps an input to its CSV columns or, as a list of one, to its
    key in the .npz file; an input that it lacks has the columns of `column_names`, or the key of its own name.
    `labels` holds the strings of a class that is an input. Returns arrays `(n, *shape)`, checked by `check_arrays`.
    Raises DataError, with row and column for a cell.
    """
    given = columns or {}
    if Path(path).suffix.lower() in (".npz", ".npy"):
        keys = {name: given[name][0] if len(given.get(name, ())) == 1 else name for name in declarations}
        return check_arrays(read_npz(path, keys), dict(declarations))
    wanted = {name: list(given.get(name, column_names(name, shape))) for name, (_, shape) in declarations.items()}
    kinds = {name: kind for name, (kind, _) in declarations.items()}
    arrays, _ = read_csv(path, wanted, kinds, {name: list(names) for name, names in (labels or {}).items()})
    shaped = {name: _unflatten(name, arrays[name], shape) for name, (_, shape) in declarations.items()}
    return check_arrays(shaped, dict(declarations))


def write_predictions(
    outputs: Mapping[str, np.ndarray],
    path: str | Path | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write outputs, `(n, …)` each, to `path`: CSV, or .npz by its ending; None writes CSV to stdout.

    An output of strings, such as the names of classes, is allowed in CSV. `columns` names the CSV columns of an
    output; else `column_names` does. Numbers are written so that they read back exactly.
    Raises DataError where the file exists and `overwrite` is not set, and where it cannot be written.
    """
    if path is None:
        sys.stdout.write(_csv_text(outputs, columns or {}))
        return
    target = Path(path)
    if target.exists() and not overwrite:
        raise DataError("the file exists", target, help="name another file, or use --force")
    try:
        if target.suffix.lower() == ".npz":
            save_weights(target, dict(outputs))
        else:
            write_atomically(target, _csv_text(outputs, columns or {}).encode())
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror or error}", target) from None


def _csv_text(outputs: Mapping[str, np.ndarray], columns: Mapping[str, Sequence[str]]) -> str:
    header: list[str] = []
    blocks = []
    for name, values in outputs.items():
        names = columns.get(name) or column_names(name, values.shape[1:])
        block = np.asarray(values).reshape(len(values), -1)
        if block.shape[1] != len(names):
            raise DataError(f"{name} has {block.shape[1]} columns, but there are {len(names)} names for them")
        header.extend(names)
        # str of a NumPy number is the shortest text that reads back as that number in its own precision.
        blocks.append([[str(cell) for cell in row] for row in block])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([cell for row in rows for cell in row] for rows in zip(*blocks, strict=True))
    return text.getvalue()


def _unflatten(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the columns `(n, k)` of one value as `(n, *shape)`."""
    if array.size != len(array) * int(np.prod(shape)):
        raise DataError(f"{name} has {array.shape[-1]} columns, its shape {shape} needs {int(np.prod(shape))}")
    return array.reshape(len(array), *shape)

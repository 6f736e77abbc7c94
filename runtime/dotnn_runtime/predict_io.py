"""Reads the input of `dotnn predict`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dotnn_runtime.script.arrays import check_arrays
from dotnn_runtime.script.csv_file import read_csv
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.files import is_table
from dotnn_runtime.script.npz_file import read_npz
from dotnn_runtime.script.predictions import column_names

Declarations = Mapping[str, tuple[str, tuple[int, ...]]]


def read_inputs(
    path: str | Path,
    declarations: Declarations,
    columns: Mapping[str, Sequence[str]] | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, np.ndarray]:
    """Read the inputs of a network, in raw units, from `path`: a CSV file with a header, an .npz or an .npy file, `-`
    for standard input.

    `declarations` is the script's `INPUTS`. `columns` maps an input to its CSV columns or, as a list of one, to its
    key in the .npz file; an input that it lacks has the columns of `column_names`, or the key of its own name.
    `labels` holds the strings of a class that is an input. Returns arrays `(n, *shape)`, checked by `check_arrays`.
    Raises DataError, with row and column for a cell.
    """
    given = columns or {}
    if not is_table(str(path)):
        keys = {name: given[name][0] if len(given.get(name, ())) == 1 else name for name in declarations}
        return check_arrays(read_npz(path, keys), dict(declarations))
    wanted = {name: list(given.get(name, column_names(name, shape))) for name, (_, shape) in declarations.items()}
    kinds = {name: kind for name, (kind, _) in declarations.items()}
    arrays, _ = read_csv(path, wanted, kinds, {name: list(names) for name, names in (labels or {}).items()})
    shaped = {name: _unflatten(name, arrays[name], shape) for name, (_, shape) in declarations.items()}
    return check_arrays(shaped, dict(declarations))


def _unflatten(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the columns `(n, k)` of one value as `(n, *shape)`."""
    if array.size != len(array) * int(np.prod(shape)):
        raise DataError(f"{name} has {array.shape[-1]} columns, its shape {shape} needs {int(np.prod(shape))}")
    return array.reshape(len(array), *shape)

"""Reads the input of `dotnn predict`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dotnn_runtime.script.arrays import check_arrays
from dotnn_runtime.script.csv_file import read_csv
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.files import is_table
from dotnn_runtime.script.npz_file import read_npz
from dotnn_runtime.script.predictions import column_names
from dotnn_runtime.script.series import in_windows

Arrays = dict[str, np.ndarray]
Declarations = Mapping[str, tuple[str, tuple[int, ...]]]


class TableReader(Protocol):
    """A function that reads a table: `read_csv` is one."""

    def __call__(
        self,
        path: str | Path,
        columns: dict[str, list[str]],
        kinds: dict[str, str],
        labels: dict[str, list[str]] | None = None,
        **form: Any,
    ) -> tuple[Arrays, dict[str, list[str]]]:
        """Return the arrays, and the texts of the classes by value, given the columns and the kind of each value.

        `labels` are texts of classes that are known, from another file, and `form` says how the file is written.
        """
        ...


ArrayReader = Callable[[str | Path, dict[str, str]], Arrays]
"""(path, key of each value) -> the arrays: `read_npz` is one."""


def read_inputs(
    path: str | Path,
    declarations: Declarations,
    columns: Mapping[str, Sequence[str]] | None = None,
    *,
    table: TableReader | None = None,
    arrays: ArrayReader | None = None,
    form: Mapping[str, Any] | None = None,
    windows: Mapping[str, tuple[int, int]] | None = None,
    labels: dict[str, list[str]] | None = None,
) -> Arrays:
    """Read the inputs of a network, in raw units, from `path`; `-` is standard input.

    `declarations` is the script's `INPUTS`. The reader is `table`, or `arrays`, with the arguments of `read_csv` or
    `read_npz`; without one it is one of these, by the name of the file. `columns` maps an input to its columns or, as
    a list of one, to its key; an input that it lacks has the columns of `column_names`, or the key of its own name.
    `form` says how a table is written, where that is not as usual; `windows` that its rows are the steps of a series,
    as `in_windows` takes it, and `labels` are the texts of a run's classes.
    Returns arrays `(n, *shape)`, checked by `check_arrays`. Raises DataError, with row and column for a cell.
    """
    given = columns or {}
    if table is None and (arrays is not None or not is_table(str(path))):
        keys = {name: given[name][0] if len(given.get(name, ())) == 1 else name for name in declarations}
        found = (arrays or read_npz)(path, keys)
    else:
        read = functools.partial(table or read_csv, labels=labels, **(form or {}))
        beside: Declarations = {
            name: ("key", ()) for name, span in (windows or {}).items() if span == (0, 0) and name in given
        }
        found = _read_table(path, {**declarations, **beside}, given, read)
        found = in_windows(found, windows) if windows else _in_shape(found, declarations)
        found = {name: found[name] for name in declarations}
    return check_arrays(found, dict(declarations))


def _read_table(
    path: str | Path,
    declarations: Declarations,
    columns: Mapping[str, Sequence[str]],
    read: Callable[..., tuple[Arrays, dict[str, list[str]]]],
) -> Arrays:
    """Return the columns of each input as an array `(n, columns)`, or `(n,)`."""
    wanted = {name: list(columns.get(name, column_names(name, shape))) for name, (_, shape) in declarations.items()}
    kinds = {name: kind for name, (kind, _) in declarations.items()}
    found, _ = read(path, wanted, kinds)
    return found


def _in_shape(found: Arrays, declarations: Declarations) -> Arrays:
    """Return the columns of each input in the shape of its examples."""
    return {name: _unflatten(name, found[name], shape) for name, (_, shape) in declarations.items()}


def _unflatten(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the columns `(n, k)` of one value as `(n, *shape)`."""
    if array.size != len(array) * int(np.prod(shape)):
        raise DataError(f"{name} has {array.shape[-1]} columns, its shape {shape} needs {int(np.prod(shape))}")
    return array.reshape(len(array), *shape)

"""Files that a spec names: data and initial weights, only from the folder of the spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dotnn.diagnostics import CompileError, Diagnostic, Span
from dotnn.emit.data import raw_kinds
from dotnn.model.model import Model
from dotnn_runtime.script.csv_file import read_csv
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.npz_file import load_arrays, read_npz

Arrays = dict[str, np.ndarray]


def inside(model: Model, name: str, span: Span) -> Path:
    """Return the path of a file that the spec names. Raises `CompileError` where it leads out of the spec's folder."""
    folder = Path(model.source.path).resolve().parent
    path = (folder / name).resolve() if "\0" not in name else folder
    if not path.is_relative_to(folder) or path == folder:
        raise CompileError(
            [Diagnostic("NN402", f'"{name}" lies outside the folder of the spec', span,
                        help="put the file beside the spec, or pass its path on the command line with --data")],
            model.source,
        )  # fmt: skip
    if not path.is_file():
        raise CompileError(
            [Diagnostic("NN401", f'there is no file "{name}" beside the spec', span, help=f"it was looked for as {name}")],
            model.source,
        )
    return path


def initial_values(model: Model) -> dict[str, Any]:
    """Return the arrays of the parameters that start from a file. Raises `CompileError`."""
    values: dict[str, Any] = {}
    stored: dict[str, Arrays] = {}
    problems: list[Diagnostic] = []
    for name, p in model.params.items():
        if p.init.name != "file":
            continue
        file = p.init.attrs["path"]
        try:
            if file not in stored:
                stored[file] = load_arrays(inside(model, file, p.span))
        except DataError as error:
            raise CompileError([from_data_error(error, p.span)], model.source) from None
        array = stored[file].get(name)
        if array is None:
            known = ", ".join(list(stored[file])[:8])
            problems.append(Diagnostic("NN404", f'"{file}" has no array "{name}"', p.span, help=f"it holds {known}"))
        elif array.shape != p.shape or array.dtype.kind not in "fiu":
            problems.append(
                Diagnostic("NN404", f'"{name}" in "{file}" has shape {list(array.shape)}, needed is {list(p.shape)}', p.span)
            )
        else:
            values[name] = array
    if problems:
        raise CompileError(problems, model.source)
    return values


def load_examples(model: Model, given: str | None = None) -> tuple[Arrays, dict[str, list[str]]]:
    """Return raw arrays by name and the labels of classes that are strings.

    `given` is a path from the command line: the data file itself, or the folder that holds it. Raises `CompileError`.
    """
    data = model.data
    try:
        if data is not None and data.source is None and given is None:
            return {name: np.asarray(rows) for name, rows in data.inline.items()}, {}
        if data is None or data.source is None:
            return _load_given(model, given)
        path = _source_path(model, given)
        fields = {n: list(c) for n, c in data.source.fields.items()}
        if data.source.format == "csv":
            return read_csv(path, fields, raw_kinds(model))
        return read_npz(path, {n: c[0] for n, c in fields.items()}), {}
    except DataError as error:
        span = data.source.span if data and data.source else None
        raise CompileError([from_data_error(error, span)], model.source) from None


def _source_path(model: Model, given: str | None) -> Path:
    assert model.data is not None and model.data.source is not None
    if given is None:
        return inside(model, model.data.source.path, model.data.source.span)
    path = Path(given)
    return path / model.data.source.path if path.is_dir() else path


def _load_given(model: Model, given: str | None) -> tuple[Arrays, dict[str, list[str]]]:
    if given is None:
        raise CompileError(
            [Diagnostic("NN405", "there is nothing to train on: the spec has no data section",
                        help='add data { source = csv("file.csv", …) } or pass --data FILE.npz')],
            model.source,
        )  # fmt: skip
    return read_npz(given, {name: name for name in (*model.inputs, *model.targets)}), {}


def from_data_error(error: DataError, span: Span | None) -> Diagnostic:
    """Turn an error of the data readers into a diagnostic at the place in the spec that names the data."""
    where = "" if error.path is None else Path(str(error.path)).name
    where += f", row {error.row}" if error.row is not None else ""
    where += f", column {error.column}" if error.column is not None else ""
    message = str(error)
    if error.help:
        message = message.removesuffix(f" ({error.help})")
    return Diagnostic("NN403", message, span, where, error.help)

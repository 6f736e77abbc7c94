"""Where a script finds its files, and how it prints predictions."""

import pathlib
import typing

import numpy as np

from dotnn_runtime.script.errors import DataError


def locate(name: str, script: str, given: str | None = None) -> pathlib.Path:
    """Return the path of a data file: `given` where it is a file, inside `given` where that is a folder, else beside
    the script. Raises DataError where there is none."""
    base = pathlib.Path(given) if given else pathlib.Path(script).resolve().parent
    path = base / name if base.is_dir() else base
    if not path.is_file():
        raise DataError("there is no such file", path, help="name the data file or its folder with --data")
    return path


def print_table(outputs: dict[str, np.ndarray], file: typing.TextIO) -> None:
    """Write outputs, one row per example, as CSV with a header."""
    columns = {name: np.asarray(values).reshape(len(values), -1) for name, values in outputs.items()}
    header = [name if v.shape[1] == 1 else f"{name}{i + 1}" for name, v in columns.items() for i in range(v.shape[1])]
    print(",".join(header), file=file)
    for row in zip(*columns.values(), strict=True):
        print(",".join(str(cell) for part in row for cell in part), file=file)

"""Weights, histories and JSON on disk. A file is complete or not there: none is ever half written."""

import csv
import io
import json
import pathlib
import typing
import zipfile

import numpy as np

from dotnn_runtime.script.atomic import write_atomically
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.npz_file import load_arrays


def save_weights(path: str | pathlib.Path, params: dict[str, np.ndarray]) -> None:
    """Write `params` as an .npz file; the same arrays give the same bytes (unlike numpy.savez, no time is stored)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in params.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    write_atomically(path, buffer.getvalue())


def load_weights(path: str | pathlib.Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read the parameters that `save_weights` wrote, in the order of `shapes` (`{"h1.W": (2, 3), …}`).

    Raises DataError naming every parameter that is missing, unknown, of another shape or not of floats.
    """
    stored = load_arrays(path)
    faults = [f"{name} is missing" for name in shapes if name not in stored]
    faults += [f"{name} is unknown" for name in stored if name not in shapes]
    for name, shape in shapes.items():
        if name in stored and stored[name].shape != tuple(shape):
            faults.append(f"{name} has shape {stored[name].shape}, needed is {tuple(shape)}")
        elif name in stored and stored[name].dtype.kind != "f":
            faults.append(f"{name} holds {stored[name].dtype}, not floats")
    if faults:
        raise DataError(f"the weights do not fit this network: {'; '.join(faults)}", path)
    return {name: stored[name] for name in shapes}


def write_history(path: str | pathlib.Path, history: list[dict[str, typing.Any]]) -> None:
    """Write the records of the epochs as CSV: one column per key of any record, in order of appearance."""
    names = list(dict.fromkeys(key for record in history for key in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_atomically(path, text.getvalue().encode())


def write_json(path: str | pathlib.Path, value: typing.Any) -> None:
    """Write `value` as indented JSON; floats are written so that they read back exactly."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: str | pathlib.Path) -> typing.Any:
    """Read a JSON file; DataError where that fails."""
    try:
        return json.loads(pathlib.Path(path).read_bytes())
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", path) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON: {error}", path) from None

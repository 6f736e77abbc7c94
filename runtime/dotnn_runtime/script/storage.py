"""Weights, histories and JSON on disk. A file is complete or not there: none is ever half written."""

import csv
import io
import json
import pathlib
import typing
import zipfile
import zlib

import numpy as np

from dotnn_runtime.script.atomic import write_atomically
from dotnn_runtime.script.errors import DataError, reason_of
from dotnn_runtime.script.files import open_input
from dotnn_runtime.script.npz_file import declared_shapes, load_arrays, npz_comment
from dotnn_runtime.script.scaling import scaling_from_json


def save_weights(path: str | pathlib.Path, params: dict[str, np.ndarray], model: str = "") -> None:
    """Write `params` as an .npz file; the same arrays give
    the same bytes (unlike numpy.savez, no time is stored).

    `model`, a digest of what the network computes, goes into
    the file's comment, where `load_weights` looks for it.
    """
    write_atomically(path, npz_bytes(params, f"model {model}" if model else ""))


def npz_bytes(arrays: dict[str, np.ndarray], comment: str = "") -> bytes:
    """Return arrays as the content of an .npz file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)
        archive.comment = comment.encode()
    return buffer.getvalue()


def load_weights(
    path: str | pathlib.Path, shapes: dict[str, tuple[int, ...]], model: str = ""
) -> dict[str, np.ndarray]:
    """Read the parameters that `save_weights` wrote, in the order of `shapes` (`{"h1.W": (2, 3), …}`).

    Raises DataError naming every parameter that is missing, unknown, of another shape or
    not of floats; and where the file names another `model`, whose parameters may have the
    same names and shapes. A file that names none, such as one of numpy.savez, is taken.
    """
    faults = misfits(declared_shapes(path), shapes)
    if faults:
        raise DataError(f"the weights do not fit this network: {'; '.join(faults)}", path)
    if model and npz_comment(path) not in ("", f"model {model}"):
        message = "the weights are those of another network, though of the same shapes"
        raise DataError(
            message, path, help="a layer or an activation differs: use the script they were trained with"
        )
    stored = load_arrays(path)
    return {name: stored[name] for name in shapes}


def misfits(
    declared: dict[str, tuple[tuple[int, ...], np.dtype]], shapes: dict[str, tuple[int, ...]]
) -> list[str]:
    """Return what is wrong with arrays of these shapes and dtypes where floats of `shapes` are needed."""
    faults = [f"{name} is missing" for name in shapes if name not in declared]
    faults += [f"{name} is unknown" for name in declared if name not in shapes]
    for name, (found, dtype) in declared.items():
        if name in shapes and found != tuple(shapes[name]):
            faults.append(f"{name} has shape {found}, needed is {tuple(shapes[name])}")
        elif name in shapes and dtype.kind != "f":
            faults.append(f"{name} holds {dtype}, not floats")
    return faults


def write_history(path: str | pathlib.Path, history: list[dict[str, float]]) -> None:
    """Write the records of the epochs as CSV: one column per key of any record, in order of appearance."""
    names = list(dict.fromkeys(key for record in history for key in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_atomically(path, text.getvalue().encode())


def write_json(path: str | pathlib.Path, value: object) -> None:
    """Write `value` as indented JSON; floats are written so that they read back exactly."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: str | pathlib.Path) -> object:
    """Read a JSON file; DataError where that fails."""
    try:
        with open_input(path) as file:
            return json.load(file)
    except OSError as error:
        raise DataError(f"cannot be read: {reason_of(error)}", path) from None
    except DataError:
        raise
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON: {error}", path) from None


def write_sealed_json(path: str | pathlib.Path, table: typing.Mapping[str, object]) -> None:
    """Write a dict as JSON, with its checksum under the key `crc-32`: one changed digit is then noticed."""
    write_json(path, {**table, "crc-32": json_checksum(table)})


def read_sealed_json(path: str | pathlib.Path) -> dict[str, typing.Any]:
    """Read what `write_sealed_json` wrote, or a dict without a checksum.

    DataError where it is not as it was.
    """
    table = read_json(path)
    if not isinstance(table, dict):
        raise DataError('this must read {"name": …}', path, help="it is damaged")
    seal = table.pop("crc-32", None)
    if seal is not None and seal != json_checksum(table):
        raise DataError(
            "this is not what was written there: its checksum differs", path, help="it is damaged"
        )
    return table


def json_checksum(value: object) -> int:
    """Return the CRC-32 of a value as JSON, whatever the order of its keys."""
    return zlib.crc32(json.dumps(value, sort_keys=True).encode())


def load_scaling(
    path: str | pathlib.Path, fitted: dict[str, dict[str, tuple[int, ...] | None]] | None
) -> dict[str, dict[str, np.ndarray]]:
    """Return what was fitted, of exactly the names, keys and shapes in `fitted`: `{"x": {"shift": (2,), …}}`.

    A shape None is that of a list of any length. DataError
    where the file is damaged, or that of another network.
    """
    scaling = scaling_from_json(read_sealed_json(path), path)
    if fitted is not None and not fits(scaling, fitted):
        needed = ", ".join(f"{name} {shape}" for name, keys in fitted.items() for shape in keys.values())
        raise DataError(
            f"the scaling does not fit this network: needed is one of {needed or 'nothing'}", path
        )
    return scaling


def fits(
    scaling: dict[str, dict[str, np.ndarray]], fitted: dict[str, dict[str, tuple[int, ...] | None]]
) -> bool:
    """Say whether what was fitted has exactly these names, keys and shapes."""
    if {name: set(s) for name, s in scaling.items()} != {name: set(keys) for name, keys in fitted.items()}:
        return False
    wanted = [(scaling[name][key], shape) for name, keys in fitted.items() for key, shape in keys.items()]
    return all(array.ndim == 1 if shape is None else array.shape == tuple(shape) for array, shape in wanted)

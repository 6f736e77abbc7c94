"""`dotnn data`: a file that needs more than NumPy becomes one that every script reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.running.converters import CONVERTERS, Converted, Converter
from dotnn.running.data_errors import from_data_error
from dotnn.running.output import check_output
from dotnn_runtime.script.atomic import write_output
from dotnn_runtime.script.errors import DataError, reason_of
from dotnn_runtime.script.labelled_file import read_labelled
from dotnn_runtime.script.npz_file import declared_shapes
from dotnn_runtime.script.storage import npz_bytes

OUTPUTS = (".npz", ".csv")


def convert_file(file: str, output: str, *, force: bool, **options: Any) -> Converted:
    """Convert a file, and return what it holds. Raises `CompileError` where that cannot be done."""
    path, target = Path(file), Path(output)
    converter = converter_of(path)
    if target.suffix.lower() not in OUTPUTS:
        raise _refused(f"{output} is neither an .npz nor a .csv file", "name one that ends so")
    check_output(target, force=force)
    given = {name: value for name, value in options.items() if value is not None}
    if given and converter.name != "images":
        raise _refused(f"{' and '.join(given)} are those of images, and {file} holds none", "leave them out")
    try:
        found = converted(converter, path, **(_as_in(given["like"]) if "like" in given else given))
        write_output(target, _content(found, target, path))
    except DataError as error:
        raise CompileError([from_data_error(error, None, str(error.path or file))]) from None
    except OSError as error:
        raise _refused(f"cannot write {output}: {reason_of(error)}", "check the disk and the permissions") from None
    return found


def _as_in(file: str) -> dict[str, Any]:
    """Return the options with which a file of images was made. Raises `DataError`."""
    shape = declared_shapes(file).get("image", ((),))[0]
    if len(shape) != 4:
        raise DataError("this is no file of images", file, help="name one that dotnn data has made")
    known = read_labelled(file, {"folder": "folder"})[1] if "folder" in declared_shapes(file) else {}
    return {"size": shape[1:3], "channels": shape[3], **({"known": known["folder"]} if known else {})}


def converter_of(path: Path) -> Converter:
    """Return what reads a file. Raises `CompileError` where there is none, or nothing that does."""
    if not path.exists():
        raise CompileError([Diagnostic("NN401", f'there is no file "{path}"', help="check the path")])
    for converter in CONVERTERS.values():
        if converter.takes(path):
            return converter
    known = "; ".join(converter.doc for converter in CONVERTERS.values())
    raise _refused(f"{path} is none of the files that are converted", f"these are: {known}")


def converted(converter: Converter, path: Path, **options: Any) -> Converted:
    """Return what a file holds. Raises `DataError`, and `CompileError` where something is not installed."""
    converter.needs.require()
    with converter.needs.imported():
        return converter.read(path, **options)


def _content(found: Converted, target: Path, path: Path) -> bytes:
    """Return the bytes of a file that holds what was read."""
    if target.suffix.lower() == ".csv":
        if found.table is None:
            raise DataError("images are no table", path, help="write an .npz file: -o images.npz")
        text: str = found.table.write_csv()
        return text.encode()
    arrays = found.arrays if found.table is None else _columns(found.table, path)
    return npz_bytes(dict(arrays), json.dumps({name: list(texts) for name, texts in found.texts.items()}))


def _columns(frame: Any, path: Path) -> dict[str, np.ndarray]:
    """Return the columns of a table of numbers; a gap is NaN."""
    arrays = {}
    for name in frame.columns:
        array = frame[name].to_numpy()
        if array.dtype.kind not in "biuf":
            help = "an .npz file has numbers; write a .csv: -o table.csv"
            raise DataError(f"the column {name} holds {frame.schema[name]}", path, help=help)
        arrays[name] = array
    return arrays


def _refused(message: str, help: str) -> CompileError:
    return CompileError([Diagnostic("NN505", message, help=help)])

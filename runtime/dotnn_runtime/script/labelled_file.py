"""Reads what `dotnn data` makes of a folder of images: arrays, and the texts of their classes beside them."""

import json
import pathlib

import numpy as np

from dotnn_runtime.script.errors import DataError, suggest
from dotnn_runtime.script.npz_file import npz_comment, read_npz


def read_labelled(
    path: str | pathlib.Path, names: dict[str, str], labels: dict[str, list[str]] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """Read arrays as `read_npz` does, and the texts that classes stand for, by the names of the arrays.

    With `labels`, the texts of another file, classes are numbered as there. Raises DataError as `read_npz`
    does, and for a class that is none of those.
    """
    arrays = read_npz(path, names)
    try:
        stored = json.loads(npz_comment(path) or "{}")
        found = {name: [str(text) for text in stored[key]] for name, key in names.items() if key in stored}
    except (ValueError, TypeError):
        raise DataError(
            "the texts of its classes are damaged", path, help="make it anew: dotnn data"
        ) from None
    for name, known in (labels or {}).items():
        for text in found.get(name, []):
            if text not in known:
                raise DataError(f"{name} {text} is none of the classes", path, help=suggest(text, known))
        if name in found:
            arrays[name] = np.array([known.index(text) for text in found[name]])[arrays[name]]
    return arrays, labels or found

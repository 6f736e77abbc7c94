"""The examples of a source that needs more than NumPy: read as it is, or from the file that a script reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dotnn.core.diagnostics import CompileError, Diagnostic, render
from dotnn.model import messages
from dotnn.model.files import path_beside, stop
from dotnn.model.model import FileSource, Model
from dotnn.model.raw import raw_declarations
from dotnn.reports.console import warn
from dotnn.running.convert import converted
from dotnn.running.converters import CONVERTERS
from dotnn.running.data_errors import from_data_error
from dotnn_runtime.script.arrays import check_arrays
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.labelled_file import read_labelled

Arrays = dict[str, np.ndarray]
Labels = dict[str, list[str]]


def load_converted(
    model: Model, source: FileSource, given: str | None, labels: Mapping[str, list[str]] | None = None
) -> tuple[Arrays, Labels]:
    """Return the arrays of a source, checked, and the texts of their classes; `labels` are those of another part.

    `given` is a path from the command line: what is read itself, or the folder that holds it. Raises `CompileError`.
    """
    path, declared = _place(model, source, given), raw_declarations(model)
    keys = {name: words[0] for name, words in source.fields.items()}
    try:
        if path.is_file():
            arrays, found = read_labelled(path, keys, dict(labels) if labels else None)
        else:
            arrays, found = _read(model, source, path, labels or {})
        _check_classes(model, source, found, path)
        return check_arrays(arrays, {name: declared[name] for name in keys}), found
    except DataError as error:
        shown = _shown(error, model)
        raise stop(model, from_data_error(error, source.span, shown)) from None


def read_one_image(format: str, path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Return the inputs of a prediction, `(n, *shape)`, from a file or folder. Raises `DataError`, `CompileError`."""
    found = converted(CONVERTERS[format], path, size=shape[:2], channels=(*shape, 1)[2])
    return next(iter(found.arrays.values())).reshape(-1, *shape)


def _place(model: Model, source: FileSource, given: str | None) -> Path:
    """Return the folder, or the file that a script reads where there is no folder. Raises `CompileError`."""
    own = path_beside(model, source.path, source.span)
    made = path_beside(model, source.file, source.span)
    if given is not None:
        base = Path(given)
        inner = (base / source.path, base / source.file) if base.is_dir() else ()
        own, made = next((path for path in inner if path.exists()), base), base
    for path in (own, made):
        if path.exists():
            return path
    message = f'there is no folder "{source.path}" beside the spec'
    raise stop(model, Diagnostic("NN401", message, source.span, help="check the name, or put the folder there"))


def _read(model: Model, source: FileSource, path: Path, labels: Mapping[str, list[str]]) -> tuple[Arrays, Labels]:
    """Return what a converter reads, by the names of inputs and targets."""
    keys = {words[0]: name for name, words in source.fields.items()}
    image, folder = (keys.get(key, "") for key in source.entry.keys)
    shape = (model.inputs.get(image) or model.targets[image]).type.example if image else (1, 1, 1)
    known = {"known": labels[folder]} if folder in labels else {}
    try:
        found = converted(CONVERTERS[source.format], path, size=shape[:2], channels=(*shape, 1)[2], **known)
    except CompileError as error:  # something is not installed
        help = f"{error.diagnostics[0].help}; or where it is: {source.command(model)}"
        raise stop(model, Diagnostic("NN506", error.diagnostics[0].message, source.span, help=help)) from None
    if folder and "folder" not in found.arrays:
        raise DataError("there are no sub-folders, one for each class", path, help="sort the images into folders")
    arrays = {name: found.arrays[key] for key, name in keys.items()}
    return arrays, {name: list(found.texts[key]) for key, name in keys.items() if key in found.texts}


def _check_classes(model: Model, source: FileSource, labels: Labels, path: Path) -> None:
    """Raise `DataError` for more classes than declared, and warn of fewer."""
    for name, texts in labels.items():
        count = int(raw_declarations(model)[name][0].partition(":")[2])
        if len(texts) > count:
            help = f"declare class[{len(texts)}]: {', '.join(texts[:12])}"
            raise DataError(f"there are {len(texts)} folders, but {name} has {count} classes", path, help=help)
        if len(texts) < count:
            warning = messages.warnings.few_classes(source.span, source.path, texts, count)
            warn((render(warning, model.source),))


def _shown(error: DataError, model: Model) -> str:
    """Return the path of an error as seen from the spec's folder."""
    folder = Path(model.source.path).resolve().parent
    path = Path(str(error.path or ""))
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)

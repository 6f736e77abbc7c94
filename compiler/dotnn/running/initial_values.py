"""Parameters that start from the weights of another training, in a file beside the spec."""

from __future__ import annotations

import numpy as np

from dotnn.core.diagnostics import Diagnostic, Span
from dotnn.model.files import stop
from dotnn.model.model import Model
from dotnn.running.data_errors import from_data_error
from dotnn.running.spec_files import Arrays, inside
from dotnn.syntax.scan import scan
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.npz_file import load_arrays


def initial_values(model: Model) -> Arrays:
    """Return the arrays of the parameters that start from a file. Raises `CompileError`."""
    values: Arrays = {}
    wanted: dict[str, list[str]] = {}
    for name, p in model.params.items():
        if p.init.name == "file":
            wanted.setdefault(p.init.attrs["path"], []).append(name)
    for file, names in wanted.items():
        values |= _stored(model, file, names)
    return values


def _stored(model: Model, file: str, names: list[str]) -> Arrays:
    """Return the arrays of one file, checked against the parameters of these names."""
    span = _place_of_text(model, file) or model.params[names[0]].span
    try:
        arrays = load_arrays(inside(model, file, span), names)
    except DataError as error:
        raise stop(model, from_data_error(error, span, file)) from None
    problems = []
    for name, array in arrays.items():
        p = model.params[name]
        if array.shape != p.shape or array.dtype.kind not in "fiu":
            message = f'"{name}" has the shape {list(array.shape)} in "{file}", but {list(p.shape)} in the model'
            help = f"its shape follows from the layer in line {model.source.line_of(p.span)}"
            problems.append(Diagnostic("NN404", message, span, help=help))
        elif not np.isfinite(array).all():
            message = f'"{name}" holds numbers in "{file}" that are not finite'
            problems.append(Diagnostic("NN404", message, span, help="train the network that wrote it again"))
    if problems:
        raise stop(model, *problems)
    return arrays


def _place_of_text(model: Model, text: str) -> Span | None:
    """Return where the spec writes this text, if it does so plainly."""
    pieces = scan(model.source.text)
    return next((p.span for p in pieces if p.kind == "string" and p.text == f'"{text}"'), None)

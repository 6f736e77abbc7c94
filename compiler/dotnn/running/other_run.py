"""`dotnn train SPEC --init-from RUN`: begin with the weights of another run, as far as the names are the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import click
import numpy as np

from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn_runtime.run_folder import RunFolder, RunFolderError, weight_shapes
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.npz_file import load_arrays

SHOWN = 6
"""So many names are said."""


def weights_from(run: str, module: ModuleType, seed: int, precision: str) -> dict[str, np.ndarray]:
    """Return first weights for a script: those of a run by the same names and of the same shapes, the others drawn.

    It says which are which. Raises `CompileError` where there is no such run, or nothing in it has a name of this
    network.
    """
    stored = _stored(run)
    dtype = np.float64 if precision == "float64" else np.float32
    params: dict[str, np.ndarray] = module.init_params(seed, dtype)
    shapes = weight_shapes(module)
    taken = [name for name, shape in shapes.items() if name in stored and stored[name].shape == tuple(shape)]
    other = [f"{name} is {_size(stored[name])} there" for name in shapes if name in stored and name not in taken]
    if not taken:
        message = f"nothing in the run {run} has the name and the shape of a weight of this network"
        raise CompileError([Diagnostic("NN510", message, help=_help(stored, shapes, other))])
    drawn = [name for name in shapes if name not in taken]
    click.echo(_said(run, taken, drawn, other), err=True)
    return {name: stored[name].astype(dtype) if name in taken else w for name, w in params.items()}


def _stored(run: str) -> dict[str, np.ndarray]:
    try:
        return dict(load_arrays(RunFolder.open(run).path / "weights.npz"))
    except RunFolderError as error:
        raise CompileError([Diagnostic("NN510", str(error), help="name the folder of a run, of dotnn train")]) from None
    except (DataError, OSError) as error:
        message = f"the weights of the run {run} cannot be read: {getattr(error, 'message', error)}"
        raise CompileError([Diagnostic("NN510", message, help="train it to its end first")]) from None


def _size(array: np.ndarray) -> str:
    return "×".join(map(str, array.shape)) or "a number"


def _help(stored: Mapping[str, np.ndarray], shapes: Mapping[str, object], other: list[str]) -> str:
    found = other or [f"it has {_some([*stored])}", f"this network has {_some([*shapes])}"]
    return "; ".join(found[:SHOWN])


def _said(run: str, taken: list[str], drawn: list[str], other: list[str]) -> str:
    rest = f"; drawn: {_some(drawn)}" if drawn else ""
    why = f" ({'; '.join(other[:SHOWN])})" if other else ""
    return f"weights from {Path(run)}: {_some(taken)}{rest}{why}"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"

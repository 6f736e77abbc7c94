"""What is read of a finished run: its script, what was trained and fitted, how the training went."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

import click
import numpy as np

from dotnn.codegen.heading import is_unchanged
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.running.combining import refuse_several
from dotnn.running.data_errors import all_faults
from dotnn.running.requirement import Requirement
from dotnn.running.scripts import load_module
from dotnn_runtime.run_folder import RunFolder, RunFolderError, weight_shapes
from dotnn_runtime.script.errors import DataError, reason_of
from dotnn_runtime.script.storage import read_json

Needs = Callable[[str], Requirement | None]
"""What must be installed to run a script."""
NEEDED = ("PARAMS", "INPUTS", "predict")
"""What a script must have to predict."""


class Kept(NamedTuple):
    """What a training has left: parameters, what was fitted on the training part, the texts of classes."""

    params: dict[str, np.ndarray]
    scaling: dict[str, dict[str, np.ndarray]]
    labels: dict[str, list[str]]


@contextmanager
def faults_of_runs(file: str = "") -> Iterator[None]:
    """Turn what can be wrong with a run into a `CompileError`; `file` is what else is read meanwhile."""
    try:
        yield
    except RunFolderError as error:
        message = str(error).removesuffix(f" ({error.help})")
        help = error.help or "a run is a folder that dotnn train wrote, such as runs/xor"
        raise CompileError([Diagnostic("NN406", message, help=help)]) from None
    except DataError as error:
        raise CompileError(all_faults(error, None, str(error.path or file))) from None


def check_finished(folder: RunFolder) -> None:
    """Raise `RunFolderError` where a training has not ended."""
    refuse_several(folder)
    for name in ("model.py", "weights.npz"):
        if not (folder.path / name).is_file():
            unfinished = (folder.path / "checkpoint.npz").is_file()
            help = f"the training did not finish: train again{', with --resume' if unfinished else ''}"
            raise RunFolderError(f"the run has no {name}", folder.path, help)


def script_text(folder: RunFolder) -> str:
    """Return the script of a run."""
    return (folder.path / "model.py").read_bytes().decode("utf-8", "replace")


def script_of(folder: RunFolder, needs: Needs) -> tuple[ModuleType, bool]:
    """Return the script of a run, and whether it was edited. Raises `RunFolderError` where it cannot be used."""
    check_finished(folder)
    path, script = folder.path / "model.py", script_text(folder)
    edited = not is_unchanged(script)
    if edited:
        click.echo(
            f"warning: {path} was edited since dotnn wrote it; the predictions are those of the edited script", err=True
        )
    try:
        module = load_module(path, needs(script))
    except CompileError:
        raise
    except Exception as error:  # whatever an edited, or a damaged, script may raise
        raise RunFolderError(f"model.py cannot be run: {error}", folder.path, "train again") from None
    missing = [name for name in NEEDED if not hasattr(module, name)]
    if missing:
        raise RunFolderError(f"model.py is no script of dotnn: it has no {missing[0]}", folder.path, "train again")
    return module, edited


def kept_in(folder: RunFolder, module: ModuleType) -> Kept:
    """Return what a run has kept for its network. Raises `DataError` where it is damaged, or another's."""
    params = folder.read_weights(weight_shapes(module), getattr(module, "MODEL", ""))
    return Kept(params, folder.read_scaling(getattr(module, "FITTED", None)), folder.read_labels())


def history_of(folder: RunFolder) -> list[dict[str, float]]:
    """Return one record for each epoch: numbers by name, NaN where there is none. Raises `DataError`."""
    path = folder.path / "history.csv"
    try:
        with open(path, encoding="utf-8", newline="") as lines:
            return [{name: float(cell) if cell else math.nan for name, cell in row.items()} for row in _rows(lines)]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"the history cannot be read: {error}", path, help="train again") from None


def _rows(lines: Any) -> Iterator[dict[str, str]]:
    for row in csv.DictReader(lines, strict=True):
        if None in row or None in row.values():
            raise ValueError("a row is shorter or longer than the header")
        yield row


def result_of(folder: RunFolder) -> dict[str, Any]:
    """Return what `metrics.json` says, {} for a run without. Raises `DataError` where it cannot be read."""
    path = folder.path / "metrics.json"
    try:
        metrics = read_json(path) if path.is_file() else {}
    except DataError as error:
        metrics, reason = None, reason_of(error)
    else:
        reason = "it was not written by dotnn"
    if not isinstance(metrics, dict):
        raise DataError(f"whether the training diverged cannot be read: {reason}", path, help="train again")
    return metrics


def warn_of_divergence(folder: RunFolder) -> None:
    """Say that predictions mean nothing where a training diverged."""
    if result_of(folder).get("stopped_by") == "diverged":
        click.echo(f"warning: the training of {folder.path} diverged; its predictions mean nothing", err=True)

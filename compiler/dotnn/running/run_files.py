"""The files of a run: where they go, what is written before and after the training, and what can go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

from dotnn.core.diagnostics import CompileError, Diagnostic, Source
from dotnn.model.files import folder_of
from dotnn.reports.training import History
from dotnn_runtime.pictures.losses import loss_svg
from dotnn_runtime.run_folder import RunFolder, RunFolderError, fresh_run_dir
from dotnn_runtime.script.errors import DataError, reason_of

ENDING = ".nn"
"""What the names of files of definitions end in; a part of the library has no file."""


def run_path(given: str | None, spec: str) -> Path:
    """Return the folder of a run: the one that was asked for, else a new one in `runs/`.

    Raises `CompileError` where a file is in its place.
    """
    path = Path(given) if given else fresh_run_dir("runs", Path(spec).stem.strip("<>"))
    in_the_way = next((part for part in (path, *path.parents) if part.exists() and not part.is_dir()), None)
    if in_the_way is not None:
        message = f"the run folder cannot be {path}: {in_the_way} is a file"
        raise CompileError([Diagnostic("NN504", message, help="choose another --run")])
    return path


@contextmanager
def run_errors(given: str | None) -> Iterator[None]:
    """Turn what can go wrong with the files of a run into a `CompileError`."""
    try:
        yield
    except RunFolderError as error:
        message = str(error).removesuffix(f" ({error.help})")
        raise CompileError([Diagnostic("NN504", message, help=_way_out(error))]) from None
    except DataError as error:
        raise CompileError([Diagnostic("NN504", f"{error.path}: {error.message}", help=error.help)]) from None
    except OSError as error:
        message = f"cannot write the run {given or ''}: {reason_of(error)}"
        raise CompileError([Diagnostic("NN504", message, help="check the disk and the folder's permissions")]) from None


def _way_out(error: RunFolderError) -> str:
    if error.path.is_dir() and (error.path / "run.json").exists():
        return "choose another --run, continue this one with --resume, or replace it with --overwrite"
    return error.help or "choose another --run"


def used_files(source: Source) -> dict[str, str]:
    """Return the texts of the files that a spec uses, by their paths from its folder; the library is not among them.

    Raises `CompileError` for one whose name in a run is taken.
    """
    own = [part for part in source.used if part.path.endswith(ENDING)]
    found = {Path(p.path).resolve().relative_to(folder_of(source)).as_posix(): p.text for p in own}
    if "spec.nn" in found:
        message = "a run keeps the spec itself as spec.nn: a file that the spec uses cannot be called so"
        raise CompileError([Diagnostic("NN504", message, help="rename that file")])
    return found


def write_inputs(folder: RunFolder, source: Source, script: str, labels: Mapping[str, list[str]]) -> None:
    """Write what is known before the training: the spec, what it uses, its script, and the texts of the classes."""
    folder.write_spec(source.text)
    for name, text in used_files(source).items():
        folder.write_used(name, text)
    folder.write_script(script)
    if labels:
        folder.write_labels(labels)


def write_results(
    folder: RunFolder, module: ModuleType, params: dict[str, np.ndarray], history: History, result: Mapping[str, object]
) -> None:
    """Write what a training has made."""
    folder.write_weights(params, module.MODEL)
    if history.scaling:
        folder.write_scaling(history.scaling)
    folder.write_history(list(history))
    if validations := getattr(history, "validations", None):
        folder.write_validations(validations)
    folder.write_metrics(result)
    folder.write_picture("loss", loss_svg(list(history), title=str(folder.path.name)))

"""`dotnn train`: run the generated script and keep what it leaves behind."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import numpy as np

from dotnn import __version__
from dotnn.commands.training.trial import tried, warn_of_batches_of_one
from dotnn.model.identity import training_identity
from dotnn.model.model import Model
from dotnn.reports.console import show_json
from dotnn.reports.training import EXIT_CODES, INTERRUPTED, show_training, training_result
from dotnn.running.resume import (
    Saving,
    bound_to_data,
    check_resumable,
    prepare_saving,
    resumed_folder,
    say_where_it_continues,
)
from dotnn.running.resume_differences import Training
from dotnn.running.run_files import run_errors, run_path, write_inputs, write_results
from dotnn.running.scripts import load_module, require
from dotnn.running.spec_files import Arrays, load_examples, refusals
from dotnn.session import Options, compile_model
from dotnn_runtime.interrupt import EpochEnds, Interrupted
from dotnn_runtime.progress import TrainingProgress
from dotnn_runtime.run_folder import RunFolder
from dotnn_runtime.script.lock import locked


@dataclass(frozen=True)
class Request:
    """What `dotnn train` was asked for, beside the spec."""

    target: str
    run_dir: str | None
    data: str | None
    style: str
    epochs: int | None
    overwrite: bool
    resume: bool
    as_json: bool
    sets: tuple[str, ...]


def train_model(model: Model, asked: Request) -> int:
    """Compile, train, write the run folder, report. Returns the exit code.

    With `resume` the training continues from the run's checkpoint, if the folder holds a run.
    """
    require(asked.target)
    if asked.epochs is not None:
        model = replace(model, train=replace(model.train, epochs=asked.epochs))
    if asked.resume:
        check_resumable(asked.run_dir, model)
    examples, labels = load_examples(model, asked.data)
    warn_of_batches_of_one(model, examples)
    options = Options(asked.style, asked.sets, target=asked.target, epochs=asked.epochs or 0)
    compiled = compile_model(model, options)
    module = tried(model, compiled.script if asked.target == "numpy" else "", examples)
    path = run_path(asked.run_dir, model.source.path)
    with ExitStack() as stack:
        with run_errors(asked.run_dir):
            stack.enter_context(locked(path))
            saving = _opened(path, model, asked, module)
            write_inputs(saving.folder, model.source.text, compiled.script, labels)
            if asked.target != "numpy":
                module = load_module(saving.folder.path / "model.py")
        quiet = say_where_it_continues(saving, model.train.epochs) or asked.as_json
        started = time.perf_counter()
        identity = training_identity(model, asked.target, asked.style)
        params, history = _run(module, model, examples, saving, identity, quiet=quiet)
        result = {
            "run": str(path),
            "target": asked.target,
            **training_result(model, history),
            "seconds": round(time.perf_counter() - started, 3),
            "set": _values(model, asked.sets),
        }
        if params is not None:
            with run_errors(asked.run_dir):
                write_results(saving.folder, module, params, history, result)
    if asked.as_json:
        show_json(result)
    elif params is not None:
        show_training(model, compiled.graph, history, result)
    return EXIT_CODES.get(history.stopped_by, 0)


def _opened(path: Path, model: Model, asked: Request, script: ModuleType) -> Saving:
    """Return the run to continue, or a new one, with its checkpoints."""
    values = _values(model, asked.sets)
    identity = training_identity(model, asked.target, asked.style)
    folder = None
    if asked.resume:
        folder = resumed_folder(path, Training(identity, model.source.text, asked.target, asked.style, values))
    begun = folder is not None
    if folder is None:
        info = {"training": identity, "target": asked.target, "set": values}
        folder = RunFolder.create(path, version=__version__, overwrite=asked.overwrite, info=info)
    return prepare_saving(folder, script, model, begun=begun)


def _values(model: Model, sets: tuple[str, ...]) -> dict[str, Any]:
    """Return what `--set` has set, as the values that the model was made with."""
    names = {text.partition("=")[0].strip() for text in sets}
    return {name: value for name, value in model.constants.items() if name in names}


def _run(
    module: ModuleType, model: Model, examples: Arrays, saving: Saving, training: str, *, quiet: bool
) -> tuple[dict[str, np.ndarray] | None, Any]:
    """Return the parameters and the history of a training; no parameters where Ctrl-C left nothing to be kept."""
    with (
        refusals(model),
        TrainingProgress(model.train.epochs, title=model.name, quiet=quiet) as progress,
        EpochEnds(progress) as epoch_ends,
        np.errstate(all="ignore"),
    ):
        saving = bound_to_data(saving, {**examples, "spec": training, "seed": model.train.seed})

        def on_epoch(record: dict[str, Any], state: dict[str, Any]) -> None:
            if saving.hands_over:
                saving.after_epoch(record, state, model.train.epochs)
            epoch_ends(record, state["params"] if saving.hands_over else state)

        try:
            params, history = module.train(examples, on_epoch=on_epoch, **saving.arguments)
            return params, history
        except (KeyboardInterrupt, Interrupted) as ended:
            interrupted = ended
    history = module.History({})
    history.extend([*saving.history, *epoch_ends.records])
    history.stopped_by = INTERRUPTED
    if saving.checkpoint is None and isinstance(interrupted, Interrupted):
        history.scaling = module.prepare(examples)[1]
        return {name: np.array(w) for name, w in interrupted.params.items()}, history
    continued = "to continue this run, give the same command again with --resume"
    click.echo(f"\n{continued if saving.checkpoint else 'nothing of this training was kept'}", err=True)
    return None, history

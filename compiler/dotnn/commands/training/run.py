"""`dotnn train`: run the generated script and keep the result."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
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
from dotnn.running.resume import Saving, check_resumable, prepare_saving, resumed_folder, say_where_it_continues
from dotnn.running.resume_differences import Training
from dotnn.running.run_files import run_errors, run_path, write_inputs, write_results
from dotnn.running.scripts import load_module
from dotnn.running.spec_files import Arrays, load_examples, refusals
from dotnn.session import Compilation
from dotnn.targets import TARGETS, Options
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


def train_model(begun: Compilation, asked: Request) -> int:
    """Compile, train, write the run folder, report. Returns the exit code.

    With `resume` the training continues from the run's checkpoint, if the folder holds a run.
    """
    target = TARGETS[asked.target]
    if target.needs is not None:
        target.needs.require()
    if asked.epochs is not None:
        begun = begun.with_epochs(asked.epochs)
    model = begun.model
    if asked.resume:
        check_resumable(asked.run_dir, model)
    examples, labels = load_examples(model, asked.data)
    warn_of_batches_of_one(model, examples)
    compiled = begun.compiled(Options(asked.style, begun.sets, asked.target, asked.epochs or 0))
    module = tried(model, begun.script() if target.needs else compiled.script, examples)
    path = run_path(asked.run_dir, model.source.path)
    with ExitStack() as stack:
        with run_errors(asked.run_dir):
            stack.enter_context(locked(path))
            saving = _opened(path, begun, asked, module)
            write_inputs(saving.folder, model.source.text, compiled.script, labels)
            if target.needs:
                module = load_module(saving.folder.path / "model.py", target.needs)
        quiet = say_where_it_continues(saving, model.train.epochs) or asked.as_json
        started = time.perf_counter()
        params, history = _run(module, model, examples, saving, quiet=quiet)
        result = {
            "run": str(path),
            "target": asked.target,
            **training_result(model, history),
            "seconds": round(time.perf_counter() - started, 3),
            "set": _values(model, begun.sets),
        }
        if params is not None:
            with run_errors(asked.run_dir):
                write_results(saving.folder, module, params, history, result)
                for name, write in target.results.items():
                    write(module, params, saving.folder.claim(name))
    if asked.as_json:
        show_json(result)
    elif params is not None:
        show_training(model, compiled.graph, history, result)
    return EXIT_CODES.get(history.stopped_by, 0)


def _opened(path: Path, begun: Compilation, asked: Request, script: ModuleType) -> Saving:
    """Return the run to continue, or a new one, with its checkpoints."""
    model, target = begun.model, TARGETS[asked.target]
    style, values = target.style(asked.style).name, _values(model, begun.sets)
    identity = training_identity(model, target.name, style)
    folder = None
    if asked.resume:
        folder = resumed_folder(
            path, Training(identity, model.source.text, target.name, style if target.has_styles else "", values)
        )
    continued = folder is not None
    if folder is None:
        info = {"training": identity, "target": target.name, "set": values}
        folder = RunFolder.create(path, version=__version__, overwrite=asked.overwrite, info=info)
    return prepare_saving(folder, script, model, begun=continued)


def _values(model: Model, sets: tuple[str, ...]) -> dict[str, Any]:
    """Return what `--set` has set, as the values that the model was made with."""
    names = {text.partition("=")[0].strip() for text in sets}
    return {name: value for name, value in model.constants.items() if name in names}


def _run(
    module: ModuleType, model: Model, examples: Arrays, saving: Saving, *, quiet: bool
) -> tuple[dict[str, np.ndarray] | None, Any]:
    """Return the parameters and the history of a training; no parameters where Ctrl-C left nothing to be kept."""
    progress = TrainingProgress(model.train.epochs, title=model.name, quiet=quiet)
    epoch_ends = EpochEnds(progress)
    try:
        with refusals(model), progress, epoch_ends, np.errstate(all="ignore"):
            params, history = module.train(examples, on_epoch=epoch_ends, **saving.arguments)
            return params, history
    except (KeyboardInterrupt, Interrupted) as ended:
        history = module.History({})
        history.extend([*saving.history, *epoch_ends.records])
        history.stopped_by = INTERRUPTED
        if saving.checkpoint is None and isinstance(ended, Interrupted):
            history.scaling = module.prepare(examples)[1]
            return {name: np.array(w) for name, w in ended.params.items()}, history
    continued = "to continue this run, give the same command again with --resume"
    click.echo(f"\n{continued if saving.checkpoint else 'nothing of this training was kept'}", err=True)
    return None, history

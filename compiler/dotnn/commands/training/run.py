"""`dotnn train`: run the generated script and keep the result."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import click
import numpy as np

from dotnn import __version__
from dotnn.commands.training.divergence import first_lost
from dotnn.commands.training.prepare import Prepared, Request, gives_up, prepare, read_again, seed_of
from dotnn.reports.console import show_json
from dotnn.reports.training import (
    DIVERGED,
    EXIT_CODES,
    INTERRUPTED,
    RunResult,
    leading_metric,
    show_training,
    training_result,
)
from dotnn.running.feeding import fed_input
from dotnn.running.resume import Saving, prepare_saving, resumed_folder, say_where_it_continues
from dotnn.running.run_files import run_errors, run_path, write_inputs, write_results
from dotnn.running.scripts import load_module
from dotnn.running.snapshots import KEY, Snapshots, keep_first
from dotnn.running.spec_files import refusals
from dotnn.session import Compilation
from dotnn.targets import TARGETS, Target
from dotnn_runtime.interrupt import EpochEnds, Interrupted
from dotnn_runtime.progress import TrainingProgress
from dotnn_runtime.run_folder import RunFolder
from dotnn_runtime.script.digest import digest_of
from dotnn_runtime.script.history import History
from dotnn_runtime.script.lock import locked


class Done(NamedTuple):
    """What a training has come to; no parameters where it was interrupted and nothing of it is kept."""

    folder: RunFolder
    params: dict[str, np.ndarray] | None
    history: History
    result: RunResult

    @property
    def code(self) -> int:
        """The exit code."""
        return EXIT_CODES.get(self.history.stopped_by, 0)


def train_model(begun: Compilation, asked: Request) -> int:
    """Compile, train, write the run folder, report. Returns the exit code.

    With `resume` the training continues from the run's checkpoint, if the folder holds a run.
    """
    if begun.model.train.setting("ensemble") is not None:
        from dotnn.commands.training.ensemble import train_ensemble

        return train_ensemble(begun, asked)
    ready = prepare(begun, asked)
    done = train_prepared(ready, asked, run_path(asked.run_dir, ready.model.source.path))
    if asked.as_json:
        show_json(done.result)
    elif done.params is not None:
        show_training(ready.model, ready.compiled.graph, done.history, done.result)
        from dotnn.commands.training.worst import warn_of_the_worst

        warn_of_the_worst(done.folder, ready, done.history, done.result)
    return done.code


def train_prepared(ready: Prepared, asked: Request, path: Path) -> Done:
    """Train what is ready, in a folder, and write there what comes of it."""
    with ExitStack() as stack:
        with run_errors(asked.run_dir):
            stack.enter_context(locked(path))
            saving = _opened(path, ready, asked)
            module = _written(saving, ready, TARGETS[asked.target])
            if ready.first is not None:
                keep_first(saving.folder, ready.model, ready.first)
        quiet = say_where_it_continues(saving, ready.model.train.epochs) or asked.as_json
        started = time.perf_counter()
        params, history = _run(module, ready, asked, saving, quiet=quiet)
        result = _result(path, ready, asked, history, time.perf_counter() - started)
        if params is not None:
            with run_errors(asked.run_dir):
                _keep(saving.folder, module, TARGETS[asked.target], params, history, result)
    return Done(saving.folder, params, history, result)


def _opened(path: Path, ready: Prepared, asked: Request) -> Saving:
    """Return the run to continue, or a new one, with its checkpoints."""
    folder = resumed_folder(path, ready.training) if asked.resume else None
    continued = folder is not None
    if folder is None:
        settings: dict[str, object] = {
            "settings": [*ready.begun.sets],
            "data": asked.data,
            "examples": digest_of(ready.examples),
        }
        settings |= {KEY: asked.snapshots} if asked.snapshots else {}
        settings |= {"init_from": asked.init_from} if asked.init_from else {}
        fed = fed_input(ready.model, ready.examples)
        settings |= {"fed": asdict(fed)} if fed is not None else {}
        folder = RunFolder.create(
            path, version=__version__, overwrite=asked.overwrite, info={**ready.training.info, **settings}
        )
    return prepare_saving(folder, ready.model, ready.made_of, begun=continued)


def _written(saving: Saving, ready: Prepared, target: Target) -> ModuleType:
    """Write what is known before the training; return the script that trains: it looks for weights beside the spec."""
    write_inputs(saving.folder, ready.model.source, ready.compiled.script, ready.labels)
    module = load_module(saving.folder.path / "model.py", target.needs)
    module.__file__ = ready.model.source.path
    return module


def _run(
    module: ModuleType, ready: Prepared, asked: Request, saving: Saving, *, quiet: bool
) -> tuple[dict[str, np.ndarray] | None, History]:
    """Return the parameters and the history of a training; no parameters where Ctrl-C left nothing to be kept."""
    model, examples = ready.model, ready.examples
    metric, better = leading_metric(model.train)
    progress = TrainingProgress(model.train.epochs, title=model.name, quiet=quiet, metric=metric, better=better)
    snapshots = Snapshots.of(saving.folder, model, asked.snapshots)
    epoch_ends = EpochEnds(progress, snapshots.save, saving.save)  # what goes on from a checkpoint has them, too
    options = {"epochs": model.train.epochs, "seed": seed_of(model, asked), "dtype": asked.precision}
    options |= {"copy": False} if gives_up(ready, asked) else {}
    try:
        with refusals(model), progress, epoch_ends, np.errstate(all="ignore"):
            first = None if saving.state is not None else ready.first
            params, history = module.train(examples, **options, params=first, resume=saving.state, on_epoch=epoch_ends)
            if history.stopped_by == DIVERGED and not history.diverged_at:
                lost = epoch_ends.state.get("params", params)
                train = module.prepare(read_again(ready, asked))[0]["train"]
                history.diverged_at = first_lost(ready.compiled.graph, lost, train)
            return params, history
    except (KeyboardInterrupt, Interrupted) as ended:
        history = History({})
        history.extend([*saving.history, *epoch_ends.records])
        history.stopped_by = INTERRUPTED
        if model.train.checkpoint is None and isinstance(ended, Interrupted):
            history.scaling = module.prepare(read_again(ready, asked))[1]
            kept = {**ended.state["params"], **ended.state.get("average", {})}
            return {name: np.array(w) for name, w in kept.items()}, history
    continued = "to continue this run, give the same command again with --resume"
    click.echo(f"\n{continued if model.train.checkpoint else 'nothing of this training was kept'}", err=True)
    return None, history


def _result(path: Path, ready: Prepared, asked: Request, history: History, seconds: float) -> RunResult:
    return {
        "run": str(path),
        "target": asked.target,
        **training_result(ready.model, history),
        "seconds": round(seconds, 3),
        "set": ready.set_values,
    }


def _keep(
    folder: RunFolder,
    module: ModuleType,
    target: Target,
    params: dict[str, np.ndarray],
    history: History,
    result: RunResult,
) -> None:
    """Write what the training has made, and what only this target makes."""
    write_results(folder, module, params, history, result)
    for name, write in target.results.items():
        write(module, params, folder.claim(name))

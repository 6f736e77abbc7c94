"""Continuing a run: which runs can be continued, from what, and where the checkpoints go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import click

from dotnn.codegen.heading import is_unchanged
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.model.identity import network_identity
from dotnn.model.model import Model
from dotnn.running.resume_differences import Training, differences
from dotnn_runtime.interrupt import Record, TrainingState
from dotnn_runtime.run_folder import FILES, MANIFEST, RunFolder
from dotnn_runtime.script.checkpoint import resumed_state, save_checkpoint
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.files import remove_leftovers


@dataclass(frozen=True)
class Saving:
    """Where the states of a training go, and the one that it continues from, None for one that begins.

    `made_of` is a digest of what the training is made of, by which a checkpoint is known again.
    """

    folder: RunFolder
    model: Model
    made_of: int
    state: TrainingState | None = None

    @property
    def history(self) -> list[Record]:
        """The records of the epochs before."""
        return self.state["history"] if self.state else []

    @cached_property
    def network(self) -> str:
        """What tells the network from others."""
        return network_identity(self.model)

    def save(self, record: Record, state: TrainingState) -> None:
        """Write a checkpoint after an epoch, where the spec says so."""
        epochs, checkpoint = self.model.train.epochs, self.model.train.checkpoint
        if checkpoint is not None:
            schedule = {"epochs": epochs, "every": checkpoint.every}
            save_checkpoint(
                self.folder.path, dict(state), self.made_of, **schedule, best_by=checkpoint.best_by, model=self.network
            )


def check_resumable(run_dir: str | None, model: Model) -> None:
    """Raise `CompileError` where no run could be continued."""
    if run_dir is None:
        raise _cannot_resume("--resume needs the run to continue", "name it: --run DIR")
    if model.train.checkpoint is None:
        raise _cannot_resume("the spec saves no checkpoints", "add one to its train section: checkpoint = every(1)")


def resumed_folder(path: Path, training: Training) -> RunFolder | None:
    """Return the run to continue, None where there is none yet. Raises `CompileError` where it is another's run."""
    if not (path / MANIFEST).exists():
        click.echo(f"{path}: no run yet, starting one", err=True)
        return None
    folder = RunFolder.open(path)
    remove_leftovers(path, {*FILES, *folder.files, MANIFEST})
    if any(folder.manifest.get(name, value) != value for name, value in training.told.items()):
        help = "\n        ".join(["restore what differs, or start another run:", *differences(folder, training)])
        raise _cannot_resume(f"the run {path} was begun with another network or another training", help)
    script = path / "model.py"
    if script.is_file() and not is_unchanged(script.read_bytes().decode("utf-8", "replace")):
        raise _cannot_resume(f"{script} was edited since dotnn wrote it", "move it away: it would be overwritten")
    return folder


def prepare_saving(folder: RunFolder, model: Model, made_of: int, *, begun: bool) -> Saving:
    """Return where checkpoints go, and of a run that was `begun` the state of the last one.

    Raises `CompileError` where it cannot be continued from there.
    """
    checkpoint = model.train.checkpoint
    if checkpoint is None:
        return Saving(folder, model, made_of)
    state = _last_state(folder, model, made_of) if begun else None
    folder.claim("checkpoint.npz")
    if checkpoint.best_by:
        folder.claim("best.npz")
    return Saving(folder, model, made_of, state)


def _last_state(folder: RunFolder, model: Model, made_of: int) -> TrainingState | None:
    """Return the state of the last checkpoint of a run, None before the first one. Raises `CompileError`."""
    shapes = {name: p.shape for name, p in model.params.items()}
    try:
        state = resumed_state(folder.path, shapes, made_of, resume=True)
    except DataError as error:
        raise _cannot_resume(error.message, error.help) from None
    if state is None and (folder.path / "weights.npz").exists():
        raise _cannot_resume(f"the run {folder.path} has lost its checkpoint", "train again with --overwrite")
    if state is not None and len(state["history"]) > model.train.epochs:
        trained = len(state["history"])
        raise _cannot_resume(f"the run has already trained {trained} epochs", "resume it with more --epochs")
    return cast(TrainingState | None, state)


def say_where_it_continues(saving: Saving, epochs: int) -> bool:
    """Say after which epoch a run continues; return whether it has nothing left to train."""
    trained = len(saving.history)
    if saving.state is None:
        return False
    done = trained >= epochs or saving.state.get("stopped_by", "epochs") != "epochs"
    what = f"nothing to do, it has trained {trained} epochs" if done else f"continuing after epoch {trained}"
    click.echo(f"{saving.folder.path}: {what}", err=True)
    return done


def _cannot_resume(message: str, help: str) -> CompileError:
    return CompileError([Diagnostic("NN505", message, help=help)])

"""Continuing a run: which runs can be continued, from what, and where the checkpoints go."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from dotnn.codegen.heading import is_unchanged
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.model.model import Checkpoint, Model
from dotnn.running.resume_differences import Training, differences
from dotnn.running.spec_files import plain_message
from dotnn_runtime.run_folder import FILES, MANIFEST, RunFolder, weight_shapes
from dotnn_runtime.script.checkpoint import check_digest, resumed_state, save_checkpoint
from dotnn_runtime.script.digest import digest_of
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.files import remove_leftovers

State = dict[str, Any]


@dataclass(frozen=True)
class Saving:
    """Where a script's `train` saves its state, and the state that it continues from; both None for no checkpoints."""

    folder: RunFolder
    module: ModuleType
    checkpoint: Checkpoint | None = None
    state: State | None = None
    of: int = 0

    @property
    def arguments(self) -> dict[str, Any]:
        """What `train` of the script takes."""
        if not self.checkpoint or self.hands_over:
            return {"resume": self.state} if self.hands_over else {}
        return {"checkpoint": self.save, "resume": self.state}

    @property
    def hands_over(self) -> bool:
        """Whether the script hands its state to `on_epoch`, as the explain style does."""
        return (
            "checkpoint" not in inspect.signature(self.module.train).parameters
            and not hasattr(self.module, "build_model")
            and "resume" in inspect.signature(self.module.train).parameters
        )

    def after_epoch(self, record: Mapping[str, Any], state: State, epochs: int) -> None:
        """Save what a script hands over after an epoch; one that has come to its end is not continued from there."""
        every = self.checkpoint.every if self.checkpoint else 0
        ended = state.get("stopped_by", "epochs") != "epochs"
        if every and not ended and (record["epoch"] % every == 0 or record["epoch"] == epochs):
            best = {"best_epoch": state["best_epoch"]} if "best_epoch" in state else {}
            self.save({**state, **best, "data": self.of})

    @property
    def history(self) -> list[dict[str, float]]:
        """The records of the epochs before."""
        return self.state["history"] if self.state else []

    def save(self, state: State) -> None:
        """Write a checkpoint."""
        assert self.checkpoint is not None
        every, best_by = self.checkpoint.every, self.checkpoint.best_by
        save_checkpoint(self.folder.path, state, every=every, best_by=best_by, model=self.module.MODEL)


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
    remove_leftovers(path, (*FILES, MANIFEST))
    if folder.manifest.get("training", training.identity) != training.identity:
        help = "\n        ".join(["restore what differs, or start another run:", *differences(folder, training)])
        raise _cannot_resume(f"the run {path} was begun with another network or another training", help)
    script = path / "model.py"
    if script.is_file() and not is_unchanged(script.read_bytes().decode("utf-8", "replace")):
        raise _cannot_resume(f"{script} was edited since dotnn wrote it", "move it away: it would be overwritten")
    return folder


def prepare_saving(folder: RunFolder, module: ModuleType, model: Model, *, begun: bool) -> Saving:
    """Return where checkpoints go, and of a run that was `begun` the state of the last one.

    Raises `CompileError` where it cannot be continued from there.
    """
    checkpoint = model.train.checkpoint
    if checkpoint is None:
        return Saving(folder, module)
    try:
        state = resumed_state(folder.path, weight_shapes(module), resume=True) if begun else None
    except DataError as error:
        raise _cannot_resume(plain_message(error), error.help) from None
    if begun and state is None and (folder.path / "weights.npz").exists():
        raise _cannot_resume(f"the run {folder.path} has lost its checkpoint", "train again with --overwrite")
    if state is not None and len(state["history"]) > model.train.epochs:
        trained = len(state["history"])
        raise _cannot_resume(f"the run has already trained {trained} epochs", "resume it with more --epochs")
    folder.claim("checkpoint.npz")
    if checkpoint.best_by:
        folder.claim("best.npz")
    return Saving(folder, module, checkpoint, state)


def bound_to_data(saving: Saving, made_of: Mapping[str, Any]) -> Saving:
    """Return the same with a digest of what a training is made of. Raises `DataError` for another one's checkpoint."""
    if not saving.hands_over or saving.checkpoint is None:
        return saving
    digest = digest_of(dict(made_of))
    if saving.state is not None:
        check_digest(saving.state, digest)
    return replace(saving, of=digest)


def say_where_it_continues(saving: Saving, epochs: int) -> bool:
    """Say after which epoch a run continues; return whether it has nothing left to train."""
    trained = len(saving.history)
    if saving.state is None:
        return False
    done = trained >= epochs
    what = f"nothing to do, it has trained {trained} epochs" if done else f"continuing after epoch {trained}"
    click.echo(f"{saving.folder.path}: {what}", err=True)
    return done


def _cannot_resume(message: str, help: str) -> CompileError:
    return CompileError([Diagnostic("NN505", message, help=help)])

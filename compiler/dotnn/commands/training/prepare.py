"""What is ready before a training begins, so that what cannot be trained costs no earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from dotnn.core.diagnostics import render
from dotnn.model.identity import training_identity
from dotnn.model.lint import batches_of_one
from dotnn.model.model import Model
from dotnn.reports.console import warn
from dotnn.running.data_size import is_large
from dotnn.running.other_run import weights_from
from dotnn.running.resume import check_resumable
from dotnn.running.resume_differences import Training
from dotnn.running.run_files import used_files
from dotnn.running.scripts import run_script
from dotnn.running.snapshots import check_snapshots
from dotnn.running.spec_files import Arrays, Labels, load_examples, refusals
from dotnn.session import Compilation, Compiled
from dotnn.targets import PROVEN, TARGETS, Options
from dotnn_runtime.script.digest import digest_of


@dataclass(frozen=True)
class Request:
    """What `dotnn train` was asked for, beside the spec."""

    target: str
    run_dir: str | None
    data: str | None
    style: str
    epochs: int | None
    init_from: str | None
    seed: int | None
    precision: str
    overwrite: bool
    resume: bool
    as_json: bool
    snapshots: int | None = None


@dataclass(frozen=True)
class Prepared:
    """What is ready before the run folder is touched.

    `training` is that by which its run is recognised, `made_of` a digest of it and of the prepared examples, `parts`.
    `first` are the weights that it begins with, None to draw them. Other trainings read `shared` examples, too.
    """

    begun: Compilation
    compiled: Compiled
    examples: Arrays
    labels: Labels
    training: Training
    made_of: int
    parts: Mapping[str, Arrays]
    first: Arrays | None = None
    shared: bool = False

    @property
    def model(self) -> Model:
        """The model that is trained."""
        return self.compiled.model

    @property
    def set_values(self) -> dict[str, object]:
        """What `--set` has set, as the values that the model was made with."""
        return _set_values(self.begun, self.model)


def prepare(begun: Compilation, asked: Request) -> Prepared:
    """Compile, read the examples and try them. Raises `CompileError` for what cannot be trained."""
    needs = TARGETS[asked.target].needs
    if needs is not None:
        needs.require()
    if asked.epochs is not None:
        begun = begun.with_epochs(asked.epochs)
    if asked.resume:
        check_resumable(asked.run_dir, begun.model)
    examples, labels = load_examples(begun.model, asked.data)
    begun.labels = labels if asked.data is None else None  # of another file than the spec's, they tell nothing of that
    parts = _parts(begun, examples)
    _warn_of_batches_of_one(begun.model, len(next(iter(parts["train"].values()))))
    begun.large = is_large(sum(array.nbytes for array in examples.values()))
    compiled = begun.compiled(Options(asked.style, begun.sets, asked.target, asked.epochs or 0))
    check_snapshots(compiled.model, asked.snapshots, asked.precision)
    training = _training(begun, compiled.model, asked)
    made_of = digest_of_training(parts, training)
    first = None if asked.init_from is None or _continues(asked) else _first_weights(begun, asked, asked.init_from)
    return Prepared(begun, compiled, examples, labels, training, made_of, parts, first)


def gives_up(ready: Prepared, asked: Request) -> bool:
    """Whether a training may write over the examples: large ones that no other reads, and that can be read again."""
    given = None if asked.data is None else Path(asked.data)
    again = given is None or given.is_file() or given.is_dir()  # a pipe cannot
    return (
        TARGETS[asked.target].style(asked.style).in_place and ready.begun.large is True and again and not ready.shared
    )


def read_again(ready: Prepared, asked: Request) -> Arrays:
    """Return the raw examples after a training, which may have written over them."""
    return load_examples(ready.model, asked.data)[0] if gives_up(ready, asked) else ready.examples


def digest_of_training(parts: Mapping[str, Arrays], training: Training) -> int:
    """Return a digest of what a training is made of, by which its checkpoints are known again."""
    return digest_of({**parts, "spec": training.identity, **training.more})


def _continues(asked: Request) -> bool:
    """Whether there is a checkpoint to go on from: the weights are those in it."""
    return asked.resume and asked.run_dir is not None and (Path(asked.run_dir) / "checkpoint.npz").exists()


def _strictest(begun: Compilation) -> ModuleType:
    """Return the script that refuses most, as one that lies beside its spec."""
    return run_script(begun.script(PROVEN.name, PROVEN.styles[-1].name), "dotnn_tried", begun.model.source.path)


def _first_weights(begun: Compilation, asked: Request, run: str) -> Arrays:
    """Return what training begins with: the weights of another run, and drawn ones."""
    module = _strictest(begun)
    return weights_from(run, module, seed_of(begun.model, asked), asked.precision)


def seed_of(model: Model, asked: Request) -> int:
    """Return the seed of a training."""
    return model.train.seed if asked.seed is None else asked.seed


def _training(begun: Compilation, model: Model, asked: Request) -> Training:
    """Return what makes this training, by which its run is recognised."""
    target = TARGETS[asked.target]
    style = target.style(asked.style).name
    identity = training_identity(model, target.name, style)
    more: dict[str, object] = {"seed": seed_of(model, asked), "precision": asked.precision}
    more |= {"packages": dict(model.packages)} if model.packages else {}
    shown = style if target.has_styles else ""
    texts = "\n".join([model.source.text, *used_files(model.source).values()])
    return Training(identity, texts, target.name, shown, _set_values(begun, model), more)


def _set_values(begun: Compilation, model: Model) -> dict[str, object]:
    names = {text.partition("=")[0].strip() for text in begun.sets}
    return {name: _plain(value) for name, value in model.constants.items() if name in names}


def _plain(value: object) -> object:
    """Return a value as JSON can hold it: a word of the library, `relu` or `he(…)`, as its text."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, bool | int | float | str) else str(value)


def _parts(begun: Compilation, examples: Arrays) -> dict[str, Arrays]:
    """Return the examples, prepared by the strictest script. Raises `CompileError` where it refuses them."""
    module = _strictest(begun)
    with refusals(begun.model), np.errstate(all="ignore"):
        parts: dict[str, Arrays] = module.prepare(dict(examples), np.float32)[0]
    return parts


def _warn_of_batches_of_one(model: Model, count: int) -> None:
    """Warn of batch statistics over one example, where only the data, `count` examples, show that."""
    size = min(model.train.batch or count, count)
    which = "the only batch" if count == 1 else "the last batch of every epoch"
    if model.train.batch != 1 and size and (count % size or size) == 1:
        warn(tuple(render(warning, model.source) for warning in batches_of_one(model, which)))

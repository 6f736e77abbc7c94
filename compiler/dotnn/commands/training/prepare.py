"""What is ready before a training begins, so that what cannot be trained costs no earlier run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dotnn.core.diagnostics import render
from dotnn.model.lint import batches_of_one
from dotnn.model.model import Model
from dotnn.reports.console import warn
from dotnn.running.resume import check_resumable
from dotnn.running.scripts import run_script
from dotnn.running.spec_files import Arrays, Labels, load_examples, refusals
from dotnn.session import Compilation, Compiled
from dotnn.targets import PROVEN, TARGETS, Options


@dataclass(frozen=True)
class Request:
    """What `dotnn train` was asked for, beside the spec."""

    target: str
    run_dir: str | None
    data: str | None
    style: str
    epochs: int | None
    seed: int | None
    precision: str
    overwrite: bool
    resume: bool
    as_json: bool


@dataclass(frozen=True)
class Prepared:
    """What is ready before the run folder is touched."""

    begun: Compilation
    compiled: Compiled
    examples: Arrays
    parts: dict[str, Arrays]
    labels: Labels

    @property
    def model(self) -> Model:
        """The model that is trained."""
        return self.compiled.model


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
    parts = _parts(begun, examples)
    _warn_of_batches_of_one(begun.model, len(next(iter(parts["train"].values()))))
    compiled = begun.compiled(Options(asked.style, begun.sets, asked.target, asked.epochs or 0))
    return Prepared(begun, compiled, examples, parts, labels)


def _parts(begun: Compilation, examples: Arrays) -> dict[str, Arrays]:
    """Return the examples, prepared by the strictest script. Raises `CompileError` where it refuses them."""
    module = run_script(begun.script(PROVEN.name, PROVEN.styles[-1].name), "dotnn_tried")
    with refusals(begun.model), np.errstate(all="ignore"):
        parts: dict[str, Arrays] = module.prepare(dict(examples), np.float32)[0]
    return parts


def _warn_of_batches_of_one(model: Model, count: int) -> None:
    """Warn of batch statistics over one example, where only the data, `count` examples, show that."""
    size = min(model.train.batch or count, count)
    which = "the only batch" if count == 1 else "the last batch of every epoch"
    if model.train.batch != 1 and size and (count % size or size) == 1:
        warn(tuple(render(warning, model.source) for warning in batches_of_one(model, which)))

"""What is looked at before a training begins, so that what cannot be trained costs no earlier run."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from dotnn.core.diagnostics import render
from dotnn.model.lint import batches_of_one
from dotnn.model.model import Model
from dotnn.reports.console import warn
from dotnn.running.examples import checked_parts
from dotnn.running.scripts import run_script
from dotnn.running.spec_files import Arrays, refusals
from dotnn.session import Options, compile_model
from dotnn_runtime.script.split import round_to_sum


def tried(model: Model, script: str, examples: Arrays) -> ModuleType:
    """Return a NumPy script of the model, `script` or a new one, that has prepared the examples.

    Raises `CompileError` where it refuses them.
    """
    module = run_script(script or compile_model(model, Options()).script, "dotnn_tried")
    with refusals(model), np.errstate(all="ignore"):
        checked_parts(model, examples)
    return module


def warn_of_batches_of_one(model: Model, examples: Arrays) -> None:
    """Warn of batch statistics over one example, where only the data show that there are any."""
    count = _training_examples(model, len(next(iter(examples.values()))))
    size = min(model.train.batch or count, count)
    which = "the only batch" if count == 1 else "the last batch of every epoch"
    if model.train.batch != 1 and size and (count % size or size) == 1:
        warn(tuple(render(warning, model.source) for warning in batches_of_one(model, which)))


def _training_examples(model: Model, count: int) -> int:
    """Return how many of so many examples are trained on."""
    if model.data is None or model.data.split is None:
        return count
    shares = {part: share for part, share in model.data.split.fractions.items() if share}
    sizes = round_to_sum(count * np.array([*shares.values()]), count)
    return int(sizes[[*shares].index("train")])

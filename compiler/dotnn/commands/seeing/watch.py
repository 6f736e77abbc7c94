"""A training in this process, opened as a finished run is: nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dotnn.commands.seeing.run import Run
from dotnn.reports.training import training_result
from dotnn.running.run_contents import Kept
from dotnn.running.scripts import run_script
from dotnn.running.snapshots import chosen_epochs, weights_in
from dotnn.running.spec_files import Arrays, Labels, refusals
from dotnn.session import Compilation
from dotnn.targets import PROVEN
from dotnn_runtime.run_folder import RunFolder

After = Callable[[Run], None]
"""What is done after every epoch, with the run so far."""


class Enough(Exception):
    """Raised after an epoch, it ends a training that has reached what was wanted: the `run` so far is its result."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__("enough")


def watched(
    begun: Compilation,
    raw: Arrays,
    labels: Labels,
    *,
    epochs: int | None = None,
    seed: int | None = None,
    precision: str = "",
    snapshots: int = 0,
    after: After | None = None,
) -> Run:
    """Train on raw arrays by the fast script, and return the run. Raises `CompileError` where the script refuses them.

    `after` may raise `Enough`. So many `snapshots` are taken on the way.
    """
    model, precision = begun.model, precision or PROVEN.precisions[0]
    module = run_script(begun.script(PROVEN.name, PROVEN.styles[-1].name), "dotnn_watched", model.source.path)
    seed, dtype = model.train.seed if seed is None else seed, np.dtype(precision).type
    folder = RunFolder(Path(model.name), {"files": [], "seed": seed, "precision": precision})
    with refusals(model), np.errstate(all="ignore"):
        parts, scaling = module.prepare(dict(raw), dtype)

        so_far, taken = module.History(scaling), dict[int, Arrays]()

        def run_of(params: Arrays, history: Any) -> Run:
            kept, result = Kept(params, scaling, labels), dict(training_result(model, history))
            return Run(folder, begun, module, kept, list(history), result, known=parts, taken=taken)

        epochs = model.train.epochs if epochs is None else epochs
        chosen = chosen_epochs(epochs, snapshots)

        def ended(record: dict[str, float], state: Mapping[str, Any]) -> None:
            so_far.append(record)
            if len(so_far) in chosen:
                taken[len(so_far)] = {name: np.array(w) for name, w in weights_in(state).items()}
            if after is not None:
                after(run_of({name: np.array(w) for name, w in state["params"].items()}, so_far))

        options = {"epochs": epochs, "seed": seed, "dtype": dtype}
        try:
            return run_of(*module.train(dict(raw), **options, on_epoch=ended))
        except Enough as enough:
            return enough.run

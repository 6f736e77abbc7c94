"""A run with its data as pictures and findings read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dotnn.codegen import optimizer
from dotnn.commands.seeing.comparisons import comparisons
from dotnn.commands.seeing.run import Run, held_out, outputs_of
from dotnn.ir.interpret import helper_functions
from dotnn.reports.seen import Seen
from dotnn.running.spec_files import Arrays
from dotnn.running.update import solved
from dotnn.targets import PROVEN


def seen_of(run: Run, data: str | None = None) -> Seen:
    """Return what there is to see of a run. Raises `CompileError` where its data cannot be read."""
    parts = run.parts(data)
    part = held_out(parts)
    start = run.start(parts)
    seen = Seen(
        name=run.name,
        model=run.model,
        graph=run.begun.graph(PROVEN.name, PROVEN.styles[0].name),
        params={name: w.astype(float) for name, w in run.kept.params.items()},
        start=start,
        history=run.history,
        result=run.result,
        parts=parts,
        part=part,
        compared=comparisons(run, parts[part]),
        outputs=lambda inputs: outputs_of(run, dict(inputs)),
        labels=run.kept.labels,
        sets=run.begun.sets,
        snapshots=run.snapshots,
    )
    return replace(seen, updates=first_updates(seen, start))


def first_updates(seen: Seen, start: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return how large the first update of each weight is, as a part of the weight, by the optimizer's equations."""
    train, params = seen.model.train, {name: start[name] for name in seen.graph.params}
    count = len(next(iter(seen.parts["train"].values())))
    steps_per_epoch = -(-count // (train.batch or count))
    run = {"step": 0, "epoch": 0, "epochs": train.epochs, "steps_per_epoch": steps_per_epoch}
    numbers = {**run, "steps": steps_per_epoch * train.epochs, "t": 1, "weight_decay": train.weight_decay}
    numbers |= {**train.optimizer.attrs, "lr": seen.rate}
    grads: Arrays = {name: seen.fresh.grads[name] for name in params}
    with np.errstate(all="ignore"):
        if train.clip is not None:
            grads = helper_functions()[train.clip.entry.helper](grads, train.clip.attrs["limit"])
        after = solved(seen.model, optimizer.equations(train), numbers, params, grads, {})
        norms = {name: float(np.linalg.norm(w)) for name, w in params.items() if w.ndim > 1}
        return {name: float(np.linalg.norm(after[name] - params[name])) / n for name, n in norms.items() if n > 0}

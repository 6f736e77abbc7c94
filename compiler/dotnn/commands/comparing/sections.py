"""`dotnn diff` of sections that take turns: each trains in all scripts as if it were the only one."""

from __future__ import annotations

from dataclasses import replace

from dotnn.commands.comparing.follow import compare
from dotnn.model.model import Model
from dotnn.reports.trajectory import Trajectories, Trajectory
from dotnn.session import Compilation


def compared(begun: Compilation, steps: int, seed: int) -> Trajectory | Trajectories:
    """Take steps of training on both targets in float64, until they differ: of every section, where there are some."""
    if not begun.parts:
        return compare(begun, steps, seed)
    takes = {turn.name for turn in begun.model.turns if turn.handed}
    models = {name: _own(part.alone.model, takes=name in takes) for name, part in begun.parts.items()}
    alone = {name: Compilation.of(model, begun.sets) for name, model in models.items()}
    return Trajectories({name: compare(one, steps, seed) for name, one in alone.items()})


def _own(model: Model, *, takes: bool) -> Model:
    """Return the model of a section with the parameters that it computes with.

    What it `takes` from another section is no part of the data: examples are drawn then.
    """
    used = {name for step in model.steps for name in (*step.params.values(), *step.weights)}
    params = {name: p for name, p in model.params.items() if name in used}
    return replace(model, params=params, data=None if takes else model.data)

"""`dotnn graph --units`: the units of a network with its first weights, and what an example makes of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dotnn.commands.explaining.example import worked
from dotnn.commands.explaining.script import explanation
from dotnn.model.turns import predicting
from dotnn.reports.diagram.units import Units, units_of
from dotnn.running.scripts import run_script
from dotnn.session import Compilation


def drawn_units(begun: Compilation, example: int | None) -> Units:
    """Return the units of a network; with an example, each with its value. Raises `CompileError`."""
    found = explanation(begun, predicting(begun.model).name if begun.model.turns else None)
    if example is None:
        script = run_script(found.text, "dotnn_drawn", found.model.source.path)
        params = script.init_params(found.model.train.seed, np.float64)
        return units_of(found.model, _matrices(params), {})
    work = worked(found, example, None)
    values = {name: rows[work.row] for name, rows in work.batch.items()}
    values |= {path: work.values.whole[v.name][work.row] for path, v in found.graph.steps.items() if v.type.batched}
    rows = {name: [float(number) for number in row] for name, row in values.items() if np.ndim(row) == 1}
    return units_of(found.model, _matrices(work.before), rows)


def _matrices(params: Mapping[str, np.ndarray]) -> dict[str, list[list[float]]]:
    return {name: w.tolist() for name, w in params.items() if w.ndim == 2}

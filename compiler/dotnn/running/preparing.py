"""Other examples, prepared as a run has prepared its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from dotnn.codegen.data import PLACE, place_lines
from dotnn.codegen.preparing import Chain, chains, undone_outputs
from dotnn.ir.interpret import helper_functions, scope_of_lines
from dotnn.model.model import Model
from dotnn_runtime.script.arrays import prepared
from dotnn_runtime.script.rows import Rows

Arrays = dict[str, np.ndarray]
Scaling = Mapping[str, Mapping[str, np.ndarray]]


def prepared_again(model: Model, raw: Arrays, scaling: Scaling, dtype: Any) -> Arrays:
    """Return raw examples as the network takes them, with what was fitted on the training part of a run.

    Large ones are `Rows`, and written over `raw` where that can be. Raises `DataError` for a number that is not finite
    in `dtype`.
    """
    helpers, found = helper_functions(), {name: np.asarray(values) for name, values in raw.items()}
    ways = chains(model)
    found |= {name: found[chain.origin] for name, chain in ways.items() if chain.origin != name}
    if dropping := tuple(name for name, chain in ways.items() if chain.drops):
        found = helpers["without_gaps"](found, dropping)
    rows = {name: _rows(ways.get(name), values, scaling) for name, values in found.items()}
    return prepared({"": rows}, dtype, copy=False)[""]


def _rows(chain: Chain | None, values: np.ndarray, scaling: Scaling) -> Rows:
    """Return rows of an array that are prepared where they are read; what becomes another array is prepared here."""
    if chain is None:
        return Rows(values)
    prepare = partial(_evaluated, chain.apply("values"), scaling=scaling)
    other = any(step.encodes or step.entry.counts for step in chain.steps)
    return Rows(prepare(values)) if other else Rows(values).then(prepare)


def places_of_parts(model: Model, module: ModuleType, raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return where the examples of each part are in its file, from 0; of a series, where its windows are among all.

    `module` is a fast script of the model, whose own lines choose them.
    """
    source = "\n".join(["def places(data):", *(f"    {line}" for line in place_lines(model))])
    namespace = dict(vars(module))
    exec(source, namespace)
    found: dict[str, np.ndarray] = namespace["places"](dict(raw))
    begin = {part: int((raw["part"] == part).argmax()) for part in found} if "part" in raw else {}
    return {part: places - begin.get(part, 0) for part, places in found.items()}


def with_places(raw: Mapping[str, np.ndarray]) -> Arrays:
    """Return raw examples with their places, from 0, which `prepared_again` keeps."""
    return {**raw, PLACE: np.arange(len(next(iter(raw.values()))))}


def in_own_units(model: Model, outputs: Mapping[str, np.ndarray], scaling: Scaling) -> Arrays:
    """Return outputs in the units of the targets that they are trained towards."""
    undone = undone_outputs(model)
    return {
        name: _evaluated(undone[name].undo("values"), values, scaling) if name in undone else values
        for name, values in outputs.items()
    }


def targets_in_own_units(model: Model, targets: Mapping[str, np.ndarray], scaling: Scaling) -> Arrays:
    """Return prepared targets in their own units."""
    ways = chains(model)
    return {
        name: _evaluated(ways[name].undo("values"), values, scaling) if name in ways else values
        for name, values in targets.items()
    }


def _evaluated(line: str, values: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Return what an expression of the library over `values` and `scaling` gives: the line that scripts hold."""
    return np.asarray(eval(line, {**scope_of_lines(), "values": values, "scaling": scaling}))

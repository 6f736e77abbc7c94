"""Other examples, prepared as a run has prepared its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dotnn.codegen.preparing import chains, undone_outputs
from dotnn.ir.interpret import helper_functions
from dotnn.model.model import Model

Arrays = dict[str, np.ndarray]
Scaling = Mapping[str, Mapping[str, np.ndarray]]


def prepared_again(model: Model, raw: Arrays, scaling: Scaling, dtype: Any) -> Arrays:
    """Return raw examples as the network takes them, with what was fitted on the training part of a run."""
    helpers, found = helper_functions(), {name: np.asarray(values) for name, values in raw.items()}
    ways = chains(model)
    found |= {name: found[chain.origin] for name, chain in ways.items() if chain.origin != name}
    if dropping := tuple(name for name, chain in ways.items() if chain.drops):
        found = helpers["without_gaps"](found, dropping)
    for name, chain in ways.items():
        found[name] = _evaluated(chain.apply("values"), found[name], scaling)
    return {name: a if a.dtype == np.int64 else a.astype(dtype) for name, a in found.items()}


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
    return np.asarray(eval(line, {"np": np, **helper_functions(), "values": values, "scaling": scaling}))

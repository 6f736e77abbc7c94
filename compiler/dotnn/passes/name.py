"""Give every value a distinct identifier that no word of Python, of NumPy's script or of the spec can collide with.

Before:  two values both called `d_x_from_y` (y = x * x), an input called `np`
After:   `d_x_from_y`, `d_x_from_y_2`; `np_`
"""

from __future__ import annotations

import builtins
import keyword
from dataclasses import replace

from dotnn.ir.graph import Graph
from dotnn.ops.base import Value

SCRIPT_NAMES = {
    "np", "params", "batch", "training", "rng", "outputs", "cache", "grads", "data", "state", "loss_and_grads",
    "forward", "backward", "total_loss", "predict", "train", "main", "update", "self",
}  # fmt: skip
LOSS_NAME = "loss"


def reserved(helpers: set[str]) -> set[str]:
    """Return every word that a value must not be called: a spec is untrusted text."""
    return {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *SCRIPT_NAMES, *helpers}


def name(graph: Graph, helpers: set[str] | None = None) -> Graph:
    """Rename values; sources and results keep their names where they can, because they are named first."""
    taken = reserved(helpers or set())
    names: dict[int, str] = {}
    if graph.seed:
        names[graph.seed.id] = "d_loss"
        taken.add("d_loss")
    if graph.loss:
        names[graph.loss.id] = LOSS_NAME
        taken.add(LOSS_NAME)
    for value in [*graph.sources(), *graph.outputs.values(), *(v for n in graph.nodes for v in n.outs)]:
        if value.id not in names:
            names[value.id] = _free(value.name, taken)
            taken.add(names[value.id])

    def rename(value: Value) -> Value:
        return replace(value, name=names[value.id])

    return graph.map_values(rename)


def _free(wanted: str, taken: set[str]) -> str:
    """Return `wanted` if it is free, else with `_`, else with a number. Spec names start with a letter."""
    candidate = wanted
    if candidate in taken and f"{candidate}_" not in taken and not candidate.startswith("d_"):
        return f"{candidate}_"
    number = 2
    while candidate in taken:
        candidate = f"{wanted}_{number}"
        number += 1
    return candidate

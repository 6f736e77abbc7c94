"""Where a training diverged whose script does not say it: the network is computed once more, by the interpreter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from dotnn.ir.graph import Graph
from dotnn.ir.interpret import run
from dotnn.ir.node import Value

Arrays = Mapping[str, np.ndarray]
ROWS = 1000
"""How many examples are computed at once."""


def first_lost(graph: Graph, params: Arrays, examples: Arrays) -> str:
    """Return the name of the first parameter or value that is not finite on prepared examples, "" where all are."""
    lost = next((name for name, w in params.items() if not np.isfinite(w).all()), "")
    return lost or next(_lost_values(graph, params, examples), "")


def _lost_values(graph: Graph, params: Arrays, examples: Arrays) -> Iterator[str]:
    count = len(next(iter(examples.values())))
    for start in range(0, count, ROWS):
        batch = {name: values[start : start + ROWS] for name, values in examples.items()}
        found = run(graph, {**params, **batch}, training=False)
        yield from (value.name for value in _forward(graph) if not np.isfinite(found[value.id]).all())


def _forward(graph: Graph) -> Iterator[Value]:
    for node in graph.phase("forward"):
        yield from (value for value in node.outs if value.type.dtype == "real")

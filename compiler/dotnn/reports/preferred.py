"""The input that a unit prefers: of all of one size, that for which the unit's score is greatest.

The score is what the unit's activation takes. From the mean of the training examples, the input goes up the gradient
of the score, on the sphere of the examples' mean norm (Erhan, Bengio, Courville and Vincent 2009) and between the least
and the greatest value that the examples have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dotnn.ir.graph import Graph
from dotnn.ir.interpret import run
from dotnn.ir.node import Value
from dotnn.passes.differentiate import MissingRule, pull_back
from dotnn.reports.seen import Array, Seen, score_of

UPDATES, FIRST_STEP = 60, 0.2
MOST = 16
"""Of more units the first are shown."""


@dataclass(frozen=True)
class Preferred:
    """For each unit of an output the input it prefers, (units, *shape), and the unit's score for it, (units,)."""

    output: str
    inputs: Array
    scores: Array


def preferred_inputs(seen: Seen) -> Preferred | None:
    """Return them for the first output that is a vector, of a network whose one input is real; else None."""
    graph = seen.graph
    if len(graph.inputs) != 1 or graph.samples:
        return None
    ((name, x),) = graph.inputs.items()
    for output, y in graph.outputs.items():
        if len(y.type.example) == 1 and x.type.dtype == y.type.dtype == "real":
            up = _pulled(graph, score_of(graph, y), name)
            return _climbed(seen, up, output, name) if up else None
    return None


def _pulled(graph: Graph, score: Value, name: str) -> Graph | None:
    """Return the graph that finds a score and, for a cotangent of it, the input's gradient."""
    needed = graph.needed_for([score])
    nodes = [node for node in graph.phase("forward") if any(v.id in needed for v in node.outs)]
    bare = replace(graph, nodes=tuple(nodes), outputs={"score": score}, grads={}, loss=None, seed=None)
    try:
        return pull_back(bare, score, {name: graph.inputs[name]})
    except MissingRule:
        return None


def _climbed(seen: Seen, graph: Graph, output: str, name: str) -> Preferred:
    examples, score = seen.chosen[name], graph.outputs["score"]
    units = min(score.type.example[0], MOST)
    one_each = np.eye(units, score.type.example[0])
    low, high, norm = examples.min(), examples.max(), float(np.mean(_norms(examples)))
    x = np.repeat(examples.mean(axis=0, keepdims=True), units, axis=0)
    values = {}
    for update in range(UPDATES + 1):
        with np.errstate(all="ignore"):
            values = run(graph, {**seen.params, name: x}, training=False, d_loss=one_each)
        if update < UPDATES:
            step = norm * FIRST_STEP * (1 - update / UPDATES)
            x = np.clip(_sized(x + step * _sized(values[graph.grads[name].id], 1.0), norm), low, high)
    return Preferred(output, x, values[score.id][np.arange(units), np.arange(units)])


def _norms(x: Array) -> Array:
    """Return the Euclidean norm of each example, shaped to be divided by."""
    axes = tuple(range(1, x.ndim))
    return np.asarray(np.sqrt(np.sum(np.square(x), axis=axes, keepdims=True)))


def _sized(x: Array, norm: float) -> Array:
    """Return examples of a norm; one that is zero stays."""
    found = _norms(x)
    return np.asarray(x * np.divide(norm, found, out=np.zeros_like(found), where=found > 0))

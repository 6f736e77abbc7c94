"""The values of all nodes of a graph, as the script computes them on a batch.

What the script gives no name of its own (a value that it passes on, a part of a sequence) is made by the very line of
its op from what the script has computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from dotnn.codegen.site import Site
from dotnn.ir.graph import Graph
from dotnn.ir.interpret import evaluate
from dotnn.ir.node import Loop, Node, Value
from dotnn.running.observing import Array, Observed, Observer

Arrays = Mapping[str, Array]


@dataclass
class ScriptValues:
    """Arrays by the names of values: `whole`, and of loops `steps`, one for each time step; the loss, the gradients.

    `turns` says of each value how often its statement had run before.
    """

    whole: dict[str, Array] = field(default_factory=dict)
    steps: dict[str, list[Array]] = field(default_factory=dict)
    loss: float = 0.0
    grads: dict[str, Array] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)


def script_values(
    graph: Graph,
    module: ModuleType,
    text: str,
    sites: Mapping[str, Site],
    params: Arrays,
    batch: Arrays,
    *,
    d_loss: float = 1.0,
    rng: np.random.Generator | None = None,
) -> ScriptValues:
    """Run one training pass of a script, and return what it computes; it runs in training mode with a generator."""
    observer = Observer(module, text, sites)
    _, cache = observer.run(lambda: module.forward(params, batch, training=rng is not None, rng=rng))
    loss = observer.run(lambda: module.total_loss(params, batch, cache))
    grads = observer.run(lambda: module.backward(params, batch, cache, d_loss))
    if graph.new_state:
        renewed = dict(params)
        observer.run(lambda: module.renew_state(renewed, cache))
    values = ScriptValues(loss=float(loss), grads=grads, turns=observer.turns)
    _Completed(graph, observer.observed, values, rng).run({**params, **batch}, d_loss)
    return values


class _Completed:
    """Goes through a graph in its order, and notes what was observed, or evaluates what was not."""

    def __init__(self, graph: Graph, observed: Observed, values: ScriptValues, rng: np.random.Generator | None) -> None:
        self.graph, self.observed, self.values, self.rng = graph, observed, values, rng
        self.env: dict[int, Array] = {}

    def run(self, given: Arrays, d_loss: float) -> None:
        graph = self.graph
        for table in (graph.params, graph.state, graph.inputs, graph.targets):
            for name, v in table.items():
                self._note(v, given[name])
        if graph.seed is not None:
            self._note(graph.seed, np.asarray(d_loss))
        for name, v in graph.grads.items():
            self.observed.whole.setdefault(v.name, self.values.grads[name])
        for node in graph.nodes:
            if node.loop is None:
                self._note(node.out, self._found(node, self.env, self.observed.whole.get(node.out.name)))
            else:
                self._loop(node, node.loop)

    def _note(self, v: Value, array: Array) -> None:
        self.env[v.id] = self.values.whole[v.name] = np.asarray(array)

    def _found(self, node: Node, env: Mapping[int, Array], seen: Array | None, step: int = 1) -> Array:
        if seen is not None:
            return seen
        return np.asarray(evaluate(node, [env[v.id] for v in node.ins], self.rng, self.rng is not None, step))

    def _loop(self, node: Node, loop: Loop) -> None:
        states = [self.env[v.id] for v in loop.initial(node.ins)]
        order = list(reversed(range(loop.steps)) if loop.reverse else range(loop.steps))
        seen: dict[int, dict[int, Array]] = {}
        for count, step in enumerate(order):
            slices = {v.id: self.env[s.id][:, step] for v, s in zip(loop.slices, loop.sequences(node.ins), strict=True)}
            env = self.env | slices | {v.id: x for v, x in zip(loop.entering, states, strict=True)}
            summed = {v.id for v in loop.summed}
            for inner in loop.nodes:
                noted = self.observed.steps.get(inner.out.name) if inner.out.id not in summed else None
                env[inner.out.id] = self._found(inner, env, noted[count] if noted else None, step)
            states = [env[v.id] for v in loop.leaving]
            seen[step] = env
        self._steps(loop, seen)
        self._outputs(node, loop, [seen[step] for step in range(loop.steps)], seen[order[-1]])

    def _steps(self, loop: Loop, seen: Mapping[int, Mapping[int, Array]]) -> None:
        made = (*loop.slices, *loop.entering, *(inner.out for inner in loop.nodes))
        for v in made:
            self.values.steps[v.name] = [seen[step][v.id] for step in range(loop.steps)]

    def _outputs(self, node: Node, loop: Loop, envs: list[dict[int, Array]], last: Mapping[int, Array]) -> None:
        collected, final, summed = loop.outputs(node.outs)
        for out, v in zip(collected, loop.collected, strict=True):
            self._note(out, np.stack([env[v.id] for env in envs], axis=1))
        for out, v in zip(final, loop.final, strict=True):
            self._note(out, last[v.id])
        for out, v in zip(summed, loop.summed, strict=True):
            totals = self.observed.steps.get(v.name)
            self._note(out, totals[-1] if totals else np.sum([env[v.id] for env in envs], axis=0))

"""Reverse mode on the graph.

Before:  h = affine(x, W, b);  E = half_sse(h, t)
After:   d_h = half_sse_gradient(d_loss, h, t);  d_W = affine_d_weight(x, d_h);  d_b = sum_examples(d_h)

Walking the nodes backward, every value collects one cotangent per use. Where there are several, an explicit
`accumulate` adds them. A value from which no parameter (and no asked-for input) can be reached gets none, and a
zero gradient is never written down: it stays `None`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dotnn.ir.builder import GraphBuilder
from dotnn.ir.graph import Graph
from dotnn.ir.node import Value
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass
from dotnn.passes.reverse import MissingRule, Reverse, count_uses, reached_from

__all__ = ["MissingRule", "differentiate", "pull_back"]


@as_pass
def differentiate(graph: Graph, *, input_gradients: bool = False) -> Graph:
    """Append the backward phase; the gradients of all parameters (and, if asked for, of real inputs).

    Raises `MissingRule` with the node.
    """
    if graph.loss is None:
        return graph
    wanted = dict(graph.params)
    if input_gradients:
        wanted |= {name: v for name, v in graph.inputs.items() if v.type.dtype == "real"}
    wanted |= graph.hands
    return pull_back(graph, graph.loss, wanted)


def pull_back(graph: Graph, end: Value, wanted: Mapping[str, Value]) -> Graph:
    """Append the backward phase from any value: `grads` are the products of its cotangent, the seed, with Jacobians.

    Raises `MissingRule` with the node.
    """
    return _Backward(graph, end, wanted).run()


class _Backward:
    def __init__(self, graph: Graph, end: Value, wanted: Mapping[str, Value]) -> None:
        self.graph = graph
        self.end = end
        self.wanted = wanted
        self.builder = GraphBuilder(OPS, graph.next_id)
        self.builder.phase = "backward"
        self.seed = self.builder.value(f"d_{end.name}", end.type, "seed")
        active = reached_from(graph.nodes, (v.id for v in wanted.values()))
        uses = count_uses(graph.nodes, active, [end])
        self.reverse = Reverse(self.builder, graph.nodes, active, uses)

    def run(self) -> Graph:
        self.reverse.cotangents[self.end.id] = [self.seed]
        self.reverse.run()
        grads: dict[str, Value] = {}
        for name, value in self.wanted.items():
            with self.builder.at(_layer_of(name, value), None):
                grads[name] = self.reverse.total(value) or self.reverse.zeros(value)
        return replace(
            self.graph,
            nodes=(*self.reverse.nodes, *self.builder.nodes),
            seed=self.seed,
            grads=grads,
            next_id=self.builder.next_id,
        )


def _layer_of(name: str, value: Value) -> str:
    return name.rpartition(".")[0] if value.role == "param" else name

"""Keep what a prediction computes: the forward pass in prediction mode, as far as outputs, losses and metrics read it.

Before:  mask = dropout_mask(h);  a = dropout(h, mask);  p = affine(a, W, b);  loss = mse(p, t);  d_p = …
After:   p = affine(h, W, b)

What a mode makes a constant, or another value by a new name, is read off the formulas. A loop hands out only what is
read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from dotnn.ir.expr import Expr, Name, Number, substitute
from dotnn.ir.expr.simplify import without_units
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.passes.base import as_pass
from dotnn.passes.read_alone import read_alone


@as_pass
def predict(graph: Graph, *, shown: tuple[str, ...] = ()) -> Graph:
    """Return the graph of predictions; its outputs are the outputs, and what losses and the metrics of `shown` read.

    `shown` are paths of the model; the outputs of the graph have the names of the values.
    """
    forward = graph.phase("forward")
    made = {v.id: v for n in forward for v in n.outs}
    lost = [made[v.id] for n in graph.phase("loss") for v in n.ins if v.id in made]
    read = {v.name: v for v in [*graph.outputs.values(), *lost, *(graph.steps[path] for path in shown)]}
    mode = _Mode()
    nodes = tuple(mode.nodes(forward))
    nothing = replace(graph, nodes=nodes, outputs=read, loss=None, seed=None, grads={}, targets={}, steps={})
    return _live(replace(nothing, new_state={}, remarks={}, hands={}).map_values(mode.value))


@dataclass
class _Mode:
    """What prediction mode makes of values: constants, and others by a new name."""

    constants: dict[int, Expr] = field(default_factory=dict)
    same: dict[int, Value] = field(default_factory=dict)

    def value(self, value: Value) -> Value:
        """Return the value that this one is in prediction mode."""
        return self.same.get(value.id, value)

    def nodes(self, nodes: Iterable[Node]) -> Iterator[Node]:
        """Yield the nodes that compute something, as they do in prediction mode."""
        for node in nodes:
            if node.loop is not None:
                yield replace(node, loop=replace(node.loop, nodes=tuple(self.nodes(node.loop.nodes))))
                continue
            formula = self._formula(node) if self._changes(node) else None
            match formula:
                case None:
                    yield node
                case Name(name) if (operand := self._operand(node, name)).type == node.out.type:
                    self.same[node.out.id] = self.value(operand)
                case _:
                    if isinstance(formula, Number):
                        self.constants[node.out.id] = formula
                    yield replace(node, rule=replace(node.rule, numpy=formula, inference="", random=False))

    def _changes(self, node: Node) -> bool:
        """Whether a node computes something else in this mode, or reads what is a constant in it."""
        return bool(node.rule.inference) or any(v.id in self.constants for v in node.ins)

    def _formula(self, node: Node) -> Expr:
        """Return the formula of a node in prediction mode, with the constants that it reads."""
        names = dict(zip(node.rule.names(len(node.ins)), node.ins, strict=True))
        known = {name: self.constants[v.id] for name, v in names.items() if v.id in self.constants}
        return without_units(substitute(node.rule.formula(node, training=False), known))

    def _operand(self, node: Node, name: str) -> Value:
        return node.ins[node.rule.names(len(node.ins)).index(name)]


def _live(graph: Graph) -> Graph:
    """Return the graph without what nobody reads."""
    return graph.with_nodes(read_alone(graph.nodes, graph.outputs.values()))

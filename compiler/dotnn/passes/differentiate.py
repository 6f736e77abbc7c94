"""Reverse mode on the graph.

Before:  h = affine(x, W, b);  E = half_sse(h, t)
After:   d_h = half_sse_gradient(d_loss, h, t);  d_W = affine_d_weight(x, d_h);  d_b = sum_examples(d_h)

Walking the nodes backward, every value collects one cotangent per use. Where there are several, an explicit
`accumulate` adds them. A value from which no parameter (and no asked-for input) can be reached gets none, and a
zero gradient is never written down: it stays `None`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dotnn.ir.builder import GraphBuilder
from dotnn.ir.graph import Graph
from dotnn.ops import OPS
from dotnn.ops.base import Node, TensorType, Value


class MissingRule(Exception):
    """An op without a VJP rule lies between a parameter and the loss."""

    def __init__(self, node: Node) -> None:
        self.node = node
        super().__init__(f"the op {node.op} has no gradient rule")


def differentiate(graph: Graph, *, input_gradients: bool = False) -> Graph:
    """Append the backward phase; the gradients of all parameters (and, if asked for, of real inputs).

    Raises `MissingRule` with the node.
    """
    if graph.loss is None:
        return graph
    wanted = dict(graph.params)
    if input_gradients:
        wanted |= {name: v for name, v in graph.inputs.items() if v.type.dtype == "real"}
    return _Backward(graph, wanted).run()


class _Backward:
    def __init__(self, graph: Graph, wanted: dict[str, Value]) -> None:
        assert graph.loss is not None
        self.graph = graph
        self.wanted = wanted
        self.builder = GraphBuilder(graph.next_id)
        self.builder.phase = "backward"
        self.active = reached_from(graph.nodes, (v.id for v in wanted.values()))
        self.uses = _count_uses(graph, self.active)
        self.seed = self.builder.value("d_loss", TensorType(()), "seed")
        self.cotangents: dict[int, list[Value]] = {graph.loss.id: [self.seed]}
        self.grads: dict[str, Value] = {}

    def run(self) -> Graph:
        for node in reversed(self.graph.nodes):
            if node.out.id in self.active and node.out.id in self.cotangents:
                self.node(node)
        for name, value in self.wanted.items():
            with self.builder.at(_layer_of(name, value), None):
                self.grads[name] = self.total(value) or self.zeros(value)
        return replace(
            self.graph,
            nodes=(*self.graph.nodes, *self.builder.nodes),
            seed=self.seed,
            grads=self.grads,
            next_id=self.builder.next_id,
        )

    def node(self, node: Node) -> None:
        rule = OPS[node.op].vjp
        if rule is None:
            raise MissingRule(node)
        with self.builder.at(node.layer, node.span, ""):
            total = self.total(node.out)
            if total is None:
                return
            self.builder.prefix = f"d_{node.out.name}_step"
            first = len(self.builder.nodes)
            for value, cotangent in zip(node.ins, rule(self.builder, node, total), strict=True):
                if cotangent is not None and value.id in self.active:
                    self.contribute(value, cotangent, node, first)

    def contribute(self, value: Value, cotangent: Value, node: Node, first: int) -> None:
        """Keep one use's share, named `d_v` where it is the only one, else `d_v_from_<user>`."""
        shares = self.cotangents.setdefault(value.id, [])
        fresh = next((n for n in self.builder.nodes[first:] if n.out is cotangent), None)
        if cotangent is self.seed:
            shares.append(cotangent)
            return
        if fresh is None:  # the rule passed a cotangent on unchanged, as addition does: the reader sees that line too
            first = len(self.builder.nodes)
            cotangent = self.builder.emit("pass_on", cotangent)
            fresh = self.builder.nodes[first]
        suffix = f"_from_{node.out.name}" if self.uses[value.id] > 1 else ""
        named = replace(cotangent, name=f"d_{value.name}{suffix}")
        index = self.builder.nodes.index(fresh, first)
        self.builder.nodes[index] = replace(fresh, outs=(named,))
        shares.append(named)

    def total(self, value: Value) -> Value | None:
        """Return the cotangent of a value: the sum of what its uses send back, or None for zero."""
        shares = self.cotangents.get(value.id, [])
        if len(shares) > 1:
            self.builder.prefix = f"d_{value.name}"
            shares[:] = [self.builder.emit("accumulate", *shares)]
        return shares[0] if shares else None

    def zeros(self, value: Value) -> Value:
        """Return an explicit zero gradient, for a parameter that the loss does not feel (behind a threshold)."""
        self.builder.prefix = f"d_{value.name}"
        return self.builder.emit("zeros_like", value)


def _layer_of(name: str, value: Value) -> str:
    return name.rpartition(".")[0] if value.role == "param" else name


def _count_uses(graph: Graph, active: set[int]) -> dict[int, int]:
    """Return how many uses of each value send a cotangent back: those that lie on a way to the loss."""
    assert graph.loss is not None
    leads_to_loss = {graph.loss.id}
    uses: dict[int, int] = {}
    for node in reversed(graph.nodes):
        if node.out.id in leads_to_loss and node.out.id in active:
            for value in node.ins:
                uses[value.id] = uses.get(value.id, 0) + 1
                leads_to_loss.add(value.id)
    return uses


def reached_from(nodes: Iterable[Node], sources: Iterable[int]) -> set[int]:
    """Return the numbers of all values that depend on `sources`, the sources included."""
    reached = set(sources)
    for node in nodes:
        if any(v.id in reached for v in node.ins):
            reached.update(v.id for v in node.outs)
    return reached

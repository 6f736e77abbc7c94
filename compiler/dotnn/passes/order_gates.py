"""Gates with one and the same activation lie side by side: what is done to them is done to all of them at once.

Before:  a = scaled_tanh([x_t, h, 1] M);   i = a[:, :4];  g = a[:, 4:8];  o = a[:, 8:]      (i and o are sigmoids)
After:   a = scaled_tanh([x_t, h, 1] M');  i = a[:, :4];  o = a[:, 4:8];  g = a[:, 8:]

M' is M with its columns in that order, which costs nothing where M is scaled, and so copied, anyway. It is for
predictions: gradients would have to be brought back into the order of the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value, readers
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass
from dotnn.passes.sum_after_loops import with_loop

Columns = tuple[int, int]


@as_pass
def order_gates(graph: Graph) -> Graph:
    """Order the gates of every loop whose weights are scaled for it."""
    for scan in [n for n in graph.nodes if n.loop is not None]:
        found = _gates(graph, scan)
        if found is not None:
            graph = graph.with_nodes(tuple(new for n in graph.nodes for new in found.written(n)))
    return graph


@dataclass(frozen=True)
class _Gates:
    """What makes the weights, the loop, the activation in it, and the columns of the gates in their new order."""

    weights: Node
    scan: Node
    loop: Loop
    act: Node
    order: Sequence[int]

    def written(self, node: Node) -> tuple[Node, ...]:
        """Return what stands in the place of a node of the graph."""
        if node is self.weights:
            return (replace(node, attrs={**node.attrs, "columns": self._merged()}),)
        if node is self.scan:
            nodes = tuple(map(self._inner, self.loop.nodes))
            return (with_loop(node, replace(self.loop, nodes=nodes)),)
        return (node,)

    def _inner(self, node: Node) -> Node:
        """Return a node of a step: the activation with its numbers, and its pieces, in the new order."""
        if node is self.act:
            ordered = {name: self._in_order(node.attrs[name]) for name in ("factor", "shift", "widths")}
            return replace(node, attrs={**node.attrs, **ordered})
        if node.ins and node.ins[0] == self.act.out:
            start, stop = self._moved()[node.attrs["start"], node.attrs["stop"]]
            return replace(node, attrs={**node.attrs, "start": start, "stop": stop})
        return node

    def _in_order(self, values: Sequence[object]) -> tuple[object, ...]:
        return tuple(values[k] for k in self.order)

    def _moved(self) -> dict[Columns, Columns]:
        """Return where the columns of each gate are, by where they were."""
        widths = self.act.attrs["widths"]
        old = columns(widths)
        return dict(zip([old[k] for k in self.order], columns([widths[k] for k in self.order]), strict=True))

    def _merged(self) -> tuple[Columns, ...]:
        """Return the old columns in the new order; neighbours that stay neighbours are one piece."""
        merged: list[Columns] = []
        for start, stop in self._moved():
            joined = bool(merged) and merged[-1][1] == start
            merged[-1:] = [(merged[-1][0], stop)] if joined else [*merged[-1:], (start, stop)]
        return tuple(merged)


def columns(widths: Sequence[int]) -> list[Columns]:
    """Return the columns of groups that are so wide, one behind the other."""
    return list(pairwise([0, *accumulate(widths)]))


def _gates(graph: Graph, scan: Node) -> _Gates | None:
    """Return the gates of a loop, None where they are in order, or where somebody else reads what is moved."""
    loop = scan.loop
    assert loop is not None
    outside, inside = graph.producers(), readers(loop.nodes)
    for product, act in ((p, a) for a in loop.nodes if a.rule is OPS["scaled_tanh"] for p in loop.nodes):
        weights = outside.get(product.ins[-1].id) if product.ins else None
        if product.out != act.ins[0] or weights is None or weights.rule is not OPS["scale_columns"]:
            continue
        order = _order(act)
        alone = _read_by(graph.nodes, weights.out) == [scan] and inside[weights.out.id] == [product]
        if alone and inside[product.out.id] == [act] and order != sorted(order) and _only_cut(loop, act.out):
            return _Gates(weights, scan, loop, act, order)
    return None


def _read_by(nodes: Sequence[Node], value: Value) -> list[Node]:
    return readers(nodes).get(value.id, [])


def _order(act: Node) -> list[int]:
    """Return the numbers of the gates, those with the same numbers behind each other."""
    kinds = list(zip(act.attrs["factor"], act.attrs["shift"], strict=True))
    return sorted(range(len(kinds)), key=lambda k: kinds.index(kinds[k]))


def _only_cut(loop: Loop, value: Value) -> bool:
    """Whether a value is cut into gates, and nothing else reads it or what it is made of."""
    handed = {v.id for v in (*loop.collected, *loop.leaving)}
    return value.id not in handed and all(n.rule.cuts for n in _read_by(loop.nodes, value))

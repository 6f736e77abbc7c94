"""A sum over time of products is one product of sequences, behind the loop that makes them.

Before:  loop over t: …; d_U += h_before.T @ d_z        (nothing in the loop reads d_U)
After:   loop over t: …, collect h_before and d_z;  then d_U = affine_d_weight(h_shifted, d_z)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dotnn.ir.builder import GraphBuilder, over_time
from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass
from dotnn.passes.reverse import whole_name


@as_pass
def sum_after_loops(graph: Graph) -> Graph:
    """Take the sums out of every loop that an op makes which adds up all rows that it is given."""
    b = GraphBuilder(OPS, graph.next_id)
    nodes = [made for node in graph.nodes for made in (_parted(b, node, node.loop) if node.loop else (node,))]
    return replace(graph, nodes=tuple(nodes), next_id=b.next_id)


def same_values(loop: Loop) -> Mapping[int, Value]:
    """Return, for every value of a step that is only another one's name, that other value."""
    found: dict[int, Value] = {}
    for node in loop.nodes:
        if node.rule.alias:
            found[node.out.id] = found.get(node.ins[0].id, node.ins[0])
    return found


def with_loop(node: Node, loop: Loop, outs: tuple[Value, ...] | None = None) -> Node:
    """Return the scan with another body, which goes through the same sequences from the same states."""
    fixed = node.ins[: len(loop.slices) + len(loop.entering)]
    return replace(node, ins=(*fixed, *loop.free()), loop=loop, outs=node.outs if outs is None else outs)


def _parted(b: GraphBuilder, node: Node, loop: Loop) -> tuple[Node, ...]:
    """Return the scan without such sums, and the nodes that compute them."""
    sums = _separable(loop)
    collected, final, summed = loop.outputs(node.outs)
    pairs = list(zip(loop.summed, summed, strict=True))
    moved = [(sums[v.id], out) for v, out in pairs if v.id in sums]
    if not moved or loop.nested:
        return (node,)
    wholes = _Wholes(b, node, loop)
    after = [replace(n, ins=tuple(map(wholes.of, n.ins)), outs=(out,), phase=node.phase) for n, out in moved]
    left = [out for v, out in pairs if v.id not in sums]
    rest = _without(loop, sums, tuple(wholes.new))
    return (with_loop(node, rest, (*collected, *wholes.new.values(), *final, *left)), *after)


def _separable(loop: Loop) -> dict[int, Node]:
    """Return the sums over rows that nothing in the loop reads, of values of one step alone, by their results."""
    read, of_a_step = {v.id for n in loop.nodes for v in n.ins}, loop.made()
    sums = (n for n in loop.nodes if n.rule.sums_rows and n.out.id not in read)
    return {n.out.id: n for n in sums if all(v.id in of_a_step for v in n.ins)}


def _without(loop: Loop, sums: Mapping[int, Node], more: tuple[Value, ...]) -> Loop:
    """Return the loop without these sums, which collects some values more."""
    return replace(
        loop,
        nodes=tuple(n for n in loop.nodes if n.out.id not in sums),
        collected=(*loop.collected, *more),
        summed=tuple(v for v in loop.summed if v.id not in sums),
    )


class _Wholes:
    """The sequences of a loop's values: those that it goes through or collects, and `new` ones that it must collect."""

    def __init__(self, b: GraphBuilder, node: Node, loop: Loop) -> None:
        self.b, self.steps = b, loop.steps
        self.root = same_values(loop)
        collected, _, _ = loop.outputs(node.outs)
        self.known = {v.id: w for v, w in zip(loop.slices, loop.sequences(node.ins), strict=True)}
        self.known |= {self.root.get(v.id, v).id: w for v, w in zip(loop.collected, collected, strict=True)}
        self.new: dict[Value, Value] = {}

    def of(self, value: Value) -> Value:
        """Return the sequence of a value's steps."""
        value = self.root.get(value.id, value)
        if value.id not in self.known:
            whole = self.b.value(whole_name(value), over_time(value.type, self.steps), value.role)
            self.new[value] = self.known[value.id] = whole
        return self.known[value.id]

"""A sum over time of products is one product of sequences, behind the loop that makes them.

Before:  loop over t: …; d_U += h_before.T @ d_z        (nothing in the loop reads d_U)
After:   loop over t: …, collect h_before and d_z;  then d_U = affine_d_weight(h_shifted, d_z)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def _sums(loop: Loop) -> Mapping[int, Node]:
    """Return the nodes that add up rows of values of a step, and whose result nothing in the loop reads."""
    read, of_a_step = {v.id for n in loop.nodes for v in n.ins}, loop.made()
    adding = (n for n in loop.nodes if n.rule.sums_rows and n.out.id not in read)
    return {n.out.id: n for n in adding if all(v.id in of_a_step for v in n.ins)}


def _parted(b: GraphBuilder, node: Node, loop: Loop) -> tuple[Node, ...]:
    """Return the scan without such sums, and the nodes that compute them."""
    sums = _sums(loop)
    collected, final, summed = loop.outputs(node.outs)
    moved = [(sums[v.id], out) for v, out in zip(loop.summed, summed, strict=True) if v.id in sums]
    if not moved:
        return (node,)
    root = same_values(loop)
    wholes = {root.get(v.id, v).id: w for v, w in zip(loop.collected, collected, strict=True)}
    wholes |= {v.id: w for v, w in zip(loop.slices, loop.sequences(node.ins), strict=True)}
    new = _new_sequences(b, loop.steps, [root.get(v.id, v) for n, _ in moved for v in n.ins], wholes)
    left = {v: out for v, out in zip(loop.summed, summed, strict=True) if v.id not in sums}
    kept = tuple(n for n in loop.nodes if n.out.id not in sums)
    rest = replace(loop, nodes=kept, collected=(*loop.collected, *new), summed=tuple(left))
    scan = with_loop(node, rest, (*collected, *new.values(), *final, *left.values()))
    return (scan, *(_after(n, node.phase, [wholes[root.get(v.id, v).id] for v in n.ins], out) for n, out in moved))


def _new_sequences(
    b: GraphBuilder, steps: int, values: Sequence[Value], wholes: dict[int, Value]
) -> dict[Value, Value]:
    """Return a sequence for every value that none of the known ones holds; they are known then."""
    new: dict[Value, Value] = {}
    for value in values:
        if value.id not in wholes:
            new[value] = wholes[value.id] = b.value(whole_name(value), over_time(value.type, steps), value.role)
    return new


def _after(node: Node, phase: str, ins: Sequence[Value], out: Value) -> Node:
    """Return a node of a step as one behind the loop, which reads sequences."""
    return replace(node, ins=tuple(ins), outs=(out,), phase=phase)

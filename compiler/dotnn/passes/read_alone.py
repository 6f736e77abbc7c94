"""What is read of nodes, and nothing else; a loop among them hands out and computes only that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dotnn.ir.node import Loop, Node, Value


def read_alone(nodes: Sequence[Node], ends: Iterable[Value]) -> tuple[Node, ...]:
    """Return the nodes that `ends` are made of; a loop among them hands out only what is read."""
    needed, kept = {v.id for v in ends}, []
    for node in reversed(nodes):
        if any(v.id in needed for v in node.outs):
            kept.append(node if node.loop is None else _with_read_outputs(node, node.loop, needed))
            needed |= {v.id for v in kept[-1].ins}
    return tuple(kept[::-1])


def _with_read_outputs(node: Node, loop: Loop, needed: set[int]) -> Node:
    """Return a loop that hands out and computes what is read, its states included."""
    handed_out = loop.outputs(node.outs)
    inner = (loop.collected, loop.final, loop.summed)
    parts = [
        [(v, out) for v, out in zip(values, those, strict=True) if out.id in needed]
        for values, those in zip(inner, handed_out, strict=True)
    ]
    collected, final, summed = (tuple(v for v, _ in part) for part in parts)
    nodes = read_alone(loop.nodes, (*loop.leaving, *collected, *final, *summed))
    less = replace(loop, nodes=nodes, collected=collected, final=final, summed=summed)
    fixed = node.ins[: len(loop.slices) + len(loop.entering)]
    outs = tuple(out for part in parts for _, out in part)
    return replace(node, ins=(*fixed, *less.free()), loop=less, outs=outs)

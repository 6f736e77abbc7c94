"""Remove what nobody reads, and compute once what is written twice.

Before:  d_x = affine_d_input(d_h, W)   (x is the network's input: nobody asked for its gradient)
After:   nothing
"""

from __future__ import annotations

from dataclasses import replace

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.passes.base import as_pass


@as_pass
def simplify(graph: Graph) -> Graph:
    """Merge equal nodes of the backward phase, then drop dead nodes."""
    return drop_dead(merge_equal(graph))


def drop_dead(graph: Graph) -> Graph:
    """Keep a node only if a result depends on it. Forward values of the spec stay: prediction may show them."""
    shown = [v for node in graph.phase("forward") for v in node.outs]
    needed = graph.needed_for([*graph.results(), *shown])
    return graph.with_nodes(node for node in graph.nodes if any(v.id in needed for v in node.outs))


def merge_equal(graph: Graph) -> Graph:
    """Let one node stand for all backward nodes that apply the same op to the same values."""
    seen: dict[object, Value] = {}
    alias: dict[int, Value] = {}
    kept: list[Node] = []
    for node in graph.nodes:
        key = (node.op, tuple(alias.get(v.id, v).id for v in node.ins), repr(sorted(node.attrs.items())))
        if node.phase == "backward" and node.op not in ("zeros_like", "pass_on") and key in seen:
            alias[node.out.id] = seen[key]
            continue
        if node.loop is None:
            seen[key] = node.out
        kept.append(node)
    if not alias:
        return graph
    return graph.with_nodes(kept).map_values(lambda v: alias.get(v.id, v))


def drop_unread(graph: Graph) -> Graph:
    """Keep only what the loss, the gradients and the new state need: a step shows nobody its probabilities."""
    losses = [graph.loss] if graph.loss else []
    needed = graph.needed_for([*graph.grads.values(), *graph.new_state.values(), *losses])
    read = graph.with_nodes(node for node in graph.nodes if any(v.id in needed for v in node.outs))
    return replace(read, outputs={})

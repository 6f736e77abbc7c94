"""Compute a cross-entropy from the logits instead of from the probabilities.

Before:  p = softmax(z);  E = cross_entropy(p, y)
After:   p = softmax(z);  E = softmax_cross_entropy(z, y)      d_z = p - y, no division by a small p

The same for sigmoid and binary cross-entropy. The probability stays in the graph for prediction and metrics.

What changes no number may stand in between, in the spec or in the graph: a reshape, a factor of 1. It is taken along
to the logits, as one reshape; for a softmax only where the classes stay on the last axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dotnn.ir.builder import GraphBuilder
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass

FUSED = {("softmax", "cross_entropy"): "softmax_cross_entropy", ("sigmoid", "bce"): "sigmoid_bce"}


@as_pass
def fuse_losses(graph: Graph) -> Graph:
    """Replace every loss of `FUSED` whose first operand is the matching activation's output."""
    b = GraphBuilder(OPS, graph.next_id)
    producers = graph.producers()
    remarks = dict(graph.remarks)
    nodes: list[Node] = []
    views: list[Node] = []
    for node in graph.nodes:
        source = activation_behind(node.ins[0], producers) if node.phase == "loss" and len(node.ins) > 1 else None
        fused = FUSED.get((source.op, node.op)) if source else None
        shape = node.ins[0].type.example if node.ins else ()
        if source is not None and fused is not None and (source.op != "softmax" or _same_rows(source, shape)):
            z = source.ins[0]
            remarks[node.layer] = f"{node.op} of {source.op}, fused: computed from {z.name}, stable for extreme values"
            if z.type.example != shape:
                reshaped = b.value(f"{z.name}_reshape", node.ins[0].type)
                last = producers[node.ins[0].id]
                views.append(
                    Node(OPS["reshape"], (z,), (reshaped,), {"shape": shape}, "forward", last.layer, last.span)
                )
                z = reshaped
            node = replace(node, rule=OPS[fused], ins=(z, *node.ins[1:]))
            assert OPS[fused].infer([v.type for v in node.ins], node.attrs) == node.out.type
        nodes.append(node)
    forward = [n for n in nodes if n.phase == "forward"]
    nodes = [*forward, *views, *nodes[len(forward) :]]
    return replace(graph, nodes=tuple(nodes), remarks=remarks, next_id=b.next_id)


def activation_behind(value: Value, producers: Mapping[int, Node]) -> Node | None:
    """Return what made the numbers of a value, through whatever leaves all of them as they are."""
    node, factor = producers.get(value.id), 1.0
    while node is not None and node.op in ("reshape", "scale"):
        factor *= node.attrs.get("factor", 1.0)
        node = producers.get(node.ins[0].id)
    return node if factor == 1 else None


def _same_rows(source: Node, shape: tuple[int, ...]) -> bool:
    return source.out.type.example[-1:] == shape[-1:]

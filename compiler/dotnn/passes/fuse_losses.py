"""Compute a cross-entropy from the logits instead of from the probabilities.

Before:  p = softmax(z);  E = cross_entropy(p, y)
After:   p = softmax(z);  E = softmax_cross_entropy(z, y)      d_z = p - y, no division by a small p

The same for sigmoid and binary cross-entropy. The probability stays in the graph for prediction and metrics.

What changes no number may come in between, in the spec or in the graph: a reshape, a factor of 1. It is taken along
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
        source = _fusible(node, producers)
        if source is None:
            nodes.append(node)
            continue
        z = source.ins[0]
        remarks[node.layer] = f"{node.op} of {source.op}, fused: computed from {z.name}, stable for extreme values"
        if z.type.example != node.ins[0].type.example:
            views.append(_view(b, z, node.ins[0], producers))
            z = views[-1].out
        nodes.append(_fused(node, source, z))
    forward = [n for n in nodes if n.phase == "forward"]
    nodes = [*forward, *views, *nodes[len(forward) :]]
    return replace(graph, nodes=tuple(nodes), remarks=remarks, next_id=b.next_id)


def _fusible(node: Node, producers: Mapping[int, Node]) -> Node | None:
    """Return the activation that a loss can be fused with, None where there is none."""
    if node.phase != "loss" or len(node.ins) < 2:
        return None
    source = activation_behind(node.ins[0], producers)
    if source is None or (source.op, node.op) not in FUSED:
        return None
    same_rows = source.out.type.example[-1:] == node.ins[0].type.example[-1:]
    return source if source.op != "softmax" or same_rows else None


def _view(b: GraphBuilder, z: Value, probabilities: Value, producers: Mapping[int, Node]) -> Node:
    """Return the node that gives the logits the shape of the probabilities."""
    reshaped, last = b.value(f"{z.name}_reshape", probabilities.type), producers[probabilities.id]
    attrs = {"shape": probabilities.type.example}
    return Node(OPS["reshape"], (z,), (reshaped,), attrs, "forward", last.layer, last.span)


def _fused(node: Node, source: Node, z: Value) -> Node:
    rule = OPS[FUSED[source.op, node.op]]
    fused = replace(node, rule=rule, ins=(z, *node.ins[1:]))
    assert rule.infer([v.type for v in fused.ins], fused.attrs) == fused.out.type
    return fused


def activation_behind(value: Value, producers: Mapping[int, Node]) -> Node | None:
    """Return what made the numbers of a value, through whatever leaves all of them as they are."""
    node, factor = producers.get(value.id), 1.0
    while node is not None and node.op in ("reshape", "scale"):
        factor *= node.attrs.get("factor", 1.0)
        node = producers.get(node.ins[0].id)
    return node if factor == 1 else None

"""Compute a cross-entropy from the logits instead of from the probabilities.

Before:  p = softmax(z);  E = cross_entropy(p, y)
After:   p = softmax(z);  E = softmax_cross_entropy(z, y)      d_z = p - y, no division by a small p

The same for sigmoid and binary cross-entropy. The probability stays in the graph for prediction and metrics.
"""

from __future__ import annotations

from dataclasses import replace

from dotnn.ir.graph import Graph
from dotnn.ops import OPS
from dotnn.ops.base import Node

FUSED = {("softmax", "cross_entropy"): "softmax_cross_entropy", ("sigmoid", "bce"): "sigmoid_bce"}


def fuse_losses(graph: Graph) -> Graph:
    """Replace every loss of `FUSED` whose first operand is the matching activation's output."""
    producers = graph.producers()
    remarks = dict(graph.remarks)
    nodes: list[Node] = []
    for node in graph.nodes:
        source = producers.get(node.ins[0].id) if node.ins else None
        fused = FUSED.get((source.op, node.op)) if source else None
        if source is not None and fused is not None:
            remarks[node.layer] = (
                f"{node.op} of {source.op}, fused: computed from {source.ins[0].name}, stable for extreme values"
            )
            node = replace(node, op=fused, ins=(source.ins[0], *node.ins[1:]))
            assert OPS[fused].infer([v.type for v in node.ins], node.attrs) == node.out.type
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes), remarks=remarks)

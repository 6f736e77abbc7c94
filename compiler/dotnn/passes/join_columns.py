"""Put a cotangent together from its parts.

Before:  d_z = pad(d_i, 0 before, 2 behind) + pad(d_f, 2 before, 0 behind)      (z was cut into columns i and f)
After:   d_z = concatenate([d_i, d_f])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass


@as_pass
def join_columns(graph: Graph) -> Graph:
    """Replace every sum of padded parts that lie side by side by their concatenation, inside loops too."""
    return graph.with_nodes(_joined(graph.nodes))


def _joined(nodes: Sequence[Node]) -> tuple[Node, ...]:
    pads = {n.out.id: n for n in nodes if n.op == "pad_columns"}
    replaced: dict[int, Node | None] = {}
    for node in nodes:
        parts = [pads[v.id] for v in node.ins if v.id in pads] if node.op == "accumulate" else []
        if parts and len(parts) == len(node.ins) and (joined := _side_by_side(node, parts)):
            replaced |= {id(pad): None for pad in parts} | {id(node): joined}
    kept = (replaced.get(id(n), n) for n in nodes)
    return tuple(replace(n, loop=replace(n.loop, nodes=_joined(n.loop.nodes))) if n.loop else n for n in kept if n)


def _side_by_side(node: Node, parts: Sequence[Node]) -> Node | None:
    """Return the concatenation, or None where the parts overlap or leave a gap."""
    ordered = sorted(parts, key=lambda pad: pad.attrs["before"])
    ends = [0, *(pad.out.type.example[-1] - pad.attrs["after"] for pad in ordered)]
    if [pad.attrs["before"] for pad in ordered] != ends[:-1] or ends[-1] != node.out.type.example[-1]:
        return None
    return replace(node, rule=OPS["concat"], ins=tuple(pad.ins[0] for pad in ordered), attrs={})

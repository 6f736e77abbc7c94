"""Put a cotangent together from its parts.

Before:  d_z = pad(d_i, 0 before, 2 after) + pad(d_f, 2 before, 0 after)      (z was cut into columns i and f)
After:   d_z = concatenate([d_i, d_f])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    joined = _concatenations(nodes)
    padded = {v.id for n in nodes if id(n) in joined for v in n.ins}
    return tuple(_with_joined_loop(joined.get(id(n), n)) for n in nodes if not _made(n) & padded)


def _made(node: Node) -> set[int]:
    return {v.id for v in node.outs}


def _concatenations(nodes: Sequence[Node]) -> dict[int, Node]:
    """Return the concatenation of every sum that is one, by the identity of the sum."""
    pads = {n.out.id: n for n in nodes if n.op == "pad_columns"}
    sums = ((n, _concatenation(n, pads)) for n in nodes if n.op == "accumulate")
    return {id(n): joined for n, joined in sums if joined is not None}


def _with_joined_loop(node: Node) -> Node:
    if node.loop is None:
        return node
    return replace(node, loop=replace(node.loop, nodes=_joined(node.loop.nodes)))


def _concatenation(node: Node, pads: Mapping[int, Node]) -> Node | None:
    """Return the concatenation that a sum is, None where not all of its terms are padded."""
    parts = [pads[v.id] for v in node.ins if v.id in pads]
    return _side_by_side(node, parts) if len(parts) == len(node.ins) else None


def _side_by_side(node: Node, parts: Sequence[Node]) -> Node | None:
    """Return the concatenation, or None where the parts overlap or leave a gap."""
    ordered = sorted(parts, key=lambda pad: pad.attrs["before"])
    ends = [0, *(pad.out.type.example[-1] - pad.attrs["after"] for pad in ordered)]
    if [pad.attrs["before"] for pad in ordered] != ends[:-1] or ends[-1] != node.out.type.example[-1]:
        return None
    return replace(node, rule=OPS["concat"], ins=tuple(pad.ins[0] for pad in ordered), attrs={})

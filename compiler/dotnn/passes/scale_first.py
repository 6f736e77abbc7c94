"""Weights are scaled on their way into one matrix, and not in it: each number is read and written once.

Before:  M = stack_rows(W, U, b);  S = scale_columns(M)
After:   S = stack_rows(scale_columns(W), scale_columns(U), scale_columns(b))

It is for predictions. In training M costs nothing, for the parameters lie one behind the other.
"""

from __future__ import annotations

from dataclasses import replace

from dotnn.ir.builder import GraphBuilder
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, readers
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass


@as_pass
def scale_first(graph: Graph) -> Graph:
    """Scale the parts of every stack that is only scaled."""
    b, reading = GraphBuilder(OPS, graph.next_id), readers(graph.nodes)
    stacks = {n.out.id: n for n in graph.nodes if n.rule.stacks and _only_scaled(reading.get(n.out.id, []))}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.ins and node.ins[0].id in stacks:
            nodes += _parts_scaled(b, stacks[node.ins[0].id], node)
        elif not node.outs or node.outs[0].id not in stacks:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes), next_id=b.next_id)


def _only_scaled(users: list[Node]) -> bool:
    return len(users) == 1 and users[0].rule is OPS["scale_columns"]


def _parts_scaled(b: GraphBuilder, stack: Node, scaling: Node) -> list[Node]:
    """Return a scaling of every part, and the stack of what comes of it."""
    scaled = [replace(scaling, ins=(v,), outs=(b.value(f"{v.name}_scaled", v.type),)) for v in stack.ins]
    return [*scaled, replace(stack, ins=tuple(n.out for n in scaled), outs=scaling.outs)]

"""Compute again on the way back what a loss has computed in between: `total_loss` returns a number and keeps nothing.

Before:  loss:      e = y - t;  E = sum of e²               backward:  d_e = d_E * 2 * e
After:   loss:      e = y - t;  E = sum of e²               backward:  e_again = y - t;  d_e = d_E * 2 * e_again
"""

from __future__ import annotations

from dataclasses import replace

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.passes.base import as_pass


@as_pass
def recompute_losses(graph: Graph) -> Graph:
    """Let no node of the backward phase read what a node of the loss has computed."""
    made_by = {v.id: node for node in graph.phase("loss") for v in node.outs}
    again: dict[int, Value] = {}
    nodes: list[Node] = []
    next_id = graph.next_id

    def settle(node: Node) -> None:
        """Append a node of the backward phase after what it reads of the losses."""
        nonlocal next_id
        for v in node.ins:
            if v.id in made_by and v.id not in again:
                source = made_by[v.id]
                next_id += 1
                again[v.id] = replace(v, id=next_id, role="again")
                settle(replace(source, outs=(again[v.id],), phase="backward"))
        nodes.append(replace(node, ins=tuple(again.get(v.id, v) for v in node.ins)))

    for node in graph.nodes:
        if node.phase == "backward":
            settle(node)
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes), next_id=next_id) if again else graph

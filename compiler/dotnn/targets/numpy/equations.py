"""What a fast script computes outside of training: `forward` and `total_loss`, one equation a line."""

from __future__ import annotations

from dotnn.codegen.lines import Body, all_on_the_page, indented, wrapped
from dotnn.codegen.wrap import INDENT
from dotnn.ir.graph import Graph
from dotnn.model.model import Model


def forward(model: Model, graph: Graph) -> list[str]:
    """Return the body of `forward`."""
    body = Body(model, graph)
    nodes = graph.phase("forward")
    body.nodes(nodes)
    values = [v for n in nodes for v in n.outs]
    body.unpack(graph.outputs.values())
    body.lines.append("")
    lines = all_on_the_page(body.lines, INDENT)
    lines += wrapped("outputs = {", [f'"{name}": {v.name}' for name, v in graph.outputs.items()], "}", room=INDENT)
    lines += wrapped("cache = {", [f'"{v.name}": {v.name}' for v in values], "}", room=INDENT)
    return indented([*lines, "return outputs, cache"])


def total_loss(model: Model, graph: Graph) -> list[str]:
    """Return the body of `total_loss`."""
    assert graph.loss is not None
    body = Body(model, graph)
    body.cached(v for n in graph.phase("forward") for v in n.outs)
    body.nodes(graph.phase("loss"), graph.remarks)
    return indented([*all_on_the_page(body.lines, INDENT), f"return {graph.loss.name}"])


def helper_names(graph: Graph) -> set[str]:
    """Return the helpers that the lines of the graph call."""
    return {helper for node in graph.all_nodes() for helper in node.rule.called(node)}

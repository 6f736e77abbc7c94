"""The graph as text, for `dotnn dump` and for people who debug a pass."""

from __future__ import annotations

from dotnn.ir.graph import Graph
from dotnn.ops.base import Node, Value


def dump(graph: Graph) -> str:
    """Return one line per value: `name: type = op(operands) {attributes}   # phase, layer`."""
    lines = [f"{role} {_value(v)}" for role, table in _sources(graph) for v in table]
    phase = ""
    for node in graph.nodes:
        if node.phase != phase:
            phase = node.phase
            lines += ["", f"-- {phase}"]
        lines.append(_node(node))
    lines += ["", "-- results"]
    lines += [f"output {name} = {v.name}" for name, v in graph.outputs.items()]
    lines += [f"loss = {graph.loss.name}"] if graph.loss else []
    lines += [f"gradient of {name} = {v.name}" for name, v in graph.grads.items()]
    return "\n".join(lines) + "\n"


def _sources(graph: Graph) -> list[tuple[str, list[Value]]]:
    seeds = [graph.seed] if graph.seed else []
    return [
        ("input ", list(graph.inputs.values())),
        ("target", list(graph.targets.values())),
        ("param ", list(graph.params.values())),
        ("seed  ", seeds),
    ]


def _value(value: Value) -> str:
    return f"{value.name}: {value.type}"


def _node(node: Node) -> str:
    attrs = ", ".join(f"{k}={v!r}" for k, v in node.attrs.items())
    call = f"{node.op}({', '.join(v.name for v in node.ins)})" + (f" {{{attrs}}}" if attrs else "")
    return f"{', '.join(map(_value, node.outs)):40} = {call:60} # {node.layer}".rstrip()

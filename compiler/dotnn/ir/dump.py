"""The graph as text, for `dotnn dump` and for people who debug a pass."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value


def dump(graph: Graph) -> str:
    """Return one line per value: `name: type = op(operands) {attributes}   # phase, layer`."""
    lines = [f"{role} {_value(v)}" for role, table in _sources(graph) for v in table]
    phase = ""
    for node in graph.nodes:
        if node.phase != phase:
            phase = node.phase
            lines += ["", f"-- {phase}"]
        lines += _node(node)
    lines += ["", "-- results"]
    lines += [f"output {name} = {v.name}" for name, v in graph.outputs.items()]
    lines += [f"loss = {graph.loss.name}"] if graph.loss else []
    lines += [f"state {name} = {v.name}" for name, v in graph.new_state.items()]
    lines += [f"gradient of {name} = {v.name}" for name, v in graph.grads.items()]
    return "\n".join(lines) + "\n"


def _sources(graph: Graph) -> list[tuple[str, list[Value]]]:
    seeds = [graph.seed] if graph.seed else []
    return [
        ("input ", list(graph.inputs.values())),
        ("target", list(graph.targets.values())),
        ("param ", list(graph.params.values())),
        ("state ", list(graph.state.values())),
        ("seed  ", seeds),
    ]


def _value(value: Value) -> str:
    return f"{value.name}: {value.type}"


def _node(node: Node) -> list[str]:
    attrs = ", ".join(f"{k}={v!r}" for k, v in node.attrs.items())
    call = f"{node.op}({', '.join(v.name for v in node.ins)})" + (f" {{{attrs}}}" if attrs else "")
    line = f"{', '.join(map(_value, node.outs)):40} = {call:60} # {node.layer}".rstrip()
    return [line, *(f"    {part}" for part in _loop(node.ins, node.loop))] if node.loop else [line]


def _loop(operands: Sequence[Value], loop: Loop) -> list[str]:
    """Return a loop's lines: what enters a step, its nodes, and what leaves it."""
    lines = [f"for step in {loop.order()}:"]
    lines += [f"{_value(v)} = {s.name}[:, step]" for v, s in zip(loop.slices, loop.sequences(operands), strict=True)]
    states = zip(loop.entering, loop.initial(operands), loop.leaving, strict=True)
    lines += [f"{_value(v)} = state from {first.name}, then {last.name}" for v, first, last in states]
    lines += [line for node in loop.nodes for line in _node(node)]
    parts = {"collect": loop.collected, "last": loop.final, "sum": loop.summed}
    return lines + [f"{word} {', '.join(v.name for v in values)}" for word, values in parts.items() if values]

"""The verifier: what must hold of a graph after every pass. A violation is a bug of the compiler, never of a spec."""

from __future__ import annotations

from collections.abc import Iterable

from dotnn.ir.builder import loop_types, over_time
from dotnn.ir.graph import PHASES, Graph
from dotnn.ir.node import Loop, Node, Value
from dotnn.ir.tensor import TensorType


class InvalidGraph(AssertionError):
    """A pass left a graph that breaks an invariant."""


def verify(graph: Graph) -> None:
    """Check topological order, single assignment, re-inferred types, order of phases, and roles.

    Raises `InvalidGraph` naming the node.
    """
    known = {v.id for v in graph.sources()}
    if len(known) != len(graph.sources()):
        raise InvalidGraph("two sources share a number")
    phase = 0
    for node in graph.nodes:
        where = f"{node.op} -> {', '.join(v.name for v in node.outs)} ({node.layer})"
        if PHASES.index(node.phase) < phase:
            raise InvalidGraph(f"{where} is in phase {node.phase} after {PHASES[phase]}")
        phase = PHASES.index(node.phase)
        if node.phase == "forward" and any(v.role in ("target", "seed") for v in node.ins):
            raise InvalidGraph(f"{where} reads a target in the forward phase")
        _verify_assignment(node, known, where)
        if node.loop is not None:
            _verify_loop(node, node.loop, where)
    _verify_results(graph, known)


def _verify_assignment(node: Node, known: set[int], where: str) -> None:
    """Check that a node reads what is there and assigns something new, of the type that its op infers; then know it."""
    missing = _unknown(node.ins, known)
    if missing:
        raise InvalidGraph(f"{where} reads {missing} before assignment")
    inferred = loop_types(node.loop) if node.loop else (node.rule.infer([v.type for v in node.ins], node.attrs),)
    found = tuple(v.type for v in node.outs)
    if inferred != found:
        raise InvalidGraph(f"{where} has types {[*map(str, found)]}, inferred {[*map(str, inferred)]}")
    made = {v.id for v in node.outs}
    if made & known:
        raise InvalidGraph(f"{where} is assigned twice")
    known |= made


def _unknown(values: Iterable[Value], known: set[int]) -> list[str]:
    return [v.name for v in values if v.id not in known]


def _verify_loop(node: Node, loop: Loop, where: str) -> None:
    """Check that operands fit, and that a step reads only what is there."""
    if _types(loop.sequences(node.ins)) != [over_time(v.type, loop.steps) for v in loop.slices]:
        raise InvalidGraph(f"{where}: the sequences do not fit the steps")
    states = [_types(part) for part in (loop.initial(node.ins), loop.entering, loop.leaving)]
    if states[0] != states[1] or states[1] != states[2]:
        raise InvalidGraph(f"{where}: the states change their type: {states}")
    known = {v.id for v in (*node.ins, *loop.slices, *loop.entering)}
    for inner in loop.nodes:
        inside = f"{where}: {inner.op} -> {', '.join(v.name for v in inner.outs)}"
        _verify_assignment(inner, known, inside)
        if inner.loop is not None:
            _verify_loop(inner, inner.loop, inside)
    lost = _unknown((*loop.leaving, *loop.collected, *loop.final, *loop.summed), known)
    if lost:
        raise InvalidGraph(f"{where}: {lost} are never assigned")


def _types(values: Iterable[Value]) -> list[TensorType]:
    return [v.type for v in values]


def _verify_results(graph: Graph, known: set[int]) -> None:
    lost = _unknown(graph.results(), known)
    if lost:
        raise InvalidGraph(f"results {lost} are never assigned")
    for name, grad in graph.grads.items():
        source = graph.differentiated(name)
        if grad.type.shape != source.type.shape:
            raise InvalidGraph(f"gradient of {name} has shape {grad.type}, not {source.type}")

"""The verifier: what must hold of a graph after every pass. A violation is a bug of the compiler, never of a spec."""

from __future__ import annotations

from dotnn.ir.graph import PHASES, Graph
from dotnn.ops import OPS


class InvalidGraph(AssertionError):
    """A pass left a graph that breaks an invariant."""


def verify(graph: Graph) -> None:
    """Check topological order, single assignment, known ops, re-inferred types, order of phases, and roles.

    Raises `InvalidGraph` naming the node.
    """
    known = {v.id: v for v in graph.sources()}
    if len(known) != len(graph.sources()):
        raise InvalidGraph("two sources share a number")
    phase = 0
    for node in graph.nodes:
        where = f"{node.op} -> {', '.join(v.name for v in node.outs)} ({node.layer})"
        if node.op not in OPS:
            raise InvalidGraph(f"unknown op: {where}")
        missing = [v.name for v in node.ins if v.id not in known]
        if missing:
            raise InvalidGraph(f"{where} reads {missing} before assignment")
        if PHASES.index(node.phase) < phase:
            raise InvalidGraph(f"{where} stands in phase {node.phase} after {PHASES[phase]}")
        phase = PHASES.index(node.phase)
        if node.phase == "forward" and any(v.role in ("target", "seed") for v in node.ins):
            raise InvalidGraph(f"{where} reads a target in the forward phase")
        inferred = OPS[node.op].infer([v.type for v in node.ins], node.attrs)
        if inferred != node.out.type:
            raise InvalidGraph(f"{where} has type {node.out.type}, inferred {inferred}")
        if node.out.id in known:
            raise InvalidGraph(f"{where} is assigned twice")
        known[node.out.id] = node.out
    _verify_results(graph, set(known))


def _verify_results(graph: Graph, known: set[int]) -> None:
    lost = [v.name for v in graph.results() if v.id not in known]
    if lost:
        raise InvalidGraph(f"results {lost} are never assigned")
    for name, grad in graph.grads.items():
        source = graph.params.get(name) or graph.inputs[name]
        if grad.type.shape != source.type.shape:
            raise InvalidGraph(f"gradient of {name} has shape {grad.type}, not {source.type}")

"""The body of `total_loss`: the losses of the spec in TensorFlow. Penalties belong to the Keras layers."""

from __future__ import annotations

from dataclasses import replace

from dotnn.codegen.lines import Banners, with_comment
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.library.penalties import PENALTIES
from dotnn.model.model import Model
from dotnn.targets.keras import rules
from dotnn.targets.keras.network import Network

_PENALTY_OPS = {p.op for p in PENALTIES.values()}


def loss_lines(model: Model, graph: Graph, network: Network) -> list[str]:
    """Return the body of `total_loss(network, values, batch)`; where replicas share a batch, each returns its part."""
    assert graph.loss is not None
    banners = Banners(model)
    lines: list[str] = []
    known: set[int] = set()
    producers = graph.producers()
    keys = {v.id: ("batch", name) for name, v in graph.targets.items()}
    keys |= {number: ("values", key) for number, key in network.keys.items()}
    total: Node | None = None
    for node in graph.phase("loss"):
        if node.op == "total":
            total = node
        elif node.op not in _PENALTY_OPS:
            lines += [banners.of(node), *([f"# {graph.remarks[node.layer]}"] if node.layer in graph.remarks else [])]
            views = [v for v in node.ins if v.id not in keys]
            sources = [producers[v.id].ins[0] if v in views else v for v in node.ins]
            fresh = [v for v in sources if v.id not in known]
            known.update(v.id for v in fresh)
            lines.append(_unpacking([(v, *keys[v.id]) for v in fresh])) if fresh else None
            lines += [f"{v.name} = tf.reshape({producers[v.id].ins[0].name}, {(-1, *v.type.example)})" for v in views]
            line = f"{node.out.name} = {_expression(node, network.distributed)}"
            lines.append(with_comment(line, node.rule.equation))
    if total is not None:
        lines.append(f"{total.out.name} = {_sum(total, graph, network.distributed)}")
    return [*lines, f"return {graph.loss.name}"]


def _unpacking(entries: list[tuple[Value, str, str]]) -> str:
    left = ", ".join(value.name for value, _, _ in entries)
    right = ", ".join(f'{table}["{key}"]' for _, table, key in entries)
    return f"{left} = {right}"


def _expression(node: Node, distributed: bool) -> str:
    if distributed and node.attrs.get("reduce") == "mean":
        node = replace(node, attrs={**node.attrs, "reduce": "global mean"})
    template = rules.LOSSES[node.op].term(node)
    names = {word: value.name for word, value in zip(node.rule.operands, node.ins, strict=True)}
    return template.format(**names, **node.attrs)


def _sum(total: Node, graph: Graph, distributed: bool) -> str:
    """Return the weighted sum of the losses, and what the layers with a penalty add."""
    producers = graph.producers()
    terms, penalised = [], False
    for value, weight in zip(total.ins, total.attrs["weights"], strict=True):
        if producers[value.id].op in _PENALTY_OPS:
            penalised = True
        else:
            terms.append(value.name if weight == 1 else f"{weight} * {value.name}")
    penalty = "tf.nn.scale_regularization_loss(network.losses)" if distributed else "tf.add_n(network.losses)"
    return " + ".join([*terms, *([penalty] if penalised else [])])

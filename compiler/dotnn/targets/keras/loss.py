"""The body of `total_loss`: the losses of the spec in TensorFlow. Penalties belong to the Keras layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dotnn.codegen.lines import Banners, comment_lines
from dotnn.codegen.wrap import INDENT
from dotnn.ir.expr import Unspellable
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.model.model import Model
from dotnn.passes.build import PENALTY_OF
from dotnn.targets.keras.layout import with_remark
from dotnn.targets.keras.lowered import read_by, refusal, written
from dotnn.targets.keras.network import Network
from dotnn.targets.keras.rules import LOSSES
from dotnn.targets.keras.rules.losses import formula


def loss_lines(model: Model, graph: Graph, network: Network) -> list[str]:
    """Return the body of `total_loss(network, values, batch)`; where replicas share a batch, each returns its part.

    Raises `CompileError` for a loss that has no formula in TensorFlow.
    """
    assert graph.loss is not None
    body = _Body(model, graph, network)
    total: Node | None = None
    for node in graph.phase("loss"):
        if node.op == "total":
            total = node
        elif not node.layer.startswith(PENALTY_OF):
            body.node(node)
    if total is not None:
        body.lines.append(f"{total.out.name} = {_sum(total, graph, network.distributed)}")
    return [*body.lines, f"return {graph.loss.name}"]


def lines_of(model: Model, graph: Graph, network: Network, nodes: Sequence[Node]) -> list[str]:
    """Return the lines of some of the losses. Raises `CompileError` for one that has no formula in TensorFlow."""
    body = _Body(model, graph, network)
    for node in nodes:
        body.node(node)
    return body.lines


class _Body:
    """The lines so far, and which values they have taken out of `values` and `batch`."""

    def __init__(self, model: Model, graph: Graph, network: Network) -> None:
        self.model, self.graph, self.distributed = model, graph, network.distributed
        self.banners = Banners(model)
        self.lines: list[str] = []
        self.known: set[int] = set()
        self.made: set[int] = set()
        self.layer = ""
        self.producers = graph.producers()
        self.keys = {v.id: ("batch", name) for name, v in graph.targets.items()}
        self.keys |= {number: ("values", key) for number, key in network.keys.items()}

    def node(self, node: Node) -> None:
        """Append a loss or a part of one, under the line of the spec that it comes from."""
        if node.layer != self.layer:
            self.layer = node.layer
            self.lines.append(self.banners.of(node))
            self.lines += comment_lines(self.graph.remarks.get(node.layer, ""), 0, INDENT)
        expression, read = self._expression(node)
        self._operands([v for v in read if v.id not in self.made])
        equation = node.attrs.get("said") or node.attrs.get("comment") or node.rule.equation
        self.lines += with_remark(f"{node.out.name} = {expression}", equation)
        self.made.add(node.out.id)

    def _operands(self, operands: Sequence[Value]) -> None:
        """Append what takes the operands out of the tables; of a reshape that only the loss reads, what it reads."""
        views = [v for v in operands if v.id not in self.keys]
        fresh = [v for v in map(self._source, operands) if v.id not in self.known]
        self.known.update(v.id for v in fresh)
        if fresh:
            self.lines.append(_unpacking([(v, *self.keys[v.id]) for v in fresh]))
        for v in views:
            self.lines.append(f"{v.name} = tf.reshape({self._source(v).name}, {(-1, *v.type.example)})")

    def _source(self, value: Value) -> Value:
        """Return what a value is taken out of a table as: itself, or what a reshape of it reads."""
        return value if value.id in self.keys else self.producers[value.id].ins[0]

    def _expression(self, node: Node) -> tuple[str, tuple[Value, ...]]:
        """Return what computes a node, and what that reads: a mean needs no array that says how many there are."""
        if self.distributed and node.attrs.get("reduce") == "mean":
            node = replace(node, attrs={**node.attrs, "reduce": "global mean"})
        if node.op == "reshape":
            return f"tf.reshape({node.ins[0].name}, {(-1, *node.attrs['shape'])})", node.ins
        found = formula(node, LOSSES)
        try:
            if not found and not node.out.type.shape:
                raise Unspellable(f"{node.op} has no rule for TensorFlow")
            return written(node, found), read_by(node, found)
        except Unspellable as error:
            raise refusal(self.model, node.span, f"{node.layer} cannot be written for TensorFlow: {error}") from None


def _unpacking(entries: list[tuple[Value, str, str]]) -> str:
    left = ", ".join(value.name for value, _, _ in entries)
    right = ", ".join(f'{table}["{key}"]' for _, table, key in entries)
    return f"{left} = {right}"


def _sum(total: Node, graph: Graph, distributed: bool) -> str:
    """Return the weighted sum of the losses, and what the layers with a penalty add."""
    producers = graph.producers()
    terms, penalised = [], False
    for value, weight in zip(total.ins, total.attrs["weights"], strict=True):
        if producers[value.id].layer.startswith(PENALTY_OF):
            penalised = True
        else:
            terms.append(value.name if weight == 1 else f"{weight} * {value.name}")
    penalty = "tf.nn.scale_regularization_loss(network.losses)" if distributed else "tf.add_n(network.losses)"
    return " + ".join([*terms, *([penalty] if penalised else [])])

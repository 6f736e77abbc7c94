"""Where an equation comes from: FE1 and FE2, BE1 to BE4 of the lectures, or the chain rule through an op.

FE1  z^l = a^(l-1) W^l + b^l            BE1  δ^L = ∂E/∂a^L ∂a^L/∂z^L          at the output
FE2  a^l = f(z^l)                       BE2  δ^l = (δ^(l+1) W^(l+1)ᵀ) ∂a^l/∂z^l
                                        BE3  ∂E/∂W^l = a^(l-1)ᵀ δ^l
                                        BE4  ∂E/∂b^l = the sum of δ^l over the examples
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.reports.equations.symbols import Symbols

STATE = "running statistics"
RANK = re.compile(r"\dd$")


class Rule(NamedTuple):
    """The equation of the lectures that an equation is, "" for none of them, and what is said behind it."""

    law: str
    more: str = ""


def other(words: str) -> Rule:
    """Return a rule that is no equation of the lectures."""
    return Rule("", words)


class Rules:
    """Names the rule of each node."""

    def __init__(self, graph: Graph, symbols: Symbols) -> None:
        self.graph, self.symbols = graph, symbols
        self.params = {v.id for v in graph.params.values()}
        self.producers = {v.id: node for node in graph.all_nodes() for v in node.outs}
        self.from_loss = {v.id for node in graph.phase("backward") for v in node.outs if self._reads_seed(node)}
        self.grads = {symbols.found[v.name] for v in graph.grads.values()}
        self.affine = {self._layer(node) for node in graph.all_nodes() if self._is_affine(node)}

    def of(self, node: Node) -> Rule:
        """Return the rule of a node with one result."""
        if node.rule.random:
            return other("drawn anew at each step")
        if node.phase == "state":
            return other(STATE)
        return self._backward(node) if node.phase == "backward" else self._forward(node)

    def _forward(self, node: Node) -> Rule:
        if node.phase == "loss":
            return other("the loss" if node.out == self.graph.loss else "a term of the loss")
        if self._is_affine(node):
            return Rule("FE1")
        before = [self.symbols.found[v.name].base for v in node.ins]
        if self._is_result(node.out) and before and before[0] == "z":
            return Rule("FE2")
        return other(words(node))

    def _is_affine(self, node: Node) -> bool:
        is_z = node.loop is None and node.phase == "forward" and self._symbol(node.out) == "z"
        return is_z and any(v.id in self.params for v in node.ins)

    def _symbol(self, v: Value) -> str:
        return self.symbols.found[v.name].base

    def _is_result(self, v: Value) -> bool:
        return v.id in self.symbols.results

    def _layer(self, node: Node) -> str:
        return self.symbols.found[node.outs[0].name].layer

    def _backward(self, node: Node) -> Rule:
        symbol = self.symbols.found[node.out.name]
        if self._reads_seed(node):
            together = Rule("BE1", ", the loss and the activation together")
            return together if symbol.is_delta else other("the derivative of the loss")
        if not symbol.is_slope:
            return other("computed once more")
        if node.op == "accumulate":
            return other(f"chain rule: the sum over {len(node.ins)} uses")
        if node.op == "zeros_like":
            return other("nothing comes back")
        reads_delta = any(self.symbols.found[v.name].is_delta for v in node.ins)
        is_share_of_grad = replace(symbol, via=None) in self.grads and reads_delta
        if is_share_of_grad and symbol.layer in self.affine and len(symbol.base) == 1:
            return Rule("BE4" if len(node.ins) == 1 else "BE3")
        return self._between(node)

    def _between(self, node: Node) -> Rule:
        """Return the rule of what is sent back from one layer to the layer before it, or within a layer."""
        symbol = self.symbols.found[node.out.name]
        if symbol.is_delta and symbol.via is None and not any(v.id in self.params for v in node.ins):
            return Rule("BE1") if any(v.id in self.from_loss for v in node.ins) else Rule("BE2", ": times ∂a/∂z")
        delta = any(self.symbols.found[v.name].is_delta for v in node.ins)
        if delta and any(v.id in self.params for v in node.ins):
            return Rule("BE2", ": back through the weights")
        return other("chain rule")

    def _reads_seed(self, node: Node) -> bool:
        return any(v.role == "seed" for v in node.ins)


def words(node: Node) -> str:
    """Return what an op is called, in words."""
    definition = node.attrs.get("definition")
    return str(definition) if definition is not None else RANK.sub("", node.op).replace("_", " ")

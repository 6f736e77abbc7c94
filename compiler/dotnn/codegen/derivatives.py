"""What the names of values say: of which layer a value is, and of which value a cotangent is the derivative."""

from __future__ import annotations

import re

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value

NUMBERED = re.compile(r"_\d+$")


class Derivatives:
    """The values of a graph by their layers, those of the forward pass by their names, and what loops make, `inner`."""

    def __init__(self, graph: Graph) -> None:
        self.layers: dict[int, str] = {}
        self.forward: dict[str, Value] = {}
        self.inner: set[int] = set()
        for v in graph.sources():
            self.forward[v.name] = v
        for node in graph.nodes:
            self._node(node, inner=False)

    def _node(self, node: Node, *, inner: bool) -> None:
        made = [*node.outs]
        for v in made:
            self._value(v, node, inner=inner)
        if node.loop is not None:
            for v in (*node.loop.slices, *node.loop.entering):
                self._value(v, node, inner=True)
            for part in node.loop.nodes:
                self._node(part, inner=True)

    def _value(self, v: Value, node: Node, *, inner: bool) -> None:
        self.layers.setdefault(v.id, node.layer)
        if inner:
            self.inner.add(v.id)
        if node.phase != "backward":
            self.forward.setdefault(v.name, v)

    def of_cotangent(self, v: Value) -> tuple[Value | None, str]:
        """Return the value whose derivative a cotangent is, and through what it came back, "" for all of it."""
        rest = v.name.removeprefix("d_")
        for name in (rest, NUMBERED.sub("", rest)):
            if name in self.forward:
                return self.forward[name], ""
        for match in re.finditer("_from_", rest):
            if rest[: match.start()] in self.forward:
                return self.forward[rest[: match.start()]], rest[match.end() :]
        return None, ""

"""Writing nodes: the one implementation of `ops.base.Builder`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dotnn.diagnostics import Span
from dotnn.ops import OPS
from dotnn.ops.base import Node, TensorType, Value


class GraphBuilder:
    """Appends nodes; infers the type of every output; remembers phase, layer and place in the spec."""

    def __init__(self, next_id: int = 0) -> None:
        self.nodes: list[Node] = []
        self.next_id = next_id
        self.phase = "forward"
        self.layer = ""
        self.span: Span | None = None
        self.prefix = ""

    def value(self, name: str, type: TensorType, role: str = "act") -> Value:
        """Return a fresh value."""
        self.next_id += 1
        return Value(self.next_id, name, type, role)

    def emit(self, op: str, *ins: Value, name: str = "", **attrs: Any) -> Value:
        """Append a node and return its output. `name` completes the current prefix: `h1` + `z` -> `h1_z`."""
        type = OPS[op].infer([v.type for v in ins], attrs)
        full = "_".join(part for part in (self.prefix, name) if part) or op
        out = self.value(full, type, "cotangent" if self.phase == "backward" else "act")
        self.nodes.append(Node(op, ins, (out,), attrs, self.phase, self.layer, self.span))
        return out

    @contextmanager
    def at(self, layer: str, span: Span | None, prefix: str | None = None) -> Iterator[None]:
        """Attribute the nodes written inside to a statement of the spec."""
        saved = self.layer, self.span, self.prefix
        self.layer, self.span = layer, span
        self.prefix = layer if prefix is None else prefix
        yield
        self.layer, self.span, self.prefix = saved

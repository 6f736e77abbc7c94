"""The statements of single nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dotnn.codegen import tree
from dotnn.ir.node import Loop, Node, Value
from dotnn.targets.numpy.explain.references import References

ONE_HOT = re.compile(r"one_hot_rows\(([^(),]+), (\d+), ([^(),]+)\)")
"""A helper of the runtime that is one expression in a script."""
NUMBERS = {2: "two", 3: "three", 4: "four"}


class Statements(References):
    """Writes nodes that are no loops."""

    def loop(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return a loop over time."""
        raise NotImplementedError

    def node(self, node: Node, phase: str) -> list[tree.Stmt]:
        """Return the statements of one node."""
        if node.loop is not None:
            return self.loop(node, node.loop, phase)
        targets = self.targets.get(node.out.id) or [self.name(node.out)]
        made: list[tree.Stmt] = [
            tree.Assign((targets[0],), self.expression(node, phase), self.comment(node), origin=self.origin(node))
        ]
        return [*made, *(tree.Assign((other,), targets[0]) for other in targets[1:])]

    def origin(self, node: Node) -> tree.Origin:
        """Return where a statement comes from."""
        line = self.spec.source.line_of(node.span)
        return tree.Origin(node.op, node.outs[0].name if node.outs else "", node.layer, line)

    def expression(self, node: Node, phase: str, inner: Mapping[int, str] = {}) -> str:
        """Return the right side of a node's statement; `inner` are expressions for values of a loop."""
        text = node.rule.line_of_both(node, lambda v: inner.get(v.id) or self.ref(v, phase), {"step": "t"})
        text = ONE_HOT.sub(r"np.eye(\2, dtype=\3)[\1]", text)
        like = self.flow.sized_like(node, self.call)
        if like is not None:
            size = str(tuple(node.attrs["size"]))
            text = text.replace(f"size={size}", f"size={self.ref(like, phase)}.shape[1:{1 + len(node.attrs['size'])}]")
        return text

    def comment(self, node: Node) -> str:
        """Return the shape of a result, and what its layer says of it."""
        shape = str(node.out.type) if node.out.type.shape else ""
        says = node.attrs.get("comment", "")
        if node.op == "accumulate" and not says:
            primal, _ = self.words.of_cotangent(node.out)
            count = NUMBERS.get(len(node.ins), str(len(node.ins)))
            says = f"{count} uses of {self.name(primal)}" if primal is not None else ""
        return "   ".join(part for part in (shape, says) if part)

    def _target(self, v: Value) -> str:
        return self.targets[v.id][0] if v.id in self.targets else self.name(v)

"""The statements of single nodes."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from dotnn.codegen import tree
from dotnn.codegen.wrap import WIDTH
from dotnn.ir.node import Loop, Node, Value
from dotnn.targets.numpy.explain.borders import FRESH
from dotnn.targets.numpy.explain.functions import nodes_of
from dotnn.targets.numpy.explain.references import References

ONE_HOT = re.compile(r"one_hot_rows\(([^(),]+), (\d+), ([^(),]+)\)")
"""A helper of the runtime that is one expression in a script."""
SUM_BY_ROW = re.compile(r"sum_by_row\(([^(),]+), ([^(),]+), \d+\)")
"""One that is two statements, where it is all of a line."""
NUMBERS = {2: "two", 3: "three", 4: "four"}


def in_brackets(text: str, *, tight: bool) -> str:
    """Return an expression as a term of a sum, or so that a method of its result can be called (`tight`)."""
    node = ast.parse(text, mode="eval").body
    whole = ast.Attribute | ast.Call | ast.Name | ast.Subscript
    loose = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
    bare = isinstance(node, whole) or (not tight and isinstance(node, ast.BinOp) and not loose)
    return text if bare else f"({text})"


class Statements(References):
    """Writes nodes that are no loops."""

    def loop(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return a loop over time."""
        raise NotImplementedError

    def settle(self, nodes: Sequence[Node], kept: Collection[int], indent: int, inner: Mapping[int, str] = {}) -> None:
        """Choose, among nodes of the backward pass, what is written within the line that reads it.

        Those are the shares of a sum and what a reshape turns, where nothing else reads them and the page has room for
        all. `nodes` are those of a paragraph or of a step, `kept` the values that are read elsewhere.
        """
        count = Counter(v.id for node in nodes for n in nodes_of(node) for v in n.ins)
        made = {n.out.id: n for n in nodes if n.loop is None and n.out.id not in {*kept, *self.targets, *self.alias}}
        for node in nodes:
            if node.loop is None and (node.op == "accumulate" or node.rule.reshapes):
                self._put_within(
                    [made[v.id] for v in node.ins if v.id in made and count[v.id] == 1], node, indent, inner
                )

    def _put_within(self, nodes: Sequence[Node], reader: Node, indent: int, inner: Mapping[int, str]) -> None:
        """Write values within the line that reads them, if it stays one line."""
        tight = reader.op != "accumulate"
        texts = {n.out.id: in_brackets(self.expression(n, "backward", inner), tight=tight) for n in nodes}
        line = f"{self._target(reader.out)} = {self.expression(reader, 'backward', {**inner, **texts})}"
        if indent + len(f"{line}  # {self.comment(reader)}") <= WIDTH:
            self.within |= texts

    def node(self, node: Node, phase: str) -> list[tree.Stmt]:
        """Return the statements of one node; nothing for what is written within another line."""
        if node.loop is not None:
            return self.loop(node, node.loop, phase)
        if node.out.id in self.within:
            return []
        targets = self.targets.get(node.out.id) or [self.name(node.out)]
        value, added = self.expression(node, phase), []
        if rows := SUM_BY_ROW.fullmatch(value):
            ids, values = rows.groups()
            value = f"np.zeros({tuple(node.out.type.shape)}, {values}.dtype)"
            added = [tree.Do(f"np.add.at({targets[0]}, {ids}, {values})", completes=targets[0])]
        made: list[tree.Stmt] = [tree.Assign((targets[0],), value, self.comment(node), origin=self.origin(node))]
        return [*made, *added, *(tree.Assign((other,), targets[0]) for other in targets[1:])]

    def origin(self, node: Node) -> tree.Origin:
        """Return where a statement comes from; the share of a sum that a call adds up is no value of the graph."""
        line = self.spec.source.line_of(node.span)
        known = [v.name for v in node.outs if v.id < FRESH]
        return tree.Origin(node.op, known[0] if known else "", node.layer, line)

    def expression(self, node: Node, phase: str, inner: Mapping[int, str] = {}) -> str:
        """Return the right side of a node's statement; `inner` are expressions for values of a loop."""
        known = {**self.within, **inner}
        text = node.rule.line_of_both(node, lambda v: known.get(v.id) or self.ref(v, phase), {"step": "t"})
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

"""Loops over time: what a step leaves for the way back is one record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dotnn.codegen import tree
from dotnn.codegen.lines import loop_dtype
from dotnn.ir.node import Loop, Node, Value
from dotnn.ir.tensor import BATCH
from dotnn.targets.numpy.explain.statements import Statements


class Loops(Statements):
    """Writes loops over time, forward and backward."""

    sliced: dict[int, str]
    """What the values of the step that is being written are called that are cut out of sequences."""

    def loop(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return a loop over time."""
        collected, final, summed = loop.outputs(node.outs)
        record = self.flow.records.get(node.outs[0].id) if phase == "forward" else None
        arrays = [
            (out, v) for out, v in zip(collected, loop.collected, strict=True) if out.id not in self.flow.record_of
        ]
        like = self._like(node, phase)
        ordered = self.call in self.flow.orders
        by_place = loop.reverse or ordered
        dtype = loop_dtype(node, loop, lambda v: self.ref(v, phase)) or f"{like}.dtype"
        made = self._arrays([out for out, _ in arrays], like, dtype)
        made += [tree.Assign((self._target(out),), self._zeros(out, like, dtype)) for out in summed]
        if record:
            start = f"[None] * {'len(order)' if ordered else loop.steps}" if by_place else "[]"
            made.append(tree.Assign((self.name(record.whole),), start))
        made += self._states(node, loop, phase)
        body = self._step(node, loop, phase)
        for out, v in arrays:
            body.append(tree.Assign((f"{self._target(out)}[:, t]",), self._inner(loop, v)))
        if record:
            values = ", ".join(self._inner(loop, v) for v in record.inner)
            values = f"({values}{',' if len(record.inner) == 1 else ''})"
            steps = self.name(record.whole)
            body.append(tree.Assign((f"{steps}[t]",), values) if by_place else tree.Do(f"{steps}.append({values})"))
        head = loop.order()
        if ordered:
            head = "order" if phase == "forward" else "reversed(order)"
        made.append(tree.For(f"for t in {head}", tuple(body)))
        for out, v in zip(final, loop.final, strict=True):
            if out.id not in self.alias:
                made.append(tree.Assign((self._target(out),), self.name(v)))
        for out in node.outs:
            made += [tree.Assign((t,), self.targets[out.id][0]) for t in self.targets.get(out.id, [])[1:]]
        return made

    def _inner(self, loop: Loop, v: Value) -> str:
        return self.sliced.get(v.id) or self.name(v)

    def _like(self, node: Node, phase: str) -> str:
        real = [v for v in node.ins if v.type.dtype == "real" and v.type.batched and v.id not in self.flow.record_of]
        if real:
            return self.ref(real[0], phase)
        (record,) = [self.flow.record_of[v.id] for v in node.ins if v.id in self.flow.record_of][:1]
        return f"{self.ref(record.whole, phase)}[0][0]"

    def _arrays(self, values: Sequence[Value], like: str, dtype: str) -> list[tree.Stmt]:
        return [tree.Assign((self._target(v),), self._zeros(v, like, dtype), str(v.type)) for v in values]

    def _zeros(self, v: Value, like: str, dtype: str) -> str:
        dims = [f"len({like})" if size == BATCH else str(size) for size in v.type.shape]
        return f"np.zeros(({', '.join(dims)}{',' if len(dims) == 1 else ''}), {dtype})"

    def _states(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        pairs = [
            (self.name(last), self.ref(first, phase))
            for last, first in zip(loop.leaving, loop.initial(node.ins), strict=True)
        ]
        return [
            tree.Assign(tuple(a for a, _ in some), ", ".join(b for _, b in some))
            for some in [[(a, b) for a, b in pairs if a != b]]
            if some
        ]

    def _step(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return the statements of one step."""
        body: list[tree.Stmt] = []
        pairs = [(self.name(v), self.name(last)) for v, last in zip(loop.entering, loop.leaving, strict=True)]
        pairs = [(a, b) for a, b in pairs if a != b]
        if pairs:
            body.append(tree.Assign(tuple(a for a, _ in pairs), ", ".join(b for _, b in pairs)))
        sliced = self._slices(node, loop, phase, body)
        self.sliced = sliced
        added = {v.id: self._target(out) for v, out in zip(loop.summed, loop.outputs(node.outs)[2], strict=True)}
        for inner in loop.nodes:
            if inner.out.id in self.alias:
                continue
            expression = self.expression(inner, phase, sliced)
            origin = self.origin(inner)
            if inner.out.id in added:
                shape = str(inner.out.type)
                body.append(tree.Assign((added[inner.out.id],), expression, shape, "+=", origin))
            else:
                body.append(tree.Assign((self.name(inner.out),), expression, self.comment(inner), origin=origin))
        return body

    def _slices(self, node: Node, loop: Loop, phase: str, body: list[tree.Stmt]) -> dict[int, str]:
        """Return what the values of the step are called that are cut out of sequences; append what names them."""
        uses = Counter(v.id for n in loop.nodes for v in n.ins)
        sliced: dict[int, str] = {}
        record_names: dict[int, str] = {}
        for v, whole in zip(loop.slices, loop.sequences(node.ins), strict=True):
            record = self.flow.record_of.get(whole.id)
            if record is not None:
                record_names[v.id] = self.name(v)
                continue
            text = f"{self.ref(whole, phase)}[:, t]"
            if uses[v.id] <= 1 and whole.id not in self.targets:
                sliced[v.id] = text
            else:
                body.append(tree.Assign((self.name(v),), text))
        for record in {
            self.flow.record_of[w.id].whole.id: self.flow.record_of[w.id]
            for w in loop.sequences(node.ins)
            if w.id in self.flow.record_of
        }.values():
            names = [record_names.get(v.id, "_") for v in record.inner]
            body.append(
                tree.Assign((*names, *([""] if len(names) == 1 else [])), f"{self.ref(record.whole, phase)}[t]")
            )
        return sliced

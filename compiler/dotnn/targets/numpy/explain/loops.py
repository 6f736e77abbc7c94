"""Loops over time: what a step leaves for the way back is one record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from dotnn.codegen import tree
from dotnn.codegen.lines import constant_starts, loop_dtype
from dotnn.codegen.wrap import INDENT
from dotnn.core.diagnostics import Span
from dotnn.ir.node import Loop, Node, Value
from dotnn.ir.tensor import BATCH
from dotnn.targets.numpy.explain.flow import Record
from dotnn.targets.numpy.explain.statements import Statements


class Loops(Statements):
    """Writes loops over time, forward and backward."""

    sliced: dict[int, str]
    """What the values of the step that is being written are called that are cut out of sequences."""

    def loop(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return a loop over time."""
        gathered = zip(loop.outputs(node.outs)[0], loop.collected, strict=True)
        arrays = [(out, v) for out, v in gathered if out.id not in self.flow.record_of]
        record = self.flow.records.get(node.outs[0].id) if phase == "forward" else None
        before = self._left(node, loop, [out for out, _ in arrays], phase)
        before += self._record_begins(loop, record) if record else []
        before += self._states(node, loop, phase)
        body = self._step(node, loop, phase)
        body += [tree.assign(f"{self._target(out)}[:, t]", self._inner(loop, v)) for out, v in arrays]
        body += self._recorded(loop, record) if record else []
        loop_itself = tree.For(f"for t in {self._order(loop, phase)}", tuple(body))
        return [*before, loop_itself, *self._last(node, loop)]

    def _last(self, node: Node, loop: Loop) -> list[tree.Stmt]:
        """Return what names the last states, and what is a gradient of several parameters."""
        last = zip(loop.outputs(node.outs)[1], loop.final, strict=True)
        named = [tree.assign(self._target(out), self.name(v)) for out, v in last if out.id not in self.alias]
        texts = [self.targets[out.id] for out in node.outs if out.id in self.targets]
        return [*named, *(tree.assign(other, first) for first, *others in texts for other in others)]

    def _left(self, node: Node, loop: Loop, arrays: Sequence[Value], phase: str) -> list[tree.Stmt]:
        """Return what makes the arrays that the steps fill, and the sums that they add to."""
        like = self._like(node, phase)
        constant = constant_starts(self.call.direct("forward"))
        dtype = loop_dtype(node, loop, lambda v: self.ref(v, phase), constant) or f"{like}.dtype"
        filled = [tree.assign(self._target(v), self._zeros(v, like, dtype), comment=str(v.type)) for v in arrays]
        summed = loop.outputs(node.outs)[2]
        return [*filled, *(tree.assign(self._target(v), self._zeros(v, like, dtype)) for v in summed)]

    def _order(self, loop: Loop, phase: str) -> str:
        """Return what a loop runs over; where one function serves both directions, its argument."""
        if self.call not in self.flow.orders:
            return loop.order()
        return "order" if phase == "forward" else "reversed(order)"

    def _by_place(self, loop: Loop) -> bool:
        """Whether records are put where their step is, because the last step may come first."""
        return loop.reverse or self.call in self.flow.orders

    def _record_begins(self, loop: Loop, record: Record) -> list[tree.Stmt]:
        steps = "len(order)" if self.call in self.flow.orders else loop.steps
        return [tree.assign(self.name(record.whole), f"[None] * {steps}" if self._by_place(loop) else "[]")]

    def _recorded(self, loop: Loop, record: Record) -> list[tree.Stmt]:
        """Return what keeps the record of a step."""
        steps, values = self.name(record.whole), ", ".join(self._inner(loop, v) for v in record.inner)
        values = f"({values}{',' if len(record.inner) == 1 else ''})"
        return [tree.assign(f"{steps}[t]", values) if self._by_place(loop) else tree.Do(f"{steps}.append({values})")]

    def _inner(self, loop: Loop, v: Value) -> str:
        return self.sliced.get(v.id) or self.name(v)

    def _like(self, node: Node, phase: str) -> str:
        real = [v for v in node.ins if v.type.dtype == "real" and v.type.batched and v.id not in self.flow.record_of]
        if real:
            return self.ref(real[0], phase)
        (record,) = [self.flow.record_of[v.id] for v in node.ins if v.id in self.flow.record_of][:1]
        return f"{self.ref(record.whole, phase)}[0][0]"

    def _zeros(self, v: Value, like: str, dtype: str) -> str:
        dims = [f"len({like})" if size == BATCH else str(size) for size in v.type.shape]
        return f"np.zeros(({', '.join(dims)}{',' if len(dims) == 1 else ''}), {dtype})"

    def _states(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return what gives the states their first values."""
        first = loop.initial(node.ins)
        return _renamed([(self.name(v), self.ref(f, phase)) for v, f in zip(loop.leaving, first, strict=True)])

    def _step(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return the statements of one step."""
        states = zip(loop.entering, loop.leaving, strict=True)
        body = _renamed([(self.name(v), self.name(last)) for v, last in states])
        body += self._slices(node, loop, phase)
        if phase == "backward":
            self.within = {}
            kept = {v.id for v in (*loop.leaving, *loop.collected, *loop.summed, *loop.final)}
            self.settle(loop.nodes, kept, 2 * INDENT, self.sliced)
        added = {v.id: self._target(out) for v, out in zip(loop.summed, loop.outputs(node.outs)[2], strict=True)}
        said: Span | None = node.span
        for inner in loop.nodes:
            if inner.out.id in self.alias or inner.out.id in self.within:
                continue
            if inner.span not in (None, node.span, said):  # the step of a cell has statements of its own
                said = inner.span
                body.append(tree.Note(self.spec.text(said), self.spec.place(said)))
            body.append(self._line(inner, phase, added.get(inner.out.id, "")))
        return body

    def _line(self, inner: Node, phase: str, total: str) -> tree.Stmt:
        """Return the statement of a node in a step; `total` is what its value is added to."""
        expression, origin = self.expression(inner, phase, self.sliced), self.origin(inner)
        if total:
            return tree.Assign((total,), expression, str(inner.out.type), "+=", origin)
        return tree.Assign((self.name(inner.out),), expression, self.comment(inner), origin=origin)

    def _slices(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return what names the values of a step that are cut out of sequences; note what the others are called."""
        uses = Counter(v.id for n in loop.nodes for v in n.ins)
        self.sliced = {}
        made: list[tree.Stmt] = []
        records: dict[int, Record] = {}
        known: set[int] = set()
        for v, whole in zip(loop.slices, loop.sequences(node.ins), strict=True):
            record = self.flow.record_of.get(whole.id)
            if record is not None:
                records[record.whole.id] = record
                known.add(v.id)
            elif uses[v.id] <= 1 and whole.id not in self.targets:
                self.sliced[v.id] = f"{self.ref(whole, phase)}[:, t]"
            else:
                made.append(tree.assign(self.name(v), f"{self.ref(whole, phase)}[:, t]"))
        return [*made, *(self._unrecorded(record, known, phase) for record in records.values())]

    def _unrecorded(self, record: Record, known: Collection[int], phase: str) -> tree.Stmt:
        """Return what takes up the record of a step; what the loop does not know is called `_`."""
        names = [self.name(v) if v.id in known else "_" for v in record.inner]
        return tree.Assign((*names, *([""] if len(names) == 1 else [])), f"{self.ref(record.whole, phase)}[t]")


def _renamed(pairs: Sequence[tuple[str, str]]) -> list[tree.Stmt]:
    """Return `a, b = c, d` for pairs of different names."""
    some = [(a, b) for a, b in pairs if a != b]
    return [tree.Assign(tuple(a for a, _ in some), ", ".join(b for _, b in some))] if some else []

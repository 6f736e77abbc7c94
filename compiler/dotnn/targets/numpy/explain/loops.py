"""Loops over time: what a step leaves for the way back is one record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from dotnn.codegen import tree
from dotnn.codegen.lines import constant_starts, loop_dtype
from dotnn.codegen.wrap import INDENT
from dotnn.core.diagnostics import Span
from dotnn.ir.node import Loop, Node, Value
from dotnn.ir.tensor import BATCH
from dotnn.targets.numpy.explain.flow import Record
from dotnn.targets.numpy.explain.statements import Statements

PART = "k"
"""What counts the parts of a sequence."""


class Loops(Statements):
    """Writes loops over time, forward and backward."""

    sliced: Mapping[int, str] = MappingProxyType({})
    """What the values of the step that is being written are called that are cut out of sequences."""
    totals: Mapping[int, str] = MappingProxyType({})
    """What the sums of a loop within the step that is being written are added to, by their numbers."""
    at = "t"
    """The number of the step that is being written."""

    def loop(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return a loop over time, or over the parts of a sequence."""
        outside = self.at, self.sliced, self.within, self.totals
        self.at = PART if loop.nested else "t"
        made = self._over_time(node, loop, phase)
        self.at, self.sliced, self.within, self.totals = outside
        return made

    def _over_time(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        gathered = zip(loop.outputs(node.outs)[0], loop.collected, strict=True)
        arrays = [(out, v) for out, v in gathered if out.id not in self.flow.record_of]
        record = self.flow.records.get(node.outs[0].id)
        before = self._left(node, loop, [out for out, _ in arrays], phase)
        before += self._record_begins(loop, record) if record else []
        before += self._states(node, loop, phase)
        recorded = self._recorded(loop, record) if record else []
        body = [*recorded, *self._step(node, loop, phase)] if loop.nested else self._step(node, loop, phase)
        body += [tree.assign(f"{self._target(out)}[:, {self.at}]", self._inner(loop, v)) for out, v in arrays]
        body += [] if loop.nested else recorded
        loop_itself = tree.For(f"for {self.at} in {self._order(loop, phase)}", tuple(body))
        return [*before, loop_itself, *self._last(node, loop)]

    def _last(self, node: Node, loop: Loop) -> list[tree.Stmt]:
        """Return what names the last states that are read, and what is a gradient of several parameters."""
        last = [
            pair for pair in zip(loop.outputs(node.outs)[1], loop.final, strict=True) if pair[0].id in self.flow.read
        ]
        named = [tree.assign(self._target(out), self.name(v)) for out, v in last if out.id not in self.alias]
        texts = [self.targets[out.id] for out in node.outs if out.id in self.targets]
        return [*named, *(tree.assign(other, first) for first, *others in texts for other in others)]

    def _left(self, node: Node, loop: Loop, arrays: Sequence[Value], phase: str) -> list[tree.Stmt]:
        """Return what makes the arrays that the steps fill, and the sums that they add to."""
        like = self._like(node, phase)
        constant = constant_starts(self.call.direct("forward"))
        dtype = loop_dtype(node, loop, lambda v: self._outside(v, phase), constant) or f"{like}.dtype"
        filled = [tree.assign(self._target(v), self._zeros(v, like, dtype), comment=str(v.type)) for v in arrays]
        summed = loop.outputs(node.outs)[2]
        own = (v for v in summed if v.id not in self.totals)
        return [*filled, *(tree.assign(self._target(v), self._zeros(v, like, dtype)) for v in own)]

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
        return [
            tree.assign(f"{steps}[{self.at}]", values) if self._by_place(loop) else tree.Do(f"{steps}.append({values})")
        ]

    def _outside(self, v: Value, phase: str) -> str:
        """Return a value from outside of a loop, which may be cut out of a sequence in the step around it."""
        return self.sliced.get(v.id) or self.ref(v, phase)

    def _inner(self, loop: Loop, v: Value) -> str:
        return self.sliced.get(v.id) or self.name(v)

    def _like(self, node: Node, phase: str) -> str:
        real = [v for v in node.ins if v.type.dtype == "real" and v.type.batched and v.id not in self.flow.record_of]
        if real:
            return self._outside(real[0], phase)
        (record,) = [self.flow.record_of[v.id] for v in node.ins if v.id in self.flow.record_of][:1]
        return f"{self.ref(record.whole, phase)}[0][0]"

    def _zeros(self, v: Value, like: str, dtype: str) -> str:
        dims = [f"len({like})" if size == BATCH else str(size) for size in v.type.shape]
        return f"np.zeros(({', '.join(dims)}{',' if len(dims) == 1 else ''}), {dtype})"

    def _states(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return what gives the states their first values."""
        first = loop.initial(node.ins)
        return _renamed([(self.name(v), self._outside(f, phase)) for v, f in zip(loop.leaving, first, strict=True)])

    def _step(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return the statements of one step."""
        states = zip(loop.entering, loop.leaving, strict=True)
        body = _renamed([(self.name(v), self.name(last)) for v, last in states])
        made, self.sliced = self._slices(node, loop, phase)
        body += made
        if phase == "backward":
            self.within = {}
            kept = {v.id for v in (*loop.leaving, *loop.collected, *loop.summed, *loop.final)}
            self.settle(loop.nodes, kept, 2 * INDENT, self.sliced)
        sums = zip(loop.summed, loop.outputs(node.outs)[2], strict=True)
        added = {v.id: self.totals.get(out.id) or self._target(out) for v, out in sums}
        said: Span | None = node.span
        body += [tree.Note("computed again from the states that the part began with")] if "again" in node.attrs else []
        for inner in loop.nodes:
            if inner.loop is not None:
                self.totals = {v.id: added[v.id] for v in inner.outs if v.id in added}
                body += self.loop(inner, inner.loop, phase)
                continue
            passed = inner.op == "pass_on" and inner.out.id in self.alias
            if passed or inner.out.id in self.within:
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

    def _slices(self, node: Node, loop: Loop, phase: str) -> tuple[list[tree.Stmt], dict[int, str]]:
        """Return what names the values of a step that are cut out of sequences, and what the others are called."""
        uses = Counter(v.id for n in loop.nodes for v in n.ins)
        sliced = dict(self.sliced)
        made: list[tree.Stmt] = []
        records: dict[int, Record] = {}
        known: set[int] = set()
        for v, whole in zip(loop.slices, loop.sequences(node.ins), strict=True):
            record = self.flow.record_of.get(whole.id)
            if record is not None:
                records[record.whole.id] = record
                known.add(v.id)
            elif uses[v.id] <= 1 and whole.id not in self.targets:
                sliced[v.id] = f"{self._outside(whole, phase)}[:, {self.at}]"
            else:
                made.append(tree.assign(self.name(v), f"{self._outside(whole, phase)}[:, {self.at}]"))
        return [*made, *(self._unrecorded(record, known, phase) for record in records.values())], sliced

    def _unrecorded(self, record: Record, known: Collection[int], phase: str) -> tree.Stmt:
        """Return what takes up the record of a step; what the loop does not know is called `_`."""
        names = [self.name(v) if v.id in known else "_" for v in record.inner]
        return tree.Assign(
            (*names,) if len(names) > 1 else (f"({names[0]},)",), f"{self.ref(record.whole, phase)}[{self.at}]"
        )


def _renamed(pairs: Sequence[tuple[str, str]]) -> list[tree.Stmt]:
    """Return `a, b = c, d` for pairs of different names."""
    some = [(a, b) for a, b in pairs if a != b]
    return [tree.Assign(tuple(a for a, _ in some), ", ".join(b for _, b in some))] if some else []

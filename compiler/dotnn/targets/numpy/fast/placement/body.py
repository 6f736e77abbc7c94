"""The body of a loop as a placement sees it: which values are others' names, parts of joins, or kept at every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dotnn.ir.node import Loop, Node, Value, readers
from dotnn.targets.numpy.fast.kernels import kernel_in_loop, overwritable

Part = tuple[Value, int, int]
"""Another value of the step, and the columns of it that a value is."""


@dataclass
class Body:
    """What is known of the values of one step before any of them has a place.

    Sequences and states that are joined keep all their steps: a product over all steps needs them, and what is copied
    for all steps at once costs one call, and not one at every step.
    """

    node: Node
    loop: Loop

    @cached_property
    def leaving(self) -> dict[int, int]:
        """The numbers of the states that leave a step."""
        return {v.id: k for k, v in enumerate(self.loop.leaving)}

    @cached_property
    def alias(self) -> dict[int, Value]:
        """What is only another name of a value."""
        nodes = (n for n in self.loop.nodes if n.rule.alias and n.out.id not in self.leaving)
        return {n.out.id: n.ins[0] for n in nodes}

    def root(self, value: Value) -> Value:
        """Return the value that this one is only another name of."""
        while value.id in self.alias:
            value = self.alias[value.id]
        return value

    @cached_property
    def made(self) -> dict[int, Node]:
        """The node that makes each value."""
        return {n.out.id: n for n in self.loop.nodes}

    @cached_property
    def inside(self) -> set[int]:
        """The values of a step."""
        return self.loop.made()

    @cached_property
    def readers(self) -> dict[int, list[Node]]:
        """The nodes that read each value."""
        return readers(self.loop.nodes)

    @cached_property
    def sequences(self) -> dict[int, Value]:
        """The sequence outside that each slice is a step of."""
        return dict(zip((v.id for v in self.loop.slices), self.loop.sequences(self.node.ins), strict=True))

    @cached_property
    def collected(self) -> list[tuple[Value, Value]]:
        """Values of a step, and the sequences outside that they become."""
        return list(zip(self.loop.collected, self.loop.outputs(self.node.outs)[0], strict=True))

    @cached_property
    def staged(self) -> set[int]:
        """Slices that only a join reads: all steps of them are copied to where it has them, before the loop."""
        joined = {v.id for n in self.loop.nodes if n.rule.joins for v in n.ins}
        return {v.id for v in self.loop.slices if v.id in joined and len(self.readers[v.id]) == 1}

    @cached_property
    def parts(self) -> dict[int, Part]:
        """What lies in columns of another value: what is cut, what works on that in place, the parts of joins."""
        found: dict[int, Part] = {}
        for node in self.loop.nodes:
            first = self.root(node.ins[0]) if node.ins else None
            if first is not None and first.id in self.inside:
                self._note_cut(found, node, first)
        for node in self.loop.nodes:
            self._note_join(found, node)
        return found

    def _note_cut(self, found: dict[int, Part], node: Node, first: Value) -> None:
        base, start, _ = found.get(first.id, (first, 0, 0))
        if node.rule.cuts:
            found[node.out.id] = (base, start + node.attrs["start"], start + node.attrs["stop"])
        elif first.id in found and base.id in self.made and self._works_in_place(node, first):
            found[node.out.id] = found[first.id]

    def _note_join(self, found: dict[int, Part], node: Node) -> None:
        start = 0
        for value in node.ins if node.rule.joins else ():
            stop, part = start + value.type.example[-1], self.root(value)
            if self._can_move(part, node) and part.id not in found:
                found[part.id] = (node.out, start, stop)
            start = stop

    def _works_in_place(self, node: Node, operand: Value) -> bool:
        """Whether an activation may be written over its pre-activation, which nobody else reads, here or outside."""
        only_operand = len(node.ins) == 1 and node.ins[0].id == operand.id
        alone = only_operand and len(self.readers[operand.id]) == 1 and operand.id not in self.handed_out
        in_place = node.rule.elementwise and bool(kernel_in_loop(node.rule)) and bool(overwritable(node))
        return alone and in_place and node.out.id not in self.leaving

    def _can_move(self, value: Value, join: Node) -> bool:
        """Whether a part of a join can lie in it from the start."""
        if [self.root(v) for v in join.ins].count(value) != 1 or value.id in self.leaving:
            return False
        if value.id in self.made:
            rule = self.made[value.id].rule
            return not (rule.cuts or rule.joins or rule.alias)
        return value.id in self.staged or value in self.loop.entering

    @cached_property
    def joints(self) -> set[int]:
        """Joins that hold a sequence, or a state that enters the step, of which all steps are kept."""
        moved = [self.parts[v.id][0] for v in (*self.loop.slices, *self.loop.entering) if v.id in self.parts]
        return {base.id for base in moved}

    def has_ones(self, value: Value) -> bool:
        """Whether a value is a join with a column of ones behind its parts."""
        made = self.made.get(value.id)
        joins = made is not None and made.rule.joins
        return joins and sum(v.type.example[-1] for v in self.made[value.id].ins) < value.type.example[-1]

    def holds_state(self, join: Value) -> bool:
        """Whether a join holds a state that enters the step, which has its array of all steps there."""
        return any(self.parts[v.id][0] == join for v in self.loop.entering if v.id in self.parts)

    @cached_property
    def kept(self) -> set[int]:
        """The values of which all steps are kept: those handed out, and joins of sequences and states."""
        holders = (self.parts[k][0].id for k in self.handed_out if k in self.parts)
        return {*self.handed_out, *self.joints, *holders}

    @cached_property
    def handed_out(self) -> set[int]:
        """The values that the loop hands out as sequences."""
        return {self.root(v).id for v in self.loop.collected}

    @cached_property
    def written_first(self) -> dict[int, Value]:
        """The result, of an op that works in place, whose place its operand has before it."""
        taken = self.parts.keys() | self.kept | self.leaving.keys()
        found: dict[int, Value] = {}
        for node in self.loop.nodes:
            kept = node.out.id in self.kept - self.parts.keys() - self.leaving.keys()
            if kept and node.ins and node.ins[0].id in self.made.keys() - taken:
                cut = self.made[node.ins[0].id].rule.cuts
                found |= {node.ins[0].id: node.out} if self._works_in_place(node, node.ins[0]) and not cut else {}
        return found

    @cached_property
    def nodes(self) -> Sequence[Node]:
        """The nodes, with every new state behind the last reader of what it may overwrite."""
        ordered = list(self.loop.nodes)
        for node in self.loop.nodes:
            if node.out.id in self.leaving and node.out.id not in self.readers and node.rule.elementwise:
                self._sink(ordered, node)
        return ordered

    def _sink(self, ordered: list[Node], node: Node) -> None:
        first = next((v for v in node.ins if v.id in self.made), None)
        others = [ordered.index(n) for n in self.readers.get(first.id, ()) if n is not node] if first else []
        if others and max(others) > ordered.index(node):
            ordered.remove(node)
            ordered.insert(max(others), node)

    def writes(self, node: Node) -> bool:
        """Whether a node computes anything: names and columns are there already."""
        return node.out.id not in self.alias and not node.rule.cuts

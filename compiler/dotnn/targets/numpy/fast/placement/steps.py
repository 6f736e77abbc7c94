"""The places of the values of one step of a loop.

A value that is handed out keeps all its steps; a piece lies in columns of what it is cut from or joined into; a state
lies where the next step looks for it. Everything else takes over the array of an operand that nobody reads any more, or
a free array, or a new one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dotnn.ir.algebra import Property
from dotnn.ir.node import Loop, Node, Value
from dotnn.passes.reverse import whole_name
from dotnn.targets.numpy.fast.kernels import kernel_in_loop, overwritable
from dotnn.targets.numpy.fast.placement.body import Body
from dotnn.targets.numpy.fast.placement.overwriting import overwritten
from dotnn.targets.numpy.fast.placement.places import Piece, Rows, StepPlace
from dotnn.targets.numpy.fast.placement.sequences import is_row

if TYPE_CHECKING:
    from dotnn.targets.numpy.fast.placement.batch import Placer


class LoopPlacement:
    """Where the values of one loop live.

    `starts` are the places of the states before the first step, by their number, with what is copied there (None for
    zero).
    """

    def __init__(self, placer: Placer, node: Node, loop: Loop) -> None:
        self.placer, self.node, self.loop = placer, node, loop
        self.body = Body(node, loop)
        self.places: dict[int, StepPlace] = {}
        self.starts: list[tuple[Value, Value | None]] = []
        self.joints: dict[int, Rows] = {}
        counted = (n for n in loop.nodes if n.out.id not in self.body.alias)
        self._counts = Counter(self.body.root(v).id for n in counted for v in n.ins)
        self._free: list[StepPlace] = []
        for k in range(len(loop.entering)):
            self._state(k)
        self._hand_out()
        for each in self.body.nodes:
            if self.body.writes(each):
                self._result(each)
                self._release(each)
        self._results()

    # ------------------------------------------------------------------------------------------------------- states

    def _state(self, k: int) -> None:
        """Give a state its place: rows of an array that keeps all of them, or one array that every step renews."""
        entering, leaving, start = (part[k] for part in (self.loop.entering, self.loop.leaving, self._initial()))
        made = self.placer.found.producers.get(start.id)
        zero = made is not None and Property.ZERO in made.rule.algebra.has
        base, first, last = self.body.parts.get(entering.id, (None, 0, 0))
        if base is None and not {entering.id, leaving.id} & self.body.kept:
            self.places[entering.id] = self._settled(entering) or StepPlace(entering, uses=self._counts[entering.id])
            self.starts.append((entering, None if zero else start))
            return
        if base is not None:
            whole = Piece(self._joint(base), columns=(first, last))
        else:
            name = f"{whole_name(leaving)}_states"
            whole = Piece(Rows(name, self.loop.steps + 1, entering.type.example[0]))
        here, after = self._here(whole), whole.between(0, -1) if self.loop.reverse else whole.between(1)
        last_row = whole.row(0 if self.loop.reverse else -1)
        self.places[entering.id] = StepPlace(entering, here, pinned=True)
        self.places[leaving.id] = StepPlace(leaving, after, pinned=True, last=last_row)
        self.starts.append((entering, None if zero else start))

    def _here(self, whole: Piece) -> Piece:
        """Return the rows of what a step begins with, of an array with one more row than there are steps."""
        return whole.between(1) if self.loop.reverse else whole.between(0, -1)

    def _initial(self) -> Sequence[Value]:
        return self.loop.initial(self.node.ins)

    def first_row(self, entering: Value) -> Piece:
        """Return the row of the first step of a state that keeps all its steps."""
        piece = self.places[entering.id].piece
        assert piece is not None
        return piece.row(-1 if self.loop.reverse else 0)

    def _joint(self, join: Value) -> Rows:
        """Return the array of all steps of a join; it has one more row for a state that the last step leaves."""
        if join.id not in self.joints:
            steps = self.loop.steps + self.body.holds_state(join)
            name = f"{whole_name(join)}_rows"
            self.joints[join.id] = Rows(name, steps, join.type.example[-1], ones=self.body.has_ones(join))
        return self.joints[join.id]

    # ------------------------------------------------------------------------------------------------ what is kept

    def _hand_out(self) -> None:
        """Place what is kept, and the sequences that the loop collects."""
        reused, rows = overwritten(self)
        if rows is not None and self.placer.pool.reuse:
            over = Rows(f"{whole_name(reused)}_steps", self.loop.steps, rows.width, over=rows)
            self.places[reused.id] = StepPlace(reused, Piece(over), pinned=True)
        for v, out in self.body.collected:
            self._collect(self.body.root(v), out)
        self._check_apart()
        for k in sorted(self.body.kept):
            if k in self.body.made and k not in self.body.parts:
                self.place(self.body.made[k].out)

    def _collect(self, value: Value, out: Value) -> None:
        """Place a sequence that is handed out: the array of all steps of a value."""
        body = self.body
        if value.id in body.made and value.id not in self.places.keys() | body.parts.keys() | body.joints:
            self.places[value.id] = StepPlace(value, Piece(Rows(value.name, sequence=out)), pinned=True)
            self.placer.hand_out(out, None)
            return
        piece = self.place(value).piece
        assert piece is not None
        self.placer.hand_out(out, piece)
        if value.id in body.parts and body.parts[value.id][0].id in body.made.keys() - body.joints:
            self.placer.note_gate(out, piece)  # beside sequences and states there is nothing to overwrite

    def _check_apart(self) -> None:
        """Refuse two values that are handed out and lie in one place: the later one would have destroyed the other."""
        held: dict[Piece, int] = {}
        for number in (self.body.root(v).id for v, _ in self.body.collected):
            piece = self.places[number].piece
            assert piece is None or held.setdefault(piece, number) == number, "two sequences share one place"

    def _results(self) -> None:
        """Place last states and sums."""
        _, final, summed = self.loop.outputs(self.node.outs)
        for v, out in zip(self.loop.final, final, strict=True):
            self.placer.hand_out(out, self.place(v).last)
        for out in summed:
            self.placer.hand_out(out, None)

    def place(self, value: Value) -> StepPlace:
        """Return where a value of the step lives; settle it, where that does not depend on who is dead."""
        value = self.body.root(value)
        if value.id not in self.places:
            self.places[value.id] = self._settled(value) or StepPlace(value, uses=self._counts[value.id])
        return self.places[value.id]

    def _settled(self, value: Value) -> StepPlace | None:
        """Return the place of a value that is a part of another one, or that keeps all its steps."""
        body = self.body
        if value.id in body.written_first:
            return self.place(body.written_first[value.id])
        if value.id in body.parts:
            base, start, stop = body.parts[value.id]
            at = self.place(base)
            at.pinned = True
            piece = at.piece.cut(start, stop) if at.piece else None
            return StepPlace(value, piece, None if piece else base, (start, stop), pinned=True)
        if value.id in body.sequences:
            return StepPlace(value, Piece(Rows(value.name, sequence=body.sequences[value.id])), pinned=True)
        if value.id in body.joints:
            whole = Piece(self._joint(value))
            return StepPlace(value, self._here(whole) if body.holds_state(value) else whole, pinned=True)
        if value.id in body.kept:
            rows = Rows(f"{whole_name(value)}_steps", self.loop.steps, value.type.example[0])
            return StepPlace(value, Piece(rows), pinned=True)
        return None

    # ------------------------------------------------------------------------------------------------- what is not

    def _result(self, node: Node) -> None:
        """Place what a node makes: over a dead operand, in a free array, or in a new one."""
        value = node.out
        if value.type.dtype != "real" or not is_row(value.type):
            self.places.setdefault(value.id, StepPlace(value, pinned=True))
        if value.id in self.places:
            return
        settled = self._settled(value)
        held = None if settled else self._over(node, value) or self._freed(value)
        if held is not None:
            held.uses += self._counts[value.id]
        new = StepPlace(value, uses=self._counts[value.id], pinned=value.id in self.body.leaving)
        self.places[value.id] = settled or held or new

    def _over(self, node: Node, value: Value) -> StepPlace | None:
        """Return the place that a value may overwrite: for a state, where the next step looks for it."""
        if not self.placer.pool.reuse:
            return None
        over = overwritable(node) if kernel_in_loop(node.rule) else node.ins
        candidates = [self.places[r.id] for v in over if (r := self.body.root(v)).id in self.places]
        if value.id in self.body.leaving:
            candidates = [self.places[self.loop.entering[self.body.leaving[value.id]].id]]
        return next((held for held in candidates if self._dies(held, node, over) and self._fits(held, value)), None)

    def _dies(self, held: StepPlace, node: Node, over: Sequence[Value]) -> bool:
        """Whether a place has its last reads now, all of them by operands that may be overwritten."""
        now, may = (sum(self._holder(v) is held for v in values) for values in (node.ins, over))
        return held.uses == now <= may

    def _fits(self, held: StepPlace, value: Value) -> bool:
        """Whether a value can have a place that is dead: not if the next step expects another one there."""
        awaited = any(self.places.get(v.id) is held and v.id != value.id for v in self.loop.leaving)
        own = held.piece is None and held.base is None and not held.pinned
        return own and not awaited and held.first.type == value.type

    def _freed(self, value: Value) -> StepPlace | None:
        fitting = [held for held in self._free if held.first.type == value.type and value.id not in self.body.leaving]
        if fitting:
            self._free.remove(fitting[0])
        return fitting[0] if fitting else None

    def _holder(self, value: Value) -> StepPlace | None:
        return self.places.get(self.body.root(value).id)

    def _release(self, node: Node) -> None:
        states = [self.places[v.id] for v in self.loop.entering]
        for v in node.ins:
            held = self._holder(v)
            if held is not None:
                held.uses -= 1
                own = held.reused and not held.pinned and is_row(held.first.type)
                if held.uses == 0 and own and held not in states and self.placer.pool.reuse:
                    self._free.append(held)

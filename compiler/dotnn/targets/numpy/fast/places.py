"""Where the values of one step of a loop live, and which arrays take over from which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dotnn.ir.algebra import Property
from dotnn.ir.node import Loop, Node, Value, readers
from dotnn.passes.reverse import whole_name
from dotnn.targets.numpy.fast.gates import overwritten_gates
from dotnn.targets.numpy.fast.kernels import kernel_in_loop
from dotnn.targets.numpy.fast.sequences import is_row

if TYPE_CHECKING:
    from dotnn.targets.numpy.fast.emitter import FastEmitter


@dataclass
class Place:
    """Where a value of a step lives: in `whole`, an array of all steps, or in an array that every step uses again.

    `uses` counts the reads that are still to come; `last` is the array of the step that comes last; `strided` says
    that its rows do not lie side by side, so that no product can be written into it.
    """

    name: str
    whole: str = ""
    shape: tuple[int, ...] = ()
    uses: int = 0
    pinned: bool = False
    last: str = ""
    strided: bool = False


@dataclass
class LoopPlaces:
    """The places of the values of one loop.

    A value that is handed out, or that a sum over time reads, keeps all its steps; a gate lies in columns of z, a
    part in columns of its concatenation; a state lies where the next step looks for it. Everything else takes over the
    array of an operand that nobody reads any more, or a free array, or a new one.
    """

    e: FastEmitter
    node: Node
    loop: Loop

    def __post_init__(self) -> None:
        loop = self.loop
        self.leaving = {v.id: k for k, v in enumerate(loop.leaving)}
        self.alias = {n.out.id: n.ins[0] for n in loop.nodes if n.rule.alias and n.out.id not in self.leaving}
        self.nodes = _sunk(loop.nodes, set(self.leaving))
        self.made = {n.out.id: n for n in loop.nodes}
        self.inside = loop.made()
        self.readers = readers(loop.nodes)
        self.collected, self.final, self.summed = loop.outputs(self.node.outs)
        self.sliced = dict(zip((v.id for v in loop.slices), loop.sequences(self.node.ins), strict=True))
        self.homes = self._homes()
        self.kept = self._kept()
        self.whole_of = self._written_into_kept()
        self.homes |= {k: (v, 0, v.type.example[-1]) for k, v in self.whole_of.items()}
        self.made_joints: set[str] = set()
        self.places: dict[int, Place] = {}
        self.reading: Node | None = None
        self.lines: list[str] = []
        self.before: list[str] = []
        self.pieces: dict[str, str] = {}
        self.done: set[int] = set()
        self.called: set[int] = set()
        self.copied: list[tuple[Value, str]] = []
        self.counts: Counter[int] = Counter()
        self.free: list[Place] = []
        self.prefix = self.node.layer.replace(".", "_") or self.node.outs[0].name

    def root(self, value: Value) -> Value:
        """Return the value that this one is only another name of."""
        while value.id in self.alias:
            value = self.alias[value.id]
        return value

    def _homes(self) -> dict[int, tuple[Value, int, int]]:
        """Return which values lie in columns of another one: gates in z, and the parts of a concatenation."""
        homes: dict[int, tuple[Value, int, int]] = {}
        for node in self.loop.nodes:
            first = self.root(node.ins[0]) if node.ins else None
            if node.rule.cuts and first is not None and first.id in self.inside:
                base, start, _ = homes.get(first.id, (first, 0, 0))
                homes[node.out.id] = (base, start + node.attrs["start"], start + node.attrs["stop"])
            elif first is not None and first.id in homes and homes[first.id][0].id in self.made:
                homes |= {node.out.id: homes[first.id]} if self._overwrites(node, first) else {}
        for node in self.loop.nodes:
            start = 0
            for value in node.ins if node.rule.joins else ():
                width, part = value.type.example[-1], self.root(value)
                if self._can_move(part, node) and part.id not in homes:
                    homes[part.id] = (node.out, start, start + width)
                start += width
        return homes

    def _overwrites(self, node: Node, operand: Value) -> bool:
        """Whether an activation may be written over its pre-activation."""
        alone = len(node.ins) == 1 and len(self.readers[node.ins[0].id]) == 1 and node.ins[0].id == operand.id
        return alone and bool(kernel_in_loop(node.rule)) and node.rule.elementwise and node.out.id not in self.leaving

    def _can_move(self, value: Value, join: Node) -> bool:
        """Whether a part of a join can lie in it from the start."""
        if [self.root(v) for v in join.ins].count(value) != 1 or value.id in self.leaving:
            return False
        node = self.made.get(value.id)
        if node is not None:
            return not (node.rule.cuts or node.rule.joins or node.rule.alias)
        return value.id in self.staged() or value in self.loop.entering

    def staged(self) -> dict[int, Value]:
        """Return the slices of which all steps are copied to where a join has them, before the loop."""
        joined = {v.id for n in self.loop.nodes if n.rule.joins for v in n.ins}
        return {v.id: v for v in self.loop.slices if v.id in joined and len(self.readers[v.id]) == 1}

    def _written_into_kept(self) -> dict[int, Value]:
        """Return the results of elementwise ops whose places their operands can have first: nobody else reads these."""
        free = self.kept - self.homes.keys() - self.leaving.keys()
        nodes = [self.made[k] for k in free if k in self.made and self.made[k].rule.elementwise]
        into = {n.ins[0].id: n for n in nodes if len(n.ins) == 1 and self._overwrites(n, n.ins[0])}
        taken = self.homes.keys() | self.kept | self.leaving.keys()
        own = [k for k in into if k in self.made and k not in taken]
        return {k: into[k].out for k in own if not self.made[k].rule.cuts}

    def _kept(self) -> set[int]:
        """Return the values of which all steps are kept: those handed out, and joins of sequences and states."""
        moved = [self.homes[v.id][0] for v in (*self.loop.slices, *self.loop.entering) if v.id in self.homes]
        wanted = [self.root(v) for v in (*self.loop.collected, *moved)]
        bases = [self.homes[v.id][0] for v in wanted if v.id in self.homes]
        return {v.id for v in (*wanted, *bases)}

    def _place_state(self, k: int) -> None:
        """Give a state its place: rows of an array that keeps all of them, or one array that every step renews."""
        entering, leaving = self.loop.entering[k], self.loop.leaving[k]
        start = self.loop.initial(self.node.ins)[k]
        zero = start.id in self.e.producers and Property.ZERO in self.e.producers[start.id].rule.algebra.has
        base, first_column, last_column = self.homes.get(entering.id, (None, 0, 0))
        joined = base is not None and base.id in self.kept
        if not joined and not {entering.id, leaving.id} & self.kept:
            name = self._static(entering)
            self.places[entering.id] = Place(name, shape=entering.type.example)
            self.before.append(f"copyto({name}, {'0' if zero else self.e.rows(start)})")
            return
        if joined and base is not None:
            whole = f"{self.joint(base)}[:, :, {first_column}:{last_column}]"
            whole = self.e.bind(f"{whole_name(leaving)}_states", whole)
        else:
            shape = f"({self.loop.steps + 1}, size, {entering.type.example[0]})"
            whole = self.e.array(f"{whole_name(leaving)}_states", f"np.zeros({shape}, dtype)")
        here, after, first = ("1:", ":-1", "-1") if self.loop.reverse else (":-1", "1:", "0")
        self.places[entering.id] = Place(entering.name, f"{whole}[{here}]", pinned=True, strided=joined)
        last = f"{whole}[{'0' if self.loop.reverse else '-1'}]"
        self.places[leaving.id] = Place(leaving.name, f"{whole}[{after}]", pinned=True, last=last, strided=joined)
        if not zero:
            self.before.append(
                f"copyto({self.e.bind(f'{entering.name}_first', f'{whole}[{first}]')}, {self.e.rows(start)})"
            )

    def joint(self, value: Value) -> str:
        """Return the array of all steps of a join; it has one more row for a state that the last step leaves."""
        known = f"{whole_name(value)}_rows" in self.made_joints
        steps = self.loop.steps + self._has_state(value)
        name = self.e.array(f"{whole_name(value)}_rows", f"np.zeros(({steps}, size, {value.type.example[-1]}), dtype)")
        self.made_joints.add(f"{whole_name(value)}_rows")
        if not known and sum(v.type.example[-1] for v in self.made[value.id].ins) < value.type.example[-1]:
            self.e.prepare(f"{name}[:, :, -1] = 1")
        return name

    def _hand_out(self) -> None:
        """Make the arrays of what is kept, and say where the sequences that the loop collects lie."""
        arrays = self.e.arrays
        reused = overwritten_gates(self)
        for v, out in zip(self.loop.collected, self.collected, strict=True):
            root = self.root(v)
            if root.id == reused[0]:
                self._write_over(root, out, reused[1])
                continue
            own = root.id in self.made and root.id not in self.places and root.id not in self.homes
            if own and not self._is_joint(root) and out.id in self.e.time_first:
                self.e.out(out)
                self.places[root.id] = Place(root.name, self.e.time_first_name(out), pinned=True)
            elif out.id in self.e.time_first:
                arrays.by_steps(out, self.place(root).whole)
                self._note_gate(root, out)
            else:
                self.copied.append((out, self.e.steps_elsewhere(out, self.place(root).whole)))
        for k in self.kept:
            if k in self.made and k not in self.places and k not in self.homes:
                self.place(self.made[k].out)

    def _note_gate(self, root: Value, out: Value) -> None:
        """Remember a sequence in columns of an array of gates; one beside sequences and states is none to overwrite."""
        home = self.homes.get(root.id)
        if home is not None and not self._is_joint(home[0]):
            self.e.note_gate(out, self.place(root).whole, home, self.made)

    def _write_over(self, value: Value, out: Value, gates: str) -> None:
        """Let the gradients of all steps take over the array of the gates."""
        if out.id in self.e.time_first:
            self.e.arrays.by_steps(out, gates)
            whole = self.e.time_first_name(out)
        else:
            whole = self.e.bind(f"{whole_name(value)}_steps", gates)
            self.copied.append((out, self.e.steps_elsewhere(out, whole)))
        self.e.plan.reused.add(whole)
        self.places[value.id] = Place(value.name, whole, pinned=True)

    def place(self, value: Value) -> Place:
        """Return where a value of the step lives, if that is settled before it is written."""
        value = self.root(value)
        if value.id in self.places:
            return self.places[value.id]
        if value.id in self.sliced and value.id not in self.homes:
            found = Place(value.name, self.e.steps(self.sliced[value.id]), pinned=True)
        elif value.id in self.homes:
            base, start, stop = self.homes[value.id]
            at = self.place(base)
            part = "" if stop - start == base.type.example[-1] else f"[:, :, {start}:{stop}]"
            whole = f"{at.whole}{part}" if at.whole else ""
            name = value.name if whole else self.e.bind(value.name, f"{at.name}[:, {start}:{stop}]", own=True)
            at.pinned = True
            found = Place(name, whole, pinned=True, strided=bool(part) or at.strided)
        elif self._is_joint(value):
            here = f"[{'1:' if self.loop.reverse else ':-1'}]" if self._has_state(value) else ""
            found = Place(value.name, f"{self.joint(value)}{here}", pinned=True)
        elif value.id in self.kept:
            shape = f"({self.loop.steps}, size, {value.type.example[0]})"
            whole = self.e.array(f"{whole_name(value)}_steps", f"np.empty({shape}, dtype)")
            found = Place(value.name, whole, pinned=True)
        else:
            found = Place(self._static(value), shape=value.type.example)
        self.places[value.id] = found
        return found

    def _is_joint(self, value: Value) -> bool:
        """Whether a value is a join that holds a sequence, or a state that enters the step."""
        return any(self.homes.get(v.id, (None,))[0] == value for v in (*self.loop.slices, *self.loop.entering))

    def _has_state(self, value: Value) -> bool:
        """Whether a value holds a state that enters the step, which has its array of all steps there."""
        return any(self.homes.get(v.id, (None,))[0] == value for v in self.loop.entering)

    def _static(self, value: Value) -> str:
        dims = ["size"] * value.type.batched + [str(size) for size in value.type.example]
        return self.e.bind(value.name, f"np.empty(({', '.join(dims)}{',' if len(dims) == 1 else ''}), dtype)", own=True)

    def name(self, value: Value) -> str:
        """Return what a value is called inside the loop."""
        root = self.root(value)
        if root.id not in self.inside:
            self.e.integers(root)
            return self.e.rows(root)
        if root.id in self.whole_of:
            return self.name(self.whole_of[root.id])
        if root.id in self.sliced and not is_row(root.type):
            return root.name
        place = self.place(root)
        if place.whole:
            return self._piece(place.name, place.whole)
        return self._named(root, place)

    def _named(self, value: Value, place: Place) -> str:
        """Return the value's own name for an array that others used before it."""
        if place.name != value.name and value.id not in self.called:
            self.called.add(value.id)
            self.e.bind(value.name, place.name, own=True)
            self.e.plan.reused.add(value.name)
            if value.id in self.leaving:
                self.e.plan.carried[place.name] = value.name
        return value.name

    def _piece(self, name: str, whole: str) -> str:
        self.pieces[name] = whole
        return name

    def out(self, value: Value, *, over: Sequence[Value] = ()) -> str:
        """Return the name of the array that `value` is written to; it may overwrite a dead operand among `over`."""
        assert self.reading is not None
        if value.id not in self.places and not self._settled(value):
            held = self._taken_over(value, over)
            if held is not None:
                self.places[value.id] = held
                held.uses += self._reads(value)
            elif value.id in self.leaving or not self.free:
                self.places[value.id] = self._fresh(value)
            else:
                self.places[value.id] = self._from_free(value)
        return self.name(value)

    def _settled(self, value: Value) -> bool:
        return value.id in self.homes or value.id in self.kept or value.id in self.sliced

    def _taken_over(self, value: Value, over: Sequence[Value]) -> Place | None:
        """Return the place that a value may overwrite: for a state, where the next step looks for it."""
        if value.id in self.leaving:
            held = self.places[self.loop.entering[self.leaving[value.id]].id]
            candidates = [] if held.whole else [held]
        else:
            candidates = [self.places[r.id] for v in over if (r := self.root(v)).id in self.places]
        for held in candidates:
            now = sum(self._holder(v) is held for v in (self.reading.ins if self.reading else ()))
            may = sum(self._holder(v) is held for v in over)
            dead = held.uses == now <= may and not self._awaited(held, value)
            if dead and not held.whole and not held.pinned and held.shape == value.type.example:
                return held
        return None

    def _awaited(self, held: Place, value: Value) -> bool:
        """Whether a place holds a state that the next step reads, which this value is not."""
        return any(self.places.get(v.id) is held and v.id != value.id for v in self.loop.leaving)

    def _fresh(self, value: Value) -> Place:
        return Place(
            self._static(value), shape=value.type.example, uses=self._reads(value), pinned=value.id in self.leaving
        )

    def _from_free(self, value: Value) -> Place:
        for held in self.free:
            if held.shape == value.type.example:
                self.free.remove(held)
                held.uses += self._reads(value)
                return held
        return self._fresh(value)

    def _holder(self, value: Value) -> Place | None:
        return self.places.get(self.root(value).id)

    def _reads(self, value: Value) -> int:
        return self.counts[value.id]

    def _count(self, node: Node) -> None:
        """Count what a node will read."""
        if node.out.id in self.alias:
            return
        for v in node.ins:
            root = self.root(v)
            self.counts[root.id] += 1
            if root.id in self.places:
                self.places[root.id].uses += 1

    def _release(self, node: Node) -> None:
        for v in node.ins:
            held = self._holder(v)
            if held is not None:
                held.uses -= 1
                entering = {id(self.places[s.id]) for s in self.loop.entering}
                if held.uses == 0 and not (held.whole or held.pinned) and held.shape and id(held) not in entering:
                    self.free.append(held)


def _sunk(nodes: Sequence[Node], leaving: set[int]) -> list[Node]:
    """Return the nodes with every new state behind the last reader of what it may overwrite."""
    ordered = list(nodes)
    for node in nodes:
        read = any(v.id == node.out.id for n in nodes for v in n.ins)
        if node.out.id in leaving and not read and node.rule.elementwise:
            made = {n.out.id for n in nodes}
            first = next((v for v in node.ins if v.id in made), None)
            last = max((ordered.index(n) for n in ordered if first in n.ins and n is not node), default=0)
            if first is not None and last > ordered.index(node):
                ordered.remove(node)
                ordered.insert(last, node)
    return ordered

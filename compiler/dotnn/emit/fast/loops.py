"""Writing a loop over time: `for h_before, z_t, h_t in steps:`, where every name is an array that exists already.

What a step leaves behind for the gradient lies in arrays [time, batch, features], whose pieces are taken out once, in
the set-up, and handed to the loop as tuples. Everything else lives in arrays that every step uses again. A sum over
time of products (the gradient of a weight) is one product over all steps, behind the loop.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dotnn.emit.fast.arrays import readers
from dotnn.emit.fast.gates import Gates, find_gates, overwritten_gates
from dotnn.emit.fast.sequences import Pack, fits, is_row
from dotnn.emit.lines import WIDTH, indented, with_comment, wrapped
from dotnn.ops import OPS
from dotnn.ops.base import Loop, Node, Value
from dotnn.passes.reverse import whole_name

if TYPE_CHECKING:
    from dotnn.emit.fast.emitter import FastEmitter

ALWAYS_ZERO = ("zero_state", "zeros_like")
SUMS = ("affine_d_weight", "sum_examples")
SMALL = 64
"""Up to so many features a call costs more than its work: what can be done for all steps at once is."""


def write_loop(e: FastEmitter, node: Node) -> bool:
    """Write a scan; return False where it does not fit."""
    if node.loop is None or not fits(node.loop):
        return False
    LoopWriter(e, node, node.loop).write()
    return True


@dataclass
class Place:
    """Where a value of a step lives: in `whole`, an array of all steps, or in an array that every step uses again.

    `uses` counts the reads that are still to come; `last` is the array of the step that comes last.
    """

    name: str
    whole: str = ""
    shape: tuple[int, ...] = ()
    uses: int = 0
    pinned: bool = False
    last: str = ""


@dataclass
class LoopWriter:
    """Writes one loop. Kernels of ops see the methods without underscore, as those of `FastEmitter`."""

    e: FastEmitter
    node: Node
    loop: Loop
    folded: dict[int, Node] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        loop = self.loop
        self.leaving = {v.id: k for k, v in enumerate(loop.leaving)}
        self.alias = {n.out.id: n.ins[0] for n in loop.nodes if n.op == "pass_on" and n.out.id not in self.leaving}
        self.nodes = _sunk(loop.nodes, set(self.leaving))
        self.made = {n.out.id: n for n in loop.nodes}
        self.inside = loop.made()
        self.readers = readers(loop.nodes)
        self.collected, self.final, self.summed = loop.outputs(self.node.outs)
        self.hoisted = [(n, out) for v, out in self._sums() if (n := self.made[v.id]).op in SUMS]
        self.sliced = dict(zip((v.id for v in loop.slices), loop.sequences(self.node.ins), strict=True))
        self.pack = next((p for p in self.e.packs.values() if p.scan is self.node), None)
        self.gates = find_gates(self)
        self.homes = self._homes()
        self.kept = self._kept()
        self.places: dict[int, Place] = {}
        self.reading: Node | None = None
        self.lines: list[str] = []
        self.before: list[str] = []
        self.pieces: dict[str, str] = {}
        self.done: set[int] = set()
        self.called: set[int] = set()
        self.free: list[Place] = []
        self.prefix = self.pack.prefix if self.pack else self.node.layer.replace(".", "_") or self.node.outs[0].name

    # ------------------------------------------------------------------------------------------ before writing

    def root(self, value: Value) -> Value:
        """Return the value that this one is only another name of."""
        while value.id in self.alias:
            value = self.alias[value.id]
        return value

    def _sums(self) -> list[tuple[Value, Value]]:
        pairs = zip(self.loop.summed, self.summed, strict=True)
        return [(v, out) for v, out in pairs if v.id in self.made and not self.readers.get(v.id)]

    def _homes(self) -> dict[int, tuple[Value, int, int]]:
        """Return which values lie in columns of another one: gates in z, and the parts of a concatenation."""
        homes: dict[int, tuple[Value, int, int]] = {}
        for node in self.loop.nodes:
            first = self.root(node.ins[0]) if node.ins else None
            if node.op == "columns" and first is not None and first.id in self.inside:
                base, start, _ = homes.get(first.id, (first, 0, 0))
                homes[node.out.id] = (base, start + node.attrs["start"], start + node.attrs["stop"])
            elif first is not None and self._overwrites(node, first) and first.id in homes:
                if homes[first.id][0].id in self.made:
                    homes[node.out.id] = homes[first.id]
        for node in self.loop.nodes:
            start = 0
            for value in node.ins if node.op == "concat" else ():
                width, part = value.type.example[-1], self.root(value)
                if self._can_move(part, node) and part.id not in homes:
                    homes[part.id] = (node.out, start, start + width)
                start += width
        return homes

    def _overwrites(self, node: Node, operand: Value) -> bool:
        """Whether an activation may be written over its pre-activation."""
        alone = len(node.ins) == 1 and len(self.readers[node.ins[0].id]) == 1 and node.ins[0].id == operand.id
        return alone and bool(self._kernel(node)) and OPS[node.op].elementwise and node.out.id not in self.leaving

    def _can_move(self, value: Value, concat: Node) -> bool:
        node = self.made.get(value.id)
        own = node is not None and node.op not in ("columns", "pass_on", "concat") and value.id not in self.leaving
        return own and [self.root(v) for v in concat.ins].count(value) == 1

    def _kept(self) -> set[int]:
        """Return the values of which all steps are kept: those handed out, and those that a sum over time reads."""
        wanted = [self.root(v) for v in (*self.loop.collected, *(v for n, _ in self.hoisted for v in n.ins))]
        bases = [self.homes[v.id][0] for v in wanted if v.id in self.homes]
        return {v.id for v in (*wanted, *bases)}

    def _kernel(self, node: Node) -> object:
        op = OPS[node.op]
        return op.fast_step or (op.fast if op.elementwise else None)

    # ------------------------------------------------------------------------------------------------- writing

    def write(self) -> None:
        """Write what comes before the loop, the loop, and what comes behind it."""
        for k in range(len(self.loop.entering)):
            self._place_state(k)
        self._hand_out()
        for node in self.nodes:
            self._count(node)
        for node in self.nodes:
            self._write_node(node)
        self._carry()
        for line in (*self.before, *self._loop_lines()):
            for part in line.split("\n"):
                self.e.run(part)
        self._sum_over_time()
        self._finish()

    def _write_node(self, node: Node) -> None:
        hoisted = any(n is node for n, _ in self.hoisted)
        if node.out.id in self.alias or node.op == "columns" or hoisted or id(node) in self.done:
            return
        self.reading = node
        if self.gates and node is self.gates.first:
            self._write_gates(self.gates)
        elif node.op == "concat":
            self._concat(node)
        elif self.pack and node is self.pack.step:
            self._packed_product(self.pack)
        else:
            local = replace(node, ins=tuple(replace(v, name=self.name(v)) for v in node.ins))
            kernel = OPS[node.op].fast_step or (OPS[node.op].fast if OPS[node.op].elementwise else None)
            if kernel is None or not kernel(self, local):
                self._generic(local)
        for v, out in zip(self.loop.summed, self.summed, strict=True):
            if v.id == node.out.id:
                total = self.e.out(out)
                self.before.append(f"copyto({total}, 0)")
                self.run(f"add({total}, {self.name(v)}, {total})")
        self._release(node)

    def _generic(self, node: Node) -> None:
        op, out = OPS[node.op], node.out
        self.e.plan.helpers |= {h for h in op.helpers if f"{h}(" in op.template(node)}
        line = op.line(node, lambda v: v.name)
        if op.random:
            line = f"({line}) if training else {op.otherwise}"
        if out.type.dtype == "real":
            line = f"copyto({self.out(out, over=node.ins)}, {line})"
        else:
            self.places[out.id] = Place(out.name, pinned=True)
            line = f"{out.name} = {line}"
        self.run(line)

    def _concat(self, node: Node) -> None:
        out, start = self.out(node.out), 0
        for value in node.ins:
            stop = start + value.type.example[-1]
            if self.homes.get(self.root(value).id, (None,))[0] != node.out:
                self.run(f"copyto({out}[:, {start}:{stop}], {self.name(value)})")
            start = stop

    def _packed_product(self, pack: Pack) -> None:
        rows = self._piece(f"{pack.prefix}_xh_t", self._rows(pack.array(self.e), pack.here))
        scaled = self.gates.factors(self) if self.gates and self.gates.z is pack.step.out else ""
        matrix = packed_matrix(self.e, pack, "params", scaled, self.before)
        self.run(f"dot({rows}, {matrix}, {self.out(pack.step.out)})")

    def _write_gates(self, gates: Gates) -> None:
        """One tanh for all gates: sigmoid(z) = tanh(z / 2) / 2 + 1/2."""
        z, halves, shifts = self.name(gates.z), gates.factors(self), gates.shifts(self)
        if not (self.pack and gates.z is self.pack.step.out):  # there, the half is in the weights already
            self.run(f"multiply({z}, {halves}, {z})")
        self.run(with_comment(f"tanh({z}, {z})", "all gates at once: sigmoid(z) = tanh(z/2)/2 + 1/2"))
        self.run(f"multiply({z}, {halves}, {z})")
        self.run(f"add({z}, {shifts}, {z})")
        self.done |= {id(n) for n in gates.nodes}
        for node in gates.nodes:
            self._release(node)

    def _loop_lines(self) -> list[str]:
        back = "[::-1]" if self.loop.reverse else ""
        backward = self.node.phase == "backward"
        way = "back from the last step: backpropagation through time" if backward else "one step after the other"
        names, wholes = list(self.pieces), list(self.pieces.values())
        made = [f"list({wholes[0]}){back}"] if len(wholes) == 1 else wrapped("list(zip(", wholes, f")){back}", " " * 8)
        steps = self.e.bind(f"{self.prefix}_{'backward' if backward else 'forward'}", "\n    ".join(made))
        masks = self._masks()
        inner = ", ".join(names)
        whole = steps if not masks else f"zip({steps}, {', '.join(f'{w}.T{back}' for _, w in masks)})"
        target = inner if not masks else ", ".join([f"({inner})" if len(names) > 1 else inner, *(v.name for v, _ in masks)])
        head = f"for {target} in {whole}:"
        lines = [with_comment(head, way)] if len(head) < WIDTH - 8 else [f"# {way}", *_wrapped_head(target, whole)]
        return lines + indented(self.lines)

    def _masks(self) -> list[tuple[Value, str]]:
        """Return the sequences that are new arrays at every call: masks."""
        read = {v.id for n in self.loop.nodes for v in n.ins}
        for whole in self.sliced.values():
            self.e.integers(whole)
        return [
            (v, self.e.rows(self.sliced[v.id])) for v in self.loop.slices if not is_row(v.type) and v.id in read
        ]

    # -------------------------------------------------------------------------------------- states and outputs

    def _place_state(self, k: int) -> None:
        """Give a state its place: rows of an array that keeps all of them, or one array that every step renews."""
        entering, leaving = self.loop.entering[k], self.loop.leaving[k]
        start = self.loop.initial(self.node.ins)[k]
        zero = start.id in self.e.producers and self.e.producers[start.id].op in ALWAYS_ZERO
        packed = self.pack is not None and self.root(self.pack.step.ins[1]).id == entering.id
        if not packed and not {entering.id, leaving.id} & self.kept:
            name = self._static(entering)
            self.places[entering.id] = Place(name, shape=entering.type.example)
            self.before.append(f"copyto({name}, {'0' if zero else self.e.rows(start)})")
            return
        if packed:
            assert self.pack is not None
            whole = self.pack.place_of_h(self.e)
            whole = self.e.bind(f"{whole_name(leaving)}_states", whole)
        else:
            shape = f"({self.loop.steps + 1}, size, {entering.type.example[0]})"
            whole = self.e.array(f"{whole_name(leaving)}_states", f"np.zeros({shape}, dtype)")
        here, after, first = ("1:", ":-1", "-1") if self.loop.reverse else (":-1", "1:", "0")
        self.places[entering.id] = Place(entering.name, f"{whole}[{here}]", pinned=True)
        last = f"{whole}[{'0' if self.loop.reverse else '-1'}]"
        self.places[leaving.id] = Place(leaving.name, f"{whole}[{after}]", pinned=True, last=last)
        if not zero:
            self.before.append(f"copyto({self.e.bind(f'{entering.name}_first', f'{whole}[{first}]')}, {self.e.rows(start)})")

    def _hand_out(self) -> None:
        """Make the arrays of what is kept, and say where the sequences that the loop collects lie."""
        arrays = self.e.arrays
        reused = overwritten_gates(self)
        for v, out in zip(self.loop.collected, self.collected, strict=True):
            root = self.root(v)
            if root.id == reused[0]:
                self.places[root.id] = Place(root.name, reused[1], pinned=True)
            if root.id not in self.places and root.id not in self.homes and root.id in self.made and not self._packed(root):
                self.e.out(out)
                self.places[root.id] = Place(root.name, self.e.time_first_name(out), pinned=True)
            else:
                arrays.by_steps(out, self.place(root).whole)
                self.e.note_gate(out, self.place(root).whole, self.homes.get(root.id), self.made)
        for k in self.kept:
            if k in self.made and k not in self.places and k not in self.homes:
                self.place(self.made[k].out)

    def _packed(self, value: Value) -> bool:
        return self.pack is not None and self.root(self.pack.step.ins[1]).id == value.id

    def place(self, value: Value) -> Place:
        """Return where a value of the step lives, if that is settled before it is written."""
        value = self.root(value)
        if value.id in self.places:
            return self.places[value.id]
        if value.id in self.sliced:
            found = Place(value.name, self.e.steps(self.sliced[value.id]), pinned=True)
        elif self._packed(value):
            assert self.pack is not None
            found = Place(value.name, self.pack.place_of_h(self.e, self.pack.here), pinned=True)
        elif value.id in self.homes:
            base, start, stop = self.homes[value.id]
            at = self.place(base)
            whole = f"{at.whole}[:, :, {start}:{stop}]" if at.whole else ""
            name = value.name if whole else self.e.bind(value.name, f"{at.name}[:, {start}:{stop}]", own=True)
            at.pinned = True
            found = Place(name, whole, pinned=True)
        elif value.id in self.kept:
            shape = f"({self.loop.steps}, size, {value.type.example[0]})"
            whole = self.e.array(f"{whole_name(value)}_steps", f"np.empty({shape}, dtype)")
            found = Place(value.name, whole, pinned=True)
        else:
            found = Place(self._static(value), shape=value.type.example)
        self.places[value.id] = found
        return found

    def _static(self, value: Value) -> str:
        dims = ["size"] * value.type.batched + [str(size) for size in value.type.example]
        return self.e.bind(value.name, f"np.empty(({', '.join(dims)}{',' if len(dims) == 1 else ''}), dtype)", own=True)

    def _carry(self) -> None:
        """Bring the states to where the next step looks for them, if they are not there yet."""
        for entering, leaving in zip(self.loop.entering, self.loop.leaving, strict=True):
            here, there = self.places[entering.id], self.place(leaving)
            if not here.whole and here is not there:
                self.run(f"copyto({self.name(entering)}, {self.name(leaving)})")

    def _finish(self) -> None:
        """Hand out the states after the last step."""
        for out, v in zip(self.final, self.loop.final, strict=True):
            place = self.place(v)
            if place.last:
                self.e.strided(out, f"{place.last}.T")
            else:
                self.e.out(out)
                entering = self.loop.entering[self.leaving[v.id]]
                self.e.run(f"copyto({self.e.rows(out)}, {self.places[entering.id].name})")

    # ------------------------------------------------------------------------------------------ sums over time

    def _sum_over_time(self) -> None:
        done = self._packed_gradient()
        for node, out in self.hoisted:
            if out.id in done:
                continue
            wholes = [self._long(v) for v in node.ins]
            if node.op == "sum_examples":
                ones = self.e.bind(f"{wholes[0]}_ones", f"np.ones(len({wholes[0]}), dtype)")
                self.e.run(f"dot({ones}, {wholes[0]}, {self.e.out(out)})")
            else:
                left = self.e.bind(f"{wholes[0]}_T", f"{wholes[0]}.T")
                self.e.run(f"dot({left}, {wholes[1]}, {self.e.out(out)})  # the sum over time is one product")

    def _long(self, value: Value) -> str:
        """Return a name for the rows of all steps under each other."""
        root = self.root(value)
        return self.e.bind(f"{whole_name(root)}_long", f"{self.place(root).whole}.reshape(-1, {root.type.example[-1]})")

    def _packed_gradient(self) -> set[int]:
        """Write the gradients of W, U and b as one product, if this loop goes back over one with a packed product."""
        for pack in self.e.packs.values():
            for product, d_u in self.hoisted:
                if product.op != "affine_d_weight" or d_u.id in self.e.arrays.of:
                    continue
                h, d = map(self.root, product.ins)
                if h.id in self.sliced and self._is_state_of(self.sliced[h.id], pack):
                    shares = [out for v, out in zip(self.loop.collected, self.collected, strict=True) if self.root(v) == d]
                    outside = _outer_gradients(self.e, pack, shares)
                    if outside:
                        self._write_packed_gradient(pack, d, [outside[0].out, d_u, *(n.out for n in outside[1:])])
                        self.e.mark_written(outside)
                        return {d_u.id}
        return set()

    def _is_state_of(self, sequence: Value, pack: Pack) -> bool:
        assert pack.scan.loop is not None
        collected = pack.scan.loop.outputs(pack.scan.outs)[0]
        ids = {out.id: v.id for v, out in zip(pack.scan.loop.collected, collected, strict=True)}
        return ids.get(sequence.id) == pack.step.ins[1].id

    def _write_packed_gradient(self, pack: Pack, d: Value, outs: Sequence[Value]) -> None:
        e, name = self.e, pack.prefix
        rows = e.bind(f"{name}_xh_T", f"{pack.array(e)}[{pack.here}].reshape(-1, {pack.width}).T")
        direct = e.side_by_side([e.parameter_of(out) for out in outs], pack.weights)
        sizes = [out.type.shape[0] if len(out.type.shape) == 2 else 1 for out in outs]
        names = [e.out(out) for out in outs]
        if direct:
            paths = ", ".join(f'grads["{e.owners[out.id]}"]' for out in outs)
            target = e.bind(f"d_{name}_WUb", f"stacked({paths})")
        else:
            target = e.array(f"d_{name}_WUb", f"np.empty(({pack.width}, {d.type.example[-1]}), dtype)")
        e.run(f"dot({rows}, {self._long(d)}, {target})  # W, U and b, all steps at once")
        start = 0
        for out, size, array in zip(outs, sizes, names, strict=True):
            part = f"{start}:{start + size}" if len(out.type.shape) == 2 else f"{start}"
            if not direct:
                e.run(f"copyto({array}, {e.bind(f'{array}_part', f'{target}[{part}]')})")
            start += size

    # --------------------------------------------------------------------------------------- what ops may call

    def run(self, line: str) -> None:
        """Append a line to the body of the loop."""
        self.lines.append(line)

    def name(self, value: Value) -> str:
        """Return what a value is called inside the loop."""
        root = self.root(value)
        if root.id not in self.inside:
            self.e.integers(root)
            return self.e.rows(root)
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
        return value.name

    def _piece(self, name: str, whole: str) -> str:
        self.pieces[name] = whole
        return name

    def _rows(self, array: str, rows: str) -> str:
        return f"{array}[{rows}]"

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
        return value.id in self.homes or value.id in self.kept or self._packed(value) or value.id in self.sliced

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
            if not held.whole and not held.pinned and held.uses == now <= may and held.shape == value.type.example:
                if not self._awaited(held, value):
                    return held
        return None

    def _awaited(self, held: Place, value: Value) -> bool:
        """Whether a place holds a state that the next step reads, which this value is not."""
        return any(self.places.get(v.id) is held and v.id != value.id for v in self.loop.leaving)

    def _fresh(self, value: Value) -> Place:
        return Place(self._static(value), shape=value.type.example, uses=self._reads(value), pinned=value.id in self.leaving)

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
        return self.counts.get(value.id, 0)

    def _count(self, node: Node) -> None:
        if not hasattr(self, "counts"):
            self.counts: dict[int, int] = {}
        if node.out.id in self.alias or any(n is node for n, _ in self.hoisted):
            return
        for v in node.ins:
            root = self.root(v)
            self.counts[root.id] = self.counts.get(root.id, 0) + 1
            place = self.places.get(root.id)
            if place is not None:
                place.uses += 1

    def _release(self, node: Node) -> None:
        for v in node.ins:
            held = self._holder(v)
            if held is not None:
                held.uses -= 1
                entering = {id(self.places[s.id]) for s in self.loop.entering}
                if held.uses == 0 and not (held.whole or held.pinned) and held.shape and id(held) not in entering:
                    self.free.append(held)

    def same(self, value: Value, source: Value) -> None:
        """Write a value that is equal to another one."""
        self.run(f"copyto({self.out(value)}, {source.name})")

    def slope(self, value: Value, *lines: str, dtype: str = "dtype") -> str:
        """Return the name of f'(z), computed by `lines` from the value `{a}` into the array `{slope}`.

        Where a step is small, it is computed for all steps at once, before the loop.
        """
        place = self.place(value)
        if place.whole and value.id in self.sliced and value.type.example[0] <= SMALL:
            size = f"({self.loop.steps}, size, {value.type.example[0]})"
            whole = self.e.array(f"{whole_name(value)}_slopes", f"np.empty({size}, {dtype})")
            all_steps = self.e.bind(f"{whole_name(value)}_all", place.whole)
            new = [line.format(a=all_steps, slope=whole) for line in lines]
            self.before += [line for line in new if line not in self.before]
            return self._piece(f"{value.name}_slope", whole)
        slope = self.scratch("slope", *value.type.example, "size", dtype=dtype)
        for line in lines:
            self.run(line.format(a=self.name(value), slope=slope))
        return slope

    def scratch(self, hint: str, *dims: int | str, dtype: str = "dtype") -> str:
        """Return the name of a scratch array; in a loop the batch comes first."""
        turned = (dims[-1], *dims[:-1]) if dims and dims[-1] == "size" else dims
        return self.e.scratch(hint, *turned, dtype=dtype)

    def number(self, hint: str, expression: str) -> str:
        """Return the name of a number in the arrays' own precision."""
        return self.e.number(hint, expression)

    def bind(self, hint: str, expression: str) -> str:
        """Return the name of an expression that is evaluated once, in the set-up."""
        return self.e.bind(hint, expression)

    def transposed(self, value: Value) -> str:
        """Return a name for a contiguous transpose of a matrix, renewed before the loop: its rows are read T times."""
        rows, columns = value.type.example
        name = self.e.array(f"{value.name}_turned", f"np.empty(({columns}, {rows}), dtype)")
        line = f"copyto({name}, {self.e.transposed(value)})"
        if line not in self.before:
            self.before.append(line)
        return name


def _wrapped_head(target: str, whole: str) -> list[str]:
    """Return the head of a loop over tuples of many arrays, on several lines."""
    end = f") in {whole}:".replace(" ", "\0")  # may not be broken: it stands outside of the parentheses
    lines = textwrap.wrap(f"for ({target}{end}", WIDTH - 8, subsequent_indent=" " * 8, break_long_words=False)
    return [line.replace("\0", " ") for line in lines]


def packed_matrix(e: FastEmitter, pack: Pack, table: str, factors: str, before: list[str]) -> str:
    """Return the name of [W; U; b], scaled by `factors` column by column; what has to be renewed goes to `before`."""
    weights = pack.weights
    paths = [e.path_of(w) for w in weights]
    adjacent = e.side_by_side(weights, weights)
    if adjacent:
        inner = ", ".join(f'{table}["{path}"]' for path in paths)
        whole = e.bind(f"{pack.prefix}_WUb", f"stacked({inner})")
        if not factors:
            return whole
    matrix = e.array(f"{pack.prefix}_matrix", f"np.empty(({pack.width}, {pack.step.out.type.example[-1]}), dtype)")

    def fill(target: str, source: str) -> None:
        before.append(f"multiply({source}, {factors}, {target})" if factors else f"copyto({target}, {source})")

    if adjacent:
        fill(matrix, whole)
        return matrix
    start = 0
    for weight in weights:
        rows = weight.type.shape[0] if len(weight.type.shape) == 2 else 1
        part = f"{start}:{int(start) + int(rows)}" if len(weight.type.shape) == 2 else f"{start}"
        fill(e.bind(f"{pack.prefix}_matrix_part", f"{matrix}[{part}]"), weight.name)
        start += int(rows)
    return matrix


def _outer_gradients(e: FastEmitter, pack: Pack, shares: Sequence[Value]) -> list[Node]:
    """Return the nodes outside that compute the gradients of W and of b from the loop's d_xz."""
    for share in shares:
        users = e.readers.get(share.id, [])
        d_weight = [n for n in users if n.op == "affine_d_weight" and n.ins[0].id == pack.x.id]
        d_bias = [n for n in users if n.op == "sum_examples"]
        if len(d_weight) == 1 and len(d_bias) == len(pack.weights) - 2:
            return d_weight + d_bias
    return []


def _sunk(nodes: Sequence[Node], leaving: set[int]) -> list[Node]:
    """Return the nodes with every new state behind the last reader of what it may overwrite."""
    ordered = list(nodes)
    for node in nodes:
        read = any(v.id == node.out.id for n in nodes for v in n.ins)
        if node.out.id in leaving and not read and OPS[node.op].elementwise:
            made = {n.out.id for n in nodes}
            first = next((v for v in node.ins if v.id in made), None)
            last = max((ordered.index(n) for n in ordered if first in n.ins and n is not node), default=0)
            if first is not None and last > ordered.index(node):
                ordered.remove(node)
                ordered.insert(last, node)
    return ordered

"""Writing a loop over time: `for h_before, z_t, h_t in steps:`, where every name is an array that exists already.

What a step leaves behind for the gradient lies in arrays [time, features, batch], whose pieces are taken out once, in
the set-up, and handed to the loop as tuples. Everything else lives in arrays that every step uses again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dotnn.codegen.lines import commented, in_column, indented
from dotnn.codegen.wrap import INDENT
from dotnn.ir.expr import Expr
from dotnn.ir.node import Node, Value
from dotnn.passes.reverse import whole_name
from dotnn.targets.numpy.fast.arrays import like, new_array
from dotnn.targets.numpy.fast.kernels import kernel_in_loop
from dotnn.targets.numpy.fast.placement.places import StepPlace
from dotnn.targets.numpy.fast.placement.sequences import is_row
from dotnn.targets.numpy.fast.placement.steps import LoopPlacement
from dotnn.targets.numpy.fast.plan import STEP, WORD, WriteSlope

if TYPE_CHECKING:
    from dotnn.targets.numpy.fast.emitter import FastEmitter

SMALL = 64
"""Up to so many features a call costs more than its work: what can be done for all steps at once is."""


DIRECTIONS = ("one step after the other", "back from the last step: backpropagation through time")


class LoopWriter:
    """Writes one loop as it is placed. Kernels of ops see the methods without underscore, as those of `FastEmitter`."""

    def __init__(self, e: FastEmitter, placed: LoopPlacement) -> None:
        self.e, self.placed = e, placed
        self.node, self.loop, self.body = placed.node, placed.loop, placed.body
        self.lines: list[str] = []
        self.before: list[str] = []
        self.pieces: dict[str, str] = {}
        self.named: set[int] = set()
        self.prefix = self.node.layer.replace(".", "_") or self.node.outs[0].name

    def write(self) -> None:
        """Write what comes before the loop, the loop, and what comes behind it."""
        self._start()
        for node in self.body.nodes:
            if self.body.writes(node):
                self._node(node)
                self._add_up(node)
        self._carry()
        self._stage()
        for line in (*self.before, *self._loop_lines()):
            self.e.run(line)
        self._finish()

    def _start(self) -> None:
        """Bring the states to where the first step looks for them."""
        for entering, start in self.placed.starts:
            value = "0" if start is None else start.name
            if self.placed.places[entering.id].piece is None:
                self.before.append(f"copyto({self.name(entering)}, {value})")
            else:
                first = self.e.bind(f"{entering.name}_first", self.e.piece(self.placed.first_row(entering)))
                zero = start is None
                self.e.prepare(f"{first}[...] = 0") if zero else self.before.append(f"copyto({first}, {value})")

    def _node(self, node: Node) -> None:
        if node.rule.joins:
            self._join(node)
            return
        local = replace(node, ins=tuple(replace(v, name=self.name(v)) for v in node.ins))
        write = kernel_in_loop(node.rule)
        if write is None or not write(self, local):
            self._generic(local)

    def _add_up(self, node: Node) -> None:
        summed = self.loop.outputs(self.node.outs)[2]
        for v, out in zip(self.loop.summed, summed, strict=True):
            if v.id == node.out.id:
                total = self.e.out(out)
                self.before.append(f"copyto({total}, 0)")
                self.run(f"add({total}, {self.name(v)}, {total})")

    def _generic(self, node: Node) -> None:
        op, out = node.rule, node.out
        self.e.plan.helpers |= op.called(node)
        line = op.line_of_both(node, _batch_first)
        written = out.type.dtype == "real"
        target = _batch_first(replace(out, name=self.out(out))) if written else out.name
        self.run(f"copyto({target}, {line})" if written else f"{target} = {line}")

    def _join(self, node: Node) -> None:
        start = 0
        for value in node.ins:
            stop = start + value.type.example[-1]
            if self.body.parts.get(self.body.root(value).id, (None,))[0] != node.out:
                self.run(f"copyto({self.features(node.out, start, stop, 'part')}, {self.name(value)})")
            start = stop

    def _stage(self) -> None:
        """Copy sequences, all steps at once, to where a join has them."""
        for value in (v for v in self.loop.slices if v.id in self.body.staged & self.body.parts.keys()):
            source, place = self.body.sequences[value.id], self.placed.place(value)
            assert place.piece is not None
            target = self.e.bind(f"{value.name}_staged", self.e.piece(place.piece))
            self.e.run(f"copyto({target}, {self.e.out(source)})")

    def _loop_lines(self) -> list[str]:
        """Return the loop: over tuples of pieces, masks, and the number of the step, where a line reads it."""
        back = "[::-1]" if self.loop.reverse else ""
        words = set(WORD.findall("\n".join(self.lines)))
        read = {name: whole for name, whole in self.pieces.items() if name in words} or self.pieces
        names, whole = list(read), self._tuples(list(read.values()), back)
        target = ", ".join(names)
        if masks := self._masks():
            whole = zipped([whole, *(f"{w}.T{back}" for _, w in masks)])
            target = ", ".join([f"({target})" if len(names) > 1 else target, *(v.name for v, _ in masks)])
        if any(n.rule.uses_step(n) and not n.rule.alias for n in self.loop.nodes):
            target, whole = f"step, ({target})", zipped([self.loop.order(), whole])
        head, way = f"for {target} in {whole}:", DIRECTIONS[self.node.phase == "backward"]
        return [*in_column(head, way, STEP), *indented(self.lines)]

    def _tuples(self, wholes: Sequence[str], back: str) -> str:
        """Return a name for the pieces of every step, taken out of their arrays once."""
        whole = wholes[0] if len(wholes) == 1 else zipped(wholes)
        direction = "backward" if self.node.phase == "backward" else "forward"
        return self.e.bind(f"{self.prefix}_{direction}", f"list({whole}){back}")

    def _masks(self) -> list[tuple[Value, str]]:
        """Return the sequences that are new arrays at every call: masks."""
        for whole in self.body.sequences.values():
            self.e.integers(whole)
        masks = [v for v in self.loop.slices if not is_row(v.type) and v.id in self.body.readers]
        return [(v, self.e.rows(self.body.sequences[v.id])) for v in masks]

    def _carry(self) -> None:
        """Bring the states to where the next step looks for them, if they are not there yet."""
        for entering, leaving in zip(self.loop.entering, self.loop.leaving, strict=True):
            here, there = self.placed.place(entering), self.placed.place(leaving)
            if here.piece is None and here is not there:
                self.run(f"copyto({self.name(entering)}, {self.name(leaving)})")

    def _finish(self) -> None:
        """Hand out the states after the last step."""
        for out in self.node.outs:
            self.e.out(out)
        final = self.loop.outputs(self.node.outs)[1]
        for out, v in zip(final, self.loop.final, strict=True):
            if not self.placed.place(v).last:
                entering = self.loop.entering[self.body.leaving[v.id]]
                self.e.run(f"copyto({out.name}, {self.name(entering)})")

    def name(self, value: Value) -> str:
        """Return what a value is called inside the loop."""
        root = self.body.root(value)
        if root.id not in self.body.inside:
            self.e.integers(root)
            return root.name
        if root.id in self.body.sequences and not is_row(root.type):
            return root.name
        place = self.placed.place(root)
        if place.piece is not None:
            self.pieces[place.first.name] = self.e.piece(place.piece)
            return place.first.name
        if root.type.dtype == "real" and root.id not in self.named:
            self.named.add(root.id)
            self._bind(root, place)
        return root.name

    def _bind(self, value: Value, place: StepPlace) -> None:
        """Bind a name to an array that every step uses again: to its own, to columns, or to one that another had."""
        first = place.first
        if place.base is not None:
            self.e.bind(value.name, f"{self.name(place.base)}[{place.columns[0]}:{place.columns[1]}]", own=True)
        elif first.id == value.id:
            dims = like(value)
            self.e.sized(self.e.bind(value.name, new_array(dims), own=True), dims)
            if self.body.has_ones(value):
                width = value.type.example[-1]
                self.e.prepare(f"{value.name}[{width - 1}] = 1")
        else:
            self.e.bind(value.name, self.name(first), own=True)
        if first.id != value.id:
            self.e.plan.reused.add(value.name)
            if value.id in self.body.leaving:
                self.e.plan.carried[first.name] = value.name

    def out(self, value: Value) -> str:
        """Return the name of the array that `value` is written to."""
        return self.name(value)

    def features(self, value: Value, start: int, stop: int, hint: str) -> str:
        """Return a name for some features of a value of the step."""
        whole, piece = self.name(value), self.placed.place(self.body.root(value)).piece
        if piece is None:
            return self.e.bind(f"{whole}_{hint}", f"{whole}[{start}:{stop}]")
        return self._piece(f"{whole}_{hint}", self.e.piece(piece.cut(start, stop)))

    def blocks(self, value: Value, count: str) -> str:
        """Return a name for a value of the step with its rows in so many blocks."""
        whole, piece = self.name(value), self.placed.place(self.body.root(value)).piece
        if piece is None:
            return self.e.bind(f"{whole}_blocks", f"in_blocks({whole}, {count})")
        return self._piece(f"{whole}_blocks", f"in_blocks({self.e.piece(piece)}, {count})")

    def _piece(self, hint: str, of_all_steps: str) -> str:
        """Return a name for what the loop takes from something with as many rows as there are steps."""
        name = self.e.step_name(hint, of_all_steps)
        self.pieces[name] = of_all_steps
        return name

    def by_rows(self, value: Value) -> bool:
        """Whether a value is held with the examples first: not inside a loop."""
        return False

    def run(self, line: str, comment: str = "") -> None:
        """Append a statement to the body of the loop."""
        self.lines += commented(line, comment, STEP + INDENT)

    def slope(self, value: Value, formula: Expr, write: WriteSlope, dtype: str) -> str:
        """Return the name of a slope, a formula of a value, "" where it is not there for all steps already.

        Where a step is small, it is computed before the loop.
        """
        place = self.placed.place(value)
        if place.piece is None or value.id not in self.body.sequences or value.type.example[0] > SMALL:
            return ""
        dims = (self.loop.steps, *like(value))
        whole, written = self.e.workspace(
            f"{whole_name(value)}_slopes", dims, ("slopes", value.id, formula), dtype=dtype
        )
        if not written:
            self.before += write(self.e.bind(f"{whole_name(value)}_all", self.e.piece(place.piece)), whole, dims)
        name = self.e.step_name(f"{value.name}_slope", (value.id, whole))
        self.pieces[name] = whole
        return name

    def scratch_like(self, hint: str, value: Value, dtype: str = "dtype", start: str = "") -> str:
        """Return the name of a scratch array for a value of the step."""
        return self.e.scratch(hint, *like(value), dtype=dtype, start=start)

    def planar(self, value: Value) -> bool:
        """Whether a value is held in planes, as images are."""
        return False

    def __getattr__(self, name: str) -> Any:
        """What is the same inside a loop and outside is the emitter's: names, numbers and arrays of the set-up."""
        return getattr(self.e, name)


def _batch_first(value: Value) -> str:
    """Return the expression of a step of a value with the batch in front."""
    return f"{value.name}.T" if is_row(value.type) else value.name


def zipped(wholes: Sequence[str]) -> str:
    """Return what goes through arrays of as many steps side by side."""
    return f"zip({', '.join(wholes)}, strict=True)"

"""Writing a loop over time: `for h_before, z_t, h_t in steps:`, where every name is an array that exists already.

What a step leaves behind for the gradient lies in arrays [time, batch, features], whose pieces are taken out once, in
the set-up, and handed to the loop as tuples. Everything else lives in arrays that every step uses again. A sum over
time of products (the gradient of a weight) is one product over all steps, behind the loop.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dotnn.codegen.lines import WIDTH, indented, with_comment, wrapped
from dotnn.ir.node import Node, Value
from dotnn.passes.reverse import whole_name
from dotnn.targets.numpy.fast.kernels import kernel_in_loop
from dotnn.targets.numpy.fast.places import LoopPlaces, Place
from dotnn.targets.numpy.fast.sequences import fits, is_row

if TYPE_CHECKING:
    from dotnn.targets.numpy.fast.emitter import FastEmitter

SMALL = 64
"""Up to so many features a call costs more than its work: what can be done for all steps at once is."""


def write_loop(e: FastEmitter, node: Node) -> bool:
    """Write a scan; return False where it does not fit."""
    if node.loop is None or not fits(node.loop):
        return False
    LoopWriter(e, node, node.loop).write()
    return True


@dataclass
class LoopWriter(LoopPlaces):
    """Writes one loop. Kernels of ops see the methods without underscore, as those of `FastEmitter`."""

    folded: dict[int, Node] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)

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
        self._stage()
        for line in (*self.before, *self._loop_lines()):
            for part in line.split("\n"):
                self.e.run(part)
        self._finish()

    def _write_node(self, node: Node) -> None:
        if node.out.id in self.alias or node.rule.cuts:
            return
        self.reading = node
        if node.rule.joins:
            self._join(node)
        else:
            local = replace(node, ins=tuple(replace(v, name=self.name(v)) for v in node.ins))
            write = kernel_in_loop(node.rule)
            if write is None or not write(self, local):
                self._generic(local)
        for v, out in zip(self.loop.summed, self.summed, strict=True):
            if v.id == node.out.id:
                total = self.e.out(out)
                self.before.append(f"copyto({total}, 0)")
                self.run(f"add({total}, {self.name(v)}, {total})")
        self._release(node)

    def _generic(self, node: Node) -> None:
        op, out = node.rule, node.out
        self.e.plan.helpers |= op.called(node)
        line = op.line_of_both(node, lambda v: v.name)
        if out.type.dtype == "real":
            line = f"copyto({self.out(out, over=node.ins)}, {line})"
        else:
            self.places[out.id] = Place(out.name, pinned=True)
            line = f"{out.name} = {line}"
        self.run(line)

    def _join(self, node: Node) -> None:
        out, start = self.out(node.out), 0
        for value in node.ins:
            stop = start + value.type.example[-1]
            if self.homes.get(self.root(value).id, (None,))[0] != node.out:
                self.run(f"copyto({out}[:, {start}:{stop}], {self.name(value)})")
            start = stop

    def _stage(self) -> None:
        """Copy sequences, all steps at once, to where a join has them."""
        for value in self.staged().values():
            if value.id in self.homes:
                place, source = self.place(value), self.sliced[value.id]
                target = self.e.bind(f"{place.name}_staged", place.whole)
                steps = self.e.time_first_name(source) or self.e.bind(
                    f"{source.name}_by_steps", f"{self.e.rows(source)}.swapaxes(0, 1)"
                )
                self.e.run(f"copyto({target}, {steps})")

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
        target = (
            inner if not masks else ", ".join([f"({inner})" if len(names) > 1 else inner, *(v.name for v, _ in masks)])
        )
        if any(n.rule.uses_step(n) and not n.rule.alias for n in self.loop.nodes):
            order = f"reversed(range({self.loop.steps}))" if self.loop.reverse else f"range({self.loop.steps})"
            target, whole = f"step, ({target})", f"zip({order}, {whole})"
        head = f"for {target} in {whole}:"
        lines = [with_comment(head, way)] if len(head) < WIDTH - 8 else [f"# {way}", *_wrapped_head(target, whole)]
        return lines + indented(self.lines)

    def _masks(self) -> list[tuple[Value, str]]:
        """Return the sequences that are new arrays at every call: masks."""
        read = {v.id for n in self.loop.nodes for v in n.ins}
        for whole in self.sliced.values():
            self.e.integers(whole)
        return [(v, self.e.rows(self.sliced[v.id])) for v in self.loop.slices if not is_row(v.type) and v.id in read]

    def _carry(self) -> None:
        """Bring the states to where the next step looks for them, if they are not there yet."""
        for entering, leaving in zip(self.loop.entering, self.loop.leaving, strict=True):
            here, there = self.places[entering.id], self.place(leaving)
            if not here.whole and here is not there:
                self.run(f"copyto({self.name(entering)}, {self.name(leaving)})")

    def _finish(self) -> None:
        """Hand out the states after the last step, and the sequences that others want in another order."""
        for out, steps in self.copied:
            self.e.out(out)
            self.e.run(f"copyto({self.e.rows(out)}, {self.e.bind(f'{steps}_rows', f'{steps}.swapaxes(0, 1)')})")
        for out, v in zip(self.final, self.loop.final, strict=True):
            place = self.place(v)
            if place.last:
                self.e.strided(out, f"{place.last}.T")
            else:
                self.e.out(out)
                entering = self.loop.entering[self.leaving[v.id]]
                self.e.run(f"copyto({self.e.rows(out)}, {self.places[entering.id].name})")

    def run(self, line: str) -> None:
        """Append a line to the body of the loop."""
        self.lines.append(line)

    def product(self, left: str, right: str, value: Value) -> None:
        """Write a matrix product; where its place is strided, through a scratch array."""
        out = self.out(value)
        if not self.place(value).strided:
            self.run(f"dot({left}, {right}, {out})")
            return
        scratch = self.scratch("dense", value.type.example[-1], "size")
        self.lines += [f"dot({left}, {right}, {scratch})", f"copyto({out}, {scratch})"]

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
            return self._piece(self.e.step_name(f"{value.name}_slope"), whole)
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

    def planar(self, value: Value) -> bool:
        """Whether a value is held in planes, as images are."""
        return False

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

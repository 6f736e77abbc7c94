"""Which array every value lives in.

Arrays of a batch are held features first, batch last; those of images as planes, one per channel, seen through a view
with the channels behind: rows and columns move under a kernel, so they must lie together. A value takes over the array
of an operand that nobody reads any more, or a free array of its shape, or a new one. With `reuse` off every value has
an array of its own, and the numbers are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.ir.tensor import Dim

if TYPE_CHECKING:
    from dotnn.targets.numpy.fast.plan import Plan


@dataclass
class Storage:
    """One array. `uses` counts the reads still to come of all values that live in it.

    `steps` is the name of the array with time first, [time, batch, features], where that is how it lies in memory.
    """

    name: str
    shape: tuple[Dim, ...]
    uses: int = 0
    pinned: bool = False
    whole: bool = True
    planar: bool = False
    steps: str = ""


class Arrays:
    """Hands out arrays by liveness; the set-up of `plan` collects the lines that make them."""

    def __init__(
        self,
        graph: Graph,
        plan: Plan,
        free_name: Callable[[str], str],
        *,
        time_first: set[int],
        reuse: bool = True,
    ) -> None:
        self.plan = plan
        self.setup = plan.setup
        self.free_name = free_name
        self.time_first = time_first
        self.reuse = reuse
        self.reads = Counter(v.id for n in graph.nodes for v in n.ins)
        for value in graph.results():
            self.reads[value.id] += 1
        self.positions = {v.id for n in graph.nodes if n.rule.positions for v in (*n.ins, *n.outs)}
        self.left = Counter(self.reads)
        self.of: dict[int, Storage] = {}
        self.fixed: set[int] = set()
        self.steps: dict[int, str] = {}
        self._free: list[Storage] = []

    def fresh(self, value: Value, expression: str, *, pinned: bool = False, whole: bool = True) -> None:
        """Make an array of its own for `value`."""
        self.setup.append(f"{value.name} = {expression}")
        self.of[value.id] = Storage(value.name, value.type.shape, self.reads[value.id], pinned, whole)

    def empty(self, value: Value) -> None:
        """Give `value` a free array of its shape, or a new one."""
        for held in self._free:
            if self._fits(held, value):
                self._free.remove(held)
                return self._join(value, held)
        if value.id in self.time_first:
            time, features = value.type.example
            return self.by_steps(value, f"np.empty(({time}, size, {features}), dtype)", pinned=False)
        dims: list[int | str] = [*value.type.example, *(["size"] if value.type.batched else [])]
        image = self._is_image(value)
        self.fresh(value, planes(dims) if image else empty_array(dims))
        self.of[value.id].planar = image
        return None

    def _is_image(self, value: Value) -> bool:
        """Whether a value has rows, columns and channels."""
        return value.type.batched and len(value.type.shape) == 4 and value.id not in self.positions

    def planar(self, value: Value) -> bool:
        """Whether a value lives in planes of its own."""
        held = self.of.get(value.id)
        return held is not None and held.planar and held.shape == value.type.shape

    def by_steps(self, value: Value, expression: str, *, pinned: bool = True) -> None:
        """Let `value` live in an array with time first: `expression` has the axes [time, batch, features]."""
        steps = self.free_name(f"{value.name}_steps")
        self.setup.append(f"{steps} = {expression}")
        self.fresh(value, f"{steps}.transpose(0, 2, 1)", pinned=pinned)
        self.of[value.id].steps = self.steps[value.id] = steps

    def take_over(self, value: Value, operands: Sequence[Value], reading: Sequence[Node]) -> bool:
        """Let `value` overwrite an operand whose last readers are the nodes being written. Returns whether it did."""
        for operand in operands:
            held = self.of.get(operand.id)
            now = sum(self._reads_of(held, node) for node in reading) if held else 0
            if self.reuse and held and not held.pinned and held.uses == now and self._fits(held, value):
                self._join(value, held)
                return True
        return False

    def alias(self, value: Value, source: Value, expression: str, *, cut: bool = False, fixed: bool = False) -> None:
        """Let `value` be a view of `source`, whose array lives as long as both.

        `cut`: the source is only read in pieces that do not overlap. Each piece is then an array of its own, if nobody
        reads the source's numbers otherwise. `fixed`: nothing may be written into the view.
        """
        held = self.of.get(source.id)
        self.setup.append(f"{value.name} = {expression}")
        if fixed or source.id in self.fixed:
            self.fixed.add(value.id)
        if source.id in self.steps and expression == source.name:
            self.steps[value.id] = self.steps[source.id]
        if held is None:
            return
        if cut and source.id not in self.fixed and held.uses == self.left[source.id]:
            held.whole = False  # its pieces live on after its own last read: it must never count as free
            self.of[value.id] = Storage(value.name, value.type.shape, self.reads[value.id], whole=False)
        else:
            held.uses += self.reads[value.id]
            self.of[value.id] = held

    def release(self, node: Node) -> None:
        """Count the reads of a node that has been written; an array without further reads becomes free."""
        for value in node.ins:
            held = self.of.get(value.id)
            self.left[value.id] -= 1
            if held is not None:
                held.uses -= 1
                if held.uses == 0 and self.reuse and held.whole and not held.pinned and value.type.batched:
                    self._free.append(held)

    def _fits(self, held: Storage, value: Value) -> bool:
        alike = held.planar == self._is_image(value) and bool(held.steps) == (value.id in self.time_first)
        return alike and held.shape == value.type.shape

    def _join(self, value: Value, held: Storage) -> None:
        if held.steps:
            steps = self.steps[value.id] = self.free_name(f"{value.name}_steps")
            self.setup += [f"{steps} = {held.steps}", f"{value.name} = {steps}.transpose(0, 2, 1)"]
            self.plan.reused.add(steps)
        else:
            self.setup.append(f"{value.name} = {held.name}")
            self.plan.reused.add(value.name)
        held.uses += self.reads[value.id]
        self.of[value.id] = held

    def _reads_of(self, held: Storage | None, node: Node) -> int:
        return sum(self.of.get(v.id) is held for v in node.ins)


def planes(dims: Sequence[int | str], dtype: str = "dtype") -> str:
    """Return the expression of a new array of rows, columns, channels and examples that is held in planes."""
    rows, columns, channels, size = dims
    return f"np.moveaxis(np.empty(({channels}, {rows}, {columns}, {size}), {dtype}), 0, 2)"


def empty_array(dims: Sequence[int | str], dtype: str = "dtype") -> str:
    """Return the expression of a new array."""
    shape = ", ".join(map(str, dims))
    return f"np.empty(({shape}{',' if len(dims) == 1 else ''}), {dtype})"

"""Which sequences lie with time first, and which x W + b is computed inside the loop that reads it.

A loop reads and writes one step [batch, features] at a time, and the products over all steps want those under each
other as rows: both find what they need in an array [time, batch, features].
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dotnn.emit.fast.arrays import readers
from dotnn.ir.graph import Graph
from dotnn.ops import OPS
from dotnn.ops.base import Loop, Node, TensorType, Value

if TYPE_CHECKING:
    from dotnn.emit.fast.emitter import FastEmitter

AFFINE = ("affine", "affine_d_input")


def names_in(graph: Graph) -> set[str]:
    """Return the names of all values that nodes assign, and of those that belong to steps of loops."""
    loops = [n.loop for n in graph.all_nodes() if n.loop]
    found = {v.name for n in graph.all_nodes() for v in n.outs}
    return found | {v.name for loop in loops for v in (*loop.slices, *loop.entering)}


def time_first(graph: Graph) -> set[int]:
    """Return the sequences that loops read or write, and those that are computed from such row by row."""
    found: set[int] = set()
    for node in graph.nodes:
        if node.loop is not None and fits(node.loop):
            collected = node.loop.outputs(node.outs)[0]
            found |= {v.id for v in (*node.loop.sequences(node.ins), *collected) if is_sequence(v.type)}
    for node in graph.nodes:
        if node.loop is None and is_sequence(node.out.type) and (OPS[node.op].elementwise or node.op in AFFINE):
            same = [v for v in node.ins if v.type.shape[:2] == node.out.type.shape[:2]]
            if any(v.id in found for v in same):
                found.add(node.out.id)
    return {v for v in found if v not in {i.id for i in (*graph.inputs.values(), *graph.targets.values())}}


def is_sequence(type: TensorType) -> bool:
    """Whether a value is a sequence of vectors [batch, time, features]."""
    return type.batched and type.dtype == "real" and len(type.shape) == 3


def is_row(type: TensorType) -> bool:
    """Whether a value is one vector for every example."""
    return type.batched and type.dtype == "real" and len(type.shape) == 2


def fits(loop: Loop) -> bool:
    """Whether the loop can be written with arrays that exist already: vectors everywhere, masks beside them."""
    made = {v.id for n in loop.nodes for v in n.outs}
    leaving = [v.id for v in loop.leaving]
    rows = all(is_row(v.type) for v in (*loop.entering, *loop.collected))
    rows = rows and all(is_row(v.type) or (v.type.dtype != "real" and len(v.type.shape) == 1) for v in loop.slices)
    states = len(set(leaving)) == len(leaving) and made.issuperset(leaving)
    flat = all(n.loop is None for n in loop.nodes)
    return rows and states and flat and {v.id for v in loop.final} <= set(leaving)


@dataclass
class Pack:
    """One product a step, [x, h, 1] @ [W; U; b], in place of x W + b for all steps at once and h U in each.

    Saves the passes over x W + b, and makes the gradient of W, U and b one product over all steps.
    """

    affine: Node
    scan: Node
    step: Node

    @property
    def x(self) -> Value:
        """The layer's input sequence."""
        return self.affine.ins[0]

    @property
    def weights(self) -> tuple[Value, ...]:
        """W, U and b, if there is one: the rows of the matrix."""
        return (self.affine.ins[1], self.step.ins[2], *self.affine.ins[2:])

    @property
    def inputs(self) -> int:
        """How many features x has."""
        return self.x.type.example[-1]

    @property
    def units(self) -> int:
        """How many features h has."""
        return self.step.ins[1].type.example[-1]

    @property
    def width(self) -> int:
        """The length of a row."""
        return self.inputs + self.units + len(self.affine.ins) - 2

    @property
    def reverse(self) -> bool:
        """Whether the last step comes first."""
        return bool(self.scan.loop and self.scan.loop.reverse)

    @property
    def here(self) -> str:
        """The rows of the steps among those of the array, which has one more: the state that the last step leaves."""
        return "1:" if self.reverse else ":-1"

    @property
    def prefix(self) -> str:
        """What the layer's names begin with."""
        return self.affine.out.name.removesuffix("_xz")

    def array(self, e: FastEmitter) -> str:
        """Return the name of the array [steps + 1, batch, width]."""
        assert self.scan.loop is not None
        known = self.affine.out.id in e.packed_arrays
        if not known:
            name = e.array(
                f"{self.prefix}_xh",
                f"np.zeros(({self.scan.loop.steps + 1}, size, {self.width}), dtype)  # [x, h, 1] of every step",
            )
            e.packed_arrays[self.affine.out.id] = name
            if len(self.weights) == 3:
                e.prepare(f"{name}[:, :, -1] = 1")
        return e.packed_arrays[self.affine.out.id]

    def place_of_x(self, e: FastEmitter) -> str:
        """Return a name for the places of x in the array."""
        return e.bind(f"{self.prefix}_xh_x", f"{self.array(e)}[{self.here}, :, :{self.inputs}]")

    def place_of_h(self, e: FastEmitter, rows: str = ":") -> str:
        """Return the places of h in the array."""
        return f"{self.array(e)}[{rows}, :, {self.inputs}:{self.inputs + self.units}]"


def packs(graph: Graph) -> dict[int, Pack]:
    """Return the products that go into a loop, by the number of x W + b."""
    producers, reading = graph.producers(), readers(graph.nodes)
    found: dict[int, Pack] = {}
    for node in graph.nodes:
        if node.loop is None or not fits(node.loop):
            continue
        inner = readers(node.loop.nodes)
        pairs = zip(node.loop.slices, node.loop.sequences(node.ins), strict=True)
        for piece, whole in pairs:
            affine, users = producers.get(whole.id), inner.get(piece.id, [])
            alone = len(users) == 1 and users[0].op == "step_affine" and users[0].ins[0] == piece
            outside = [n for n in reading[whole.id] if n.op != "zero_state"]
            alone = alone and len(outside) == 1 and piece not in node.loop.collected
            if alone and affine and affine.op == "affine" and not users[0].ins[2].type.batched:
                found[whole.id] = Pack(affine, node, users[0])
    return _one_per_loop(found.values())


def _one_per_loop(found: Iterable[Pack]) -> dict[int, Pack]:
    return {pack.affine.out.id: pack for pack in {id(pack.scan): pack for pack in found}.values()}

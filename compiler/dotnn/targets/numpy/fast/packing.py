"""One product a step for a recurrent layer, [x, h, 1] @ [W; U; b], and one for its gradient over all steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.fast.arrays import readers
from dotnn.targets.numpy.fast.sequences import fits

if TYPE_CHECKING:
    from dotnn.targets.numpy.fast.emitter import FastEmitter
    from dotnn.targets.numpy.fast.loops import LoopWriter


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


def packed_matrix(e: FastEmitter, pack: Pack, factors: str, before: list[str]) -> str:
    """Return the name of [W; U; b], scaled by `factors` column by column; what has to be renewed goes to `before`."""
    adjacent = e.side_by_side(pack.weights, pack.weights)
    if adjacent:
        inner = ", ".join(f'params["{e.path_of(w)}"]' for w in pack.weights)
        whole = e.bind(f"{pack.prefix}_WUb", f"stacked({inner})")
        if not factors:
            return whole
    matrix = e.array(f"{pack.prefix}_matrix", f"np.empty(({pack.width}, {pack.step.out.type.example[-1]}), dtype)")
    sources = [(whole, matrix)] if adjacent else [(w.name, f"{matrix}[{rows}]") for w, rows in parts(pack.weights)]
    for source, target in sources:
        place = target if target == matrix else e.bind(f"{matrix}_part", target)
        before.append(f"multiply({source}, {factors}, {place})" if factors else f"copyto({place}, {source})")
    return matrix


def parts(weights: Sequence[Value]) -> Iterator[tuple[Value, str]]:
    """Yield which rows of [W; U; b] belong to each."""
    start = 0
    for weight in weights:
        matrix = len(weight.type.shape) == 2
        stop = start + (int(weight.type.shape[0]) if matrix else 1)
        yield weight, f"{start}:{stop}" if matrix else f"{start}"
        start = stop


def packed_gradient(w: LoopWriter) -> set[int]:
    """Write the gradients of W, U and b as one product, if this loop goes back over one with a packed product.

    Returns the numbers of those outputs of the loop that are written.
    """
    collected = list(zip(w.loop.collected, w.collected, strict=True))
    for pack in w.e.packs.values():
        for product, d_u in w.hoisted:
            h, d = map(w.root, (*product.ins, product.ins[0])[:2])
            if product.op == "affine_d_weight" and h.id in w.sliced and _is_state_of(w.sliced[h.id], pack):
                outside = _outer_gradients(w.e, pack, [out for v, out in collected if w.root(v) == d])
                if outside:
                    _write_gradient(w, pack, d, [outside[0].out, d_u, *(n.out for n in outside[1:])])
                    w.e.mark_written(outside)
                    return {d_u.id}
    return set()


def _is_state_of(sequence: Value, pack: Pack) -> bool:
    """Whether a sequence holds what the packed product of every step multiplies with U."""
    assert pack.scan.loop is not None
    collected = pack.scan.loop.outputs(pack.scan.outs)[0]
    ids = {out.id: v.id for v, out in zip(pack.scan.loop.collected, collected, strict=True)}
    return ids.get(sequence.id) == pack.step.ins[1].id


def _write_gradient(w: LoopWriter, pack: Pack, d: Value, outs: Sequence[Value]) -> None:
    """Write [x, h, 1].T @ d_z over the rows of all steps, into the gradients themselves where they lie side by side."""
    e, name = w.e, pack.prefix
    rows = e.bind(f"{name}_xh_T", f"{pack.array(e)}[{pack.here}].reshape(-1, {pack.width}).T")
    if e.side_by_side([e.parameter_of(out) for out in outs], pack.weights):
        for out in outs:
            e.out(out)
        inner = ", ".join(f'grads["{e.owners[out.id]}"]' for out in outs)
        target = e.bind(f"d_{name}_WUb", f"stacked({inner})")
        e.run(f"dot({rows}, {w.long_rows(d)}, {target})  # W, U and b, all steps at once")
        return
    target = e.array(f"d_{name}_WUb", f"np.empty(({pack.width}, {d.type.example[-1]}), dtype)")
    e.run(f"dot({rows}, {w.long_rows(d)}, {target})  # W, U and b, all steps at once")
    for out, part in parts(outs):
        array = e.out(out)
        e.run(f"copyto({array}, {e.bind(f'{array}_part', f'{target}[{part}]')})")


def _outer_gradients(e: FastEmitter, pack: Pack, shares: Sequence[Value]) -> list[Node]:
    """Return the nodes outside that compute the gradients of W and of b from the loop's d_xz."""
    for share in shares:
        users = e.readers.get(share.id, [])
        d_weight = [n for n in users if n.op == "affine_d_weight" and n.ins[0].id == pack.x.id]
        d_bias = [n for n in users if n.op == "sum_examples"]
        if len(d_weight) == 1 and len(d_bias) == len(pack.weights) - 2:
            return d_weight + d_bias
    return []

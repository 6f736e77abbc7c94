"""Gates side by side are one activation: sigmoid(z) = tanh(z / 2) / 2 + 1/2 is a tanh but for three numbers.

Before:  i = sigmoid(z[:, :4]);  g = tanh(z[:, 4:])
After:   a = scaled_tanh(z);  i = a[:, :4];  g = a[:, 4:]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dotnn.ir.builder import STEP, GraphBuilder
from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value, readers
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass
from dotnn.passes.sum_after_loops import with_loop

PLAIN = (1, 1, 0)
"""tanh itself."""


@as_pass
def join_gates(graph: Graph) -> Graph:
    """Join the activations of the pieces of one value, in every loop."""
    b = GraphBuilder(OPS, graph.next_id)
    nodes = [with_loop(n, _joined(b, n.loop)) if n.loop else n for n in graph.nodes]
    return replace(graph, nodes=tuple(nodes), next_id=b.next_id)


@dataclass(frozen=True)
class _Gates:
    """Pieces that cover the columns of z, and the activation of each, in the order of the columns."""

    z: Value
    cuts: Sequence[Node]
    acts: Sequence[Node]

    def tile(self) -> bool:
        """Whether the pieces lie one behind the other, and cover all of z."""
        ends = [0, *(n.attrs["stop"] for n in self.cuts)]
        return [n.attrs["start"] for n in self.cuts] == ends[:-1] and ends[-1] == self.z.type.example[-1]

    def columns(self) -> tuple[int, ...]:
        """How wide the pieces are."""
        return tuple(n.attrs["stop"] - n.attrs["start"] for n in self.cuts)


def _joined(b: GraphBuilder, loop: Loop) -> Loop:
    reading = readers(loop.nodes)
    for node in loop.nodes:
        found = _gates(node.out, reading)
        if found and not _handed_on(loop, found):
            loop = replace(loop, nodes=_written(b, loop.nodes, found))
    return loop


def _gates(z: Value, reading: Mapping[int, Sequence[Node]]) -> _Gates | None:
    """Return the gates that a value is cut into, if it is only cut, and every piece only goes through one."""
    cuts = sorted(reading.get(z.id, ()), key=lambda n: int(n.attrs["start"]) if n.rule.cuts else -1)
    users = [reading.get(n.out.id, ()) for n in cuts if n.rule.cuts]
    acts = [u[0] for u in users if len(u) == 1 and u[0].rule.as_tanh is not None]
    found = _Gates(z, cuts, acts)
    whole = 1 < len(cuts) == len(acts) and found.tile()
    return found if whole and any(n.rule.as_tanh != PLAIN for n in acts) else None


def _handed_on(loop: Loop, gates: _Gates) -> bool:
    """Whether somebody outside or the next step wants what there would not be any more, or what would be a piece."""
    before = {gates.z.id, *(n.out.id for n in gates.cuts)} & {v.id for v in (*loop.collected, *loop.leaving)}
    return bool(before or {n.out.id for n in gates.acts} & {v.id for v in loop.leaving})


def _written(b: GraphBuilder, nodes: Sequence[Node], gates: _Gates) -> tuple[Node, ...]:
    """Return the nodes with one activation in place of the first piece's, and its pieces in place of the others."""
    numbers = zip(*(n.rule.as_tanh for n in gates.acts if n.rule.as_tanh), strict=True)
    attrs = dict(zip(("before", "factor", "shift"), numbers, strict=True), widths=gates.columns())
    first = next(n for n in nodes if n in gates.acts)
    gone = {id(n) for n in gates.cuts}
    name = f"{gates.z.name.removesuffix(f'_{STEP}')}_act_{STEP}"
    whole = b.value(name, gates.z.type)
    joined = replace(first, rule=OPS["scaled_tanh"], ins=(gates.z,), outs=(whole,), attrs=attrs)
    pairs = zip(gates.acts, gates.cuts, strict=True)
    pieces = {id(act): replace(cut, ins=(whole,), outs=act.outs) for act, cut in pairs}
    left = (n for n in nodes if id(n) not in gone)
    return tuple(made for n in left for made in [joined] * (n is first) + [pieces.get(id(n), n)])

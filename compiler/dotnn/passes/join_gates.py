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
    nodes = [with_loop(n, _joined(b, n.loop)) if n.loop and not n.loop.nested else n for n in graph.nodes]
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
    cuts = [n for n in reading.get(z.id, ()) if n.rule.cuts]
    if not 1 < len(cuts) == len(reading[z.id]):
        return None
    cuts.sort(key=lambda n: int(n.attrs["start"]))
    acts = [act for n in cuts if (act := _only_gate(n.out, reading))]
    if len(acts) < len(cuts) or all(n.rule.as_tanh == PLAIN for n in acts):
        return None
    found = _Gates(z, cuts, acts)
    return found if found.tile() else None


def _only_gate(piece: Value, reading: Mapping[int, Sequence[Node]]) -> Node | None:
    """Return the activation that a piece goes through, None where something else reads it, too."""
    users = reading.get(piece.id, ())
    return users[0] if len(users) == 1 and users[0].rule.as_tanh is not None else None


def _handed_on(loop: Loop, gates: _Gates) -> bool:
    """Whether somebody outside or the next step wants what there would not be any more, or what would be a piece."""
    before = {gates.z.id, *(n.out.id for n in gates.cuts)} & {v.id for v in (*loop.collected, *loop.leaving)}
    return bool(before or {n.out.id for n in gates.acts} & {v.id for v in loop.leaving})


def _written(b: GraphBuilder, nodes: Sequence[Node], gates: _Gates) -> tuple[Node, ...]:
    """Return the nodes with one activation in place of the first piece's, and its pieces in place of the others."""
    numbers = zip(*(n.rule.as_tanh for n in gates.acts if n.rule.as_tanh), strict=True)
    attrs = dict(zip(("before", "factor", "shift"), numbers, strict=True), widths=gates.columns())
    first = next(n for n in nodes if n in gates.acts)
    name = f"{gates.z.name.removesuffix(f'_{STEP}')}_act_{STEP}"
    whole = b.value(name, gates.z.type)
    joined = replace(first, rule=OPS["scaled_tanh"], ins=(gates.z,), outs=(whole,), attrs=attrs)
    pairs = zip(gates.acts, gates.cuts, strict=True)
    made: dict[int, tuple[Node, ...]] = {id(cut): () for cut in gates.cuts}
    made |= {id(act): (replace(cut, ins=(whole,), outs=act.outs),) for act, cut in pairs}
    made[id(first)] = (joined, *made[id(first)])
    return tuple(new for n in nodes for new in made.get(id(n), (n,)))

"""A loop over time as a loop over parts of the sequence, whose gradient keeps the states between the parts alone.

Before:  xz = x W + b;  loop over 12 steps: …                                       (recompute = 4)
After:   loop over 3 parts of x: { xz = x_part W + b;  loop over 4 steps: … }

On the way back each part is computed again from the states that it began with, so that what is kept of a step is kept
for one part at a time: with parts of about the square root of the steps, memory grows like that root (Griewank 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dotnn.ir.builder import GraphBuilder, at_a_step, loop_types
from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value, readers
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.loop import RECOMPUTE
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass
from dotnn.passes.reverse import whole_name

PART = "part"


@as_pass
def in_parts(graph: Graph) -> Graph:
    """Go through the sequences of loops that say so part by part."""
    if not goes_in_parts(graph):
        return graph
    b = GraphBuilder(OPS, graph.next_id)
    for node in graph.nodes:
        if node.loop is None or RECOMPUTE not in node.attrs:
            b.nodes.append(node)
            continue
        with b.at(node.layer, node.span, node.layer.replace(".", "_")):
            _Parts(b, graph, node, node.loop).write()
    return replace(graph, nodes=tuple(b.nodes), next_id=b.next_id)


def goes_in_parts(graph: Graph) -> bool:
    """Whether a layer says that its sequence is gone through in parts."""
    return any(RECOMPUTE in node.attrs for node in graph.nodes)


@as_pass
def in_one(graph: Graph) -> Graph:
    """Go through all sequences in one: the graph of the same layers without `recompute`."""
    return replace(graph, nodes=tuple(_whole(node) for node in graph.nodes))


def _whole(node: Node) -> Node:
    return replace(node, attrs={k: v for k, v in node.attrs.items() if k != RECOMPUTE}) if node.loop else node


class _Parts:
    """One loop over time; what its layer computes for all steps at once, and nobody else reads, moves into it."""

    def __init__(self, b: GraphBuilder, graph: Graph, node: Node, loop: Loop) -> None:
        self.b, self.graph, self.node, self.loop = b, graph, node, loop
        self.steps: int = node.attrs[RECOMPUTE]
        self.whole = {v.id for v in node.ins[len(loop.slices) :]}  # an initial state may be as wide as there are steps
        self.moved = self._movable()
        made = {n.out.id for n in self.moved}
        read = [*(v for n in self.moved for v in n.ins), *loop.sequences(node.ins)]
        self.cut = list({v.id: v for v in read if self._is_sequence(v) and v.id not in made}.values())

    def _is_sequence(self, v: Value) -> bool:
        return v.type.batched and len(v.type.shape) > 1 and v.type.shape[1] == self.loop.steps

    def _movable(self) -> list[Node]:
        """Return the nodes of the layer whose results, sequences, only the loop reads."""
        uses = readers(n for n in self.graph.nodes if not n.rule.detached)
        shown = {v.id for v in (*self.graph.results(), *self.graph.steps.values())}
        moving, found = {id(self.node)}, []
        for n in reversed([n for n in self.b.nodes if n.layer == self.node.layer and n.loop is None]):
            inside = all(id(reader) in moving for reader in uses.get(n.out.id, ())) and n.out.id not in self.whole
            if inside and n.out.id not in shown and self._is_sequence(n.out) and not n.rule.random:
                moving.add(id(n))
                found.append(n)
        return found[::-1]

    def write(self) -> None:
        """Append the loop over the parts, with what brings sequences into parts and out of them."""
        gone = {id(n): n.out.id for n in self.moved}
        like = next(v for v in self.cut if v.type.dtype == "real")
        left = (n for n in self.b.nodes if id(n) not in gone)
        self.b.nodes[:] = [replace(n, ins=tuple(like if v.id in gone.values() else v for v in n.ins)) for n in left]
        parts = self.loop.steps // self.steps
        wholes = [self._parted(v, parts) for v in self.cut]
        slices = [self._value(v.name, at_a_step(w.type), PART) for v, w in zip(self.cut, wholes, strict=True)]
        entering = [self._value(whole_name(v), v.type, "start") for v in self.loop.leaving]
        nodes, inner = self.b.inner(lambda: self._body(slices, entering), PART)
        count = len(self.loop.collected)
        collected, final = inner.outs[:count], inner.outs[count:]
        ends = dict(zip((v.id for v in self.loop.leaving), final, strict=True))
        outer = Loop(
            parts,
            nodes,
            tuple(slices),
            tuple(entering),
            final,
            collected=collected,
            final=tuple(ends[v.id] for v in self.loop.final),
            reverse=self.loop.reverse,
            recompute=True,
        )
        sequences, last, _ = self.loop.outputs(self.node.outs)
        types = loop_types(outer)
        whole = [self.b.value(f"{v.name}_parts", t) for v, t in zip(sequences, types, strict=False)]
        self.b.append_loop(outer, (*wholes, *self.loop.initial(self.node.ins)), (*whole, *last))
        for out, value in zip(sequences, whole, strict=True):
            shape = out.type.example
            self.b.nodes.append(
                replace(_plain(self.node), rule=OPS["reshape"], ins=(value,), outs=(out,), attrs={"shape": shape})
            )

    def _parted(self, v: Value, parts: int) -> Value:
        name = v.name.removeprefix(f"{self.b.prefix}_")
        return self.b.emit("reshape", v, name=f"{name}_parts", shape=(parts, self.steps, *v.type.example[1:]))

    def _value(self, name: str, type: TensorType, suffix: str) -> Value:
        return self.b.value(f"{name}_{suffix}", type)

    def _body(self, slices: Sequence[Value], entering: Sequence[Value]) -> Node:
        """Write one part: what the layer computes of its steps at once, then the loop over them."""
        known = {v.id: part for v, part in zip(self.cut, slices, strict=True)}
        for n in self.moved:
            ins = tuple(known.get(v.id, v) for v in n.ins)
            known[n.out.id] = out = replace(n.out, type=n.rule.infer([v.type for v in ins], n.attrs))
            self.b.nodes.append(replace(n, ins=ins, outs=(out,)))
        loop = replace(self.loop, steps=self.steps, final=self.loop.leaving)
        types, count = loop_types(loop), len(loop.collected)
        names = [*(v.name for v in self.node.outs[:count]), *(f"{whole_name(v)}_{PART}" for v in loop.leaving)]
        outs = tuple(self.b.value(name, t) for name, t in zip(names, types, strict=True))
        sequences = tuple(known[v.id] for v in self.loop.sequences(self.node.ins))
        rest = self.node.ins[len(loop.slices) + len(loop.entering) :]
        ins = (*sequences, *entering, *rest)
        inner = replace(_plain(self.node), ins=ins, outs=outs, loop=loop)
        self.b.nodes.append(inner)
        return inner


def _plain(node: Node) -> Node:
    return replace(_whole(node), loop=None)

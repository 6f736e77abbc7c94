"""A loop over time as a loop over parts of the sequence, whose gradient keeps the states between the parts alone.

Before:  xz = x W + b;  loop over 12 steps: …                                       (recompute = 4)
After:   loop over 3 parts of x: { xz = x_part W + b;  loop over 4 steps: … }

Where the parts do not take all steps, a loop of its own behind them takes the rest. On the way back each part is
computed again from the states that it began with, so that what is kept of a step is kept for one part at a time: with
parts of about the square root of the steps, memory grows like that root (Griewank 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dotnn.ir.builder import BEFORE, STEP, GraphBuilder, at_a_step, loop_types
from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value, readers
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.loop import RECOMPUTE
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass
from dotnn.passes.reverse import fresh, whole_name

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
        if node.loop.steps == 1:  # there is nothing to cut, and a mask that is the same in all steps is as long
            b.nodes.append(_whole(node))
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
        """Append the loop over the parts, with what brings sequences into parts and out of them, and what is left."""
        gone = {id(n): n.out.id for n in self.moved}
        like = next(v for v in self.cut if v.type.dtype == "real")
        left = (n for n in self.b.nodes if id(n) not in gone)
        self.b.nodes[:] = [replace(n, ins=tuple(like if v.id in gone.values() else v for v in n.ins)) for n in left]
        sequences, last, _ = self.loop.outputs(self.node.outs)
        initial, rest = self.loop.initial(self.node.ins), self.loop.steps % self.steps
        if not rest:
            self._over_parts(self.cut, initial, self.loop.final, sequences, last)
            return
        first, ends = self._fresh(sequences, self.loop.steps - rest, "first"), self._ends()
        self._over_parts(self._of_time(rest, parts=True), initial, self.loop.leaving, first, ends)
        more = self._fresh(sequences, rest, "rest")
        self._rest(self._of_time(rest, parts=False), ends, more, last)
        for out, pair in zip(sequences, zip(first, more, strict=True), strict=True):
            ins = pair[::-1] if self.loop.reverse else pair
            self.b.nodes.append(self._plain("concat_along", ins, out, axis=1))

    def _of_time(self, rest: int, *, parts: bool) -> list[Value]:
        """Return the steps of all sequences that come first, which the parts take, or those of the rest."""
        steps, earlier = self.loop.steps, parts != self.loop.reverse
        at = rest if self.loop.reverse else steps - rest
        place, word = (0, at) if earlier else (at, steps), "first" if parts else "rest"
        return [self.b.emit("part", v, name=f"{self._short(v)}_{word}", places=(place,)) for v in self.cut]

    def _fresh(self, sequences: Sequence[Value], steps: int, word: str) -> list[Value]:
        """Return values for so many steps of sequences."""
        types = [TensorType((v.type.shape[0], steps, *v.type.example[1:]), v.type.dtype) for v in sequences]
        return [self.b.value(f"{v.name}_{word}", type) for v, type in zip(sequences, types, strict=True)]

    def _ends(self) -> list[Value]:
        return [self._value(whole_name(v), v.type, "between") for v in self.loop.leaving]

    def _over_parts(
        self,
        cut: Sequence[Value],
        initial: Sequence[Value],
        final: Sequence[Value],
        outs: Sequence[Value],
        last: Sequence[Value],
    ) -> None:
        """Append the loop over the parts of the sequences `cut`.

        Its results are the sequences `outs`, and `last`, what the states `final` are in the end.
        """
        parts = self.loop.steps // self.steps
        wholes = [self._parted(v, parts) for v in cut]
        slices = [self._value(v.name, at_a_step(w.type), PART) for v, w in zip(self.cut, wholes, strict=True)]
        entering = [self._value(whole_name(v), v.type, "start") for v in self.loop.leaving]
        nodes, inner = self.b.inner(lambda: self._body(slices, entering), PART)
        count = len(self.loop.collected)
        collected, leaving = inner.outs[:count], inner.outs[count:]
        ends = dict(zip((v.id for v in self.loop.leaving), leaving, strict=True))
        outer = Loop(
            parts,
            nodes,
            tuple(slices),
            tuple(entering),
            leaving,
            collected=collected,
            final=tuple(ends[v.id] for v in final),
            reverse=self.loop.reverse,
            recompute=True,
        )
        whole = [self.b.value(f"{v.name}_parts", t) for v, t in zip(outs, loop_types(outer), strict=False)]
        self.b.append_loop(outer, (*wholes, *initial), (*whole, *last))
        for out, value in zip(outs, whole, strict=True):
            self.b.nodes.append(self._plain("reshape", (value,), out, shape=out.type.example))

    def _rest(
        self, cut: Sequence[Value], initial: Sequence[Value], outs: Sequence[Value], last: Sequence[Value]
    ) -> None:
        """Append the loop over the steps that are left: all that it computes is kept, as of a single part."""
        known = {v.id: part for v, part in zip(self.cut, cut, strict=True)}
        for n in self.moved:
            ins = tuple(known.get(v.id, v) for v in n.ins)
            known[n.out.id] = out = self._value(n.out.name, n.rule.infer([v.type for v in ins], n.attrs), "rest")
            self.b.nodes.append(replace(n, ins=ins, outs=(out,)))
        loop = replace(self.loop, steps=cut[0].type.example[0])
        loop, _ = fresh(loop, self._of_rest, (*loop.slices, *loop.entering))
        sequences = tuple(known[v.id] for v in self.loop.sequences(self.node.ins))
        rest = self.node.ins[len(loop.slices) + len(loop.entering) :]
        outputs = (*outs, *last)
        self.b.nodes.append(replace(_whole(self.node), ins=(*sequences, *initial, *rest), outs=outputs, loop=loop))

    def _of_rest(self, name: str, type: TensorType, role: str) -> Value:
        """Return a value of a step of the rest: `h_t` there is `h_rest_t`."""
        end = next((f"_{word}" for word in (STEP, BEFORE) if name.endswith(f"_{word}")), "")
        return self.b.value(f"{name.removesuffix(end)}_rest{end}", type, role)

    def _plain(self, op: str, ins: Sequence[Value], out: Value, **attrs: object) -> Node:
        return replace(_whole(self.node), loop=None, rule=OPS[op], ins=tuple(ins), outs=(out,), attrs=attrs)

    def _short(self, v: Value) -> str:
        return v.name.removeprefix(f"{self.b.prefix}_")

    def _parted(self, v: Value, parts: int) -> Value:
        return self.b.emit("reshape", v, name=f"{self._short(v)}_parts", shape=(parts, self.steps, *v.type.example[1:]))

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
        inner = replace(_whole(self.node), ins=ins, outs=outs, loop=self._counted(loop))
        self.b.nodes.append(inner)
        return inner

    def _counted(self, loop: Loop) -> Loop:
        """Return the loop of a part, whose gradient stops where that of the whole does.

        Parts are as long as several times `truncate`; read backwards, they begin behind the rest.
        """
        before = self.loop.steps % self.steps if self.loop.reverse else 0
        cuts = [n.rule.name == "truncate" for n in loop.nodes]
        nodes = (
            replace(n, attrs={**n.attrs, "before": before}) if cut and before else n
            for n, cut in zip(loop.nodes, cuts, strict=True)
        )
        return replace(loop, nodes=tuple(nodes))

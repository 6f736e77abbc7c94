"""Reverse mode over a run of nodes: the whole graph, or the body of a loop.

Every value collects one cotangent per use; where there are several, an `accumulate` adds them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from dotnn.ir.builder import BEFORE, STEP, GraphBuilder, over_time
from dotnn.ir.node import Loop, Node, Value
from dotnn.passes.read_alone import read_alone


class MissingRule(Exception):
    """An op without a VJP rule lies between a parameter and the loss."""

    def __init__(self, node: Node) -> None:
        self.node = node
        super().__init__(f"the op {node.op} has no gradient rule")


class Reverse:
    """Writes the gradients of `nodes` with `builder`.

    `active` are the values that depend on something whose gradient is wanted, `uses` counts what sends a cotangent
    back to each. `cotangents` holds what has come back so far. `nodes` may change: a loop is made to hand out the
    values that its gradient reads.
    """

    def __init__(self, builder: GraphBuilder, nodes: Sequence[Node], active: set[int], uses: dict[int, int]) -> None:
        self.builder = builder
        self.nodes = list(nodes)
        self.active = active
        self.uses = uses
        self.cotangents: dict[int, list[Value]] = {}

    def run(self) -> None:
        """Walk the nodes backward."""
        for index in reversed(range(len(self.nodes))):
            node = self.nodes[index]
            if any(v.id in self.active and v.id in self.cotangents for v in node.outs):
                with self.builder.at(node.layer, node.span, ""):
                    if node.loop is None:
                        self._node(node)
                    else:
                        self.nodes[index] = _LoopGradient(self, node, node.loop).run()

    def _node(self, node: Node) -> None:
        rule = node.rule.vjp
        if rule is None:
            raise MissingRule(node)
        total = self.total(node.out)
        if total is None:
            return
        self.builder.prefix = f"d_{node.out.name}_step"
        first = len(self.builder.nodes)
        for value, cotangent in zip(node.ins, rule(self.builder, node, total), strict=True):
            if cotangent is not None and value.id in self.active:
                self.contribute(value, cotangent, node, first)

    def contribute(self, value: Value, cotangent: Value, node: Node, first: int) -> None:
        """Keep one use's share, named `d_v` where it is the only one, else `d_v_from_<user>`."""
        shares = self.cotangents.setdefault(value.id, [])
        if cotangent.role == "seed":
            shares.append(cotangent)
            return
        fresh = next((n for n in self.builder.nodes[first:] if n.outs[0] is cotangent), None)
        if fresh is None:  # the rule passed a cotangent on unchanged, as addition does: the reader sees that line too
            first = len(self.builder.nodes)
            cotangent = self.builder.emit("pass_on", cotangent)
            fresh = self.builder.nodes[first]
        named = replace(cotangent, name=self.share_name(value, node))
        index = self.builder.nodes.index(fresh, first)
        self.builder.nodes[index] = replace(fresh, outs=(named,))
        shares.append(named)

    def share_name(self, value: Value, node: Node) -> str:
        """Return what one use's share of a cotangent is called."""
        return f"d_{value.name}" + (f"_from_{node.outs[0].name}" if self.uses[value.id] > 1 else "")

    def total(self, value: Value) -> Value | None:
        """Return the cotangent of a value: the sum of what its uses send back, or None for zero."""
        shares = self.cotangents.get(value.id, [])
        if len(shares) > 1:
            outer, self.builder.prefix = self.builder.prefix, f"d_{value.name}"
            suffix, self.builder.suffix = self.builder.suffix, ""
            shares[:] = [self.builder.emit("accumulate", *shares)]
            self.builder.prefix, self.builder.suffix = outer, suffix
        return shares[0] if shares else None

    def zeros(self, value: Value, name: str = "") -> Value:
        """Return an explicit zero gradient, for a parameter that has no effect on the loss (before a threshold)."""
        self.builder.prefix = name or f"d_{value.name}"
        return self.builder.emit("zeros_like", value)


class _LoopGradient:
    """Backpropagation through time: the gradient of a loop is a loop in the other direction.

    What a forward step leaves to the next one (h, c) becomes what a backward step gets from the next one (d_h, d_c).
    What the steps share (a weight) has the sum of the steps' gradients.
    """

    def __init__(self, outer: Reverse, node: Node, loop: Loop) -> None:
        self.outer, self.node = outer, node
        self.builder = outer.builder
        self.first_pass = loop
        loop, self.again = repeated(loop, self.builder.value) if loop.recompute else (loop, {})
        self.loop = loop
        self.active = self._active()
        states = zip(loop.entering, loop.leaving, loop.initial(node.ins), strict=True)
        self.states = [state for state in states if state[0].id in self.active]
        collected, final, _ = loop.outputs(node.outs)
        self.from_steps = [(v, d) for v, out in zip(loop.collected, collected, strict=True) if (d := outer.total(out))]
        self.from_last = {v.id: d for v, out in zip(loop.final, final, strict=True) if (d := outer.total(out))}

    def run(self) -> Node:
        """Append the reversed loop; return the forward one, which hands out what the reversed one reads."""
        if not self.from_steps and not self.from_last:
            return self.node
        value = self.builder.value
        names = {v.id: out.name for v, out in zip(self.loop.collected, self.node.outs, strict=False)}
        sent = [value(f"d_{names[v.id]}_{STEP}", v.type, "cotangent") for v, _ in self.from_steps]
        following = [value(f"d_{whole_name(v)}_next", v.type, "cotangent") for _, v, _ in self.states]
        self.inner = self._reverse_of_a_step(sent, following)
        nodes, (leaving, slices, shared) = self.builder.inner(self._write, "")
        if self.again:
            nodes = read_alone(nodes, (*leaving, *slices.values(), *shared.values()))
        node, saved = self._with_saved(nodes)
        loop = Loop(
            self.loop.steps,
            nodes,
            (*sent, *saved),
            tuple(following),
            leaving,
            collected=tuple(slices.values()),
            final=tuple(d for d, state in zip(leaving, self.states, strict=True) if self._started(state)),
            summed=tuple(shared.values()),
            reverse=not self.loop.reverse,
        )
        self._append(loop, node, saved, [*slices, *(s[-1] for s in self.states if self._started(s)), *shared])
        return node

    def _started(self, state: tuple[Value, Value, Value]) -> bool:
        """Whether the gradient with respect to the initial value of a state is wanted."""
        return state[-1].id in self.outer.active

    def _append(self, loop: Loop, node: Node, saved: Mapping[Value, Value], receivers: Sequence[Value]) -> None:
        """Append the reversed loop; its outputs are sent back to the values outside, the `receivers`."""
        value = self.builder.value
        outs = [value(self.outer.share_name(v, node), v.type, "cotangent") for v in receivers]
        ends = [self.from_last.get(last.id) or self._zero(last, first) for _, last, first in self.states]
        said = {"again": self.again} if self.again else {}
        self.builder.append_loop(loop, (*(d for _, d in self.from_steps), *saved.values(), *ends), outs, **said)
        for receiver, out in zip(receivers, outs, strict=True):
            self.outer.cotangents.setdefault(receiver.id, []).append(out)

    def _active(self) -> set[int]:
        """Return what depends on something active outside, at the first step or through the steps before."""
        loop, outside = self.loop, self.outer.active
        pairs = [*zip(loop.slices, loop.sequences(self.node.ins), strict=True)]
        pairs += zip(loop.entering, loop.initial(self.node.ins), strict=True)
        found = {v.id for v in loop.free() if v.id in outside} | {v.id for v, of in pairs if of.id in outside}
        while True:
            found = reached_from(loop.nodes, found)
            more = {v.id for v, last in zip(loop.entering, loop.leaving, strict=True) if last.id in found} - found
            if not more:
                return found
            found |= more

    def _reverse_of_a_step(self, sent: list[Value], following: list[Value]) -> Reverse:
        """Return reverse mode over the body, with what the outputs and the next step send back."""
        seeds = [(v, d) for (v, _), d in zip(self.from_steps, sent, strict=True)]
        seeds += [(last, d) for (_, last, _), d in zip(self.states, following, strict=True)]
        uses = count_uses(self.loop.nodes, self.active, [v for v, _ in seeds])
        inner = Reverse(self.builder, self.loop.nodes, self.active, uses)
        for v, d in seeds:
            uses[v.id] = uses.get(v.id, 0) + 1
            inner.cotangents.setdefault(v.id, []).append(d)
        return inner

    def _write(self) -> tuple[tuple[Value, ...], dict[Value, Value], dict[Value, Value]]:
        """Write the body; return the cotangents of the states, of the sequences, and of what the steps share."""
        inner = self.inner
        inner.run()
        if self.again:
            self.builder.nodes[:0] = inner.nodes
        with self.builder.at(self.node.layer, self.node.span, ""):
            leaving = tuple(inner.total(v) or inner.zeros(v) for v, _, _ in self.states)
            pairs = zip(self.loop.slices, self.loop.sequences(self.node.ins), strict=True)
            slices = {whole: d for v, whole in pairs if (d := self._gradient(v))}
            shared = {v: d for v in self.loop.free() if (d := self._gradient(v))}
        return leaving, slices, shared

    def _gradient(self, value: Value) -> Value | None:
        return self.inner.total(value) if value.id in self.active else None

    def _with_saved(self, nodes: Sequence[Node]) -> tuple[Node, dict[Value, Value]]:
        """Return the forward scan with further outputs, and for each value of its steps that is read, its sequence."""
        loop = self.first_pass
        known = dict(zip(loop.slices, loop.sequences(self.node.ins), strict=True))
        known |= dict(zip(loop.collected, self.node.outs, strict=False))
        of_a_step = loop.made()
        read = {v.id: v for n in nodes for v in n.ins if v.id in of_a_step}
        new = [v for v in read.values() if v not in known]
        wholes = [self.builder.value(whole_name(v), over_time(v.type, loop.steps)) for v in new]
        known |= dict(zip(new, wholes, strict=True))
        count = len(loop.collected)
        outs = (*self.node.outs[:count], *wholes, *self.node.outs[count:])
        node = replace(self.node, outs=outs, loop=replace(loop, collected=(*loop.collected, *new)))
        return node, {v: known[v] for v in read.values()}

    def _zero(self, last: Value, first: Value) -> Value:
        """Return what comes back from beyond the last step."""
        with self.builder.at(self.node.layer, self.node.span, ""):
            return self.outer.zeros(first, f"d_{whole_name(last)}_end")


def fresh(loop: Loop, value: Callable[..., Value], own: Iterable[Value] = ()) -> tuple[Loop, dict[int, Value]]:
    """Return a loop that computes the same with values of its own, and these by the numbers of those they repeat.

    What enters a step is the same, but for `own`.
    """
    every = [n for node in loop.nodes for n in node.all_nodes()]
    made = [*own, *(v for n in every for v in n.outs)]
    made += [v for n in every if n.loop for v in (*n.loop.slices, *n.loop.entering)]
    new = {v.id: value(v.name, v.type, v.role) for v in made}
    return loop.map_values(lambda v: new.get(v.id, v)), new


def repeated(loop: Loop, value: Callable[..., Value]) -> tuple[Loop, dict[int, int]]:
    """Return a loop whose steps compute the same once more, and which value each of theirs repeats."""
    again, new = fresh(loop, value)

    def backward(node: Node) -> Node:
        inner = node.loop and replace(node.loop, nodes=tuple(map(backward, node.loop.nodes)))
        return replace(node, loop=inner, phase="backward")

    return replace(again, nodes=tuple(map(backward, again.nodes))), {v.id: old for old, v in new.items()}


def whole_name(value: Value) -> str:
    """Return what the sequence of a step's values is called: `h_t` -> `h`, and `h_before` -> `h_shifted`."""
    before = value.name.removesuffix(f"_{BEFORE}")
    return value.name.removesuffix(f"_{STEP}") if before == value.name else f"{before}_shifted"


def count_uses(nodes: Iterable[Node], active: set[int], ends: Iterable[Value]) -> dict[int, int]:
    """Return how many uses of each value send a cotangent back: those that lie on a way to one of `ends`."""
    leads_on = {v.id for v in ends}
    uses: dict[int, int] = {}
    for node in reversed(list(nodes)):
        if any(v.id in leads_on and v.id in active for v in node.outs):
            for value in node.ins:
                uses[value.id] = uses.get(value.id, 0) + 1
                leads_on.add(value.id)
    return uses


def reached_from(nodes: Iterable[Node], sources: Iterable[int]) -> set[int]:
    """Return the numbers of all values that depend on `sources`, the sources included."""
    reached = set(sources)
    for node in nodes:
        if not node.rule.detached and any(v.id in reached for v in node.ins):
            reached.update(v.id for v in node.outs)
    return reached

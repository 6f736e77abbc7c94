"""What goes in and out of every call: operands and results, forward and backward, and what is saved in between."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.explain.calls import Call, orders, repeated_blocks

Values = dict[int, Value]
"""Values by their numbers, in order."""


@dataclass(eq=False)
class Frame:
    """What a call and its functions exchange with what is around them.

    entering, leaving    what forward is handed (parameters apart), and what it returns
    saved                what forward keeps for backward, the loss, new state or metrics
    returning, sent      what backward is handed, and what it returns
    draws, modes         whether forward needs the generator, and the mode
    """

    call: Call
    entering: Values = field(default_factory=dict)
    leaving: Values = field(default_factory=dict)
    saved: Values = field(default_factory=dict)
    returning: Values = field(default_factory=dict)
    sent: Values = field(default_factory=dict)
    params: Values = field(default_factory=dict)
    d_params: Values = field(default_factory=dict)
    draws: bool = False
    modes: bool = False


@dataclass(frozen=True)
class Record:
    """What every step of a loop leaves for the way back, as one value: `inner` are the values of a step."""

    whole: Value
    inner: tuple[Value, ...]
    taken: frozenset[int]


class Flow:
    """The frames of all calls of a network."""

    def __init__(self, graph: Graph, root: Call, kept: Iterable[Value]) -> None:
        self.graph, self.root = graph, root
        self.params = {v.id: name for t in (graph.params, graph.state) for name, v in t.items()}
        self.sources = {v.id for v in graph.sources()} - self.params.keys()
        self.records = _records(root, graph)
        self.orders, self.repeated = orders(root), repeated_blocks(root)
        self.record_of = {i: r for r in self.records.values() for i in r.taken}
        self._in_line: dict[int, tuple[Node, list[Value]]] = {}
        self.frames: dict[Call, Frame] = {}
        self.home: dict[int, Call] = {}
        self.home_back: dict[int, Call] = {}
        self.of_loss = {v.id for node in graph.phase("loss", "state") for v in node.outs}
        self.again = _again(graph)
        self.read = {v.id for node in graph.all_nodes() for v in node.ins} | {v.id for v in graph.results()}
        self.inside_out = list(root.inside_out())
        for call in self.inside_out:
            self._forward(call)
        self.repeated_steps = {r.whole.id for r in self.records.values()} - self.home.keys()
        self._results(kept)
        self._backward()

    # ------------------------------------------------------------------------------------------------- reading

    def reads(self, node: Node) -> Iterator[Value]:
        """Yield what a node reads; of a loop that goes back, the record of the other loop once."""
        seen = set()
        for v in node.ins:
            record = self.record_of.get(v.id)
            v = record.whole if record else v
            if v.id not in seen:
                seen.add(v.id)
                yield v

    def reads_in_line(self, node: Node) -> list[Value]:
        """Return what the line of a node reads, as often as it does."""
        if id(node) not in self._in_line:
            text = node.rule.line_of_both(node, lambda v: f"<{v.id}>")
            found = [v for v in node.ins for _ in range(max(1, text.count(f"<{v.id}>") // node.ins.count(v)))]
            self._in_line[id(node)] = node, found  # the node is kept, so that no other gets its id
        return self._in_line[id(node)][1]

    def makes(self, node: Node) -> list[Value]:
        """Return what a node assigns outside of its loop."""
        record = self.records.get(node.outs[0].id) if node.outs else None
        outs = [v for v in node.outs if v.id not in self.record_of]
        return [*outs, record.whole] if record else outs

    def owns(self, call: Call, value: Value) -> bool:
        """Whether a value is a parameter of the call."""
        name = self.params.get(value.id)
        if name is None:
            return False
        if call.step is not None:
            return name in call.step.params.values()
        return (not call.params and call.kind == "root") or name.startswith(f"{call.params}.")

    # ------------------------------------------------------------------------------------------------- forward

    def _forward(self, call: Call) -> None:
        frame = self.frames[call] = Frame(call)
        made: set[int] = set()
        for item in call.forward:
            if isinstance(item, Call):
                inner = self.frames[item]
                self._enter(frame, inner.entering.values(), made)
                for v in inner.params.values():
                    self._param(frame, v)
                frame.draws |= inner.draws
                frame.modes |= inner.modes
                made |= {v.id for n in item.nodes("forward") for v in self.makes(n)}
                continue
            self._enter(frame, self.reads(item), made)
            for node in item.all_nodes():
                frame.draws |= node.rule.random
                frame.modes |= node.rule.random or bool(node.rule.inference)
            for v in self.makes(item):
                self.home[v.id] = call
                made.add(v.id)

    def _enter(self, frame: Frame, values: Iterable[Value], made: set[int]) -> None:
        for v in values:
            if self.owns(frame.call, v):
                frame.params[v.id] = v
            elif v.id not in made:
                frame.entering.setdefault(v.id, v)

    def _param(self, frame: Frame, v: Value) -> None:
        if self.owns(frame.call, v):
            frame.params[v.id] = v

    def _results(self, kept: Iterable[Value]) -> None:
        for call in self.inside_out:
            for item in call.forward:
                if isinstance(item, Node):
                    for v in self.reads(item):
                        self._leave(v, call)
        for v in self.graph.outputs.values():
            self._leave(v, self.root)
        for v in kept:
            self.save(v, self.root)
        for node in self.graph.phase("loss", "state"):
            for v in self.reads(node):
                if v.id not in self.of_loss:
                    self.save(v, self.root)

    def _leave(self, v: Value, reader: Call) -> None:
        around = {id(c) for c in reader.ancestors()}
        for call in self.home[v.id].ancestors() if v.id in self.home else ():
            if id(call) in around:
                break
            self.frames[call].leaving[v.id] = v

    # ------------------------------------------------------------------------------------------------ backward

    def _backward(self) -> None:
        direct = [(node, call) for call in self.inside_out for node in call.direct("backward")]
        self.home_back = {v.id: call for node, call in direct for v in self.makes(node)}
        for node, call in direct:
            self._read_back(node, call)
        for v in self.graph.grads.values():
            self._send(v, self.root)
        for call in self.inside_out:
            for inner in call.calls("backward"):
                self.frames[call].d_params |= self._owned(call, self.frames[inner].d_params)

    def _owned(self, call: Call, values: Values) -> Values:
        """Return those of some values that are parameters of a call."""
        return {i: v for i, v in values.items() if self.owns(call, v)}

    def _read_back(self, node: Node, call: Call) -> None:
        """Let a node that goes back have what it reads: sent by whoever makes it, or saved by a forward function."""
        sized = self.sized_like(node, call)
        for v in [*self.reads(node), *([sized] if sized else [])]:
            if v.id in self.home_back or v.role == "seed":
                self._send(v, call)
            else:
                self.save(v, call)

    def sized_like(self, node: Node, call: Call) -> Value | None:
        """Return the operand of a call whose size a node restores: it is read from that, not written down."""
        size = node.attrs.get("size")
        if call.parent is None or size is None or node.loop is not None:
            return None
        operands = self.frames[call].entering.values()
        return next((v for v in operands if v.type.example[:-1] == tuple(size)), None)

    def save(self, v: Value, reader: Call) -> None:
        """Let forward keep a value so that `reader` finds it; what it cannot find there is handed to it."""
        call: Call | None = reader
        while call is not None:
            frame = self.frames[call]
            if self.owns(call, v):
                frame.d_params[v.id] = v
                return
            place = self.saved_in(v, call)
            if place is not None:
                self.frames[place].saved[v.id] = v
                return
            if call.parent is None:
                return  # the batch
            frame.returning[v.id] = v
            call = call.parent

    def saved_in(self, v: Value, call: Call) -> Call | None:
        """Return the call, this one or one in it, whose forward function has a value at hand."""
        if v.id not in self.home:
            return call if v.id in self.frames[call].entering and call.parent is not None else None
        chain = list(self.home[v.id].ancestors())
        if call not in chain:
            return call if v.id in self.frames[call].entering else None
        inside = chain[: chain.index(call) + 1][::-1]
        for around, inner in itertools.pairwise(inside):
            if v.id in self.frames[inner].leaving:
                return around
        return inside[-1]

    def _send(self, v: Value, reader: Call) -> None:
        home = self.home_back.get(v.id, self.root)
        homes, readers = list(home.ancestors()), list(reader.ancestors())
        around_home, around_reader = {id(c) for c in homes}, {id(c) for c in readers}
        for call in readers:
            if id(call) in around_home:
                break
            self.frames[call].returning.setdefault(v.id, v)
        for call in homes:
            if id(call) in around_reader:
                break
            self.frames[call].sent.setdefault(v.id, v)


def _again(graph: Graph) -> dict[int, Value]:
    """Return what the losses computed by the numbers of the values that compute it again on the way back."""
    made: dict[object, Value] = {}
    alike: dict[int, Value] = {}
    for node in graph.phase("loss"):
        alike[node.outs[0].id] = made.setdefault(_computation(node, alike), node.outs[0])
    found: dict[int, Value] = {}
    for node in graph.phase("backward"):
        if node.loop is None and node.out.role == "again":
            found[node.out.id] = made[_computation(node, alike | found)]
    return found


def _computation(node: Node, again: dict[int, Value]) -> object:
    """Return what tells two computations of the same from others."""
    return node.op, tuple(again.get(v.id, v).id for v in node.ins), repr(sorted(node.attrs.items()))


# ------------------------------------------------------------------------------------------------------ records


def _records(root: Call, graph: Graph) -> dict[int, Record]:
    """Return the record of every loop that has one, by the number of the loop's first output.

    What a loop collects goes into the record where only loops that go back read it, step by step.
    """
    found: dict[int, Record] = {}
    _note_records(found, root.nodes("forward"), _read_step_by_step(root, graph))
    for node in root.nodes("backward"):
        if node.loop is not None and node.loop.nested:
            _note_records(found, node.loop.nodes, _cut_alone(node.loop.nodes))
    return found


def _note_records(found: dict[int, Record], nodes: Iterable[Node], taken: set[int]) -> None:
    """Note the record of every loop among nodes of which what it collects is `taken` step by step."""
    for node in nodes:
        collected = zip(node.outs, node.loop.collected, strict=False) if node.loop else ()
        pairs = [(out, inner) for out, inner in collected if out.id in taken]
        if pairs:
            name = "kept" if node.loop and node.loop.nested else "steps"
            whole = Value(-1 - len(found), name, node.outs[0].type)
            found[node.outs[0].id] = Record(whole, tuple(i for _, i in pairs), frozenset(o.id for o, _ in pairs))


def _read_step_by_step(root: Call, graph: Graph) -> set[int]:
    """Return the numbers of the values that loops of the backward pass cut into steps, and nobody else reads."""
    otherwise = {v.id for v in [*graph.outputs.values(), *graph.steps.values()]}
    every = [*root.nodes("forward"), *graph.phase("loss", "state"), *root.nodes("backward")]
    return _cut_alone(every) - otherwise


def _cut_alone(nodes: Iterable[Node]) -> set[int]:
    """Return the numbers of the values that loops of the backward pass cut into steps, and no other node reads."""
    by_step: set[int] = set()
    otherwise: set[int] = set()
    for node in nodes:
        count = len(node.loop.slices) if node.loop and node.phase == "backward" else 0
        by_step |= {v.id for v in node.ins[:count]}
        otherwise |= {v.id for v in node.ins[count:]}
    return by_step - otherwise

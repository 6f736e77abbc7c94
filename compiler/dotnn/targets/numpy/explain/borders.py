"""What goes back over the borders of calls: sums stand where they are read, and zeros are made like what is beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value
from dotnn.targets.numpy.explain.calls import Call, Item

FRESH = 1_000_000
"""New values are numbered from here on, above those of the graph."""


def settle_borders(root: Call, graph: Graph, nameless: Set[int]) -> None:
    """Move sums and zeros of the backward functions to where a reader looks for them.

    `nameless` are the numbers of cotangents of values that the spec gives no name.
    """
    kept = {v.id for v in graph.grads.values()}
    _hoist(root)
    _Gathering(root, graph.next_id + FRESH).run()
    _zeros_at_the_end(root, graph)
    _fold(root, _passed_to_sums(root), kept)
    _fold(root, _passed_within(root, nameless), kept)


def _hoist(call: Call) -> None:
    """Move sums of what comes from outside a call alone out of it, in front of it: it is handed the sum."""
    for inner in call.children:
        _hoist(inner)
    for inner in call.calls("backward"):
        made = inner.made("backward")
        moved = [node for node in inner.direct("backward", "accumulate") if made.isdisjoint(v.id for v in node.ins)]
        inner.backward[:] = [item for item in inner.backward if item not in moved]
        at = call.backward.index(inner)
        call.backward[at:at] = moved
        if not inner.backward:
            call.backward.remove(inner)


@dataclass
class _Gathering:
    """Lets a call that sends several shares back to one value send their sum; new values are numbered from `fresh`.

    Before:  d_x = d_x_from_h + d_x_from_mu + d_x_from_centred    (the last two from a call)
    After:   in the call d_x = d_x_from_mu + d_x_from_centred, around it d_x = d_x_from_h + d_x
    """

    root: Call
    fresh: int

    def run(self) -> None:
        calls = list(self.root.inside_out())
        self.sums = {id(node): (call, node) for call in calls for node in call.direct("backward", "accumulate")}
        self.adding = {v.id: key for key, (_, node) in self.sums.items() for v in node.ins}
        for call in calls:
            made = call.made("backward") if call.parent else set()
            for key in dict.fromkeys(self.adding[i] for i in sorted(made) if i in self.adding):
                self._gather(call, made, key)

    def _gather(self, call: Call, made: set[int], key: int) -> None:
        """Let a call add up its own shares of one sum, where there are several."""
        around, node = self.sums[key]
        own = [v for v in node.ins if v.id in made]
        if around is call or len(own) < 2 or node.out.id in made:
            return
        at = _index(around.backward, node)
        if len(own) == len(node.ins):  # the whole sum moves in
            del around.backward[at]
            moved = replace(node, layer="", span=None)
            call.backward.append(moved)
            self.sums[key] = call, moved
            return
        self.fresh += 1
        total = Value(self.fresh, node.out.name, node.out.type, "cotangent")
        call.backward.append(replace(node, ins=tuple(own), outs=(total,), layer="", span=None))
        around.backward[at] = rest = replace(node, ins=(*_in_order(node.ins, own, total),))
        self.sums[key] = around, rest
        self.adding[total.id] = key


def _index(items: Sequence[Item], node: Node) -> int:
    return next(at for at, item in enumerate(items) if item is node)


def _in_order(ins: Sequence[Value], own: Sequence[Value], total: Value) -> Iterator[Value]:
    done = False
    for value in ins:
        if value not in own:
            yield value
        elif not done:
            yield total
            done = True


def _zeros_at_the_end(root: Call, graph: Graph) -> None:
    """Let what comes back from beyond the last step be made like what comes back to it, not like the first state."""
    starts = {n.out.id for n in graph.nodes if n.op == "zero_state"}
    for call in root.inside_out():
        every = {n.out.id: n for n in call.direct("backward", "zeros_like")}
        zeros = {i: n for i, n in every.items() if n.ins[0].id in starts}
        for node in call.direct("backward"):
            for old, new in _likened(node, node.loop, zeros, every) if node.loop else ():
                call.backward[_index(call.backward, old)] = new


def _likened(
    node: Node, loop: Loop, zeros: Mapping[int, Node], every: Mapping[int, Node]
) -> Iterator[tuple[Node, Node]]:
    """Yield the zeros that a loop begins with, and what makes them like another first state of that type, no zeros."""
    first = loop.initial(node.ins)
    known = [v for v in first if v.id not in every]
    for v in first:
        like = next((k for k in known if k.type == v.type), None)
        if v.id in zeros and like is not None:
            yield zeros[v.id], replace(zeros[v.id], ins=(like,))


def _fold(root: Call, passed: Mapping[Call, Mapping[int, Node]], keep: Set[int]) -> None:
    """Let what reads a value that is passed on read at once what it is: d_h = d_y + d_h_from_f for d_h_from_y = d_y."""
    for call, nodes in passed.items():
        folded = {v: node.ins[0] for v, node in nodes.items() if v not in keep}
        call.backward[:] = [
            replace(item, ins=tuple(_end(v, folded) for v in item.ins)) if isinstance(item, Node) else item
            for item in call.backward
            if not (isinstance(item, Node) and item.op == "pass_on" and item.out.id in folded)
        ]


def _passed_within(root: Call, nameless: Set[int]) -> dict[Call, dict[int, Node]]:
    """Return, by call, what passes a value on to a cotangent without a name that only the same call reads."""
    calls = list(root.inside_out())
    readers = {id(call): {v.id for node in call.direct("backward") for v in node.ins} for call in calls}
    found: dict[Call, dict[int, Node]] = {}
    for call in calls:
        others = set().union(*(read for key, read in readers.items() if key != id(call)))
        nodes = {n.out.id: n for n in call.direct("backward", "pass_on")}
        found[call] = {i: n for i, n in nodes.items() if i in nameless and i in readers[id(call)] - others}
    return found


def _passed_to_sums(root: Call) -> dict[Call, dict[int, Node]]:
    """Return, by call, what passes a value on that only sums of the same call read, by the number of the result."""
    homes: dict[int, Call] = {}
    for call in root.inside_out():
        homes |= dict.fromkeys((node.out.id for node in call.direct("backward", "pass_on")), call)
    for call in root.inside_out():
        for node in call.direct("backward"):
            for i in _needed_itself(node, call, homes):
                homes.pop(i, None)
    found: dict[Call, dict[int, Node]] = {}
    for call in set(homes.values()):
        found[call] = {n.out.id: n for n in call.direct("backward", "pass_on") if n.out.id in homes}
    return found


def _needed_itself(node: Node, call: Call, homes: Mapping[int, Call]) -> list[int]:
    """Return the numbers of the values that a node reads and that are not added up where they are made."""
    adds = node.op == "accumulate"
    return [v.id for v in node.ins if not adds or homes.get(v.id, call) is not call]


def _end(value: Value, folded: Mapping[int, Value]) -> Value:
    while value.id in folded:
        value = folded[value.id]
    return value

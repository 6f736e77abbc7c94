"""Which nodes of the graph make a function: the uses of blocks and the composite layers, as a tree of calls.

The graph is flat; every node says by its layer from which step of the model it comes, and every step in which uses of
blocks it stands. A call holds the nodes of its forward and of its backward function, and further calls between them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.model.model import Model, Step, Use

MANY_LINES = 6
"""A layer of more lines than this, forward or backward, is a function."""
FEW_NODES = 4
"""One of fewer lines than this is none, however often it is used."""


@dataclass(eq=False)
class Call:
    """The root (the network), one use of a block, or one use of a composite layer.

    `path` is that of its values, `params` that of its parameters.
    """

    path: str
    params: str
    use: Use | None = None
    step: Step | None = None
    parent: Call | None = None
    forward: list[Item] = field(default_factory=list)
    backward: list[Item] = field(default_factory=list)

    @property
    def children(self) -> list[Call]:
        """The calls in it, in the order of the forward pass."""
        found = dict.fromkeys(i for i in (*self.forward, *self.backward) if isinstance(i, Call))
        return list(found)

    @property
    def kind(self) -> str:
        """What it is: root, block or layer."""
        return "block" if self.use else "layer" if self.step else "root"

    def nodes(self, phase: str) -> Iterator[Node]:
        """Yield the nodes of a phase, those of inner calls too."""
        for item in self.items(phase):
            if isinstance(item, Call):
                yield from item.nodes(phase)
            else:
                yield item

    def items(self, phase: str) -> list[Item]:
        """Return what it consists of in a phase."""
        return self.forward if phase == "forward" else self.backward

    def ancestors(self) -> Iterator[Call]:
        """Yield the call itself and all around it, from the inside out."""
        call: Call | None = self
        while call is not None:
            yield call
            call = call.parent


Item = Node | Call


def call_tree(model: Model, graph: Graph) -> Call:
    """Return the root of the calls of a network."""
    return _Tree(model, graph).root


class _Tree:
    def __init__(self, model: Model, graph: Graph) -> None:
        self.steps = {step.path: step for step in model.steps}
        self.composite = composite_layers(model, graph)
        self.root = Call("", "")
        self.calls: dict[tuple[object, ...], Call] = {}
        for phase in ("forward", "backward"):
            self._place(graph.phase(phase), phase)
        _hoist(self.root)
        gather(self.root, graph.next_id + 1_000_000)
        _zeros_at_the_end(self.root, graph)
        fold(self.root, {v.id for v in graph.grads.values()})

    def _place(self, nodes: Iterable[Node], phase: str) -> None:
        """Put every node into the innermost call that it belongs to, and that is not finished yet."""
        finished: set[int] = set()
        open_calls: list[Call] = [self.root]
        for node in nodes:
            chain = self._chain(node)
            common = 0
            while common < min(len(chain), len(open_calls)) and chain[common] is open_calls[common]:
                common += 1
            finished |= {id(c) for c in open_calls[common:]}
            del open_calls[common:]
            for call in chain[common:]:
                if id(call) in finished:
                    break
                open_calls[-1].items(phase).append(call)
                open_calls.append(call)
            open_calls[-1].items(phase).append(node)

    def _chain(self, node: Node) -> list[Call]:
        """Return the calls that a node stands in, from the root inwards."""
        step = self.steps.get(node.layer)
        chain = [self.root]
        for use in step.places.uses if step else ():
            chain.append(self._call((use.path, use.span, use.block), chain[-1], use.path, use.params, use=use))
        if step is not None and step.path in self.composite:
            params = next((name.rpartition(".")[0] for name in step.params.values()), "")
            chain.append(self._call((step.path,), chain[-1], step.path, params, step=step))
        return chain

    def _call(self, key: tuple[object, ...], parent: Call, path: str, params: str, **what: object) -> Call:
        if key not in self.calls:
            self.calls[key] = Call(path, params, parent=parent, **what)  # type: ignore[arg-type]
        return self.calls[key]


def composite_layers(model: Model, graph: Graph) -> set[str]:
    """Return the paths of the steps that become functions: those of many lines, and of some lines that come again."""
    lines: Counter[tuple[str, str]] = Counter()
    loops: set[str] = set()
    for node in graph.nodes:
        if node.phase in ("forward", "backward") and node.op != "accumulate":
            lines[node.layer, node.phase] += 1
            if node.loop is not None:
                loops.add(node.layer)
    alike = Counter(_kind_of(step) for step in model.steps)
    found = set()
    for step in model.steps:
        count = max(lines[step.path, "forward"], lines[step.path, "backward"])
        again = alike[_kind_of(step)] > 1 and lines[step.path, "forward"] >= FEW_NODES
        if step.layer.family != "activation" and (count > MANY_LINES or again or step.path in loops):
            found.add(step.path)
    return found


def _kind_of(step: Step, without: str = "") -> tuple[str, str]:
    return step.layer.name, repr(sorted((k, str(v)) for k, v in step.attrs.items() if k != without))


def orders(root: Call) -> dict[Call, str]:
    """Return the orders of time of recurrent layers whose like runs the other way: one function serves both.

    Its argument `order` says which steps come first: `range(12)`, or `range(12)[::-1]`.
    """
    kinds: dict[tuple[str, str], dict[Call, str]] = {}
    for call in _inside_out(root):
        loops = [item.loop for item in call.forward if isinstance(item, Node) and item.loop]
        if call.step is not None and loops:
            text = f"range({loops[0].steps}){'[::-1]' * loops[0].reverse}"
            kinds.setdefault(_kind_of(call.step, "reverse"), {})[call] = text
    both = [found for found in kinds.values() if len({text.endswith("]") for text in found.values()}) > 1]
    return {call: text for found in both for call, text in found.items()}


# ------------------------------------------------------------------------------------------- sums at the border


def made_in(call: Call, phase: str) -> set[int]:
    """Return the numbers of the values that a call makes in a phase, inner calls included."""
    return {v.id for node in call.nodes(phase) for v in node.outs}


def _hoist(call: Call) -> None:
    """Move sums of what comes from outside a call alone out of it, in front of it: it is handed the sum."""
    for inner in call.children:
        _hoist(inner)
    for inner in [item for item in call.backward if isinstance(item, Call)]:
        made = made_in(inner, "backward")
        moved = [
            item
            for item in inner.backward
            if isinstance(item, Node) and item.op == "accumulate" and not made & {v.id for v in item.ins}
        ]
        inner.backward[:] = [item for item in inner.backward if item not in moved]
        at = call.backward.index(inner)
        call.backward[at:at] = moved
        if not inner.backward:
            call.backward.remove(inner)


def gather(root: Call, fresh: int) -> None:
    """Let a call that sends several shares back to one value send their sum; new values are numbered from `fresh`.

    Before:  d_x = d_x_from_h + d_x_from_mu + d_x_from_centred    (the last two from a call)
    After:   in the call d_x = d_x_from_mu + d_x_from_centred, around it d_x = d_x_from_h + d_x
    """
    sums = {id(node): (call, node) for call in _inside_out(root) for node in _sums(call)}
    adding = {v.id: id(node) for _, node in sums.values() for v in node.ins}
    for call in _inside_out(root):
        made = made_in(call, "backward") if call.parent else set()
        for key in dict.fromkeys(adding[i] for i in sorted(made) if i in adding):
            around, node = sums[key]
            own = [v for v in node.ins if v.id in made]
            if around is call or len(own) < 2 or node.out.id in made:
                continue
            at = next(i for i, item in enumerate(around.backward) if item is node)
            if len(own) == len(node.ins):  # the whole sum moves in
                del around.backward[at]
                moved = replace(node, layer="", span=None)
                call.backward.append(moved)
                sums[key] = call, moved
                continue
            fresh += 1
            total = Value(fresh, node.out.name, node.out.type, "cotangent")
            call.backward.append(replace(node, ins=tuple(own), outs=(total,), layer="", span=None))
            around.backward[at] = rest = replace(node, ins=(*_in_order(node.ins, own, total),))
            sums[key] = around, rest
            adding[total.id] = key


def _zeros_at_the_end(root: Call, graph: Graph) -> None:
    """Let what comes back from beyond the last step be made like what comes back to it, not like the first state."""
    starts = {n.out.id for n in graph.nodes if n.op == "zero_state"}
    for call in _inside_out(root):
        loops = [item for item in call.backward if isinstance(item, Node) and item.loop is not None]
        zeros = {n.out.id: n for n in _direct(call, "zeros_like") if n.ins[0].id in starts}
        for node in loops:
            assert node.loop is not None
            first = node.loop.initial(node.ins)
            known = [v for v in first if v.id not in zeros]
            for v in first:
                like = next((k for k in known if k.type == v.type), None)
                if v.id in zeros and like is not None:
                    at = next(i for i, item in enumerate(call.backward) if item is zeros[v.id])
                    call.backward[at] = replace(zeros[v.id], ins=(like,))


def _sums(call: Call) -> list[Node]:
    return [item for item in call.backward if isinstance(item, Node) and item.op == "accumulate"]


def fold(root: Call, keep: set[int]) -> None:
    """Let a sum read what is passed on to it at once: d_h = d_y + d_h_from_f for d_h_from_y = d_y."""
    homes = {n.out.id: call for call in _inside_out(root) for n in _direct(call, "pass_on")}
    for call in _inside_out(root):
        for node in _direct(call, ""):
            for v in node.ins if node.op != "accumulate" else ():
                homes.pop(v.id, None)
            for v in node.ins:
                if homes.get(v.id, call) is not call:
                    homes.pop(v.id)
    for call in set(homes.values()):
        folded = {n.out.id: n.ins[0] for n in _direct(call, "pass_on") if n.out.id in homes and n.out.id not in keep}
        call.backward[:] = [
            replace(item, ins=tuple(_end(v, folded) for v in item.ins)) if isinstance(item, Node) else item
            for item in call.backward
            if not (isinstance(item, Node) and item.op == "pass_on" and item.out.id in folded)
        ]


def _direct(call: Call, op: str) -> list[Node]:
    return [item for item in call.backward if isinstance(item, Node) and (not op or item.op == op)]


def _end(value: Value, folded: Mapping[int, Value]) -> Value:
    while value.id in folded:
        value = folded[value.id]
    return value


def _in_order(ins: Sequence[Value], own: Sequence[Value], total: Value) -> Iterator[Value]:
    done = False
    for value in ins:
        if value not in own:
            yield value
        elif not done:
            yield total
            done = True


def _inside_out(call: Call) -> Iterator[Call]:
    for inner in call.children:
        yield from _inside_out(inner)
    yield call

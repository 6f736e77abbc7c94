"""Which nodes of the graph make a function: the uses of blocks and the composite layers, as a tree of calls.

The graph is flat; every node says by its layer from which step of the model it comes, and every step in which uses of
blocks it stands. A call holds the nodes of its forward and of its backward function, and further calls between them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node
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

    def direct(self, phase: str, op: str = "") -> list[Node]:
        """Return the nodes of a phase (of an op, if that is given), without those of inner calls."""
        return [item for item in self.items(phase) if isinstance(item, Node) and op in ("", item.op)]

    def calls(self, phase: str) -> list[Call]:
        """Return the calls in a phase, without those in them."""
        return [item for item in self.items(phase) if isinstance(item, Call)]

    def made(self, phase: str) -> set[int]:
        """Return the numbers of the values that it makes in a phase, inner calls included."""
        return {v.id for node in self.nodes(phase) for v in node.outs}

    def inside_out(self) -> Iterator[Call]:
        """Yield all calls in it and itself, each after those in it."""
        for inner in self.children:
            yield from inner.inside_out()
        yield self

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
    lines = Counter((node.layer, node.phase) for node in graph.nodes if node.op != "accumulate")
    loops = {node.layer for node in graph.nodes if node.loop is not None}
    alike = Counter(_kind_of(step) for step in model.steps)

    def is_composite(step: Step) -> bool:
        forward, backward = (lines[step.path, phase] for phase in ("forward", "backward"))
        again = alike[_kind_of(step)] > 1 and forward >= FEW_NODES
        return max(forward, backward) > MANY_LINES or again or step.path in loops

    return {step.path for step in model.steps if step.layer.family != "activation" and is_composite(step)}


def _kind_of(step: Step, without: str = "") -> tuple[str, str]:
    return step.layer.name, repr(sorted((k, str(v)) for k, v in step.attrs.items() if k != without))


def repeated_blocks(root: Call) -> set[str]:
    """Return the names of the blocks of which one place of the spec makes several copies."""
    uses = ((call.use, id(call.parent)) for call in root.inside_out() if call.use)
    counts = Counter((use.block, use.span, parent) for use, parent in uses)
    return {block for (block, _, _), count in counts.items() if count > 1}


def orders(root: Call) -> dict[Call, str]:
    """Return the orders of time of recurrent layers whose like runs the other way: one function serves both.

    Its argument `order` says which steps come first: `range(12)`, or `range(12)[::-1]`.
    """
    kinds: dict[tuple[str, str], dict[Call, Loop]] = {}
    for call in root.inside_out():
        for step, loop in _recurrences(call):
            kinds.setdefault(_kind_of(step, "reverse"), {})[call] = loop
    both = [found for found in kinds.values() if len({loop.reverse for loop in found.values()}) > 1]
    return {call: f"range({loop.steps}){'[::-1]' * loop.reverse}" for found in both for call, loop in found.items()}


def _recurrences(call: Call) -> list[tuple[Step, Loop]]:
    """Return a recurrent layer and its loop over time; nothing for other calls."""
    return [(call.step, node.loop) for node in call.direct("forward") if call.step and node.loop]

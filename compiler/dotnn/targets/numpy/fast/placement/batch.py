"""The places of all values of a step, from what ops and kernels say of themselves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value, readers
from dotnn.targets.numpy.fast.kernels import kernel_of, overwritable
from dotnn.targets.numpy.fast.placement.folding import foldable
from dotnn.targets.numpy.fast.placement.orders import by_rows
from dotnn.targets.numpy.fast.placement.places import How, Layout, Order, Piece, Place
from dotnn.targets.numpy.fast.placement.pool import Pool
from dotnn.targets.numpy.fast.placement.sequences import fits, is_sequence
from dotnn.targets.numpy.fast.placement.steps import LoopPlacement


@dataclass
class Placement:
    """Where every value of a step lives, for a writer that decides nothing.

    `folded` are the affine nodes whose bias is one more row of W by the numbers of W and b, `pairs` the gradients that
    are written together with their loss, `loops` the places inside loops, by the identity of the node.
    """

    graph: Graph
    places: dict[int, Place] = field(default_factory=dict)
    folded: dict[int, Node] = field(default_factory=dict)
    pairs: dict[int, Node] = field(default_factory=dict)
    loops: dict[int, LoopPlacement] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    strided: set[int] = field(default_factory=set)

    @cached_property
    def producers(self) -> Mapping[int, Node]:
        """The node that makes each value."""
        return self.graph.producers()

    def cotangent(self, value: Value) -> list[float] | None:
        """Return the factors of the loss's cotangent that a value is, if that is known before the step runs."""
        if self.graph.seed is not None and value.id == self.graph.seed.id:
            return []
        node = self.producers.get(value.id)
        if node is None or node.op not in ("scale", "pass_on"):
            return None
        before = self.cotangent(node.ins[0])
        return before if before is None or node.op == "pass_on" else [node.attrs["factor"], *before]

    def planar(self, value: Value) -> bool:
        """Whether a value lives in planes of its own."""
        return self._order(value) == "planes"

    def by_rows(self, value: Value) -> bool:
        """Whether a value's array is held with the examples first."""
        return self._order(value) == "rows"

    def contiguous(self, value: Value) -> bool:
        """Whether a value has an array of its own, features first."""
        return self._order(value) == "features" and value.id not in self.strided

    def _order(self, value: Value) -> Order | None:
        held = self.places[value.id].buffer if value.id in self.places else None
        of_its_shape = held is not None and (held.layout[0] != "planes" or held.layout[1] == value.type.shape)
        return held.layout[0] if held is not None and of_its_shape else None


def place(graph: Graph, *, reuse: bool = True) -> Placement:
    """Place all values of a step. With `reuse` off every value has an array of its own: the numbers are the same.

    The parameters of a training step lie in one buffer, so that a bias may be one more row of its matrix; a prediction
    takes them where they lie.
    """
    return Placer(graph, reuse=reuse).run()


class Placer:
    """Walks the nodes once, in order; loops note the places of their outputs here."""

    def __init__(self, graph: Graph, *, reuse: bool) -> None:
        self.graph, self.training = graph, graph.loss is not None
        folded = foldable(graph) if self.training else {}
        self.found = Placement(graph, folded=folded, owners=_owners(graph))
        self.carried = {node.ins[0].id for node in folded.values()}
        self.paths = {v.id: name for name, v in graph.params.items()}
        self.readers = readers(graph.nodes)
        self.positions = {v.id for n in graph.nodes if n.rule.positions for v in (*n.ins, *n.outs)}
        self.by_rows = by_rows(graph, lambda v: v.id in self.carried or bool(self.join_of(v) or self.stack_of(v)))
        self.pool = Pool(_reads(graph), self.layout, reuse=reuse)
        self.gates: dict[int, Piece] = {}

    def run(self) -> Placement:
        """Place all values. A loss and its gradient, where one kernel writes both, have the same last reads."""
        done: set[int] = set()
        for node in self.graph.nodes:
            if id(node) in done:
                continue
            together = [node, *self.pair(node, done)]
            reading = [v for n in together for v in n.ins]
            for each in together:
                self.node(each, overwritable(node) if each is node else node.ins[:1], reading)
            for each in together:
                self.pool.release(each.ins)
            done |= {id(n) for n in together}
        return self.found

    def pair(self, loss: Node, done: set[int]) -> Iterator[Node]:
        """Yield the gradient of a loss, where one kernel writes both."""
        if not kernel_of(loss).gradient:
            return
        for other in self.readers.get(loss.ins[0].id, []):
            fits_it = other.op == f"{loss.op}_gradient" and other.ins[1:] == loss.ins and other.attrs == loss.attrs
            if fits_it and id(other) not in done and self.found.cotangent(other.ins[0]) is not None:
                self.found.pairs[id(loss)] = other
                yield other
                return

    def layout(self, value: Value) -> Layout:
        """Return how a value's own array lies."""
        image = value.type.batched and len(value.type.shape) == 4 and value.id not in self.positions
        order: Order = "planes" if image else "rows" if value.id in self.by_rows else "features"
        return order, value.type.shape

    def put(self, value: Value, place: Place) -> None:
        """Note where a value lives; its buffer is settled."""
        self.found.places[value.id] = replace(place, buffer=self.pool.of.get(value.id))

    def node(self, node: Node, over: Sequence[Value], reading: Sequence[Value]) -> None:
        """Place what a node makes."""
        if node.loop is not None and fits(node.loop):
            self.found.loops[id(node)] = LoopPlacement(self, node, node.loop)
        elif node.loop is not None:
            for value in node.outs:
                self.array(value, (), reading)
        elif not self.view(node) and not self.special(node):
            self.array(node.out, over, reading)

    # ------------------------------------------------------------------------------------------------------- views

    def view(self, node: Node) -> bool:
        """Place a result that shows the numbers of its operand; return whether it does."""
        rule, kernel = node.rule, kernel_of(node)
        if rule.alias or kernel.result == "first":
            self.alias(node.out, node.ins[0], "same")
        elif rule.repeats:
            self.alias(node.out, node.ins[0], "repeated")
        elif rule.cuts and self.is_matrix(node.ins[0]):
            self.cut(node)
        elif rule.reshapes and self.can_reshape(node.ins[0]):
            self.alias(node.out, node.ins[0], "reshaped")
        else:
            return False
        return True

    def alias(self, value: Value, source: Value, how: How) -> None:
        """Let a value be a view of another one, whose array lives as long as both."""
        held = self.pool.of.get(source.id)
        if held is not None:
            self.pool.join(value, held)
        if how == "repeated" or source.id in self.found.strided:
            self.found.strided.add(value.id)
        piece = self.found.places[source.id].piece if source.id in self.found.places else None
        self.put(value, Place(how, of=source, piece=piece if how == "same" else None))

    def is_matrix(self, x: Value) -> bool:
        """Whether a value holds a row of features for each example, features first."""
        return len(x.type.shape) == 2 and x.role != "input" and x.type.batched

    def can_reshape(self, x: Value) -> bool:
        """Whether another shape of a value is a view of it: of what is not contiguous it would be a copy, made once."""
        return x.role != "input" and x.type.dtype == "real" and self.found.contiguous(x)

    def cut(self, node: Node) -> None:
        """Place columns; where all readers only cut a value, its pieces are arrays of their own."""
        (source,), value = node.ins, node.out
        held = self.pool.of.get(source.id)
        apart = _disjoint(self.readers[source.id]) and source.id not in self.found.owners
        place = self.found.places.get(source.id)
        apart = apart and place is not None and place.how not in ("repeated", "kernel")
        if held is not None and apart and held.uses == self.pool.left[source.id]:
            held.pieces = True
            self.pool.new(value, pieces=True)
        elif held is not None:
            self.pool.join(value, held)
        if source.id in self.found.strided:
            self.found.strided.add(value.id)
        self.put(value, Place("columns", of=source, start=node.attrs["start"], stop=node.attrs["stop"]))

    # ------------------------------------------------------------------------------------------------------ arrays

    def special(self, node: Node) -> bool:
        """Place what has no array, or one that its kernel fills from the start; return whether it is such a result."""
        value, result = node.out, kernel_of(node).result
        in_array = value.type.dtype == "real" and (value.type.shape or value.id in self.found.owners)
        if result == "zeros" and value.id not in self.found.owners:
            self.settle(value, Place("zeros"))
        elif result == "kernel" or not in_array:
            self.put(value, Place("kernel"))
        elif self.comes_along(node):
            self.put(value, Place("within", paths=(self.found.owners[value.id],)))
        elif result == "block" and (paths := self.block(node.ins)):
            self.put(value, Place("parameters", paths=paths))
        else:
            return False
        return True

    def comes_along(self, node: Node) -> bool:
        """Whether a gradient is a part of what another node writes: of a bias that is folded in, rows of a block."""
        parameter = self.graph.params.get(self.found.owners.get(node.out.id, ""))
        layer = self.found.folded.get(parameter.id) if parameter is not None else None
        folded = layer is not None and layer.ins[2] == parameter
        whole = self.found.places.get(node.ins[0].id) if node.ins else None
        return folded or (whole is not None and whole.how == "gradient" and len(whole.paths) > 1)

    def array(self, value: Value, over: Sequence[Value], reading: Sequence[Value]) -> None:
        """Give a value an array: where it is wanted, that of a dead operand, a free one, or a new one."""
        if value.id in self.found.places:
            return
        if not self.wanted(value) and (taken := self.pool.over(value, over, reading)) is not None:
            self.put(value, Place("over", of=taken))
        elif value.id not in self.found.places and (held := self.pool.freed(value)) is not None:
            self.put(value, Place("over", of=held.first))
        elif value.id not in self.found.places:
            self.pool.new(value)
            self.put(value, Place("new"))

    def wanted(self, value: Value) -> bool:
        """Place a value where somebody wants it: a gradient, under a row of ones, in a concatenation."""
        if value.id in self.found.owners:
            self.settle(value, Place("gradient", paths=(self.found.owners[value.id],)))
        elif (paths := self.gradients(value)) is not None:
            self.settle(value, Place("gradient", paths=paths))
        elif value.id in self.carried:
            self.settle(value, Place("carrier"))
        elif (join := self.join_of(value)) is not None:
            widths = [v.type.example[-1] for v in join.ins]
            start = sum(widths[: join.ins.index(value)])
            if join.out.id not in self.found.places:
                self.settle(join.out, Place("new"))
            self.settle(value, Place("part", of=join.out, start=start, stop=start + value.type.example[-1]))
        elif (stack := self.stack_of(value)) is not None:
            start = sum(_rows(v) for v in stack.ins[: stack.ins.index(value)])
            if stack.out.id not in self.found.places:
                self.settle(stack.out, Place("new"))
            self.settle(value, Place("part", of=stack.out, start=start, stop=_end(start, value)))
        return value.id in self.found.places

    def settle(self, value: Value, place: Place) -> None:
        """Give a value an array that nobody takes over."""
        self.pool.new(value, pinned=True)
        self.put(value, place)

    def join_of(self, value: Value) -> Node | None:
        """Return the concatenation in which a value can be written from the start."""
        if len(value.type.shape) != 2 or value.role != "act" or not value.type.batched:
            return None
        joins = (n for n in self.readers.get(value.id, []) if n.rule.joins and n.loop is None)
        return next((n for n in joins if n.ins.count(value) == 1), None)

    def stack_of(self, value: Value) -> Node | None:
        """Return the stack in which a value that is made for it can be written from the start."""
        stacks = [n for n in self.readers.get(value.id, []) if n.rule.stacks and n.ins.count(value) == 1]
        return stacks[0] if stacks and value.id in self.found.producers else None

    def gradients(self, value: Value) -> tuple[str, ...] | None:
        """Return the parameters whose gradients are the rows of a value, where these lie one behind the other."""
        users = self.readers.get(value.id, [])
        names = [self.found.owners.get(n.out.id, "") for n in users if n.loop is None and n.rule.cuts_rows]
        known = [self.graph.params[name] for name in names if name]
        return self.block(known) if users and len(known) == len(users) else None

    def block(self, wanted: Sequence[Value]) -> tuple[str, ...] | None:
        """Return the paths of parameters that lie one behind the other in the flat buffer: one matrix."""
        order, ids = [v.id for v in self.graph.params.values()], [v.id for v in wanted]
        if not self.training or not set(ids) <= set(order):
            return None
        start = order.index(ids[0])
        matrices = [v for v in wanted if len(v.type.shape) == 2]
        # a matrix starts at a multiple of 64 bytes, which are 16 numbers at most
        follows = order[start : start + len(ids)] == ids
        aligned = all(math.prod(v.type.example) % 16 == 0 for v in matrices[:-1])
        return tuple(self.paths[k] for k in ids) if follows and aligned else None

    # ------------------------------------------------------------------------------------------------------- loops

    def hand_out(self, value: Value, piece: Piece | None) -> None:
        """Place an output of a loop: in a piece of an array of all its steps, or in an array of its own."""
        if piece is None:
            self.array(value, (), ())
            return
        self.settle(value, Place("rows", piece=piece))
        if piece.columns and is_sequence(value.type):
            self.found.strided.add(value.id)

    def note_gate(self, out: Value, piece: Piece) -> None:
        """Remember a sequence that lies in columns of an array which holds nothing but pieces of one value."""
        self.gates[out.id] = piece


def _rows(value: Value) -> int:
    """Return how many rows of a stack a value is."""
    return value.type.example[0] if len(value.type.example) == 2 else 1


def _end(start: int, value: Value) -> int:
    """Return where a matrix ends in a stack, 0 for a vector."""
    return start + _rows(value) if len(value.type.example) == 2 else 0


def _owners(graph: Graph) -> dict[int, str]:
    """Return the parameter whose gradient a value is, the first where several share it."""
    params = [(name, v) for name, v in graph.grads.items() if name in graph.params]
    return {v.id: name for name, v in reversed(params)}


def _reads(graph: Graph) -> Counter[int]:
    """Count how often each value is read, by nodes and as a result."""
    reads = Counter(v.id for n in graph.nodes for v in n.ins)
    reads.update(v.id for v in graph.results())
    return reads


def _disjoint(nodes: Sequence[Node]) -> bool:
    """Whether all nodes cut columns out of their operand, and no two the same column."""
    if any(not n.rule.cuts for n in nodes):
        return False
    pieces = sorted((n.attrs["start"], n.attrs["stop"]) for n in nodes)
    return all(before[1] <= after[0] for before, after in pairwise(pieces))

"""A recurrent layer multiplies once a step: by x, h and 1 side by side.

Before:  xz = x W + b for all steps;  loop: z = xz_t + h U;   and back: d_W, d_U and d_b, a product each
After:   M = [W; U; b];  loop: z = [x_t, h, 1] M;             and back: d_M, one product over all steps

It saves the passes over x W + b. What is multiplied is found in the ops' own lines: x W + b, and a sum of one product
and one term of which nothing else is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dotnn.ir.algebra import Property
from dotnn.ir.builder import STEP, GraphBuilder, at_a_step, over_time
from dotnn.ir.expr import Binary, Expr, Name
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value, readers
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass
from dotnn.passes.sum_after_loops import with_loop


@as_pass
def pack_steps(graph: Graph) -> Graph:
    """Put the products of every recurrent layer together, forward and back."""
    for scan in [n for n in graph.nodes if n.loop is not None and not n.loop.nested]:
        pack = _pack(graph, scan)
        if pack is not None:
            graph = _Packed(graph, pack).graph()
    return graph


@dataclass(frozen=True)
class _Product:
    """A node whose line is `x @ W`, with one more term or without."""

    node: Node
    x: Value
    weight: Value
    term: Value | None


def _product(node: Node) -> _Product | None:
    """Return a node as a product, if its line says so."""
    if node.loop is not None:
        return None
    names = dict(zip(node.rule.names(len(node.ins)), node.ins, strict=True))
    match _terms(node.rule.formula(node)):
        case [Binary("@", Name(x), Name(weight))]:
            term = None
        case [Binary("@", Name(x), Name(weight)), Name(other)] | [Name(other), Binary("@", Name(x), Name(weight))]:
            term = names[other]
        case _:
            return None
    return None if names[weight].type.batched else _Product(node, names[x], names[weight], term)


def _terms(line: Expr) -> Sequence[Expr]:
    """Return what a line adds up."""
    match line:
        case Binary("+", left, right):
            return [*_terms(left), *_terms(right)]
    return [line]


@dataclass(frozen=True)
class _Pack:
    """x W + b for all steps, and what adds h U to it at every step."""

    scan: Node
    outer: _Product
    step: _Product
    piece: Value

    @property
    def weights(self) -> tuple[Value, ...]:
        """W, U and b, if there is one: the rows of the matrix."""
        return (self.outer.weight, self.step.weight, *([self.outer.term] if self.outer.term else []))


def _pack(graph: Graph, scan: Node) -> _Pack | None:
    """Return the products of a loop that can be one: the last of them, where there are several."""
    assert scan.loop is not None
    producers, outside, inside = graph.producers(), readers(graph.nodes), readers(scan.loop.nodes)
    handed = {v.id for v in (*scan.loop.collected, *scan.loop.leaving)}
    found = None
    for piece, whole in zip(scan.loop.slices, scan.loop.sequences(scan.ins), strict=True):
        made, users = producers.get(whole.id), inside.get(piece.id, [])
        if made is None or len(users) != 1 or not _is_read_once(outside[whole.id]):
            continue
        if piece.id not in handed and piece.type.dtype == "real":
            found = _of_two(scan, made, users[0], piece) or found
    return found


def _of_two(scan: Node, made: Node, user: Node, piece: Value) -> _Pack | None:
    """Return two products as a pack, if the result of the first is a term of the second and there is a step of it."""
    outer, step = _product(made), _product(user)
    fit = outer and step and step.term == piece and _is_bias(outer.term) and len(outer.x.type.shape) == 3
    return _Pack(scan, outer, step, piece) if fit and outer and step else None


def _is_read_once(nodes: Sequence[Node]) -> bool:
    return len([n for n in nodes if not _only_asks(n)]) == 1


def _only_asks(node: Node) -> bool:
    """Whether a node asks for the size of its operand, and not for its numbers."""
    return node.rule.detached and Property.ZERO in node.rule.algebra.has


def _is_bias(term: Value | None) -> bool:
    return term is None or len(term.type.shape) == 1


def _reading(nodes: Sequence[Node], *operands: Value) -> list[Node]:
    return [n for n in nodes if n.ins == operands]


class _Packed:
    """Writes the graph with one layer's products put together."""

    def __init__(self, graph: Graph, pack: _Pack) -> None:
        self.old, self.pack = graph, pack
        self.b = GraphBuilder(OPS, graph.next_id)
        self.prefix = pack.piece.name.removesuffix(f"_{STEP}").removesuffix("_xz")
        self.rows: Value | None = None

    def graph(self) -> Graph:
        """Return the graph: the matrix and the new loop where the old one was, and what goes back."""
        pack, old = self.pack, self.old
        sums = self._sums()
        scan = self._scan(collect=bool(sums))
        before, self.b.nodes = self.b.nodes, []
        back = self._back(sums) if sums else ()
        gone = {id(pack.outer.node), *(id(n) for n in sums)}
        new = {id(pack.scan): (*before, scan)} | ({id(next(n for n in old.nodes if n in sums)): back} if sums else {})
        nodes = [m for n in old.nodes for m in new.get(id(n), () if id(n) in gone else (self._asked(n),))]
        return replace(old, nodes=tuple(nodes), next_id=self.b.next_id)

    def _asked(self, node: Node) -> Node:
        """Let a node that only asks for the size of x W + b ask x."""
        outer = self.pack.outer
        ins = tuple(outer.x if v.id == outer.node.out.id else v for v in node.ins)
        return replace(node, ins=ins) if node.loop is None else node

    def _scan(self, *, collect: bool) -> Node:
        """Write M; return the loop that multiplies by it, and hands out what it has multiplied."""
        pack, b = self.pack, self.b
        loop = pack.scan.loop
        assert loop is not None
        b.phase = pack.scan.phase
        with b.at(pack.scan.layer, pack.scan.span, self.prefix):
            matrix, nodes = self._scaled(b.emit("stack_rows", *pack.weights, name="weights"), loop.nodes)
            x = b.value(f"{pack.outer.x.name}_{STEP}", at_a_step(pack.outer.x.type))
            written, _ = b.inner(lambda: self._product(x, matrix))
        joined, product = written
        nodes = tuple(m for n in nodes for m in ((joined, product) if n is pack.step.node else (n,)))
        slices = tuple(x if v == pack.piece else v for v in loop.slices)
        sequences = tuple(pack.outer.x if v == pack.outer.node.out else v for v in loop.sequences(pack.scan.ins))
        outs = pack.scan.outs
        collected = loop.collected
        if collect:
            self.rows = b.value(f"{self.prefix}_xh", over_time(joined.out.type, loop.steps))
            outs = (*outs[: len(collected)], self.rows, *outs[len(collected) :])
            collected = (*collected, joined.out)
        scan = replace(pack.scan, ins=(*sequences, *pack.scan.ins[len(sequences) :]))
        return with_loop(scan, replace(loop, nodes=nodes, slices=slices, collected=collected), outs)

    def _scaled(self, matrix: Value, nodes: tuple[Node, ...]) -> tuple[Value, tuple[Node, ...]]:
        """Return the weights with the first factor of the gates in them, and the nodes, whose gates leave it out."""
        gates = self._gates()
        if gates is None:
            return matrix, nodes
        attrs = {"factors": gates.attrs["before"], "widths": gates.attrs["widths"]}
        known = replace(gates, attrs={**gates.attrs, "before": None})
        scaled = self.b.emit("scale_columns", matrix, name="scaled", **attrs)
        return scaled, tuple(known if n is gates else n for n in nodes)

    def _product(self, x: Value, matrix: Value) -> None:
        """Write z = [x_t, h, 1] M."""
        one = "join_with_one" if self.pack.outer.term else "concat"
        joined = self.b.emit(one, x, self.pack.step.x, name="xh")
        self.b.emit("affine", joined, matrix, name="z")
        self.b.nodes[-1] = replace(self.b.nodes[-1], outs=self.pack.step.node.outs)

    def _gates(self) -> Node | None:
        """Return the activation of all gates, whose first factor can go into the weights."""
        assert self.pack.scan.loop is not None
        users = readers(self.pack.scan.loop.nodes).get(self.pack.step.node.out.id, [])
        return users[0] if len(users) == 1 and users[0].attrs.get("before") else None

    def _sums(self) -> list[Node]:
        """Return the nodes that compute the gradients of W, U and b from one value: none, if these are not all."""
        pack, states = self.pack, self._states()
        sums = [n for n in self.old.nodes if n.rule.sums_rows]
        for last in sums:
            if len(last.ins) != 2 or last.ins[0].id not in states:
                continue
            d = last.ins[-1]
            of_weight, of_bias = _reading(sums, pack.outer.x, d), _reading(sums, d)
            if len(of_weight) == 1 and len(of_bias) == len(pack.weights) - 2:
                return [*of_weight, last, *of_bias]
        return []

    def _states(self) -> set[int]:
        """Return the numbers of the sequences of h that the loop collects."""
        scan = self.pack.scan
        assert scan.loop is not None
        collected, _, _ = scan.loop.outputs(scan.outs)
        return {out.id for v, out in zip(scan.loop.collected, collected, strict=True) if v == self.pack.step.x}

    def _back(self, sums: Sequence[Node]) -> tuple[Node, ...]:
        """Return the product that gives all three gradients, and their rows of it."""
        b, first = self.b, sums[0]
        assert self.rows is not None
        b.phase = first.phase
        with b.at(first.layer, first.span, f"d_{self.prefix}"):
            ins = (self.rows, first.ins[1])
            whole = b.result(first.rule.infer([v.type for v in ins], first.attrs), "weights")
            b.nodes.append(replace(first, ins=ins, outs=(whole,)))
            start = 0
            for node in sums:
                matrix = len(node.out.type.shape) == 2
                stop = start + (node.out.type.example[0] if matrix else 1)
                b.emit("rows", whole, start=start, stop=stop if matrix else None)
                b.nodes[-1] = replace(b.nodes[-1], outs=node.outs)
                start = stop
        return tuple(b.nodes)

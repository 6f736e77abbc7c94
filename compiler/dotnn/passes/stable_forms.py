"""Write formulas of the spec so that they neither overflow nor lose digits, whoever computed their parts.

Before:  p = softmax(z);  picked = pick(p, y);  e = -log(picked)
After:   p = softmax(z);  log_p = log_softmax(z);  picked = pick(log_p, y);  e = -picked

The same for the logarithm of a sigmoid, of 1 minus a sigmoid, and of a sum of exp; within one formula also for
log(1 + exp(x)) and sqrt(x^2). The root of a sum of squares is a norm: its derivative is 0 at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dotnn.ir.builder import GraphBuilder
from dotnn.ir.expr import Binary, Call, Expr, Name, Number, Unary, map_children, reads, substitute
from dotnn.ir.expr.stable import log_of_rest, log_sigmoid, stable
from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass
from dotnn.passes.simplify import drop_dead
from dotnn.passes.sum_after_loops import with_loop

SUMS = ("sum_axes", "sum_features")


@as_pass
def stable_forms(graph: Graph) -> Graph:
    """Replace every formula that has a stable form."""
    b = GraphBuilder(OPS, graph.next_id)
    nodes = _rewritten(b, graph.nodes)
    if nodes == graph.nodes:
        return graph
    return drop_dead(replace(graph, nodes=nodes, next_id=b.next_id))


def _rewritten(b: GraphBuilder, old: tuple[Node, ...]) -> tuple[Node, ...]:
    """Return the nodes of a graph, or of a step of a loop, with stable forms; `old` itself where there are none."""
    producers = {v.id: n for n in old for v in n.outs}
    nodes: list[Node] = []
    alias: dict[int, Value] = {}
    known: dict[object, Value] = {}
    for node in old:
        if alias:
            node = replace(node, ins=tuple(alias.get(v.id, v) for v in node.ins))
        found, made = _of_node(b, node, producers, known)
        if made and node.phase == "loss" and isinstance(found.attrs["formula"], Name):
            (alias[node.out.id],) = found.ins  # what has been written for it is all of it
            made = [*made[:-1], replace(made[-1], attrs={**made[-1].attrs, "comment": found.attrs["comment"]})]
        else:
            made = [*made, found]
        nodes += made
        producers |= {v.id: n for n in made for v in n.outs}
    return old if all(new is was for new, was in zip(nodes, old, strict=False)) else tuple(nodes)


def _of_node(
    b: GraphBuilder, node: Node, producers: Mapping[int, Node], known: dict[object, Value]
) -> tuple[Node, list[Node]]:
    """Return a node with its stable form, and the nodes that it needs before it."""
    if node.loop is not None:
        return _in_loop(b, node, node.loop), []
    if node.op != "expression":
        return node, []
    made, found = b.inner(lambda: _Rewriting(b, node, producers, known).run(), b.suffix)
    return found, list(made)


def _in_loop(b: GraphBuilder, node: Node, loop: Loop) -> Node:
    """Return a loop with the stable forms of its steps, without what they no longer read."""
    _, nodes = b.inner(lambda: _rewritten(b, loop.nodes))
    if nodes == loop.nodes:
        return node
    read = {v.id for n in loop.nodes for v in n.ins}
    kept = {v.id for v in (*loop.leaving, *loop.collected, *loop.final, *loop.summed)}
    left: list[Node] = []
    for n in reversed(nodes):
        if kept.intersection(v.id for v in n.outs) or not read.intersection(v.id for v in n.outs):
            left.append(n)
            kept.update(v.id for v in n.ins)
    return with_loop(node, replace(loop, nodes=tuple(left[::-1])))


@dataclass
class _Rewriting:
    """The rewriting of one formula. What it needs besides is written by `b`; `known` is what a layer has of it."""

    b: GraphBuilder
    node: Node
    producers: Mapping[int, Node]
    known: dict[object, Value]

    def run(self) -> Node:
        """Return the node with its stable form, itself where there is none."""
        names = self.node.rule.names(len(self.node.ins))
        self.values = dict(zip(names, self.node.ins, strict=True))
        self.said: list[str] = []
        formula: Expr = self.node.attrs["formula"]
        made = self.across(stable(formula))
        if made == formula:
            return self.node
        read = {name: f"x{i}" for i, name in enumerate(reads(made))}
        ins = tuple(self.values[name] for name in read)
        said = ", ".join(dict.fromkeys(self.said)) or "a stable form"
        attrs = {**self.node.attrs, "formula": substitute(made, read), "comment": said}
        return replace(self.node, ins=ins, attrs=attrs)

    def across(self, expr: Expr) -> Expr:
        """Return a part of the formula with stable forms of what other nodes have computed."""
        expr = map_children(expr, self.across)
        match expr:
            case Unary("-", Unary("-", x)):  # of a logarithm that has become -softplus(z)
                return x
            case Call("log", (Name(name),)) if (found := self.logarithm(name)) is not None:
                return found
            case Call("log", (Binary("-", Number(1), Name(name)),)) if z := self.behind(name, "sigmoid"):
                self.said.append(f"stable log(1 - sigmoid({z.name}))")
                return log_of_rest(self.name(z))
            case Call("exp", (Binary("-", Name(z), Name(total)),)) if self.is_log_sum(total, z):
                return self.name(self.emit("softmax", "p", self.values[z]))
            case Call("sqrt", (Name(name),)) if self.is_sum_of_squares(name):
                self.said.append("a norm, derivative 0 at 0")
                return Call("root", expr.args)
            case Call("log" | "log1p" | "sqrt"):
                return self.opened(expr)
        return expr

    def opened(self, expr: Call) -> Expr:
        """Return the stable form of a function where its operand is in part the formula of another node."""
        whole: Expr = expr
        for name in reads(expr):
            node = self.producers.get(self.values[name].id)
            if node is not None and node.op == "expression":
                inner = zip(node.rule.names(len(node.ins)), node.ins, strict=True)
                formula = substitute(node.attrs["formula"], {n: self.name(v).id for n, v in inner})
                whole = substitute(whole, {name: formula})
        made = stable(whole)
        return expr if isinstance(made, Call) and made.function == expr.function else made

    def logarithm(self, name: str) -> Expr | None:
        """Return the logarithm of a value from what that was computed of."""
        node = self.producers.get(self.values[name].id)
        if node is None:
            return None
        z = node.ins[0]
        if node.op == "sigmoid":
            self.said.append(f"stable log(sigmoid({z.name}))")
            return log_sigmoid(self.name(z))
        if node.op == "softmax":
            return self.name(self.log_softmax(z))
        if node.op == "pick" and (logits := self.made_by(z, "softmax")):
            return self.name(self.emit("pick", "picked", self.log_softmax(logits), node.ins[1]))
        return self.log_of_sum(node) if node.op in SUMS else None

    def log_softmax(self, z: Value) -> Value:
        """Return log(softmax(z))."""
        self.said.append(f"stable log(softmax({z.name}))")
        return self.emit("log_softmax", "log_p", z)

    def log_of_sum(self, node: Node) -> Expr | None:
        """Return log(sum(exp(z))), None where something else is summed."""
        powers = self.producers.get(node.ins[0].id)
        axes = node.attrs.get("axes", (len(node.ins[0].type.shape) - 1,))
        if powers is None or powers.op != "expression" or len(axes) > 1:
            return None
        match powers.attrs["formula"]:
            case Call("exp", (Name(),)):
                z = powers.ins[0]
            case Call("exp", (inner,)):
                read = {name: f"x{i}" for i, name in enumerate(reads(inner))}
                known = dict(zip(powers.rule.names(len(powers.ins)), powers.ins, strict=True))
                z = self.emit("expression", "part", *(known[n] for n in read), formula=substitute(inner, read))
            case _:
                return None
        self.said.append(f"stable log(sum(exp({z.name})))")
        return self.name(self.emit("logsumexp", "log_sum", z, axes=tuple(axes)))

    def is_log_sum(self, name: str, z: str) -> bool:
        """Whether a value is the logarithm of the sum of exp(z) along the last axis."""
        node = self.producers.get(self.values[name].id)
        operand = self.values[z]
        if node is None or node.op != "logsumexp" or node.ins[0].id != operand.id:
            return False
        self.said.append(f"softmax({operand.name})")
        return bool(node.attrs["axes"] == (len(operand.type.shape) - 1,))

    def is_sum_of_squares(self, name: str) -> bool:
        """Whether a value is a sum of squares."""
        node = self.producers.get(self.values[name].id)
        squares = self.producers.get(node.ins[0].id) if node is not None and node.op in SUMS else None
        if squares is None or squares.op != "expression":
            return False
        match squares.attrs["formula"]:
            case Binary("**", _, Number(2)):
                return True
            case Binary("*", x, y):
                return bool(x == y)
        return False

    def behind(self, name: str, op: str) -> Value | None:
        """Return what a value was computed of, None where another op made it."""
        return self.made_by(self.values[name], op)

    def made_by(self, value: Value, op: str) -> Value | None:
        """Return the first operand of the op that made a value, None where that is another one."""
        node = self.producers.get(value.id)
        return node.ins[0] if node is not None and node.op == op else None

    def name(self, value: Value) -> Name:
        """Return a value as an operand of the formula."""
        known = next((n for n, v in self.values.items() if v.id == value.id), f"v{value.id}")
        self.values[known] = value
        return Name(known)

    def emit(self, op: str, name: str, *ins: Value, **attrs: object) -> Value:
        """Write a node where the formula is computed."""
        key = self.node.phase, self.node.layer, op, tuple(v.id for v in ins), repr(sorted(attrs.items()))
        if key not in self.known:
            self.b.phase = self.node.phase
            with self.b.at(self.node.layer, self.node.span, ""):
                self.known[key] = self.b.emit(op, *ins, name=name, **attrs)
        return self.known[key]

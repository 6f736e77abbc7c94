"""Compute a loss that a spec writes out as one of the language's own, where the graph says that it is the same.

Before:  log_p = log_softmax(z);  picked = pick(log_p, y);  E = -mean of picked
After:   E = softmax_cross_entropy(z, y)                                              one pass over z, and d_z = p - y

The same for the sum of t log_softmax(z), and for the binary cross-entropy of logits: softplus(z) - t z, however that is
written, for it is a polynomial of t, z and softplus(z).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import replace

from dotnn.core.arguments import Attrs
from dotnn.ir.expr import Binary, Call, Expr, Name, Number, Unary
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.library.ops import OPS
from dotnn.passes.base import as_pass
from dotnn.passes.simplify import drop_dead

Polynomial = Counter[tuple[str, ...]]
"""The factor of each product of atoms, whose names are sorted."""
Fused = tuple[str, Value, Value, Attrs]
"""An op, its logits and its target, and what it takes besides."""


@as_pass
def fuse_formulas(graph: Graph) -> Graph:
    """Replace every sum over the examples that is a cross-entropy of logits."""
    producers, targets = graph.producers(), {v.id for v in graph.targets.values()}
    nodes = tuple(_fused(node, producers, targets) for node in graph.nodes)
    if all(new is old for new, old in zip(nodes, graph.nodes, strict=True)):
        return graph
    return drop_dead(replace(graph, nodes=nodes))


def _fused(node: Node, producers: Mapping[int, Node], targets: Set[int]) -> Node:
    if node.op != "total_of_examples" or node.phase != "loss" or node.ins[0].id not in producers:
        return node
    terms, factor = producers[node.ins[0].id], node.attrs["factor"]
    if _polynomial_of(terms) == Counter({("x0",): -1}) and terms.ins[0].id in producers:
        terms, factor = producers[terms.ins[0].id], -factor
    found = _of_classes(terms, factor, producers) or _of_two(terms, factor)
    if found is None:
        return node
    op, z, target, more = found
    if target.id not in targets:  # what the network computes gets a gradient, too
        return node
    attrs = {"reduce": node.attrs["reduce"], "class_weight": None, "features": node.attrs["features"], **more}
    return replace(node, rule=OPS[op], ins=(z, target, *node.ins[2:]), attrs=attrs)


def _of_classes(terms: Node, factor: float, producers: Mapping[int, Node]) -> Fused | None:
    """Return the cross-entropy of a softmax, None where it is none."""
    if factor != -1:
        return None
    op = "softmax_cross_entropy"
    if terms.op == "pick":
        log_p, target = terms.ins
    elif _polynomial_of(terms) == Counter({("x0", "x1"): 1}) and terms.out.type == terms.ins[0].type:
        op = "softmax_cross_entropy_of_rows"  # nobody has said that the numbers of the target sum to one
        log_p, target = sorted(terms.ins, key=lambda v: not _is_log_softmax(v, producers))
    else:
        return None
    if not _is_log_softmax(log_p, producers):
        return None
    return op, producers[log_p.id].ins[0], target, {"smoothing": 0.0}


def _is_log_softmax(value: Value, producers: Mapping[int, Node]) -> bool:
    return value.id in producers and producers[value.id].op == "log_softmax"


def _of_two(terms: Node, factor: float) -> Fused | None:
    """Return the cross-entropy of sigmoids, None where it is none."""
    found = _polynomial_of(terms)
    if found is None or len(terms.ins) != 2 or any(v.type != terms.out.type for v in terms.ins):
        return None
    for z, t in ((0, 1), (1, 0)):
        wanted = Counter({(f"softplus x{z}",): 1, ("x0", "x1"): -1})
        if Counter({atoms: factor * k for atoms, k in found.items()}) == wanted:
            return "sigmoid_bce", terms.ins[z], terms.ins[t], {}
    return None


def _polynomial_of(node: Node) -> Polynomial | None:
    return polynomial(node.attrs["formula"]) if node.op == "expression" else None


def polynomial(expr: Expr) -> Polynomial | None:
    """Return a formula as a polynomial of its names and their softplus, None where it is none."""
    match expr:
        case Number(value):
            return Counter({(): value}) if value else Counter()
        case Name(name):
            return Counter({(name,): 1})
        case Call("softplus", (Name(name),)):
            return Counter({(f"softplus {name}",): 1})
        case Call("softplus", (Unary("-", Name(name)),)):  # softplus(-z) = softplus(z) - z
            return Counter({(f"softplus {name}",): 1, (name,): -1})
        case Unary("-", operand):
            return _product(Counter({(): -1}), polynomial(operand))
        case Binary("+" | "-" as op, left, right):
            other = polynomial(right) if op == "+" else _product(Counter({(): -1}), polynomial(right))
            return _sum(polynomial(left), other)
        case Binary("*", left, right):
            return _product(polynomial(left), polynomial(right))
    return None


def _sum(left: Polynomial | None, right: Polynomial | None) -> Polynomial | None:
    if left is None or right is None:
        return None
    found = Counter(left)
    for atoms, factor in right.items():
        found[atoms] += factor
    return Counter({atoms: factor for atoms, factor in found.items() if factor})


def _product(left: Polynomial | None, right: Polynomial | None) -> Polynomial | None:
    if left is None or right is None:
        return None
    found: Polynomial = Counter()
    for a, j in left.items():
        for b, k in right.items():
            found[tuple(sorted((*a, *b)))] += j * k
    return Counter({atoms: factor for atoms, factor in found.items() if factor})

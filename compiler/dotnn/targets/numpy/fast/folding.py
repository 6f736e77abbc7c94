"""Where a bias rides along as one more row of W.

Before:  z = W.T x, then z += b;   after:  z = [W; b].T [x; 1]

The same for the gradient: one product gives dW and db. It saves two calls a layer, which is what a small layer
costs; a large one would only get an odd shape. It needs a row of ones under x, so x must be an input or have an
array of its own.
"""

from __future__ import annotations

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value, readers
from dotnn.targets.numpy.fast.kernels import kernel

FOLD_LIMIT = 1024
"""The most weights of a layer whose bias is folded in (measured: larger layers gain nothing)."""

VIEWS = {"concat", "columns", "reshape", "pass_on"}


def foldable(graph: Graph) -> dict[int, Node]:
    """Return the affine nodes whose bias is folded in, by the number of their W and of their b."""
    reading = readers(graph.nodes)
    producers = graph.producers()
    shared = _shared_gradients(graph)
    chosen: dict[int, Node] = {}
    for node in graph.nodes:
        if node.op != "affine" or len(node.ins) != 3 or len(node.ins[0].type.shape) != 2:
            continue
        x, weight, bias = node.ins
        rows, columns = weight.type.example
        read_once = [n.op for n in reading[weight.id]] in (["affine"], ["affine", "affine_d_input"])
        read_once = read_once and len(reading[bias.id]) == 1 and not {weight.id, bias.id} & shared
        if rows * columns <= FOLD_LIMIT and read_once and _can_carry(x, producers, reading):
            chosen[weight.id] = chosen[bias.id] = node
    return chosen


def _can_carry(x: Value, producers: dict[int, Node], reading: dict[int, list[Node]]) -> bool:
    if x.role == "input":
        return True
    node = producers[x.id]
    seen_as_view = any(n.op in VIEWS for n in reading[x.id])
    return node.rule.elementwise and kernel(node.rule) is not None and node.op not in VIEWS and not seen_as_view


def _shared_gradients(graph: Graph) -> set[int]:
    """Return the parameters whose gradient is the same value as another one's, or is read by another node."""
    owners: dict[int, list[int]] = {}
    for name, value in graph.grads.items():
        source = graph.params.get(name) or graph.inputs[name]
        owners.setdefault(value.id, []).append(source.id)
    read = {v.id for n in graph.nodes for v in n.ins}
    return {s for value, sources in owners.items() for s in sources if len(sources) > 1 or value in read}

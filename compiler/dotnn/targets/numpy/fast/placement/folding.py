"""Where a bias rides along as one more row of W.

Before:  z = W.T x, then z += b;   after:  z = [W; b].T [x; 1]

The same for the gradient: one product gives dW and db. It saves two calls a layer, which is what a small layer
costs; a large one would only get an odd shape. It needs a row of ones under x, so x must be an input or have an
array of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dotnn.ir.algebra import BILINEAR
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value, readers
from dotnn.targets.numpy.fast.kernels import kernel_of

FOLD_LIMIT = 1024
"""The most weights of a layer whose bias is folded in (measured: larger layers gain nothing)."""


def foldable(graph: Graph) -> dict[int, Node]:
    """Return the affine nodes whose bias is folded in, by the number of their W and of their b."""
    reading, producers, shared = readers(graph.nodes), graph.producers(), _shared_gradients(graph)
    trained = {v.id for v in graph.params.values()}
    chosen: dict[int, Node] = {}
    for node in graph.nodes:
        kernel = kernel_of(node)
        if not kernel.folds or len(node.ins) != 3 or len(node.ins[0].type.shape) != 2:
            continue
        x, weight, bias = node.ins
        apart = _read_once(node, weight, reading) and len(reading[bias.id]) == 1 and not {weight.id, bias.id} & shared
        together = apart and {weight.id, bias.id} <= trained  # one block of the flat array holds both
        if math.prod(weight.type.example) <= FOLD_LIMIT and together and _can_carry(x, producers, reading):
            chosen[weight.id] = chosen[bias.id] = node
    return chosen


def _read_once(node: Node, weight: Value, reading: Mapping[int, Sequence[Node]]) -> bool:
    """Whether a matrix is read by this node, and besides only for the gradient of x."""
    others = [n for n in reading[weight.id] if n is not node]
    return not others or (len(others) == 1 and others[0].rule.algebra.linear == BILINEAR.linear)


def _can_carry(x: Value, producers: Mapping[int, Node], reading: Mapping[int, Sequence[Node]]) -> bool:
    """Whether x can have a row of ones: an input, or an array that nobody sees as a part of another one."""
    if x.role == "input":
        return True
    made = producers[x.id]
    own = made.rule.elementwise and not made.rule.alias and bool(kernel_of(made).write)
    return own and not any(map(_moves, reading[x.id]))


def _moves(node: Node) -> bool:
    """Whether a result has numbers of its operand in another place or shape."""
    return node.rule.cuts or node.rule.joins or node.rule.reshapes


def _shared_gradients(graph: Graph) -> set[int]:
    """Return the parameters whose gradient is the same value as another one's, or is read by another node."""
    owners: dict[int, list[int]] = {}
    for name, value in graph.grads.items():
        owners.setdefault(value.id, []).append(graph.differentiated(name).id)
    read = {v.id for n in graph.nodes for v in n.ins}
    return {s for value, sources in owners.items() for s in sources if len(sources) > 1 or value in read}

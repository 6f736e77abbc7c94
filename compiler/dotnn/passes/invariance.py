"""Parameters that have no effect on the loss, because a normalisation takes out again what they add.

A bias before batch norm adds the same number to a feature of every example; the mean has it too, and the difference
has not. A bias of the keys of attention adds the same number to all scores of a query, which softmax does not see.
Such a gradient is zero but for rounding. It is found by following the graph, never by looking at numbers: from the
results back, a value is *shift invariant* if a number per feature could be added to it without any effect on the loss.
"""

from __future__ import annotations

from collections.abc import Collection

from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value, readers
from dotnn.ir.op import Readers


def shift_invariant_parameters(graph: Graph) -> tuple[str, ...]:
    """Return the parameters whose gradient is zero for this reason, in training mode."""
    nodes = graph.phase("forward", "loss")
    reading = readers(nodes)
    invariant: set[int] = set()
    for value in reversed([*graph.params.values(), *(v for n in nodes for v in n.outs)]):
        uses = reading.get(value.id, ())
        if uses and all(_is_lost(value, node, reading, invariant) for node in uses):
            invariant.add(value.id)
    return tuple(name for name, v in graph.params.items() if v.id in invariant)


def _is_lost(value: Value, node: Node, reading: Readers, invariant: Collection[int]) -> bool:
    """Whether what is added to `value` has no effect through this use of it."""
    op = node.rule
    if op.shift_invariant is not None and op.shift_invariant(value, node, reading):
        return True
    additive = op.additive(node) if callable(op.additive) else op.additive
    return (
        len(node.outs) == 1
        and node.out.id in invariant
        and not _differs_by_position(value)
        and all(i in additive for i, v in enumerate(node.ins) if v.id == value.id)
    )


def _differs_by_position(value: Value) -> bool:
    """Whether a parameter is more than a number per feature.

    Every position has numbers of its own in a position embedding: a mean over the positions does not take them out.
    """
    return not value.type.batched and any(size != 1 for size in value.type.shape[:-1])

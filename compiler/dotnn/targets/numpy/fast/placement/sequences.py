"""Which sequences lie with time first, and which x W + b is computed inside the loop that reads it.

A loop reads and writes one step [batch, features] at a time, and the products over all steps want those under each
other as rows: both find what they need in an array [time, batch, features].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value
from dotnn.ir.tensor import TensorType
from dotnn.targets.numpy.fast.kernels import by_steps, kernel_in_loop


def time_first(graph: Graph) -> set[int]:
    """Return the sequences that loops read or write, and those that are computed from such row by row.

    Not those that another op reads or writes: the loop then makes a copy.
    """
    found = {v.id for node in graph.nodes for v in _of_loop(node) if is_sequence(v.type)}
    for node in filter(by_steps, graph.nodes):
        found |= _by_rows(node, found)
    return found - _elsewhere(graph)


def _by_rows(node: Node, found: set[int]) -> set[int]:
    """Return the result of a node that computes a sequence row by row from one of those that are found."""
    if node.loop is not None or not is_sequence(node.out.type):
        return set()
    as_long = {v.id for v in node.ins if v.type.shape[:2] == node.out.type.shape[:2]}
    return {node.out.id} if as_long & found else set()


def _elsewhere(graph: Graph) -> set[int]:
    """Return what comes from outside, and what ops read or write that may take the features for the first axis."""
    sources = {v.id for v in (*graph.inputs.values(), *graph.targets.values())}
    return sources | {v.id for node in graph.nodes if not by_steps(node) for v in (*node.ins, *node.outs)}


def _of_loop(node: Node) -> Iterator[Value]:
    """Yield the sequences of a loop."""
    if node.loop is not None and fits(node.loop):
        yield from (*node.loop.sequences(node.ins), *node.loop.outputs(node.outs)[0])


def is_sequence(type: TensorType) -> bool:
    """Whether a value is a sequence of vectors [batch, time, features]."""
    return type.batched and type.dtype == "real" and len(type.shape) == 3


def is_row(type: TensorType) -> bool:
    """Whether a value is one vector for every example."""
    return type.batched and type.dtype == "real" and len(type.shape) == 2


def is_mask(type: TensorType) -> bool:
    """Whether a value is one number for every example that is no real one."""
    return type.dtype != "real" and len(type.shape) == 1


def fits(loop: Loop) -> bool:
    """Whether the loop can be written with arrays that exist already: vectors everywhere, masks beside them."""
    return all(condition(loop) for condition in CONDITIONS)


def _of_vectors(loop: Loop) -> bool:
    return all(is_row(v.type) for v in (*loop.entering, *loop.collected))


def _of_vectors_and_masks(loop: Loop) -> bool:
    return all(is_row(v.type) or is_mask(v.type) for v in loop.slices)


def _renewed(loop: Loop) -> bool:
    """Whether every state is a new value at every step, and only last states are handed out."""
    made, leaving = {v.id for n in loop.nodes for v in n.outs}, [v.id for v in loop.leaving]
    return len(set(leaving)) == len(leaving) and made >= {*leaving} >= {v.id for v in loop.final}


def _written_here(node: Node) -> bool:
    """Whether a node of a step can be written: where its line reads the number of the step, by a kernel."""
    return node.loop is None and (node.rule.alias or not node.rule.uses_step(node) or bool(kernel_in_loop(node.rule)))


CONDITIONS: tuple[Callable[[Loop], bool], ...] = (
    _of_vectors,
    _of_vectors_and_masks,
    _renewed,
    lambda loop: all(map(_written_here, loop.nodes)),
)

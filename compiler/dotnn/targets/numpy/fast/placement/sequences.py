"""Which loops can be written with arrays that exist already, and what their values are."""

from __future__ import annotations

from collections.abc import Callable

from dotnn.ir.node import Loop, Node
from dotnn.ir.tensor import TensorType
from dotnn.targets.numpy.fast.kernels import kernel_in_loop


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

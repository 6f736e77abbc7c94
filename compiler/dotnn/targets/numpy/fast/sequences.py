"""Which sequences lie with time first, and which x W + b is computed inside the loop that reads it.

A loop reads and writes one step [batch, features] at a time, and the products over all steps want those under each
other as rows: both find what they need in an array [time, batch, features].
"""

from __future__ import annotations

from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop
from dotnn.ir.tensor import TensorType
from dotnn.targets.numpy.fast.kernels import kernel_in_loop

AFFINE = ("affine", "affine_d_input")
SAFE = (*AFFINE, "affine_d_weight", "sum_examples", "scan", "zero_state")
"""Ops whose kernels read and write sequences that lie with time first, as elementwise ones do; others may take the
features for the first axis in memory."""


def names_in(graph: Graph) -> set[str]:
    """Return the names of all values that nodes assign, and of those that belong to steps of loops."""
    loops = [n.loop for n in graph.all_nodes() if n.loop]
    found = {v.name for n in graph.all_nodes() for v in n.outs}
    return found | {v.name for loop in loops for v in (*loop.slices, *loop.entering)}


def time_first(graph: Graph) -> set[int]:
    """Return the sequences that loops read or write, and those that are computed from such row by row.

    Not those that another op reads or writes: the loop then makes a copy.
    """
    found: set[int] = set()
    for node in graph.nodes:
        if node.loop is not None and fits(node.loop):
            collected = node.loop.outputs(node.outs)[0]
            found |= {v.id for v in (*node.loop.sequences(node.ins), *collected) if is_sequence(v.type)}
    for node in graph.nodes:
        if node.loop is None and is_sequence(node.out.type) and (node.rule.elementwise or node.op in AFFINE):
            same = [v for v in node.ins if v.type.shape[:2] == node.out.type.shape[:2]]
            if any(v.id in found for v in same):
                found.add(node.out.id)
    unsafe = {v.id for v in (*graph.inputs.values(), *graph.targets.values())}
    for node in graph.nodes:
        if node.op not in SAFE and not node.rule.elementwise:
            unsafe |= {v.id for v in (*node.ins, *node.outs)}
    return found - unsafe


def is_sequence(type: TensorType) -> bool:
    """Whether a value is a sequence of vectors [batch, time, features]."""
    return type.batched and type.dtype == "real" and len(type.shape) == 3


def is_row(type: TensorType) -> bool:
    """Whether a value is one vector for every example."""
    return type.batched and type.dtype == "real" and len(type.shape) == 2


def fits(loop: Loop) -> bool:
    """Whether the loop can be written with arrays that exist already: vectors everywhere, masks beside them."""
    made = {v.id for n in loop.nodes for v in n.outs}
    leaving = [v.id for v in loop.leaving]
    rows = all(is_row(v.type) for v in (*loop.entering, *loop.collected))
    rows = rows and all(is_row(v.type) or (v.type.dtype != "real" and len(v.type.shape) == 1) for v in loop.slices)
    states = len(set(leaving)) == len(leaving) and made.issuperset(leaving)
    flat = all(
        n.loop is None and (n.rule.alias or not n.rule.uses_step(n) or kernel_in_loop(n.rule)) for n in loop.nodes
    )
    return rows and states and flat and {v.id for v in loop.final} <= set(leaving)

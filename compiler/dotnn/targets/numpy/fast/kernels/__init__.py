"""How ops are written in the fast style, one file a family. An op without a kernel is written from its formula."""

from collections.abc import Mapping, Sequence

from dotnn.core.registry import collect
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Op
from dotnn.targets.numpy.fast.kernels.base import Kernel, Write
from dotnn.targets.numpy.fast.kernels.formulas import over, write_formula

KERNELS: Mapping[str, Kernel] = collect(__name__, __path__, Kernel)

FORMULA = Kernel("", write_formula, over=over)
"""The kernel of an op that has none of its own."""


def kernel_of(node: Node) -> Kernel:
    """Return the kernel of a node's op."""
    return KERNELS.get(node.op, FORMULA)


def kernel_in_loop(op: Op) -> Write | None:
    """Return what writes an op inside a loop over time, or None."""
    kernel = KERNELS.get(op.name, FORMULA)
    return kernel.in_loop or (kernel.write if op.elementwise else None)


def overwritable(node: Node) -> Sequence[Value]:
    """Return the operands that have been read when a node is written: its result may take over their arrays."""
    first = kernel_of(node).over
    if first is None:
        return node.ins if node.rule.elementwise else ()
    return [node.ins[i] for i in (first(node) if callable(first) else first)]

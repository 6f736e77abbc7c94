"""How ops are written in the fast style, one file a family. An op without a kernel is written in its explain form."""

from collections.abc import Mapping, Sequence

from dotnn.core.registry import collect
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Op
from dotnn.targets.numpy.fast.kernels.base import Kernel, Write

KERNELS: Mapping[str, Kernel] = collect(__name__, __path__, Kernel)

_NONE = Kernel("")


def kernel_of(node: Node) -> Kernel:
    """Return the kernel of a node's op, an empty one where it has none."""
    return KERNELS.get(node.op, _NONE)


def kernel_in_loop(op: Op) -> Write | None:
    """Return what writes an op inside a loop over time, or None."""
    kernel = KERNELS.get(op.name, _NONE)
    return kernel.in_loop or (kernel.write if op.elementwise else None)


def overwritable(node: Node) -> Sequence[Value]:
    """Return the operands that have been read when a node is written: its result may take over their arrays."""
    over = kernel_of(node).over
    if over is None:
        return node.ins if node.rule.elementwise else ()
    return [node.ins[i] for i in (over(node) if callable(over) else over)]

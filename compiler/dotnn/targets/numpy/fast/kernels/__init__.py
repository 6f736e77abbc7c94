"""How ops are written in the fast style, one file a family. An op without a kernel is written in its explain form."""

from collections.abc import Mapping

from dotnn.core.registry import collect
from dotnn.ir.op import Op
from dotnn.targets.numpy.fast.kernels.base import Kernel, Write

KERNELS: Mapping[str, Kernel] = collect(__name__, __path__, Kernel)

_NONE = Kernel("")


def kernel(op: Op) -> Write | None:
    """Return what writes an op over the whole batch, or None."""
    return KERNELS.get(op.name, _NONE).write


def kernel_in_loop(op: Op) -> Write | None:
    """Return what writes an op inside a loop over time, or None."""
    return KERNELS.get(op.name, _NONE).in_loop or (kernel(op) if op.elementwise else None)

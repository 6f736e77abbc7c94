"""Fast NumPy for arrays of zeros, and for masks that are drawn before a loop."""

from __future__ import annotations

from dotnn.ir.node import Node
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step


def _zero_once(e: Step, node: Node) -> bool:
    out = e.out(node.out)
    if e.parameter_of(node.out) is not None:
        e.prepare(f"{out}[...] = 0")
    return True


def _masked(e: Step, node: Node) -> bool:
    x, mask = node.ins
    e.run(f"multiply({x.name}, {mask.name}, {e.out(node.out)})")
    return True


ZEROS_LIKE = Kernel("zeros_like", _zero_once, result="zeros")
DROPOUT = Kernel("dropout", in_loop=_masked)

"""Fast NumPy for sums and products of arrays of one shape."""

from __future__ import annotations

from dotnn.ir.node import Node
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.pieces import chain, only_of_two, ufunc


def _zero_once(e: Step, node: Node) -> bool:
    out = e.out(node.out)
    if e.parameter_of(node.out) is not None:
        e.prepare(f"{out}[...] = 0")
    return True


def _scale(e: Step, node: Node) -> bool:
    (x,) = node.ins
    if not x.type.shape:
        return False
    factor = e.number("factor", repr(node.attrs["factor"]))
    e.run(f"multiply({x.name}, {factor}, {e.out(node.out)})")
    return True


ADD = Kernel("add", chain("add"), over=only_of_two)
ACCUMULATE = Kernel("accumulate", chain("add"), over=only_of_two)
SUBTRACT = Kernel("subtract", ufunc("subtract"))
NEGATE = Kernel("negate", ufunc("negative"))
MULTIPLY = Kernel("multiply", ufunc("multiply"))
MAXIMUM = Kernel("maximum", ufunc("maximum", "out="))
SCALE = Kernel("scale", _scale)
ZEROS_LIKE = Kernel("zeros_like", _zero_once, result="zeros")
DROPOUT = Kernel("dropout", in_loop=ufunc("multiply"))

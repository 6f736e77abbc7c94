"""Fast NumPy for the steps of a loop over time, and for the state that it starts from."""

from __future__ import annotations

from dotnn.ir.node import Node
from dotnn.library.ops.scan import goes_on
from dotnn.targets.numpy.fast.kernels.affine import times
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.formulas import shorter


def _zero_state(e: Step, node: Node) -> bool:
    e.out(node.out)
    return True


def _cut(e: Step, node: Node) -> bool:
    (d,) = node.ins
    e.run(f"copyto({e.out(node.out)}, {d.name} if {goes_on(node)} else 0)")  # 0 times nan would be nan
    return True


def _more_affine(e: Step, node: Node) -> bool:
    """Write one more product, outside of a loop."""
    h = node.ins[1]
    if len(h.type.shape) != 2:
        return False
    return _step_affine(e, node)


def _step_affine(e: Step, node: Node) -> bool:
    xz, h, weight = node.ins
    z = e.out(node.out)
    times(e, weight, h, node.out)
    e.run(f"add({z}, {xz.name}, {z})")
    return True


ZERO_STATE = Kernel("zero_state", _zero_state, result="zeros")
CUT = Kernel("cut", in_loop=_cut, over=(0,))
STEP_AFFINE = Kernel("step_affine", _more_affine, in_loop=_step_affine, over=())
BLEND = shorter("blend", "(h - g) * z + g")

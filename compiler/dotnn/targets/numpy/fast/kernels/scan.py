"""Fast NumPy for the steps of a loop over time, and for the state that it starts from."""

from __future__ import annotations

from dotnn.ir.node import Node
from dotnn.library.ops.scan import goes_on
from dotnn.targets.numpy.fast.kernels.affine import times
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step


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


def _gated_sum(e: Step, node: Node) -> bool:
    f, c, i, g = (v.name for v in node.ins)
    product, out = e.scratch_like("product", node.out), e.out(node.out)
    e.run(f"multiply({i}, {g}, {product})")
    e.run(f"multiply({f}, {c}, {out})")
    e.run(f"add({out}, {product}, {out})")
    return True


def _blend(e: Step, node: Node) -> bool:
    """Write z (h - g) + g."""
    z, h, g = (v.name for v in node.ins)
    out = e.out(node.out)
    e.run(f"subtract({h}, {g}, {out})")
    e.run(f"multiply({out}, {z}, {out})")
    e.run(f"add({out}, {g}, {out})")
    return True


def _d_share(e: Step, node: Node) -> bool:
    d, h, g = (v.name for v in node.ins)
    difference = e.scratch_like("difference", node.out)
    e.run(f"subtract({h}, {g}, {difference})")
    e.run(f"multiply({d}, {difference}, {e.out(node.out)})")
    return True


def _d_second(e: Step, node: Node) -> bool:
    d, z = (v.name for v in node.ins)
    rest = e.scratch_like("rest", node.out)
    e.run(f"subtract({e.number('one', '1')}, {z}, {rest})")
    e.run(f"multiply({d}, {rest}, {e.out(node.out)})")
    return True


ZERO_STATE = Kernel("zero_state", _zero_state, result="zeros")
CUT = Kernel("cut", in_loop=_cut, over=(0,))
STEP_AFFINE = Kernel("step_affine", _more_affine, in_loop=_step_affine, over=())
GATED_SUM = Kernel("gated_sum", _gated_sum, over=(0, 1, 2, 3))
BLEND = Kernel("blend", _blend, over=(1,))
BLEND_D_SHARE = Kernel("blend_d_share", _d_share, over=(0,))
BLEND_D_SECOND = Kernel("blend_d_second", _d_second, over=(0,))

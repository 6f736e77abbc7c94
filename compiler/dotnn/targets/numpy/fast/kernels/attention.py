"""Fast NumPy for what attention needs besides its products: masks and positions."""

from __future__ import annotations

from dotnn.ir.node import Node
from dotnn.library.ops.attention import FAR_BELOW, tri
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step


def _mask_future(e: Step, node: Node) -> bool:
    (s,) = node.ins
    future = e.bind(f"future_{s.type.shape[-2]}_{s.type.shape[-1]}", f"~{tri(node)}[..., None]")
    out = e.out(node.out)
    e.run(f"copyto({out}, {s.name})")
    e.run(f'copyto({out}, {FAR_BELOW}, "same_kind", {future})')
    return True


def _mask_future_derivative(e: Step, node: Node) -> bool:
    (d,) = node.ins
    past = e.bind(f"past_{d.type.shape[-2]}_{d.type.shape[-1]}", f"{tri(node)}[..., None]")
    e.run(f"multiply({d.name}, {past}, {e.out(node.out)})")
    return True


def _positions(e: Step, node: Node) -> bool:
    (x,) = node.ins
    length, width = x.type.example
    table = e.bind(f"sinusoids_{length}_{width}", f"sinusoids({length}, {width}).astype(dtype)[..., None]")
    e.run(f"add({x.name}, {table}, {e.out(node.out)})")
    return True


MASK_FUTURE = Kernel("mask_future", _mask_future, over=(0,))
MASK_FUTURE_DERIVATIVE = Kernel("mask_future_derivative", _mask_future_derivative, over=(0,))
ADD_POSITIONS = Kernel("add_positions", _positions, over=(0,))

"""Fast NumPy for the softmax: its rows are divided by their sums."""

from __future__ import annotations

from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step


def _softmax(e: Step, node: Node) -> bool:
    (z,) = node.ins
    axis, p = len(z.type.example) - 1, e.out(node.out)
    row = _one_per_row(e, z)
    e.run(f"maximum.reduce({z.name}, axis={axis}, keepdims=True, out={row})")
    e.run(f"subtract({z.name}, {row}, {p})")
    e.run(f"exp({p}, {p})")
    e.run(f"add.reduce({p}, axis={axis}, keepdims=True, out={row})")
    e.run(f"divide({p}, {row}, {p})")
    return True


def _softmax_derivative(e: Step, node: Node) -> bool:
    d, p = node.ins
    product = e.scratch_like(f"{p.name}_product", p)
    row = _one_per_row(e, p)
    e.run(f"multiply({d.name}, {p.name}, {product})")
    e.run(f"add.reduce({product}, axis={len(p.type.example) - 1}, keepdims=True, out={row})")
    out = e.out(node.out)
    e.run(f"subtract({d.name}, {row}, {out})")
    e.run(f"multiply({out}, {p.name}, {out})")
    return True


def _one_per_row(e: Step, value: Value) -> str:
    """Return an array for one number of every row of features; a parameter has no examples."""
    of_example = *value.type.example[:-1], 1
    return e.scratch("row", *of_example, "size") if value.type.batched else e.scratch("row", *of_example)


SOFTMAX = Kernel("softmax", _softmax, over=(0,))
SOFTMAX_DERIVATIVE = Kernel("softmax_derivative", _softmax_derivative, over=(0,))

"""Fast NumPy for activations. A derivative that several ops read computes its slope once."""

from __future__ import annotations

from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.pieces import ufunc


def _sigmoid(e: Step, node: Node) -> bool:
    """With s = 1 where z > 0, else 0: max(s, exp(-|z|)) / (1 + exp(-|z|))."""
    (z,) = node.ins
    small = e.scratch_like(f"{z.name}_exp", z)
    e.run(f"copysign({z.name}, {e.number('minus_one', '-1')}, {small})")
    e.run(f"exp({small}, {small})")
    a = e.out(node.out)
    e.run(f"greater({z.name}, {e.number('zero', '0')}, {a})")
    e.run(f"maximum({a}, {small}, out={a})")
    e.run(f"add({small}, {e.number('one', '1')}, {small})")
    e.run(f"divide({a}, {small}, {a})")
    return True


def _sigmoid_derivative(e: Step, node: Node) -> bool:
    d, a = node.ins
    one = e.number("one", "1")
    slope = e.slope(a, f"subtract({one}, {{a}}, {{slope}})", "multiply({slope}, {a}, {slope})")
    e.run(f"multiply({d.name}, {slope}, {e.out(node.out)})")
    return True


def _tanh_derivative(e: Step, node: Node) -> bool:
    d, a = node.ins
    one = e.number("one", "1")
    slope = e.slope(a, "multiply({a}, {a}, {slope})", f"subtract({one}, {{slope}}, {{slope}})")
    e.run(f"multiply({d.name}, {slope}, {e.out(node.out)})")
    return True


def _relu(e: Step, node: Node) -> bool:
    (z,) = node.ins
    e.run(f"maximum({z.name}, {e.number('zero', '0')}, out={e.out(node.out)})")
    return True


def _relu_derivative(e: Step, node: Node) -> bool:
    d, a = node.ins
    mask = e.slope(a, f"greater({{a}}, {e.number('zero', '0')}, {{slope}})", dtype="bool")
    e.run(f"multiply({d.name}, {mask}, {e.out(node.out)})")
    return True


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


SIGMOID = Kernel("sigmoid", _sigmoid)
SIGMOID_DERIVATIVE = Kernel("sigmoid_derivative", _sigmoid_derivative)
TANH = Kernel("tanh", ufunc("tanh"))
TANH_DERIVATIVE = Kernel("tanh_derivative", _tanh_derivative)
RELU = Kernel("relu", _relu)
RELU_DERIVATIVE = Kernel("relu_derivative", _relu_derivative)
SOFTMAX = Kernel("softmax", _softmax, over=(0,))
SOFTMAX_DERIVATIVE = Kernel("softmax_derivative", _softmax_derivative, over=(0,))

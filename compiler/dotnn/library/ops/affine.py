"""The affine map of a dense layer, z = x W + b, and the three products of its gradient.

Equations: every textbook on backpropagation; here in batch form, one example a row:
dE/dx = dE/dz Wᵀ,  dE/dW = xᵀ dE/dz,  dE/db = the sum of dE/dz over the examples.
"""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.algebra import BILINEAR, RESHAPED
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op
from dotnn.ir.tensor import Attrs, TensorType
from dotnn.library.ops.kernels import Step, reduce_examples
from dotnn.library.ops.products import sum_of_products, times_matrix


def _infer_affine(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    x, weight = types[0], types[1]
    if x.shape[-1] != weight.shape[0]:
        raise ValueError(f"affine: {x} does not fit {weight}")
    return TensorType((*x.shape[:-1], weight.shape[1]))


def _affine_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    x, weight = node.ins[:2]
    d_weights = [b.emit("affine_d_weight", x, d)] + ([b.emit("sum_examples", d)] if len(node.ins) == 3 else [])
    return [b.emit("affine_d_input", d, weight), *d_weights]


def _flat_rows(name: str, node: Node, operand: int) -> str:
    """Rows of all examples (and time steps) under each other, so that one product serves them all."""
    shape = node.ins[operand].type.shape
    return f"{{{name}}}" if len(shape) == 2 else f"{{{name}}}.reshape(-1, {shape[-1]})"


def _weight_line(node: Node) -> str:
    return f"{_flat_rows('x', node, 0)}.T @ {_flat_rows('d', node, 1)}"


def _infer_weight(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((types[0].shape[-1], types[1].shape[-1]))


def _sum_line(node: Node) -> str:
    axes = tuple(range(len(node.ins[0].type.shape) - 1))
    return f"{{d}}.sum(axis={axes[0] if len(axes) == 1 else axes})"


def _fast_affine(e: Step, node: Node) -> bool:
    x, weight = node.ins[:2]
    if e.taken_into_loop(node):
        return True
    if e.by_steps(node.out):
        return _affine_of_steps(e, node)
    if len(x.type.shape) == 3:
        return times_matrix(e, x.name, e.transposed(weight), node.out, node.ins[2:])
    if len(x.type.shape) != 2:
        return False
    out = e.out(node.out)
    if weight.id in e.folded:
        packed = e.packed("params", weight)
        e.run(f"dot({e.bind(f'{packed}_T', f'{packed}.T')}, {e.carrier(x)}, {out})")
        return True
    e.run(f"dot({e.transposed(weight)}, {x.name}, {out})")
    if len(node.ins) == 3:
        column = e.bind(f"{node.ins[2].name}_column", f"{node.ins[2].name}[:, None]")
        e.run(f"add({out}, {column}, {out})")
    return True


def _affine_of_steps(e: Step, node: Node) -> bool:
    """All steps of all examples are the rows of one product."""
    x, weight, *bias = node.ins
    rows = e.long_rows(x)
    e.out(node.out)
    out = e.long_rows(node.out)
    e.run(f"dot({rows}, {weight.name}, {out})")
    if bias:
        e.run(f"add({out}, {bias[0].name}, {out})")
    return True


def _step_affine(e: Step, node: Node) -> bool:
    x, weight, *bias = node.ins
    out = e.out(node.out)
    e.run(f"dot({x.name}, {weight.name}, {out})")
    if bias:
        e.run(f"add({out}, {bias[0].name}, {out})")
    return True


def _step_d_input(e: Step, node: Node) -> bool:
    d, weight = node.ins
    e.run(f"dot({d.name}, {e.transposed(weight)}, {e.out(node.out)})")
    return True


def _fast_d_input(e: Step, node: Node) -> bool:
    d, weight = node.ins
    if e.by_steps(node.out):
        rows = e.long_rows(d)
        e.out(node.out)
        e.run(f"dot({rows}, {e.transposed(weight)}, {e.long_rows(node.out)})")
        return True
    if len(d.type.shape) == 3:
        return times_matrix(e, d.name, weight.name, node.out)
    if len(d.type.shape) != 2:
        return False
    e.run(f"dot({weight.name}, {d.name}, {e.out(node.out)})")
    return True


def _fast_d_weight(e: Step, node: Node) -> bool:
    x, d = node.ins
    if e.by_steps(d):
        x_rows, d_rows = e.long_rows(x), e.long_rows(d)
        e.run(f"dot({e.bind(f'{x_rows}_T', f'{x_rows}.T')}, {d_rows}, {e.out(node.out)})  # all steps at once")
        return True
    if len(d.type.shape) == 3:
        return sum_of_products(e, x, d, node.out)
    if len(d.type.shape) != 2:
        return False
    weight = e.parameter_of(node.out)
    if weight is not None and weight.id in e.folded:
        e.run(f"dot({e.carrier(x)}, {e.transposed(d)}, {e.packed('grads', weight)})  # the last row is the bias's")
        return True
    e.run(f"dot({x.name}, {e.transposed(d)}, {e.out(node.out)})")
    return True


def _fast_sum_examples(e: Step, node: Node) -> bool:
    (d,) = node.ins
    if e.by_steps(d):
        rows = e.long_rows(d)
        e.run(f"dot({e.bind(f'{rows}_ones', f'np.ones(len({rows}), dtype)')}, {rows}, {e.out(node.out)})")
        return True
    if e.planar(d):
        planes = e.bind(f"{d.name}_planes", f"np.moveaxis({d.name}, 2, 0)")
        matrix = e.bind(f"{d.name}_matrix", f"{planes}.reshape({d.type.example[-1]}, -1)")
        ones = e.bind(f"{d.name}_ones", f"np.ones({matrix}.shape[1], dtype)")
        e.run(f"dot({matrix}, {ones}, {e.out(node.out)})")
        return True
    if len(d.type.shape) != 2:
        reduce_examples(e, d, d.name, e.out(node.out))
        return True
    bias = e.parameter_of(node.out)
    if bias is not None and bias.id in e.folded:
        return True  # it came with the gradient of W
    e.run(f"dot({d.name}, {e.bind('ones', 'np.ones(size, dtype)')}, {e.out(node.out)})")
    return True


AFFINE = Op(
    "affine",
    ("x", "W", "b"),
    _infer_affine,
    lambda node: "{x} @ {W} + {b}" if len(node.ins) == 3 else "{x} @ {W}",
    _affine_vjp,
    equation="z = x W + b",
    additive=(0, 2),
    fast=_fast_affine,
    fast_step=_step_affine,
)

AFFINE_D_INPUT = Op(
    "affine_d_input",
    ("d", "W"),
    lambda types, attrs: TensorType((*types[0].shape[:-1], types[1].shape[0])),
    "{d} @ {W}.T",
    fast=_fast_d_input,
    fast_step=_step_d_input,
    algebra=BILINEAR,
)

AFFINE_D_WEIGHT = Op("affine_d_weight", ("x", "d"), _infer_weight, _weight_line, fast=_fast_d_weight, algebra=BILINEAR)

SUM_EXAMPLES = Op(
    "sum_examples",
    ("d",),
    lambda types, attrs: TensorType(types[0].shape[-1:]),
    _sum_line,
    fast=_fast_sum_examples,
    algebra=RESHAPED,
)

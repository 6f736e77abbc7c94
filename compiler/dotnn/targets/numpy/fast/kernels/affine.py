"""Fast NumPy for the affine map and its gradient: one matrix product each, for a sequence one a step."""

from __future__ import annotations

from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.pieces import per_feature, reduce_examples
from dotnn.targets.numpy.fast.kernels.products import product, sum_of_products, times_matrix

MANY_FEATURES, MANY_WEIGHTS = 3, 4096
"""From how many features a unit, and how many weights, an input is read by rows."""


def _affine(e: Step, node: Node) -> bool:
    x, weight = node.ins[:2]
    if len(x.type.shape) == 3:
        return times_matrix(e, x.name, e.transposed(weight), node.out, node.ins[2:])
    if len(x.type.shape) != 2:
        return False
    out = e.out(node.out)
    if weight.id in e.folded:
        packed = e.packed("params", weight)
        e.run(f"dot({e.bind(f'{packed}_T', f'{packed}.T')}, {e.carrier(x)}, {out})")
        return True
    if reads_rows(x, weight) and not e.by_rows(node.out):
        by_rows = e.scratch(f"{node.out.name}_by_examples", "size", weight.type.example[1])
        e.run(f"dot({e.rows(x)}, {weight.name}, {by_rows})", "examples first, as they come: BLAS reads rows faster")
        source = e.bind(f"{by_rows}_T", f"{by_rows}.T")
    else:
        times(e, weight, x, node.out)
        source = out
    if source != out and len(node.ins) == 2:
        e.run(f"copyto({out}, {source})")
    for vector in node.ins[2:]:
        e.run(f"add({source}, {per_feature(e, vector.name)}, {out})")
    return True


def times(e: Step, weight: Value, x: Value, out: Value, *, back: bool = False) -> None:
    """Multiply the features of every example by a matrix; `back` by the matrix itself, forward by its transpose."""
    inner, units = weight.type.example[::-1] if back else weight.type.example
    if e.by_rows(out):
        matrix = e.transposed(weight) if back else weight.name
        product(e, e.rows(x), matrix, out, ("size", inner, units), cut=not back)
    else:
        matrix = weight.name if back else e.transposed(weight)
        product(e, matrix, x.name, out, (units, inner, "size"), cut=x.role != "input" and not e.by_rows(x))


def reads_rows(x: Value, weight: Value) -> bool:
    """Whether a product is faster of examples as they are given, a row each, though its result may have to be turned.

    Measured: of 784 features, 8 % of the time with 128 units, a third with 10 or 32; with 512 units it costs 10 %.
    """
    features, units = weight.type.example
    matrix = x.role == "input" and len(x.type.shape) == 2
    return matrix and features >= MANY_FEATURES * units and features * units >= MANY_WEIGHTS


def _step_affine(e: Step, node: Node) -> bool:
    x, weight, *bias = node.ins
    out = e.out(node.out)
    times(e, weight, x, node.out)
    for vector in bias:
        e.run(f"add({out}, {per_feature(e, vector.name)}, {out})")
    return True


def _step_d_input(e: Step, node: Node) -> bool:
    d, weight = node.ins
    times(e, weight, d, node.out, back=True)
    return True


def _d_input(e: Step, node: Node) -> bool:
    d, weight = node.ins
    if len(d.type.shape) == 3:
        return times_matrix(e, d.name, weight.name, node.out)
    return len(d.type.shape) == 2 and _step_d_input(e, node)


def _d_weight(e: Step, node: Node) -> bool:
    x, d = node.ins
    if len(d.type.shape) == 3:
        return sum_of_products(e, x, d, node.out)
    if len(d.type.shape) != 2:
        return False
    weight = e.parameter_of(node.out)
    if weight is not None and weight.id in e.folded:
        e.run(f"dot({e.carrier(x)}, {e.transposed(d)}, {e.packed('grads', weight)})", "the last row is the bias's")
        return True
    features, units = node.out.type.example
    product(e, x.name, e.transposed(d), node.out, (features, "size", units), cut=e.by_rows(d))
    return True


def _sum_examples(e: Step, node: Node) -> bool:
    (d,) = node.ins
    if e.planar(d):
        planes = e.bind(f"{d.name}_planes", f"np.moveaxis({d.name}, 2, 0)")
        matrix = e.bind(f"{d.name}_matrix", f"{planes}.reshape({d.type.example[-1]}, -1)")
        ones = e.bind(f"{d.name}_ones", f"np.ones({matrix}.shape[1], dtype)")
        e.run(f"dot({matrix}, {ones}, {e.out(node.out)})")
        return True
    if len(d.type.shape) != 2:
        reduce_examples(e, d, d.name, e.out(node.out))
        return True
    e.run(f"dot({d.name}, {e.bind('ones', 'np.ones(size, dtype)')}, {e.out(node.out)})")
    return True


AFFINE = Kernel("affine", _affine, in_loop=_step_affine, folds=True, turns=True)
AFFINE_D_INPUT = Kernel("affine_d_input", _d_input, in_loop=_step_d_input, turns=True)
AFFINE_D_WEIGHT = Kernel("affine_d_weight", _d_weight, turns=True)
SUM_EXAMPLES = Kernel("sum_examples", _sum_examples, turns=True)

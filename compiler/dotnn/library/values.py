"""What the expressions of a spec become besides layers: formulas, reductions over an axis, parts, products.

Each is a `Layer`, so that the stages after the model know nothing new; but no spec calls one by its name, and the
reader of expressions has checked the operands.
"""

from __future__ import annotations

from collections.abc import Callable

from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, Types
from dotnn.library.ops import OPS

FAMILY = "expression"


def _lower_part(b: Builder, low: Lowering) -> Value:
    """Write a part; one that is whole but for its last axis is columns, which gates are cut into, too."""
    *others, last = low.attrs["places"]
    sizes = low.x.type.example
    whole = [(0, size) for size in sizes[:-1]]
    if isinstance(last, tuple) and len(others) == len(sizes) - 1 and others == whole:
        return b.emit("columns", low.x, start=last[0], stop=last[1])
    return b.emit("part", low.x, **low.attrs)


def _values(name: str, op: str, doc: str, most: int | None = 1) -> Layer:
    """Return the layer that is a single op with the same attributes."""

    def lower(b: Builder, low: Lowering) -> Value:
        return b.emit(op, *low.ins, **low.attrs)

    return Layer(name, doc, lower, infer=_inferred(op), family=FAMILY, arity=(1, most))


def _inferred(op: str) -> Callable[[Types, Attrs], TensorType]:
    return lambda types, attrs: OPS[op].infer(types, attrs)


EXPRESSION = _values("expression", "expression", "An equation of the spec.", None)
PART = Layer("part", "A part of a value.", _lower_part, infer=_inferred("part"), family=FAMILY)
TRANSPOSE = _values("transpose", "transpose", "The last two axes change places.")
MATMUL = _values("matmul", "matmul", "The product of two matrices.", 2)
AFFINE = _values("affine", "affine", "A product with a parameter, and a bias.")
AFFINE_OF_FORMULA = Layer(
    "affine_of_formula",
    "A product with what is computed of parameters alone.",
    lambda b, low: b.emit("affine", low.x, b.emit("expression", *low.ins[1:], name="W", formula=low.attrs["formula"])),
    infer=lambda types, attrs: OPS["affine"].infer((types[0], OPS["expression"].infer(types[1:], attrs)), attrs),
    family=FAMILY,
    arity=(1, 1),
)
TIED = _values("tied", "affine_d_input", "A product with a transposed parameter.")
STEP_AFFINE = _values("step_affine", "step_affine", "One more product with a parameter.", 2)
"""Their last operands are parameters."""
NOISE = _values("noise", "noise", "Numbers that are drawn anew for each example.")
"""Its operand says how many examples there are."""
REDUCTIONS = {
    "sum": _values("sum_over", "sum_axes", "A sum over one axis."),
    "mean": _values("mean_over", "mean_axes", "A mean over one axis."),
    "max": _values("max_over", "max_axes", "The largest number along one axis."),
    "min": _values("min_over", "min_axes", "The smallest number along one axis."),
    "logsumexp": _values("logsumexp", "logsumexp", "log sum exp along one axis."),
}
"""By the names of their functions; `sum` and `max` of several values are joins."""

"""Whole numbers as rows: of a table that is learned, or of zeros and a one."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.algebra import ABOVE_ZERO, Algebra
from dotnn.ir.op import Op, no_gradient
from dotnn.ir.tensor import Attrs, TensorType


def _infer_rows(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((*types[0].shape, types[1].shape[1]))


TAKE_ROWS = Op(
    "take_rows",
    ("ids", "W"),
    _infer_rows,
    "W[ids]",
    lambda b, node, d: [None, b.emit("sum_rows", node.ins[0], d, rows=node.ins[1].type.shape[0])],
    equation="the row of W that each number names",
    algebra=Algebra(linear=(1,)),
)

SUM_ROWS = Op(
    "sum_rows",
    ("ids", "d"),
    lambda types, attrs: TensorType((attrs["rows"], types[1].shape[-1])),
    "sum_by_row(ids, d, rows)",
    helpers=("sum_by_row",),
    algebra=Algebra(linear=(1,)),
)

ONE_HOT = Op(
    "one_hot",
    ("ids",),
    lambda types, attrs: TensorType((*types[0].shape, attrs["units"])),
    "one_hot_rows(ids, units, dtype_of(params))",
    no_gradient,
    ("one_hot_rows", "dtype_of"),
    algebra=ABOVE_ZERO,
)

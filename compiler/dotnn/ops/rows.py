"""Whole numbers as rows: of a table that is learned, or of zeros and a one."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ops.base import Attrs, Node, Op, TensorType, no_gradient
from dotnn.ops.kernels import Step

SMALL_TABLE = 128
"""The most rows for which a product with one-hot rows is faster than adding up row by row (measured)."""


def _infer_rows(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((*types[0].shape, types[1].shape[1]))


def _fast_sum_rows(e: Step, node: Node) -> bool:
    return False


TAKE_ROWS = Op(
    "take_rows", ("ids", "W"), _infer_rows, "{W}[{ids}]",
    lambda b, node, d: [None, b.emit("sum_rows", node.ins[0], d, rows=node.ins[1].type.shape[0])],
    equation="the row of W that each number names",
)  # fmt: skip

SUM_ROWS = Op(
    "sum_rows", ("ids", "d"), lambda types, attrs: TensorType((attrs["rows"], types[1].shape[-1])),
    "sum_by_row({ids}, {d}, {rows})", helpers=("sum_by_row",), fast=_fast_sum_rows,
)  # fmt: skip

ONE_HOT = Op(
    "one_hot", ("ids",), lambda types, attrs: TensorType((*types[0].shape, attrs["units"])),
    "one_hot_rows({ids}, {units}, dtype_of(params))", no_gradient, ("one_hot_rows", "dtype_of"),
)  # fmt: skip

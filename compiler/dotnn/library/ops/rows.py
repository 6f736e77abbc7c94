"""Whole numbers as rows: of a table that is learned, or of zeros and a one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dotnn.ir.algebra import ABOVE_ZERO, Algebra
from dotnn.ir.node import Node
from dotnn.ir.op import Op, no_gradient
from dotnn.ir.tensor import Attrs, TensorType
from dotnn.library.ops.kernels import Step

SMALL_TABLE = 128
"""The most rows for which a product with one-hot rows is faster than adding up row by row (measured)."""


def _infer_rows(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((*types[0].shape, types[1].shape[1]))


def _fast_sum_rows(e: Step, node: Node) -> bool:
    """For a small table, as one product with one-hot rows."""
    ids, d = node.ins
    rows, width = node.attrs["rows"], d.type.example[-1]
    if rows > SMALL_TABLE or ids.role != "input":
        return False
    count = f"{math.prod(ids.type.example)} * size"
    flat = e.bind(f"{ids.name}_flat", f"{e.integers(ids)}.reshape(-1)")
    hot, each = e.scratch("hot", rows, count), e.scratch(f"rows_of_{d.name}", count, width)
    e.run(f"copyto({hot}, 0)")
    e.run(f"{hot}[{flat}, {e.bind('places', f'np.arange({count})')}] = 1")
    view = e.bind(f"{each}_rows", f"{each}.reshape({', '.join(map(str, ('size', *d.type.example)))})")
    e.run(f"copyto({view}, {e.rows(d)})")
    e.run(f"dot({hot}, {each}, {e.out(node.out)})")
    return True


TAKE_ROWS = Op(
    "take_rows", ("ids", "W"), _infer_rows, "{W}[{ids}]",
    lambda b, node, d: [None, b.emit("sum_rows", node.ins[0], d, rows=node.ins[1].type.shape[0])],
    equation="the row of W that each number names", algebra=Algebra(linear=(1,))
)  # fmt: skip

SUM_ROWS = Op(
    "sum_rows", ("ids", "d"), lambda types, attrs: TensorType((attrs["rows"], types[1].shape[-1])),
    "sum_by_row({ids}, {d}, {rows})", helpers=("sum_by_row",), fast=_fast_sum_rows, algebra=Algebra(linear=(1,))
)  # fmt: skip

ONE_HOT = Op(
    "one_hot", ("ids",), lambda types, attrs: TensorType((*types[0].shape, attrs["units"])),
    "one_hot_rows({ids}, {units}, dtype_of(params))", no_gradient, ("one_hot_rows", "dtype_of"), algebra=ABOVE_ZERO
)  # fmt: skip

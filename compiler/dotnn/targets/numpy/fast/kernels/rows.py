"""Fast NumPy for the gradient of a table of rows."""

from __future__ import annotations

import math

from dotnn.ir.node import Node
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step

SMALL_TABLE = 128
"""The most rows for which a product with one-hot rows is faster than adding up row by row (measured)."""


def _sum_rows(e: Step, node: Node) -> bool:
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


SUM_ROWS = Kernel("sum_rows", _sum_rows)

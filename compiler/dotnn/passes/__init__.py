"""The passes, in the order in which they run. The order is data."""

from __future__ import annotations

from collections.abc import Callable

from dotnn.ir.graph import Graph
from dotnn.passes.differentiate import differentiate
from dotnn.passes.fuse_losses import fuse_losses
from dotnn.passes.join_columns import join_columns
from dotnn.passes.name import name
from dotnn.passes.pool_filters import pool_filters
from dotnn.passes.simplify import simplify

Pass = Callable[[Graph], Graph]

FIRST: tuple[Pass, ...] = (fuse_losses, name)
FOR_SPEED: tuple[Pass, ...] = (pool_filters,)
"""What a training step of the fast style runs in between: the same network, put together for speed."""
REST: tuple[Pass, ...] = (differentiate, join_columns, simplify, name)

PASSES: tuple[Pass, ...] = (*FIRST, *REST)
"""What the reader sees, and what the explain style runs."""

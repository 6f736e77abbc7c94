"""How the arrays of a loop over time lie: what a step of a training and of a prediction do otherwise.

A training keeps the steps [time, batch, features]: all of them under each other are the rows of the one product that
gives the gradient of a matrix. A prediction keeps nothing, and has the features first as everywhere else: the gates of
a cell are then blocks that lie side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dotnn.ir.node import Value

Dims = tuple[int | str, ...]


@dataclass(frozen=True)
class Axes:
    """The axes of one step: [batch, features], or with the `batch_last`."""

    batch_last: bool

    def ordered(self, features: Sequence[int | str]) -> Dims:
        """Return the dimensions of an array with these axes for each example."""
        return (*features, "size") if self.batch_last else ("size", *features)

    def like(self, value: Value) -> Dims:
        """Return the dimensions of a value's array."""
        return self.ordered(value.type.example) if value.type.batched else value.type.example

    def cut(self, start: int, stop: int, before: str = "") -> str:
        """Return the index of some features of a step, behind that of the steps where there is one."""
        batch = "" if self.batch_last else ":, "
        return f"[{f'{before}, ' if before else ''}{batch}{start}:{stop}]"

    def batch_first(self, name: str, value: Value) -> str:
        """Return the expression of a step of a value with the batch in front."""
        turned = self.batch_last and value.type.batched and len(value.type.shape) == 2 and value.type.dtype == "real"
        return f"{name}.T" if turned else name


BATCH_FIRST, BATCH_LAST = Axes(batch_last=False), Axes(batch_last=True)

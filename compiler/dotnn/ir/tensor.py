"""The type of a value: a shape, and what kind of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dotnn.core.arguments import Attrs as Attrs

BATCH = "B"
"""The batch axis, whose length is known only when the script runs."""

Dim = int | str


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape (with `BATCH` first where the value belongs to a batch) and kind: "real", "int" or "bool"."""

    shape: tuple[Dim, ...]
    dtype: str = "real"

    @property
    def batched(self) -> bool:
        """Whether the first axis is the batch."""
        return bool(self.shape) and self.shape[0] == BATCH

    @property
    def example(self) -> tuple[int, ...]:
        """The shape without the batch axis."""
        return tuple(d for d in self.shape if isinstance(d, int))

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.shape))}]" + ("" if self.dtype == "real" else f" {self.dtype}")


Types = Sequence[TensorType]
"""Those of the operands."""

"""Which arrays are free: a value takes over the array of an operand that nobody reads any more, or a free one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from dotnn.ir.node import Value
from dotnn.targets.numpy.fast.placement.places import Buffer, Layout


class Pool:
    """Hands out arrays by liveness. With `reuse` off every value has an array of its own."""

    def __init__(self, reads: Counter[int], layout: Callable[[Value], Layout], *, reuse: bool = True) -> None:
        self.reads, self.layout, self.reuse = reads, layout, reuse
        self.left = Counter(reads)
        self.of: dict[int, Buffer] = {}
        self._free: list[Buffer] = []

    def new(self, value: Value, *, pinned: bool = False, pieces: bool = False) -> Buffer:
        """Make an array for a value."""
        self.of[value.id] = Buffer(value, self.layout(value), self.reads[value.id], pinned, pieces)
        return self.of[value.id]

    def over(self, value: Value, operands: Iterable[Value], reading: Sequence[Value]) -> Value | None:
        """Return the operand whose array a value takes over, if one has its last reads now.

        `reading` is all that is read now: what lies in that array, too, must be one of the operands.
        """
        operands = [*operands]
        for operand in operands:
            held = self.of.get(operand.id)
            if (
                held is not None
                and self.reuse
                and self._dies(held, operands, reading)
                and held.layout == self.layout(value)
            ):
                self.join(value, held)
                return operand
        return None

    def freed(self, value: Value) -> Buffer | None:
        """Return the free array that a value takes over, if there is one like its own."""
        for held in self._free:
            if held.layout == self.layout(value):
                self._free.remove(held)
                self.join(value, held)
                return held
        return None

    def join(self, value: Value, held: Buffer) -> None:
        """Let a value live in an array, which lives as long as it."""
        held.uses += self.reads[value.id]
        self.of[value.id] = held

    def release(self, values: Iterable[Value]) -> None:
        """Count what has been read; an array without further reads becomes free."""
        for value in values:
            held = self.of.get(value.id)
            self.left[value.id] -= 1
            if held is not None:
                held.uses -= 1
                if held.uses == 0 and self.reuse and value.type.batched and not (held.pinned or held.pieces):
                    self._free.append(held)

    def _dies(self, held: Buffer, operands: Sequence[Value], reading: Sequence[Value]) -> bool:
        inside = [v for v in reading if self.of.get(v.id) is held]
        return not held.pinned and held.uses == len(inside) and all(v in operands for v in inside)

"""Axes: from numbers to places along a side of a picture, with ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

LARGEST = 1e300
"""Values beyond are drawn here: sums and differences of two of them stay finite."""

SAME = 1e-12
"""A span below this part of the greatest value is rounding: its axis is drawn as that of a constant."""

TINY = 1e-300
"""So is a span below this, a step of which would be no number of double precision."""

LOGARITHMIC_FROM = 30
"""Positive values that differ by more than this factor are drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Tick:
    """A number that is written at an axis, and where: 0 at its low end, 1 at its high end."""

    place: float
    text: str


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`; `step` between two ticks, in powers of ten where it is `logarithmic`."""

    low: float
    high: float
    step: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return where `value` is: 0 at the low end, 1 at the high end."""
        along = math.log10(_held(value)) if self.logarithmic else _held(value)
        return (along - self.low) / (self.high - self.low)

    def ticks(self) -> list[Tick]:
        """Return the ticks from the low end to the high one, no two with the same text."""
        first, last = math.ceil(self.low / self.step - 1e-9), math.floor(self.high / self.step + 1e-9)
        values = [i * self.step for i in range(first, last + 1)]
        return [Tick((value - self.low) / (self.high - self.low), self._text(value)) for value in values]

    def _text(self, value: float) -> str:
        if self.logarithmic:
            return f"{10**value:g}"
        power = math.floor(math.log10(self.step) + SAME)
        greatest = math.floor(math.log10(max(abs(self.low), abs(self.high))))
        if -4 <= greatest < 6:
            return f"{value + 0.0:.{max(-power, 0)}f}"  # + 0.0: no "-0"
        return f"{value:.{max(greatest - power, 0)}e}" if value else "0"


def scale(values: Iterable[float], ticks: int = 6) -> Scale:
    """Return the axis of `values` with about so many ticks: logarithmic where all are positive and span a factor of 30.

    Values that are not finite count for nothing; without any the axis goes from 0 to 1. A linear axis ends at ticks.
    """
    finite = [_held(float(value)) for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if low > 0 and high > LOGARITHMIC_FROM * low:
        return _logarithmic(low, high, ticks)
    if high - low <= max(SAME * max(abs(low), abs(high)), TINY):
        room = max(abs(low) / 2, TINY)
        low, high = low - room, high + room
    step = _round_step((high - low) / ticks)
    return Scale(math.floor(low / step + SAME) * step, math.ceil(high / step - SAME) * step, step)


def counting_scale(count: int, ticks: int = 8) -> Scale:
    """Return the axis of the numbers from 1 to `count`, with ticks at whole numbers only."""
    last = max(count, 2)
    return Scale(1, last, max(_round_step((last - 1) / ticks), 1.0))


def _logarithmic(low: float, high: float, ticks: int) -> Scale:
    """Return an axis between powers of ten: 0.01, 0.1, 1, or every n-th of them."""
    first, last = math.floor(math.log10(low) + SAME), math.ceil(math.log10(high) - SAME)
    return Scale(first, last, math.ceil((last - first) / ticks), logarithmic=True)


def _round_step(least: float) -> float:
    """Return the least 1, 2 or 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - SAME))


def _held(value: float) -> float:
    return max(-LARGEST, min(value, LARGEST))

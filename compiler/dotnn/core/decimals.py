"""Arithmetic on the numbers of a spec as they are written: 1 - 0.9 is 0.1, and 0.3 / 0.1 is 3.

Each double stands for the shortest decimal fraction that is read as it; these are computed with exactly, and what comes
out is rounded once. Doubles themselves would give 0.09999999999999998, which nobody has written.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

LARGEST_POWER = 64
"""Of a number with a point; a larger one has too many digits to be computed exactly."""


def _exactly(apply: Callable[[Any, Any], Any]) -> Callable[[float, float], Any]:
    def computed(left: float, right: float) -> Any:
        plain = isinstance(left, int) and isinstance(right, int)
        if plain or not (math.isfinite(left) and math.isfinite(right)):
            return apply(left, right)
        return float(apply(Fraction(repr(left)), Fraction(repr(right))))

    return computed


plus, minus, times, mod = map(_exactly, (operator.add, operator.sub, operator.mul, operator.mod))
over = _exactly(operator.truediv)


def power(base: float, exponent: float) -> Any:
    """Return a power, exactly where the exponent is whole and not large. Raises as Python's does."""
    if isinstance(base, int) or not isinstance(exponent, int) or abs(exponent) > LARGEST_POWER:
        return base**exponent
    return float(Fraction(repr(base)) ** exponent)

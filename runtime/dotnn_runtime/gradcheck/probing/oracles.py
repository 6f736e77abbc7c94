"""The two oracles: directional derivatives that owe nothing to the backward pass under test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..reading.types import Direction, Evaluate

STEP = 1e-20
ROWS = 6
SHRINK = 1.6
REPEATS = 4
AGREE = 1e-10


def complex_step(evaluate: Evaluate, direction: Direction) -> float:
    """Return the derivative of `evaluate` along `direction`: Im f(x + i·h·u) / h with h = 1e-20.

    No difference is taken, so nothing cancels and the result is as accurate as `evaluate` itself
    (J. Martins, P. Sturdza, J. Alonso, The complex-step derivative approximation, ACM TOMS 29, 2003).
    """
    pushed = {key: 1j * STEP * np.asarray(u) for key, u in direction.items()}
    return float(np.imag(evaluate(pushed))) / STEP


@dataclass(frozen=True)
class Estimate:
    """A numerical derivative and its own estimate of how far off it is; of that is `rounding` what its steps lose."""

    value: float
    error: float
    rounding: float = 0.0


def richardson(
    evaluate: Evaluate, direction: Direction, reach: float = 0.1, *, norm: float = 0.0, resolution: float = math.inf
) -> Estimate:
    """Return the derivative along `direction` by central differences, extrapolated to step zero.

    The largest step moves elements by `reach` in the root mean square. Extrapolation may settle on a wrong value
    where that is beyond the radius in which the loss is a power series, so it is repeated with ever smaller steps
    until two results agree; their distance is the error. `evaluate` must be smooth within `reach`: its branches are
    frozen by the caller. Where rounding, which shorter steps make larger, is more than `resolution` times the
    derivative and `norm` already, no shorter ones are tried: no caller has use for what they would tell.
    """
    size = max((math.sqrt(float(np.mean(np.square(u)))) for u in direction.values() if u.size), default=0.0)
    if size == 0.0:
        return Estimate(0.0, 0.0)
    unit = {key: u / size for key, u in direction.items()}

    def is_lost(value: float, rounding: float) -> bool:
        return rounding > resolution * max(norm / size, abs(value))

    before, best = _extrapolated(evaluate, unit, reach, is_lost), Estimate(0.0, np.inf)
    for _ in range(REPEATS):
        if is_lost(before.value, before.rounding):
            break
        reach /= 6.0
        estimate = _extrapolated(evaluate, unit, reach, is_lost)
        error = max(abs(estimate.value - before.value), estimate.error)
        if error < best.error:
            best = Estimate(estimate.value, error)
        if error <= AGREE * abs(estimate.value):
            break
        before = estimate
    return Estimate(size * best.value, size * best.error)


def _extrapolated(
    evaluate: Evaluate, direction: Direction, t: float, is_lost: Callable[[float, float], bool]
) -> Estimate:
    """Extrapolate central differences from the step `t` downwards, unless rounding is too much at that step already.

    The error of (f(t) - f(-t)) / 2t is a series in t²; Neville's scheme removes it term by term while t shrinks, and
    the entry whose neighbours agree best is taken (C. Ridders, Accurate computation of F'(x), Advances in
    Engineering Software 4, 1982).
    """

    largest, epsilon = 0.0, float(np.finfo(float).eps)

    def difference(t: float) -> float:
        nonlocal largest
        ahead = evaluate({key: t * u for key, u in direction.items()})
        behind = evaluate({key: -t * u for key, u in direction.items()})
        largest = max(largest, abs(ahead), abs(behind))
        return float((ahead - behind) / (2.0 * t))

    previous = [difference(t)]
    best = Estimate(previous[0], np.inf, epsilon * largest / t)
    if is_lost(best.value, best.rounding):
        return best
    for _ in range(1, ROWS):
        t /= SHRINK
        row, factor = [difference(t)], SHRINK**2
        for j, above in enumerate(previous):
            row.append((row[j] * factor - above) / (factor - 1.0))
            factor *= SHRINK**2
            error = max(abs(row[-1] - row[j]), abs(row[-1] - above))
            if error < best.error:
                best = Estimate(row[-1], error)
        if abs(row[-1] - previous[-1]) > 4.0 * best.error:
            break  # higher orders have begun to amplify rounding
        previous = row
    rounding = epsilon * largest / t
    return Estimate(best.value, max(best.error, rounding), rounding)


def taylor_order(evaluate: Evaluate, direction: Direction, slope: float) -> float | None:
    """Return the order at which |f(tu) - f(0) - t·slope| vanishes, over four halvings of t.

    The remainder of a right `slope` shrinks like t² (order 2), of a wrong one like t (order 1). None means that the
    remainder is nothing but rounding at every t: the loss is linear along `direction`.
    """
    base = float(evaluate({}))
    noise = 2e4 * np.finfo(float).eps * max(abs(base), abs(slope))
    orders = []
    for start in (0.3, 0.1, 0.03, 0.01):
        steps = start / 2.0 ** np.arange(5)
        values = [float(evaluate({key: t * u for key, u in direction.items()})) for t in steps]
        rest = np.abs(np.array(values) - base - steps * slope)
        if rest.min() > noise:
            orders.append(float(np.polyfit(np.log2(steps), np.log2(rest), 1)[0]))
    return orders[-1] if orders else None

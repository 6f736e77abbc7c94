"""Directional probes: what one row claims against what an oracle says, and what to make of the difference."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..reading.types import Array, Direction, Evaluate, Key, norm
from ..report.results import Element
from ..tracing.rows import Row
from .oracles import STEP, Estimate, complex_step, richardson

TOLERANCE = 1e-10
ELEMENT_TOLERANCE = 1e-9
NUMERIC_TOLERANCE = 1e-8
RESOLUTION = 0.1 * NUMERIC_TOLERANCE
"""What Richardson extrapolation must be sure of to decide, as a share of the derivative."""
# Below this share of the largest gradient of the network a gradient is rounding; it proves nothing either way.
NOISE = 1e-13
# Below this share, a claim and the truth are both zero: an error of the rules would have to be zero itself.
ZERO = 1e-14
# So is a difference that is a few units in the last place of the largest gradient: behind a saturated unit, 1 - a²
# has lost its digits.
ROUNDING = 1e-15
MARGIN = 8.0
"""So is a difference of so many times what a claim moves when the values of the forward pass are off by a rounding."""
GROUPS = 64
ZERO_POINTS = 3
"""At so many points a gradient must be zero to be taken for zero."""
SILENT = "nothing but rounding at any point"
NO_SLOPE = "the loss has no finite slope"


class Outcome(Enum):
    """What one probe says about a row."""

    RIGHT = "the claim agrees with the oracle"
    WRONG = "the claim differs from the oracle"
    SILENT = "both are zero, or nothing but rounding"


@dataclass(frozen=True)
class Probe:
    """The result of one probe: the relative error and the absolute one.

    `zero` says that claim and truth are both zero but for rounding, `reason` why a silent one is silent.
    """

    outcome: Outcome
    error: float
    zero: bool = False
    distance: float = 0.0
    reason: str = SILENT


def judge(row: Row, direction: Direction, true: float, scale: float, tolerance: float) -> Probe:
    """Compare the claims of a row along `direction` with the true slope; errors are relative to the tensor's norm.

    Agreement is certified by the relative error alone; `scale`, the largest gradient of the network, only serves to
    tell rounding from an error. Where the truth is not finite it decides nothing: a branch that rounding decides held
    the numerator and the denominator of a quotient at zero, say.
    """
    claimed = row.norm
    if math.isfinite(claimed) and not math.isfinite(true):
        return Probe(Outcome.SILENT, 0.0, reason=NO_SLOPE)
    if max(claimed, abs(true)) == 0.0:
        return Probe(Outcome.SILENT, 0.0, zero=True)
    size = max(claimed, abs(true))
    error = min(abs(slope - true) for slope in row.slopes(direction)) / size
    if error <= tolerance:
        return Probe(Outcome.RIGHT, error)
    silent = size <= NOISE * scale or error * size <= ROUNDING * scale
    return Probe(Outcome.SILENT if silent else Outcome.WRONG, error, size <= ZERO * scale, error * size)


@dataclass(frozen=True)
class Oracle:
    """A way to find directional derivatives, and how far it can be trusted."""

    name: str
    tolerance: float
    derivative: Callable[[Evaluate, Direction], float]


COMPLEX_STEP = Oracle("complex step", TOLERANCE, complex_step)
RICHARDSON = Oracle("Richardson", NUMERIC_TOLERANCE, lambda evaluate, direction: richardson(evaluate, direction).value)


def scale_of(rows: Sequence[Row]) -> float:
    """Return the norm of the largest gradient or cotangent."""
    return max((row.norm for row in rows), default=0.0)


def probe_rows(
    rows: Sequence[Row], evaluate: Evaluate, oracle: Oracle, rng: np.random.Generator, scale: float
) -> dict[str, Probe]:
    """Probe every row once.

    Beyond `GROUPS` rows several share a forward pass, each with a direction divided by its norm so that none drowns
    in another; where a group disagrees its rows are probed one by one.
    """
    size = math.ceil(len(rows) / GROUPS)
    found: dict[str, Probe] = {}
    for group in _batched(rows, max(1, size)):
        joint = joint_probe(group, evaluate, oracle, rng) if len(group) > 1 else None
        if joint is not None and joint.outcome is Outcome.RIGHT:
            found |= {row.name: joint for row in group}
            continue
        for row in group:
            direction = row.direction(rng)
            found[row.name] = judge(row, direction, oracle.derivative(evaluate, direction), scale, oracle.tolerance)
    return found


def _batched(rows: Sequence[Row], size: int) -> list[Sequence[Row]]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]


@dataclass(frozen=True)
class Joint:
    """A direction along which several rows are probed at once, what they claim about it, and how much each weighs.

    `size` is what each contributes to the slope.
    """

    direction: Direction
    slope: float
    weights: Mapping[str, float]
    size: float

    @classmethod
    def of(cls, rows: Sequence[Row], rng: np.random.Generator, floor: float = 0.0) -> Joint | None:
        """Draw a direction in which rows contribute alike; None if a row has more than one claim or none.

        Rows whose norm is below `floor` times the largest contribute less: what is nothing but rounding must not be
        blown up to the size of the others.
        """
        if not rows or any(len(row.claims) != 1 or row.norm == 0.0 for row in rows):
            return None
        sizes = {row.name: max(row.norm, floor * scale_of(rows)) for row in rows}
        smallest = min(sizes.values())  # no displacement is larger than Gaussian: the complex step needs them tiny
        weights = {name: smallest / size for name, size in sizes.items()}
        direction, slope = dict[Key, Array](), 0.0
        for row in rows:
            part = {key: weights[row.name] * u for key, u in row.direction(rng).items()}
            slope += row.slopes(part)[0]
            direction |= part
        return cls(direction, slope, weights, smallest * math.sqrt(len(rows)))


def joint_probe(
    rows: Sequence[Row],
    evaluate: Evaluate,
    oracle: Oracle,
    rng: np.random.Generator,
    floor: float = 0.0,
    noise: Mapping[str, float] | None = None,
) -> Probe | None:
    """Probe rows all at once; None where that cannot be. `noise` is what may be rounding, in the units of each row."""
    joint = Joint.of(rows, rng, floor)
    if joint is None:
        return None
    true = oracle.derivative(evaluate, joint.direction)
    if math.isfinite(joint.slope) and not math.isfinite(true):
        return Probe(Outcome.SILENT, 0.0, reason=NO_SLOPE)
    rounding = sum(joint.weights[name] * off for name, off in (noise or {}).items() if name in joint.weights)
    error = abs(joint.slope - true) / max(joint.size, abs(true))
    right = error <= oracle.tolerance or abs(joint.slope - true) <= rounding
    return Probe(Outcome.RIGHT if right else Outcome.WRONG, error)


def elements(row: Row, evaluate: Evaluate, places: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], float]:
    """Return elements of the true gradient, by their places."""
    found = {}
    for index in places:
        unit = np.zeros(row.shape)
        unit[index] = 1.0
        found[index] = float(np.imag(evaluate({row.keys[0]: 1j * STEP * unit}))) / STEP
    return found


def corner_and_random(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Choose at least `count` places in an array: its corners, then random ones."""
    corners = list(itertools.product(*({0, size - 1} for size in shape)))[:count]
    free = max(0, count - len(corners))
    drawn = [tuple(int(rng.integers(size)) for size in shape) for _ in range(free)]
    return list(dict.fromkeys(corners + drawn))


def some_of(rows: list[Row], most: int, rng: np.random.Generator) -> list[Row]:
    """Return at most `most` rows, chosen at random, in their order."""
    if len(rows) <= most:
        return rows
    return [rows[i] for i in sorted(rng.choice(len(rows), most, replace=False))]


def compare_elements(row: Row, truths: Mapping[tuple[int, ...], float], scale: float) -> tuple[float, list[Element]]:
    """Compare single elements of a gradient; return the largest relative error and the wrong ones, worst first.

    `truths` holds the true ones by their places; `scale`, the largest gradient of the network, tells rounding from an
    error, as in `judge`.
    """
    claim = row.claims[0][0]
    largest = float(np.abs(claim).max(initial=0.0))
    worst, wrong = 0.0, []
    for index, true in truths.items():
        got = float(claim[index])
        distance = abs(got - true)
        if distance <= NOISE * largest:
            worst = max(worst, distance / largest if largest else 0.0)
            continue
        if distance <= ROUNDING * scale:
            continue
        error = distance / max(abs(got), abs(true))
        worst = max(worst, error)
        if error > ELEMENT_TOLERANCE:
            wrong.append(Element(index, got, true))
    return worst, sorted(wrong, key=lambda e: -abs(e.got - e.expected))


def numeric_disagreement(
    row: Row, evaluate: Evaluate, rng: np.random.Generator, base: Callable[[Key], Array], oracle: Oracle = RICHARDSON
) -> float | None:
    """Return the error of a row against Richardson extrapolation; None where that cannot resolve the tolerance.

    The steps are in proportion to the tensor's own size. Where they are longer than what bends the loss (a power of a
    power behind a sigmoid), all of them agree on a wrong value: a disagreement has to show with much shorter ones, too,
    unless the complex step as `oracle`, whose step cannot be too long, finds the very value.
    """
    sizes = [element_size(base(key)) for key in row.keys]
    direction, reach = row.direction(rng), 0.1 * max(*sizes, 0.1)
    error = None
    for shorter in (1.0, 1e-2, 1e-4):
        estimate = richardson(evaluate, direction, shorter * reach, norm=row.norm, resolution=RESOLUTION)
        error = _apart(row, direction, estimate)
        if error is None or error <= NUMERIC_TOLERANCE or _is_confirmed(estimate, evaluate, direction, oracle):
            break
    return error


def joint_disagreement(
    rows: Sequence[Row], evaluate: Evaluate, rng: np.random.Generator, base: Callable[[Key], Array]
) -> float | None:
    """Return the error of several rows at once against Richardson extrapolation, each scaled to contribute alike.

    None where that cannot resolve the tolerance, or a row has more than one claim or none: then they are looked at one
    by one. So they are where they disagree.
    """
    joint = Joint.of(rows, rng) if len(rows) > 1 else None
    if joint is None:
        return None
    sizes = [element_size(base(key)) for row in rows for key in row.keys]
    reach = 0.1 * max(0.1, min(sizes))
    estimate = richardson(evaluate, joint.direction, reach, norm=joint.size, resolution=RESOLUTION)
    size = max(joint.size, abs(estimate.value))
    if not np.isfinite(estimate.error) or estimate.error > RESOLUTION * size:
        return None
    return abs(joint.slope - estimate.value) / size


def element_size(array: Array) -> float:
    """Return the root mean square of the elements."""
    return norm(array) / math.sqrt(max(1, array.size))


def _apart(row: Row, direction: Direction, estimate: Estimate) -> float | None:
    """Return how far a row is from an estimate of its slope, None where that resolves too little."""
    size = max(row.norm, abs(estimate.value))
    if size == 0.0 or not np.isfinite(estimate.error) or estimate.error > RESOLUTION * size:
        return None
    return min(abs(slope - estimate.value) for slope in row.slopes(direction)) / size


def _is_confirmed(estimate: Estimate, evaluate: Evaluate, direction: Direction, oracle: Oracle) -> bool:
    """Whether the complex step finds the same slope."""
    if oracle is not COMPLEX_STEP:
        return False
    slope = oracle.derivative(evaluate, direction)
    return abs(slope - estimate.value) <= NUMERIC_TOLERANCE * max(abs(slope), abs(estimate.value))

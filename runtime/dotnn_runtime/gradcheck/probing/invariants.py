"""Checks that need no oracle: what must hold between runs of the script itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dotnn_runtime.script.formulas.carrying import rows_of_state

from ..reading.script import Script
from ..reading.types import Array, Cost, Point, is_float, norm
from ..report.results import CheckResult, Verdict
from .evaluation import loss_and_grads, moves_by_rounding
from .probes import NOISE
from .rounding import FLOAT32_EPSILON, LIKE_ROUNDING

SAME = 1e-12
FLOAT32 = 1e-5
SUBNORMAL = 1e-300
"""What numbers below the smallest normal one add up to: they have fewer digits than others."""
FLOAT32_SQUARE = 1e19
"""The square of a number beyond this overflows in float32."""


def check_linear(script: Script, point: Point, grads: Mapping[str, Array], cost: Cost) -> CheckResult:
    """V1: the gradient is linear in the seed `d_loss`: nothing for 0, exactly twice for 2."""
    title = "V1", "linear in the seed d_loss"
    _, none = loss_and_grads(script.plain, point, d_loss=0.0)
    _, twice = loss_and_grads(script.plain, point, d_loss=2.0)
    cost.forwards += 2
    leaks = [name for name in grads if np.any(none[name])]
    if leaks:
        return CheckResult(*title, Verdict.FAIL, f"with d_loss=0, {', '.join(leaks)} is not zero", tensors=tuple(leaks))
    # doubling is exact in binary floating point, save where a gradient is subnormal
    bent = [n for n, g in grads.items() if not np.all(np.abs(twice[n] - 2.0 * g) <= SUBNORMAL)]
    if bent:
        return CheckResult(
            *title, Verdict.FAIL, f"with d_loss=2, {', '.join(bent)} is not exactly doubled", tensors=tuple(bent)
        )
    return CheckResult(*title, Verdict.PASS)


def draws(script: Script, point: Point, cost: Cost) -> bool:
    """Tell whether the network draws random numbers in the mode of a point: in training dropout, say."""
    rng = np.random.default_rng(point.rng_seed)
    untouched = rng.bit_generator.state
    cost.forwards += 1
    script.plain.forward(point.params, point.batch, training=point.training, rng=rng)
    return bool(rng.bit_generator.state != untouched)


def check_batch(script: Script, point: Point, cost: Cost) -> list[CheckResult]:
    """V7: the loss and its gradient do not depend on the order of the examples, and are affine in their number.

    A mean stays the same when the batch is repeated, a sum grows by the data loss each time; so in either case
    L(4 batches) - L(2) = 2 (L(2) - L(1)), penalties included.
    """
    training = point.training and not draws(script, point, cost)  # dropout would draw other masks for another batch
    if not training and draws(script, replace(point, training=False), cost):
        reason = "it draws other numbers for another batch, in prediction, too"
        return [CheckResult("V7", "repeated and permuted batch", Verdict.SKIPPED, reason)]
    size = min(len(array) for array in point.batch.values()) if point.batch else 0

    def run(order: Array) -> tuple[float, dict[str, Array]]:
        cost.forwards += 1
        batch = {name: array[order] for name, array in point.batch.items()}
        moved = replace(point, params=_with_rows(point.params, order), batch=batch, training=training)
        loss, grads = loss_and_grads(script.plain, moved)
        for name, shape in script.params.items():
            if grads[name].shape != shape:
                raise ValueError(f"the gradient of {name} has the shape {grads[name].shape}, not {shape}")
        return loss, {name: grads[name] for name in script.params}

    def by_rounding() -> float:
        loss, moved = moves_by_rounding(script.plain, replace(point, training=training), cost)
        return _relative(loss, [moved[name] for name in base[1]], [base])

    once = np.arange(size)
    try:
        base, permuted = run(once), run(once[::-1])
        double, fourfold = run(np.tile(once, 2)), run(np.tile(once, 4))
    except Exception as error:
        detail = f"cannot run on other batches: {error}"
        return [CheckResult("V7", "repeated and permuted batch", Verdict.SKIPPED, detail)]
    grows = _combine(double, base, -1.0)
    rest = _distance(_combine(fourfold, double, -1.0), _combine(grows, grows, 1.0), base)
    reduction = "averages" if _distance(double, base) <= SAME else "sums"
    return [
        _same("permuted batch", _distance(base, permuted), by_rounding),
        _same("repeated batch", rest, by_rounding, f"the loss {reduction} over the batch"),
        *_check_parts(script, point, cost),
    ]


def _with_rows(params: Mapping[str, Array], order: Array) -> dict[str, Array]:
    """Return parameters and state where what a stateful layer has carried goes along with its examples, in an order.

    Rows that are not there are zeros, as for the script.
    """
    count = int(order.max()) + 1 if order.size else 0
    return {
        name: rows_of_state(value, count)[order] if name.endswith(".carried") else value
        for name, value in params.items()
    }


def _check_parts(script: Script, point: Point, cost: Cost) -> list[CheckResult]:
    """Data loss + penalty = total, where the script offers the parts as functions of their own."""
    if not (hasattr(script.plain, "data_loss") and hasattr(script.plain, "penalty")):
        return []
    rng = np.random.default_rng(point.rng_seed)
    cost.forwards += 1
    _, cache = script.plain.forward(point.params, point.batch, training=point.training, rng=rng)
    total = float(script.plain.total_loss(point.params, point.batch, cache))
    parts = float(script.plain.data_loss(point.params, point.batch, cache)) + float(script.plain.penalty(point.params))
    apart = abs(total - parts) / max(abs(total), 1e-300)

    def by_rounding() -> float:
        return moves_by_rounding(script.plain, point, cost)[0] / max(abs(total), 1e-300)

    return [_same("data loss + penalty = total", apart, by_rounding)]


LossAndGrads = tuple[float, dict[str, Array]]


def _combine(a: LossAndGrads, b: LossAndGrads, factor: float) -> LossAndGrads:
    return a[0] + factor * b[0], {name: a[1][name] + factor * b[1][name] for name in a[1]}


def _distance(a: LossAndGrads, b: LossAndGrads, *others: LossAndGrads) -> float:
    """Return the distance of two results relative to their size, or that of others, if larger."""
    return _relative(a[0] - b[0], [norm(a[1][name] - b[1][name]) for name in a[1]], [a, b, *others])


def _relative(loss: float, grads: Iterable[float], sizes: Sequence[LossAndGrads]) -> float:
    """Return the larger of two differences relative to the largest of these: of the loss, and of all gradients as one.

    `grads` are the norms of the differences of gradients.
    """
    pairs = [
        (abs(loss), max(abs(size[0]) for size in sizes)),
        (math.hypot(*grads), max(math.hypot(*map(norm, size[1].values())) for size in sizes)),
    ]
    return max(apart / size if size else 0.0 for apart, size in pairs)


def _same(title: str, distance: float, by_rounding: Callable[[], float], detail: str = "") -> CheckResult:
    """Return whether results are the same but for rounding, which makes up for so much of their size."""
    if distance <= SAME:
        return CheckResult("V7", title, Verdict.PASS, detail, distance)
    if distance <= LIKE_ROUNDING * by_rounding():
        return CheckResult("V7", title, Verdict.SKIPPED, f"{distance:.1e} of their size, rounding that grows", distance)
    return CheckResult("V7", title, Verdict.FAIL, f"the results differ by {distance:.1e} of their size", distance)


def check_float32(script: Script, point: Point, cost: Cost) -> CheckResult:
    """V9: the script in float32 agrees with itself in float64, at a point that float32 can represent.

    Where an arithmetic as coarse as float32 does as much to the gradient in float64, nothing is concluded.
    """
    title = "V9", "float32 against float64"
    single = _cast(point, np.float32)
    double = _cast(single, np.float64)
    _, low = loss_and_grads(script.plain, single)
    _, high = loss_and_grads(script.plain, double)
    cost.forwards += 2
    wide = next((name for name, g in low.items() if g.dtype != np.float32), None)
    if wide is not None:
        detail = f"{wide}: the gradient is {low[wide].dtype}, not float32"
        return CheckResult(*title, Verdict.FAIL, detail, tensors=(wide,))
    overflown = next((name for name, g in low.items() if not np.all(np.isfinite(g))), None)
    if overflown is not None and (reach := _reach(script, double, cost)) > FLOAT32_SQUARE:
        detail = f"{overflown}: not finite in float32, values go up to {reach:.0e}"
        return CheckResult(*title, Verdict.SKIPPED, detail)
    name, error, size = _worst_in_float32(low, high)
    if error <= FLOAT32:
        return CheckResult(*title, Verdict.PASS, value=error)
    moved = moves_by_rounding(script.plain, double, cost, FLOAT32_EPSILON)[1][name]
    if error * size <= LIKE_ROUNDING * moved:
        return CheckResult(*title, Verdict.SKIPPED, f"{name}: {error:.1e} of its norm, rounding that grows", error)
    return CheckResult(*title, Verdict.FAIL, f"{name}: {error:.1e} of its norm", error, (name,))


def _worst_in_float32(low: Mapping[str, Array], high: Mapping[str, Array]) -> tuple[str, float, float]:
    """Return the gradient that differs most, by how much, and the size that this is relative to."""
    largest = max(map(norm, high.values()), default=0.0)
    # An error of 1e-8 of the largest gradient is below float32's own rounding: in attention small gradients are
    # what large terms leave behind.
    sizes = {name: max(norm(g), 1e-3 * largest) for name, g in high.items() if norm(g) > NOISE * largest}
    errors = {name: norm(low[name] - high[name]) / size for name, size in sizes.items()}
    name = max(errors, key=lambda name: errors[name], default="")
    return name, errors.get(name, 0.0), sizes.get(name, 0.0)


def _reach(script: Script, point: Point, cost: Cost) -> float:
    """Return the size of the largest value of the forward pass."""
    cost.forwards += 1
    rng = np.random.default_rng(point.rng_seed)
    _, cache = script.plain.forward(point.params, point.batch, training=point.training, rng=rng)
    values = [value for value in cache.values() if is_float(value) and np.size(value)]
    return max((float(np.abs(value).max()) for value in values), default=0.0)


def _cast(point: Point, dtype: Any) -> Point:
    params = {name: value.astype(dtype) for name, value in point.params.items()}
    batch = {name: v.astype(dtype) if v.dtype.kind == "f" else v for name, v in point.batch.items()}
    return replace(point, params=params, batch=batch)

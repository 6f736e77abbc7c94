"""`check_functions`: the same probes for any pair of functions, a loss and its gradient."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .blame.patterns import measure, name_pattern
from .probing.oracles import complex_step, richardson, taylor_order
from .probing.probes import (
    COMPLEX_STEP,
    NUMERIC_TOLERANCE,
    RICHARDSON,
    SILENT,
    ZERO_POINTS,
    Oracle,
    Outcome,
    Probe,
    compare_elements,
    corner_and_random,
    elements,
    probe_rows,
    scale_of,
)
from .reading.types import Array, Cost, Direction, Key, Unusable, norm
from .report.results import Blame, CheckResult, Pattern, Report, TensorResult, Verdict
from .tracing.rows import Row

ALL_ELEMENTS = 2000
FAR, CLOSE = 0.1, 1e-6
"""How far other points are from the given one, in shares of each array's size: where a gradient is zero, does it stay
so; and where it is wrong, is that point alone to blame, because it stands on a kink?"""
MISSING = "no gradient is returned, but the loss depends on it; data stays out of `arrays`"
ON_A_KINK = "right close by, but not at this very point: it stands on a kink"


def check_functions(
    loss: Callable[[dict[str, Array]], Any],
    grads: Callable[[dict[str, Array]], Mapping[str, Array]],
    arrays: Mapping[str, Array],
    *,
    seed: int = 0,
    samples: int = 16,
) -> Report:
    """Check a hand-written gradient: `grads(arrays)` against the derivatives of `loss(arrays)`.

    `loss` returns a scalar and should work on complex arrays (no `abs`, no `float`); where it does not, Richardson
    extrapolation takes over and the report says so. There are no branches to freeze here: choose `arrays` away from
    kinks. Every array needs a gradient, unless the loss does not depend on it. A gradient counts as right
    (`ZERO_OBSERVED`) where it and the truth are zero, here and at two points near by.

        >>> report = check_functions(lambda a: np.sum(a["x"] ** 3), lambda a: {"x": 3 * a["x"] ** 2}, {"x": np.ones(4)})
        >>> print(report.verdict)
        PASS
    """
    subject = _Functions(loss, grads, {name: np.asarray(a, dtype=np.float64) for name, a in arrays.items()})
    rng = np.random.default_rng(seed)
    report = Report(seed)
    report.checks += subject.misfits()
    rows = subject.rows()
    oracle = _oracle(subject, rows, rng, report)
    report.tensors = _results(subject, rows, oracle, rng, samples)
    direction = {key: u for row in rows for key, u in row.direction(rng).items()}
    report.taylor_order = taylor_order(subject.evaluate, direction, sum(r.slopes(direction)[0] for r in rows))
    failed = next((t for t in report.tensors if t.verdict is Verdict.FAIL), None)
    if failed is not None:
        report.blame = _blame(subject, next(row for row in rows if row.name == failed.name), oracle, rng, failed.reason)
    report.cost_forwards = subject.cost.forwards
    return report


class _Functions:
    """A loss as a function of displacements of its arrays, and the gradients that are claimed there."""

    def __init__(
        self,
        loss: Callable[[dict[str, Array]], Any],
        grads: Callable[[dict[str, Array]], Mapping[str, Array]],
        arrays: dict[str, Array],
        cost: Cost | None = None,
    ) -> None:
        self.loss, self.grads, self.arrays, self.cost = loss, grads, arrays, cost or Cost()
        self.claimed = {name: np.asarray(g) for name, g in grads(dict(arrays)).items()}

    def evaluate(self, push: Direction) -> Any:
        self.cost.forwards += 1
        moved = {key.name: self.arrays[key.name] + delta for key, delta in push.items()}
        if not any(np.iscomplexobj(a) for a in moved.values()):
            return float(self.loss(self.arrays | moved))
        everything = {name: a.astype(np.complex128) for name, a in self.arrays.items()} | moved
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                return self.loss(everything)
        except (np.exceptions.ComplexWarning, TypeError, ValueError) as error:
            raise Unusable(f"the loss is not complex-safe: {error}") from error

    def rows(self) -> list[Row]:
        """Return one row per array whose gradient fits; an array without a gradient claims that it has none."""
        pairs = ((name, a, self.claimed.get(name, np.zeros(a.shape))) for name, a in self.arrays.items())
        return [Row(name, "param", (Key("param", name),), ((g,),)) for name, a, g in pairs if g.shape == a.shape]

    def misfits(self) -> list[CheckResult]:
        """Return a failed check for every gradient that fits no array."""
        found = []
        for name, gradient in self.claimed.items():
            if name not in self.arrays:
                detail = "a gradient is returned for it, but it is none of the arrays"
                found.append(CheckResult("V0", name, Verdict.FAIL, detail))
            elif gradient.shape != self.arrays[name].shape:
                detail = f"the gradient has the shape {gradient.shape}, the array {self.arrays[name].shape}"
                found.append(CheckResult("V0", name, Verdict.FAIL, detail))
        return found

    def moved(self, rng: np.random.Generator, reach: float) -> _Functions:
        """Return the same functions at arrays that are moved by `reach` times their size."""
        sizes = {name: reach * (norm(a) / math.sqrt(max(1, a.size)) or 1.0) for name, a in self.arrays.items()}
        arrays = {name: a + sizes[name] * rng.standard_normal(a.shape) for name, a in self.arrays.items()}
        return _Functions(self.loss, self.grads, arrays, self.cost)

    def probe(self, name: str, oracle: Oracle, rng: np.random.Generator) -> Probe:
        """Return the probe of one array's gradient."""
        rows = self.rows()
        row = [row for row in rows if row.name == name]
        return probe_rows(row, self.evaluate, oracle, rng, scale_of(rows))[name]


def _oracle(subject: _Functions, rows: list[Row], rng: np.random.Generator, report: Report) -> Oracle:
    """Return the complex step if the loss is safe for it: at some point it agrees with Richardson extrapolation."""
    why = "the complex step disagrees with it, so the loss is not complex-safe"
    try:
        for here in range(ZERO_POINTS):  # on a kink the two may well differ
            if _agree(subject if here == 0 else subject.moved(rng, FAR), rows, rng):
                report.oracles = ["complex step, h = 1e-20"]
                return COMPLEX_STEP
    except Unusable as error:
        why = str(error)
    report.oracles = ["Richardson extrapolation"]
    report.notes.append(f"Richardson extrapolation is the only oracle: {why}.")
    return RICHARDSON


def _agree(subject: _Functions, rows: list[Row], rng: np.random.Generator) -> bool:
    direction = {key: u for row in rows for key, u in row.direction(rng).items()}
    slope, numeric = complex_step(subject.evaluate, direction), richardson(subject.evaluate, direction)
    return abs(slope - numeric.value) <= max(
        NUMERIC_TOLERANCE * max(abs(slope), abs(numeric.value)), 10.0 * numeric.error
    )


def _results(
    subject: _Functions, rows: list[Row], oracle: Oracle, rng: np.random.Generator, samples: int
) -> list[TensorResult]:
    scale = scale_of(rows)
    found = probe_rows(rows, subject.evaluate, oracle, rng, scale)
    small = sum(math.prod(row.shape) for row in rows) <= ALL_ELEMENTS
    results = []
    for row in rows:
        probe = found[row.name]
        verdict, reason = _verdict(subject, row.name, probe, oracle, rng)
        error = None if probe.outcome is Outcome.SILENT else probe.error
        result = TensorResult(row.name, "param", row.shape, "", verdict, reason, error, oracle.name, row.norm, 1)
        if oracle is COMPLEX_STEP and verdict in (Verdict.PASS, Verdict.FAIL):
            places = list(np.ndindex(*row.shape)) if small else corner_and_random(row.shape, samples, rng)
            worst, result.worst = compare_elements(row, elements(row, subject.evaluate, places), scale)
            result.probes += len(places)
            if result.worst:
                result.verdict, result.rel_err = Verdict.FAIL, max(worst, probe.error)
        results.append(result)
    return results


def _verdict(
    subject: _Functions, name: str, probe: Probe, oracle: Oracle, rng: np.random.Generator
) -> tuple[Verdict, str]:
    """Return the verdict on an array, and the reason for it where one is wanted."""
    if probe.outcome is Outcome.RIGHT:
        return Verdict.PASS, ""
    if probe.outcome is Outcome.SILENT:
        return _verdict_where_zero(subject, name, probe, oracle, rng)
    if name not in subject.claimed:
        return Verdict.FAIL, MISSING
    close = _around(subject, CLOSE, name, oracle, rng)
    on_a_kink = all(other.outcome is Outcome.RIGHT for other in close)
    return (Verdict.INCONCLUSIVE, ON_A_KINK) if on_a_kink else (Verdict.FAIL, "")


def _verdict_where_zero(
    subject: _Functions, name: str, probe: Probe, oracle: Oracle, rng: np.random.Generator
) -> tuple[Verdict, str]:
    """Return the verdict where claim and truth are zero: whether they are so at other points, too."""
    others = list(_around(subject, FAR, name, oracle, rng))
    outcomes = {other.outcome for other in others}
    if Outcome.WRONG in outcomes:
        return Verdict.FAIL, MISSING if name not in subject.claimed else "zero here, but wrong near by"
    if Outcome.RIGHT in outcomes:
        return Verdict.PASS, ""
    if all(at.zero for at in (probe, *others)):
        return Verdict.ZERO_OBSERVED, ""
    return Verdict.INCONCLUSIVE, SILENT


def _around(subject: _Functions, reach: float, name: str, oracle: Oracle, rng: np.random.Generator) -> Iterator[Probe]:
    """Yield the probes of one array's gradient at other points, `reach` times the arrays' size away."""
    for _ in range(ZERO_POINTS - 1):
        yield subject.moved(rng, reach).probe(name, oracle, rng)


def _blame(subject: _Functions, row: Row, oracle: Oracle, rng: np.random.Generator, reason: str) -> Blame:
    got = row.claims[0][0]
    truth = measure(lambda u: oracle.derivative(subject.evaluate, {row.keys[0]: u}), got.shape, rng, None)
    pattern = name_pattern(got, truth, max(1, max(map(len, _with_axes(subject.arrays)), default=1)))
    if reason:
        pattern = Pattern("missing" if reason == MISSING else pattern.id, f"{reason[0].upper()}{reason[1:]}.")
    return Blame(row.name, "", "", "", 0, "", pattern.id, pattern.words)


def _with_axes(arrays: Mapping[str, Array]) -> list[Array]:
    return [a for a in arrays.values() if a.ndim and norm(a) > 0.0]

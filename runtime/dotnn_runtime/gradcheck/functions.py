"""`check_functions`: the same probes for any pair of functions, a loss and its gradient."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .kinds import Array, Cost, Direction, Key, Unusable, norm
from .oracles import complex_step, richardson, taylor_order
from .patterns import measure, name_pattern
from .probes import (
    COMPLEX_STEP,
    NUMERIC_TOLERANCE,
    RICHARDSON,
    Oracle,
    Outcome,
    compare_elements,
    corner_and_random,
    probe_rows,
    scale_of,
)
from .report import Blame, CheckResult, Report, TensorResult, Verdict
from .rows import Row

ALL_ELEMENTS = 2000


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
    kinks. Only the arrays whose names `grads` returns are checked.

        >>> report = check_functions(lambda a: np.sum(a["x"] ** 3), lambda a: {"x": 3 * a["x"] ** 2}, {"x": np.ones(4)})
        >>> print(report.verdict)
        PASS
    """
    subject = _Functions(loss, {name: np.asarray(a, dtype=np.float64) for name, a in arrays.items()})
    rng = np.random.default_rng(seed)
    report = Report(seed)
    claimed = {name: np.asarray(g) for name, g in grads(dict(subject.arrays)).items()}
    rows = []
    for name, gradient in claimed.items():
        if gradient.shape == subject.arrays[name].shape:
            rows.append(Row(name, "param", (Key("param", name),), ((gradient,),)))
        else:
            detail = f"the gradient has the shape {gradient.shape}, the array {subject.arrays[name].shape}"
            report.checks.append(CheckResult("V0", name, Verdict.FAIL, detail))
    oracle = _oracle(subject, rows, rng, report)
    report.tensors = _results(subject, rows, oracle, rng, samples)
    direction = {key: u for row in rows for key, u in row.direction(rng).items()}
    report.taylor_order = taylor_order(subject.evaluate, direction, sum(r.slopes(direction)[0] for r in rows))
    failed = next((t.name for t in report.tensors if t.verdict is Verdict.FAIL), None)
    if failed is not None:
        report.blame = _blame(subject, next(row for row in rows if row.name == failed), oracle, rng)
    report.cost_forwards = subject.cost.forwards
    return report


class _Functions:
    """A loss as a function of displacements of its arrays."""

    def __init__(self, loss: Callable[[dict[str, Array]], Any], arrays: dict[str, Array]) -> None:
        self.loss, self.arrays, self.cost = loss, arrays, Cost()

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


def _oracle(subject: _Functions, rows: list[Row], rng: np.random.Generator, report: Report) -> Oracle:
    direction = {key: u for row in rows for key, u in row.direction(rng).items()}
    numeric = richardson(subject.evaluate, direction)
    try:
        slope = complex_step(subject.evaluate, direction)
        distance = abs(slope - numeric.value)
        if distance <= max(NUMERIC_TOLERANCE * max(abs(slope), abs(numeric.value)), 10.0 * numeric.error):
            report.oracles = ["complex step, h = 1e-20"]
            return COMPLEX_STEP
        why = "the complex step disagrees with it, so the loss is not complex-safe"
    except Unusable as error:
        why = str(error)
    report.oracles = ["Richardson extrapolation"]
    report.notes.append(f"Richardson extrapolation is the only oracle: {why}.")
    return RICHARDSON


def _results(
    subject: _Functions, rows: list[Row], oracle: Oracle, rng: np.random.Generator, samples: int
) -> list[TensorResult]:
    scale = scale_of(rows)
    found = probe_rows(rows, subject.evaluate, oracle, rng, scale)
    small = sum(math.prod(row.shape) for row in rows) <= ALL_ELEMENTS
    results = []
    for row in rows:
        probe = found[row.name]
        verdict = {Outcome.RIGHT: Verdict.PASS, Outcome.WRONG: Verdict.FAIL}.get(probe.outcome, Verdict.INCONCLUSIVE)
        reason = "no signal" if verdict is Verdict.INCONCLUSIVE else ""
        result = TensorResult(row.name, "param", row.shape, "", verdict, reason, probe.error, oracle.name, row.norm, 1)
        if oracle is COMPLEX_STEP:
            places = list(np.ndindex(*row.shape)) if small else corner_and_random(row.shape, samples, rng)
            error, result.worst = compare_elements(row, subject.evaluate, places, scale)
            result.probes += len(places)
            if result.worst:
                result.verdict, result.rel_err = Verdict.FAIL, max(error, probe.error)
        results.append(result)
    return results


def _blame(subject: _Functions, row: Row, oracle: Oracle, rng: np.random.Generator) -> Blame:
    got = row.claims[0][0]
    truth = measure(lambda u: oracle.derivative(subject.evaluate, {row.keys[0]: u}), got.shape, rng, None)
    pattern = name_pattern(got, truth, max(1, max(map(len, _with_axes(subject.arrays)), default=1)))
    return Blame(row.name, "", "", "", 0, "", pattern.id, pattern.words)


def _with_axes(arrays: Mapping[str, Array]) -> list[Array]:
    return [a for a in arrays.values() if a.ndim and norm(a) > 0.0]

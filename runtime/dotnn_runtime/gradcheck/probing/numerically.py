"""V5 and V6: what the loss itself says by differences, which share nothing with the complex step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..report.results import Verdict
from ..tracing.rows import Row
from .evaluation import Evaluation
from .oracles import taylor_order
from .probes import NUMERIC_TOLERANCE, Oracle, element_size, joint_disagreement, numeric_disagreement, some_of
from .verdicts import Verdicts

MOST_ROWS = 32
ENOUGH_WRONG = 4
"""So many rows confirm that something is wrong."""
TOGETHER = 8
"""So many rows share their probes where nothing is wrong; those that disagree together are probed one by one."""
MIN_ORDER = 1.9


def probe_numerically(verdicts: Verdicts, evaluation: Evaluation, rng: np.random.Generator) -> None:
    """V5: rows that the complex step has confirmed, or a few that it has not, against Richardson extrapolation."""
    worst, resolved = 0.0, 0
    rows = _chosen(verdicts, evaluation, rng)
    size = TOGETHER if verdicts.failed_at is None else 1
    for group in (rows[i : i + size] for i in range(0, len(rows), size)):
        for row, error in _errors(evaluation, group, rng, verdicts.oracle):
            worst, resolved = max(worst, error), resolved + 1
            result = verdicts.results[row.name]
            result.probes += 1
            if error > NUMERIC_TOLERANCE and result.verdict is Verdict.PASS:
                result.verdict, result.reason = Verdict.INCONCLUSIVE, "the two oracles disagree"
    if resolved:
        verdict = Verdict.PASS if worst <= NUMERIC_TOLERANCE else Verdict.FAIL
        verdicts.add("V5", f"{resolved} tensors against Richardson", verdict, value=worst)


def _chosen(verdicts: Verdicts, evaluation: Evaluation, rng: np.random.Generator) -> list[Row]:
    passed, undecided = verdicts.names(Verdict.PASS), verdicts.names(Verdict.SKIPPED)
    rows = [row for row in evaluation.live_rows() if row.name not in undecided]
    if verdicts.failed_at is None:
        return some_of([row for row in rows if row.strict or row.name in passed], MOST_ROWS, rng)
    return [row for row in rows if row.strict and row.name not in passed][:ENOUGH_WRONG]


def _errors(
    evaluation: Evaluation, rows: list[Row], rng: np.random.Generator, oracle: Oracle
) -> list[tuple[Row, float]]:
    """Return the error of each row that can be resolved: of all at once, or one by one where they disagree."""
    joint = joint_disagreement(rows, evaluation.evaluate, rng, evaluation.base)
    if joint is not None and joint <= NUMERIC_TOLERANCE:
        return [(row, joint) for row in rows]
    found = []
    for row in rows:
        error = numeric_disagreement(row, evaluation.evaluate, rng, evaluation.base, oracle)
        if error is None or (error > NUMERIC_TOLERANCE and evaluation.is_rounding(row.name, error * row.norm)):
            continue
        found.append((row, error))
    return found


def check_taylor(verdicts: Verdicts, evaluation: Evaluation, rows: Sequence[Row], rng: np.random.Generator) -> None:
    """V6: the first-order Taylor remainder of the loss shrinks like the square of the step."""
    title, report = "order of the Taylor remainder", verdicts.report
    order = report.taylor_order = _taylor_order(evaluation, rows, rng) if rows else None
    if order is None:
        verdicts.add("V6", title, Verdict.SKIPPED, "the loss is linear along the probe, there is no remainder")
        return
    # where both oracles confirm the slope, steps are too long for a loss that is curved so much
    fails = verdicts.names(Verdict.FAIL) or any(check.verdict is Verdict.FAIL for check in report.checks)
    low = Verdict.FAIL if fails else Verdict.SKIPPED
    verdicts.add("V6", title, Verdict.PASS if order >= MIN_ORDER else low, f"{order:.2f}", order)


def _taylor_order(evaluation: Evaluation, rows: Sequence[Row], rng: np.random.Generator) -> float | None:
    """Return the best order of three directions, in which every tensor moves in proportion to its size."""
    order = None
    for _ in range(3):
        drawn = {key: u for row in rows for key, u in row.direction(rng).items()}
        direction = {key: max(element_size(evaluation.base(key)), 0.1) * u for key, u in drawn.items()}
        slope = sum(row.slopes(direction)[0] for row in rows)
        order = taylor_order(evaluation.evaluate, direction, slope)
        if order is None or order >= MIN_ORDER:
            break
    return order

"""V4: gradients element by element."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..report.results import Verdict
from ..tracing.rows import Row
from .evaluation import Evaluation
from .probes import ROUNDING, compare_elements, corner_and_random, elements, scale_of, some_of
from .verdicts import Verdicts

ALL_ELEMENTS = 2000
WORST = 5
"""So many wrong elements of a tensor are shown."""


def probe_elements(verdicts: Verdicts, evaluation: Evaluation, samples: int, rng: np.random.Generator) -> None:
    """Compare every element of a small network, corners and random elements of a large one: `samples` per tensor."""
    live = evaluation.live_rows()
    rows, scale = [row for row in live if row.kind != "cotangent"], scale_of(live)
    small = sum(math.prod(row.shape) for row in rows) <= ALL_ELEMENTS
    rows = rows if small else some_of(rows, max(1, ALL_ELEMENTS // samples), rng)
    if not rows:
        return
    count, worst, verdict = 0, 0.0, Verdict.PASS
    for row in rows:
        places = list(np.ndindex(*row.shape)) if small else corner_and_random(row.shape, samples, rng)
        error, right = _compare(verdicts, evaluation, row, places, scale)
        count, worst = count + len(places), max(worst, error)
        verdict = verdict if right else Verdict.FAIL
    title = f"{count} elements one by one ({'all' if small else 'corners and a sample'})"
    verdicts.add("V4", title, verdict, value=worst)


def _compare(
    verdicts: Verdicts, evaluation: Evaluation, row: Row, places: Sequence[tuple[int, ...]], scale: float
) -> tuple[float, bool]:
    """Compare elements of a row; return the largest error, and whether all are right."""
    truths = elements(row, evaluation.evaluate, places)
    found = compare_elements(row, truths, scale)
    # rounding, which takes long to find, is a leap at most
    if found[1] and found != compare_elements(row, truths, max(scale, evaluation.leap / ROUNDING)):
        found = compare_elements(row, truths, max(scale, evaluation.rounding[row.name] / ROUNDING))
    error, wrong = found
    result = verdicts.results[row.name]
    result.worst, result.probes = wrong[:WORST], result.probes + len(places)
    if wrong:
        verdicts.fail(result, evaluation)
        result.rel_err = max(result.rel_err or 0.0, error)
    return error, not wrong

"""V2: all parameters at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..report.results import CheckResult, Verdict
from ..tracing.rows import Row
from .evaluation import Evaluation
from .probes import NO_SLOPE, ROUNDING, Outcome, Probe, joint_probe
from .verdicts import Verdicts

FLOOR = 1e-6
"""A parameter whose gradient is below this share of the largest one weighs less than the others."""


def probe_together(verdicts: Verdicts, evaluation: Evaluation, rows: Sequence[Row], rng: np.random.Generator) -> None:
    """Probe along Gaussian directions in which every tensor weighs alike."""
    oracle = verdicts.oracle

    def probes(noise: Mapping[str, float]) -> list[Probe]:
        found = [joint_probe(rows, evaluation.evaluate, oracle, rng, FLOOR, noise) for _ in range(3)]
        return [probe for probe in found if probe is not None]

    found = probes({row.name: ROUNDING * evaluation.scale for row in rows})
    if _wrong(found):
        before = rng.bit_generator.state
        found = probes({row.name: evaluation.leap for row in rows})  # rounding is at most that, and takes long to find
        if not _wrong(found):
            rng.bit_generator.state = before
            found = probes(evaluation.rounding)
    if not found:
        return
    if all(probe.outcome is Outcome.SILENT for probe in found):
        verdicts.add("V2", "all parameters at once", Verdict.SKIPPED, NO_SLOPE)
        return
    worst = max(probe.error for probe in found)
    verdict = Verdict.FAIL if _wrong(found) else Verdict.PASS
    rounded = verdict is Verdict.PASS and worst > oracle.tolerance
    detail = "what differs is rounding behind saturated units" if rounded else ""
    verdicts.add("V2", "all parameters at once", verdict, detail, worst)


def _wrong(probes: Sequence[Probe]) -> bool:
    return any(probe.outcome is Outcome.WRONG for probe in probes)


def probe_elsewhere(
    verdicts: Verdicts, evaluation: Evaluation, names: set[str], rng: np.random.Generator, where: str
) -> CheckResult | None:
    """Probe the parameters of these names at another point; `where` says what is different there.

    A size that is written into a line is right at one size alone, a branch may be wrong on one side alone. The result
    is None where they cannot be probed together.
    """
    rows, title = [row for row in evaluation.rows if row.name in names], f"all parameters at once, {where}"
    joint = joint_probe(rows, evaluation.evaluate, verdicts.oracle, rng, FLOOR)
    if joint is None:
        return None
    if joint.outcome is Outcome.SILENT:
        return CheckResult("V2", title, Verdict.SKIPPED, NO_SLOPE)
    wrong = _settle_wrong(verdicts, evaluation, rows, rng) if joint.outcome is Outcome.WRONG else ()
    detail = f"wrong: {', '.join(wrong)}" if wrong else ""
    verdict = Verdict.FAIL if wrong else Verdict.PASS
    return CheckResult("V2", title, verdict, detail, joint.error, wrong)


def _settle_wrong(
    verdicts: Verdicts, evaluation: Evaluation, rows: Sequence[Row], rng: np.random.Generator
) -> tuple[str, ...]:
    """Probe rows one by one; return the names of those that are wrong, which they are from now on."""
    probes = evaluation.probes(rows, verdicts.oracle, rng)
    wrong = [row for row in rows if probes[row.name].outcome is Outcome.WRONG]
    for row in wrong:
        verdicts.settle(row, probes[row.name], evaluation)
    return tuple(row.name for row in wrong)

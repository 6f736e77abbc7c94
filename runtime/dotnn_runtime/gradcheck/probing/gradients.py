"""V2 to V6: every gradient and cotangent of a script against the oracles."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..reading.types import Array, Cost, Key, Point, Unusable, norm
from ..report.results import CheckResult, Crossing, Report, TensorResult, Verdict
from ..tracing.rows import Row
from ..tracing.traced import TracedScript
from .draws import as_classes, generic_batch_size, generic_point
from .evaluation import Evaluation, sizes_of
from .oracles import complex_step, richardson, taylor_order
from .probes import (
    COMPLEX_STEP,
    NOISE,
    NUMERIC_TOLERANCE,
    RICHARDSON,
    ROUNDING,
    SILENT,
    ZERO_POINTS,
    Oracle,
    Outcome,
    Probe,
    compare_elements,
    corner_and_random,
    joint_disagreement,
    joint_probe,
    numeric_disagreement,
    probe_rows,
    scale_of,
)

DRAWS = 16
ALL_ELEMENTS = 2000
NEAR = 4
"""From this draw on every second point is far from where training starts."""
NUMERIC_ROWS = 32
ALONE, TOGETHER = 16, 8
"""Up to so many rows are probed one by one by Richardson extrapolation, more of them so many at once."""
NUMERIC_ROWS_WRONG = 4  # enough to confirm that something is wrong
MIN_ORDER = 1.9


@dataclass
class Probing:
    """Probes a script at generic points and keeps the verdict on every tensor.

    `failed_at` is the first evaluation at which a tensor was wrong.
    """

    script: TracedScript
    report: Report
    samples: int
    batch_size: int | None
    v4: bool
    training: bool = True
    cost: Cost = field(default_factory=Cost)
    results: dict[str, TensorResult] = field(default_factory=dict)
    oracle: Oracle = COMPLEX_STEP
    failed_at: Evaluation | None = None

    def __post_init__(self) -> None:
        self.seed = self.report.seed
        self.rng = np.random.default_rng([self.seed, 1])

    def point(self, draw: int) -> Point:
        """Draw a point in general position; the same one for the same number.

        All points but the first have more examples: what is silent at the first may be silent for want of them. Weights
        from a file may keep a branch from ever being taken (a PReLU whose inputs are positive): some points leave them.
        """
        plain = self.script.plain
        shapes = [*self.script.params.values(), *(shape for _, shape in plain.INPUTS.values())]
        return self._drawn(draw, self.batch_size or generic_batch_size(shapes, least=20 if draw else 5))

    def _drawn(self, draw: int, batch_size: int) -> Point:
        plain = self.script.plain
        initial = plain.init_params(self.seed + draw, dtype=np.float64)
        return generic_point(
            initial,
            plain.INPUTS,
            plain.TARGETS,
            batch_size=batch_size,
            rng=np.random.default_rng([self.seed, 0, draw]),
            training=self.training,
            trained=self.script.params if draw >= NEAR and draw % 2 else (),
        )

    @cached_property
    def evaluation(self) -> Evaluation:
        """The script at the first point."""
        return Evaluation(self.script, self.point(0), self.cost)

    @property
    def _batch_size(self) -> int:
        return next((len(array) for array in self.evaluation.point.batch.values()), 1)

    def run(self) -> None:
        """Find an oracle, probe everything with it, and note the verdict on every tensor."""
        self._choose_oracle()
        self._probe_every_row()
        rows = [row for row in self._live_rows() if row.kind == "param"]
        self._probe_together(rows)
        self._probe_another_size(rows)
        if self.v4 and self.oracle is COMPLEX_STEP:
            self._probe_elements()
        self._settle_cotangents()
        if self.oracle is COMPLEX_STEP:
            self._probe_numerically()
        self._taylor(rows)
        self.report.kinks = self._crossings(self.script.kinks)
        self.report.ties = self._crossings(self.evaluation.tape.ties)

    def _choose_oracle(self) -> None:
        """Use the complex step if the forward pass is safe for it, which Richardson extrapolation must confirm."""
        sizes = {name: max(_rms(p), 0.1) for name, p in self.evaluation.point.params.items()}
        direction = {
            Key("param", name): sizes[name] * self.rng.standard_normal(p.shape)
            for name, p in self.evaluation.point.params.items()
        }
        self.report.oracles = ["complex step, h = 1e-20, branches frozen", "Richardson extrapolation, branches frozen"]
        numeric = richardson(self.evaluation.evaluate, direction)
        try:
            slope = complex_step(self.evaluation.evaluate, direction)
        except Unusable as error:
            self._use_richardson(str(error))
            return
        distance = abs(slope - numeric.value)
        if distance > NUMERIC_TOLERANCE * max(abs(slope), abs(numeric.value)) and distance > 10.0 * numeric.error:
            self._use_richardson("the complex step disagrees with it, so the forward pass is not complex-safe")

    def _use_richardson(self, why: str) -> None:
        self.oracle = RICHARDSON
        self.report.oracles = ["Richardson extrapolation, branches frozen"]
        self.report.notes.append(f"Richardson extrapolation is the only oracle: {why}.")

    def _probe_every_row(self) -> None:
        """V3: one probe for every parameter, input and cotangent; draw again where a probe carries no signal."""
        silent: set[str] = set()
        zeros: Counter[str] = Counter()
        for draw in range(DRAWS):
            evaluation = self.evaluation if draw == 0 else Evaluation(self.script, self.point(draw), self.cost)
            rows = evaluation.rows()
            wanted = rows if draw == 0 else [row for row in rows if row.name in silent]
            found = self._probes(wanted, evaluation, self.rng, scale_of(rows))
            for row in wanted:
                self._settle(row, found[row.name], evaluation)
                zeros[row.name] += found[row.name].zero
            silent = {name for name, r in self.results.items() if r.verdict is Verdict.INCONCLUSIVE}
            if not silent:
                break
        for name in silent:
            if zeros[name] >= ZERO_POINTS and self.results[name].kind != "cotangent":
                self.results[name].verdict, self.results[name].reason = Verdict.ZERO_OBSERVED, ""
                self.report.notes.append(
                    f"The gradient of {name} is zero at {zeros[name]} points, and so is the truth; no rule of the "
                    "compiler says that it must be. Should the loss depend on it?"
                )

    def _probes(
        self, rows: Sequence[Row], evaluation: Evaluation, rng: np.random.Generator, scale: float
    ) -> dict[str, Probe]:
        """Probe rows at one point; a difference that rounding alone can make there says nothing."""
        found = probe_rows(rows, evaluation.evaluate, self.oracle, rng, scale)
        for name, probe in found.items():
            if probe.outcome is Outcome.WRONG and probe.distance <= evaluation.rounding[name]:
                found[name] = replace(probe, outcome=Outcome.SILENT)  # behind a saturated unit
        return found

    def _settle(self, row: Row, probe: Probe, evaluation: Evaluation) -> None:
        """Turn a probe into a verdict."""
        result = self.results.setdefault(row.name, self._new_result(row))
        result.probes += 1
        result.norm, result.method = row.norm, self.oracle.name
        result.rel_err = max(result.rel_err or 0.0, probe.error)
        declared_zero = row.name in self.script.structural_zeros
        if probe.outcome is Outcome.WRONG:
            result.verdict = Verdict.FAIL
            self.failed_at = self.failed_at or evaluation
        elif probe.outcome is Outcome.RIGHT:
            lies = declared_zero and self.training  # what a normalisation hides in training counts in prediction
            result.verdict = Verdict.FAIL if lies else Verdict.PASS
            result.reason = "declared to be zero, but it is not" if lies else ""
        elif declared_zero:
            result.verdict, result.rel_err = Verdict.ZERO_STRUCTURAL, None
        else:
            result.verdict, result.reason, result.rel_err = Verdict.INCONCLUSIVE, SILENT, None

    def _new_result(self, row: Row) -> TensorResult:
        spec_line = self.script.structure.defined_at(row.keys[0].name).spec_line
        return TensorResult(row.name, row.kind, row.shape, spec_line)

    def _probe_together(self, rows: Sequence[Row]) -> None:
        """V2: all parameters at once, along Gaussian directions in which every tensor weighs alike."""
        scale = scale_of(self.evaluation.rows())
        probes = self._joint_probes(rows, {row.name: ROUNDING * scale for row in rows})
        if any(probe.outcome is Outcome.WRONG for probe in probes):
            probes = self._joint_probes(rows, self.evaluation.rounding)
        if probes:
            verdict = Verdict.FAIL if any(probe.outcome is Outcome.WRONG for probe in probes) else Verdict.PASS
            worst = max(probe.error for probe in probes)
            rounded = verdict is Verdict.PASS and worst > self.oracle.tolerance
            detail = "what differs is rounding behind saturated units" if rounded else ""
            self._add(CheckResult("V2", "all parameters at once", verdict, detail, worst))

    def _joint_probes(self, rows: Sequence[Row], noise: Mapping[str, float]) -> list[Probe]:
        if not rows:
            return []
        found = (joint_probe(rows, self.evaluation.evaluate, self.oracle, self.rng, 1e-6, noise) for _ in range(3))
        return [probe for probe in found if probe is not None]

    def _probe_another_size(self, rows: Sequence[Row]) -> None:
        """V2 on a batch of another size, where targets in [0, 1] are 0 or 1.

        A size that is written into a line is right at one size alone, and a script may treat classes in its own way.
        """
        if self.failed_at is not None or not rows:
            return
        taken = [*self.script.params.values(), *sizes_of(self.script.plain)]
        taken += [value.shape for values in self.evaluation.tape.values.values() for value in values]
        size = generic_batch_size([*taken, (self._batch_size,)], least=self._batch_size + 1)
        point = self._drawn(0, size)
        batch = as_classes(point.batch, {**self.script.plain.INPUTS, **self.script.plain.TARGETS})
        evaluation = Evaluation(self.script, replace(point, batch=batch), self.cost)
        live = {row.name for row in rows}
        found, rng = [row for row in evaluation.rows() if row.name in live], np.random.default_rng([self.seed, 4])
        probe = joint_probe(found, evaluation.evaluate, self.oracle, rng, floor=1e-6)
        if probe is None:
            return
        wrong = []
        if probe.outcome is Outcome.WRONG:
            probes = self._probes(found, evaluation, rng, scale_of(evaluation.rows()))
            wrong = [row for row in found if probes[row.name].outcome is Outcome.WRONG]
            for row in wrong:
                self._settle(row, probes[row.name], evaluation)
        names = tuple(row.name for row in wrong)
        detail = f"wrong: {', '.join(names)}" if names else ""
        verdict = Verdict.FAIL if names else Verdict.PASS
        title = f"all parameters at once, {size} examples"
        self._add(CheckResult("V2", title, verdict, detail, probe.error, names))

    def _probe_elements(self) -> None:
        """V4: every element of a small network, corners and random elements of a large one."""
        live = self._live_rows()
        rows = [row for row in live if row.kind != "cotangent"]
        small = sum(math.prod(row.shape) for row in rows) <= ALL_ELEMENTS
        if not small and len(rows) * self.samples > ALL_ELEMENTS:
            rows = self._some(rows, max(1, ALL_ELEMENTS // self.samples))
        count, worst = 0, 0.0
        for row in rows:
            scale = scale_of(live)
            some = corner_and_random(row.shape, self.samples, self.rng) if not small else list(np.ndindex(*row.shape))
            error, wrong = compare_elements(row, self.evaluation.evaluate, some, scale)
            if wrong:
                scale = max(scale, self.evaluation.rounding[row.name] / ROUNDING)
                error, wrong = compare_elements(row, self.evaluation.evaluate, some, scale)
            result = self.results[row.name]
            result.worst, result.probes = wrong[:5], result.probes + len(some)
            count, worst = count + len(some), max(worst, error)
            if wrong:
                result.verdict = Verdict.FAIL
                result.rel_err = max(result.rel_err or 0.0, error)
                self.failed_at = self.failed_at or self.evaluation
        if rows:
            wrong_rows = any(self.results[row.name].worst for row in rows)
            title = f"{count} elements one by one ({'all' if small else 'corners and a sample'})"
            self._add(CheckResult("V4", title, Verdict.FAIL if wrong_rows else Verdict.PASS, value=worst))

    def _settle_cotangents(self) -> None:
        """Drop what cannot be decided about cotangents, if the gradients made from them are right."""
        strict = {row.name for row in self.evaluation.rows() if row.strict}
        wrong = [result for result in self.results.values() if result.verdict is Verdict.FAIL]
        gradients_right = all(result.kind == "cotangent" for result in wrong)
        for result in self.results.values():
            if result.kind != "cotangent":
                continue
            if result.verdict is Verdict.INCONCLUSIVE:
                result.verdict = Verdict.SKIPPED
            if result.verdict is Verdict.FAIL and gradients_right:
                if result.name not in strict:
                    reason = "built up in several steps that have no counterpart in the forward pass"
                elif any(self.evaluation.tape.ties.values()):
                    # where a unit is dead, the slope behind it is a matter of convention and reaches no parameter
                    reason = "undefined at an exact tie, without effect on any gradient"
                else:
                    continue
                result.verdict, result.reason, result.rel_err = Verdict.SKIPPED, reason, None
        if all(result.verdict is not Verdict.FAIL for result in wrong):
            self.failed_at = None

    def _probe_numerically(self) -> None:
        """V5: the same rows against Richardson extrapolation, which shares nothing with the complex step."""
        passed = {name for name, result in self.results.items() if result.verdict is Verdict.PASS}
        undecided = {name for name, result in self.results.items() if result.verdict is Verdict.SKIPPED}
        rows = [row for row in self._live_rows() if (row.strict or row.name in passed) and row.name not in undecided]
        if self.failed_at is None:
            rows = self._some(rows, NUMERIC_ROWS)
        else:
            rows = [row for row in rows if row.name not in passed][:NUMERIC_ROWS_WRONG]
        worst, resolved = 0.0, 0
        alone: list[Row] = []
        for group in _groups(rows):
            error = joint_disagreement(group, self.evaluation.evaluate, self.rng, self.evaluation.base)
            if error is None or error > NUMERIC_TOLERANCE:
                alone += group
                continue
            worst, resolved = max(worst, error), resolved + len(group)
            for row in group:
                self.results[row.name].probes += 1
        for row in alone:
            error = numeric_disagreement(row, self.evaluation.evaluate, self.rng, self.evaluation.base)
            if error is None or (error > NUMERIC_TOLERANCE and error * row.norm <= self.evaluation.rounding[row.name]):
                continue
            worst, resolved = max(worst, error), resolved + 1
            result = self.results[row.name]
            result.probes += 1
            if error > NUMERIC_TOLERANCE and result.verdict is Verdict.PASS:
                result.verdict, result.reason = Verdict.INCONCLUSIVE, "the two oracles disagree"
        if resolved:
            verdict = Verdict.PASS if worst <= NUMERIC_TOLERANCE else Verdict.FAIL
            self._add(CheckResult("V5", f"{resolved} tensors against Richardson", verdict, value=worst))

    def _live_rows(self) -> list[Row]:
        """Return the rows whose gradient is more than rounding: a sum of terms that cancel is not exactly zero."""
        rows = self.evaluation.rows()
        scale = scale_of(rows)
        return [row for row in rows if row.norm > NOISE * scale]

    def _some(self, rows: list[Row], most: int) -> list[Row]:
        """Return at most `most` rows, chosen at random, in their order."""
        if len(rows) <= most:
            return rows
        return [rows[i] for i in sorted(self.rng.choice(len(rows), most, replace=False))]

    def _taylor(self, rows: Sequence[Row]) -> None:
        """V6: the first-order Taylor remainder of the loss shrinks like the square of the step."""
        order = None
        for _ in range(3):
            direction = {
                k: max(_rms(self.evaluation.base(k)), 0.1) * u for r in rows for k, u in r.direction(self.rng).items()
            }
            slope = sum(row.slopes(direction)[0] for row in rows)
            order = taylor_order(self.evaluation.evaluate, direction, slope) if rows else None
            if order is None or order >= MIN_ORDER:
                break
        self.report.taylor_order = order
        if order is None:
            detail = "the loss is linear along the probe, there is no remainder"
            self._add(CheckResult("V6", "order of the Taylor remainder", Verdict.SKIPPED, detail))
        else:
            found = {result.verdict for result in self.results.values()} | {c.verdict for c in self.report.checks}
            # where both oracles confirm the slope, steps are too long for a loss that is curved so much
            low = Verdict.FAIL if Verdict.FAIL in found else Verdict.SKIPPED
            verdict = Verdict.PASS if order >= MIN_ORDER else low
            self._add(CheckResult("V6", "order of the Taylor remainder", verdict, f"{order:.2f}", order))

    def _add(self, result: CheckResult) -> None:
        self.report.checks.append(result)

    def _crossings(self, counts: Mapping[int, int]) -> list[Crossing]:
        return [Crossing(n, self.script.structure.place(n).text, c) for n, c in sorted(counts.items()) if c]


def _groups(rows: list[Row]) -> list[list[Row]]:
    """Return rows in groups that share their numerical probes, where there are many."""
    size = 1 if len(rows) <= ALONE else TOGETHER
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def _rms(array: Array) -> float:
    return norm(array) / math.sqrt(max(1, array.size))

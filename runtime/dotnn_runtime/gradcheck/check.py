"""`check_script`: all checks of one generated script, in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from . import invariants
from .draw import generic_batch_size, generic_point
from .kinds import Array, Cost, Key, Point, Unusable, norm
from .localise import localise
from .oracles import complex_step, richardson, taylor_order
from .patterns import Pattern
from .probes import (
    COMPLEX_STEP,
    NUMERIC_TOLERANCE,
    RICHARDSON,
    TOLERANCE,
    Oracle,
    Outcome,
    Probe,
    compare_elements,
    corner_and_random,
    joint_probe,
    numeric_disagreement,
    probe_rows,
    scale_of,
)
from .report import CheckResult, Crossing, Report, TensorResult, Verdict
from .rows import Row
from .script import Script, load_script
from .soundness import check_soundness
from .stand import Stand
from .ties import check_ties
from .trail import blame_for_gradient, blame_for_seed

DRAWS = 5
ALL_ELEMENTS = 2000
SAMPLES = 16
NUMERIC_ROWS = 48
MIN_ORDER = 1.9

# loss, outputs and gradients of an independent implementation at the same point
Witness = Callable[[Point], tuple[float, Mapping[str, Array], Mapping[str, Array]]]


def check_script(
    source: str,
    filename: str,
    *,
    seed: int = 0,
    samples: int | None = None,
    batch_size: int | None = None,
    v4: bool = True,
    witnesses: Mapping[str, Witness] | None = None,
) -> Report:
    """Check every gradient of a generated script.

    The script's text is executed, so it must be trusted. Data and parameters are drawn at random in general position.

    Args:
        source: the text of the script.
        filename: its name, for messages.
        seed: of everything that is drawn.
        samples: elements per tensor to be checked one by one where a network is too large to check all (16).
        batch_size: number of examples; by default one that no other size of the network equals.
        v4: whether to check elements one by one at all.
        witnesses: independent implementations to compare with, by name (V8).

    Raises:
        ScriptError: the text is not a script in the form of the contract.
    """
    script = load_script(source, filename)
    check = _Check(script, seed, samples or SAMPLES, batch_size, v4, witnesses or {})
    check.run()
    return check.report


@dataclass
class _Check:
    script: Script
    seed: int
    samples: int
    batch_size: int | None
    v4: bool
    witnesses: Mapping[str, Witness]
    cost: Cost = field(default_factory=Cost)
    oracle: Oracle = COMPLEX_STEP
    failed_at: Stand | None = None

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, 1])
        self.results: dict[str, TensorResult] = {}
        self.report = Report(self.seed)

    def run(self) -> None:
        """Run all checks, from the cheapest to the most telling, and write the report."""
        point = self._point(0)
        self.report.batch_size = next((len(a) for a in point.batch.values()), 0)
        sound, self.report.blame = check_soundness(self.script, point, self.cost)
        self.report.checks.append(sound)
        if sound.verdict is Verdict.FAIL:
            self._skip_tensors()
        else:
            self._run_probes()
            self._run_invariants(point)
            self._run_ties(point)
            self._run_witnesses(point)
            self._settle_cotangents()
            self._blame()
        self.report.tensors = list(self.results.values())
        self.report.cost_forwards = self.cost.forwards

    # ---- points -----------------------------------------------------------------------------------------------------

    def _point(self, draw: int) -> Point:
        plain = self.script.plain
        shapes = [*self.script.params.values(), *(shape for _, shape in plain.INPUTS.values())]
        initial = plain.init_params(self.seed + draw, dtype=np.float64)
        return generic_point(
            initial,
            plain.INPUTS,
            plain.TARGETS,
            batch_size=self.batch_size or generic_batch_size(shapes),
            rng=np.random.default_rng([self.seed, 0, draw]),
        )

    @cached_property
    def stand(self) -> Stand:
        """The script at the first point."""
        return Stand(self.script, self._point(0), self.cost)

    # ---- V2 to V6: probes -------------------------------------------------------------------------------------------

    def _run_probes(self) -> None:
        self._choose_oracle()
        self._probe_every_row()
        rows = [row for row in self.stand.rows() if row.kind == "param" and row.norm > 0.0]
        self._probe_together(rows)
        if self.v4 and self.oracle is COMPLEX_STEP:
            self._probe_elements()
        if self.oracle is COMPLEX_STEP:
            self._probe_numerically()
        self._taylor(rows)
        self.report.kinks = self._crossings(self.script.tracer.kinks)
        self.report.ties = self._crossings(self.stand.tape.ties)

    def _choose_oracle(self) -> None:
        """Use the complex step if the forward pass is safe for it, which Richardson extrapolation must confirm."""
        sizes = {name: max(_rms(p), 0.1) for name, p in self.stand.point.params.items()}
        direction = {
            Key("param", name): sizes[name] * self.rng.standard_normal(p.shape)
            for name, p in self.stand.point.params.items()
        }
        self.report.oracles = ["complex step, h = 1e-20, branches frozen", "Richardson extrapolation, branches frozen"]
        numeric = richardson(self.stand.evaluate, direction)
        try:
            slope = complex_step(self.stand.evaluate, direction)
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
        for draw in range(DRAWS):
            stand = self.stand if draw == 0 else Stand(self.script, self._point(draw), self.cost)
            rows = stand.rows()
            wanted = rows if draw == 0 else [row for row in rows if row.name in silent]
            found = probe_rows(wanted, stand.evaluate, self.oracle, self.rng, scale_of(rows))
            for row in wanted:
                self._settle(row, found[row.name], stand)
            silent = {name for name, r in self.results.items() if r.verdict is Verdict.INCONCLUSIVE}
            if not silent:
                break

    def _settle(self, row: Row, probe: Probe, stand: Stand) -> None:
        """Turn a probe into a verdict."""
        result = self.results.setdefault(row.name, self._new_result(row))
        result.probes += 1
        result.norm, result.method = row.norm, self.oracle.name
        result.rel_err = max(result.rel_err or 0.0, probe.error)
        declared_zero = row.name in self.script.structural_zeros
        if probe.outcome is Outcome.WRONG:
            result.verdict = Verdict.FAIL
            self.failed_at = self.failed_at or stand
        elif probe.outcome is Outcome.RIGHT:
            result.verdict = Verdict.FAIL if declared_zero else Verdict.PASS
            result.reason = "declared to be zero, but it is not" if declared_zero else ""
        elif declared_zero:
            result.verdict, result.rel_err = Verdict.ZERO_STRUCTURAL, None
        else:
            result.verdict, result.reason, result.rel_err = Verdict.INCONCLUSIVE, "no signal", None

    def _new_result(self, row: Row) -> TensorResult:
        spec_line = self.script.anatomy.defined_at(row.name.removeprefix("d_")).spec_line
        return TensorResult(row.name, row.kind, row.shape, spec_line)

    def _probe_together(self, rows: Sequence[Row]) -> None:
        """V2: all parameters at once, along Gaussian directions in which every tensor weighs alike."""
        errors = []
        for _ in range(3):
            probe = joint_probe(rows, self.stand.evaluate, self.oracle, self.rng) if rows else None
            errors += [probe.error] if probe else []
        if errors:
            verdict = Verdict.PASS if max(errors) <= self.oracle.tolerance else Verdict.FAIL
            self._add(CheckResult("V2", "all parameters at once", verdict, value=max(errors)))

    def _probe_elements(self) -> None:
        """V4: every element of a small network, corners and random elements of a large one."""
        rows = [row for row in self.stand.rows() if row.kind != "cotangent" and row.norm > 0.0]
        small = sum(math.prod(row.shape) for row in rows) <= ALL_ELEMENTS
        count, worst = 0, 0.0
        for row in rows:
            some = corner_and_random(row.shape, self.samples, self.rng) if not small else list(np.ndindex(*row.shape))
            error, wrong = compare_elements(row, self.stand.evaluate, some)
            result = self.results[row.name]
            result.worst, result.probes = wrong[:5], result.probes + len(some)
            count, worst = count + len(some), max(worst, error)
            if wrong and result.verdict is not Verdict.ZERO_STRUCTURAL:
                result.verdict = Verdict.FAIL
                result.rel_err = max(result.rel_err or 0.0, error)
                self.failed_at = self.failed_at or self.stand
        if rows:
            wrong_rows = any(self.results[row.name].worst for row in rows)
            title = f"{count} elements one by one ({'all' if small else 'corners and a sample'})"
            self._add(CheckResult("V4", title, Verdict.FAIL if wrong_rows else Verdict.PASS, value=worst))

    def _probe_numerically(self) -> None:
        """V5: the same rows against Richardson extrapolation, which shares nothing with the complex step."""
        rows = [row for row in self.stand.rows() if row.norm > 0.0]
        if len(rows) > NUMERIC_ROWS:
            rows = [rows[i] for i in sorted(self.rng.choice(len(rows), NUMERIC_ROWS, replace=False))]
        worst, resolved = 0.0, 0
        for row in rows:
            error = numeric_disagreement(row, self.stand.evaluate, self.rng, self.stand.base)
            if error is None:
                continue
            worst, resolved = max(worst, error), resolved + 1
            result = self.results[row.name]
            result.probes += 1
            if error > NUMERIC_TOLERANCE and result.verdict is Verdict.PASS:
                result.verdict, result.reason = Verdict.INCONCLUSIVE, "the two oracles disagree"
        if resolved:
            verdict = Verdict.PASS if worst <= NUMERIC_TOLERANCE else Verdict.FAIL
            self._add(CheckResult("V5", f"{resolved} tensors against Richardson", verdict, value=worst))

    def _taylor(self, rows: Sequence[Row]) -> None:
        """V6: the first-order Taylor remainder of the loss shrinks like the square of the step."""
        order = None
        for _ in range(3):
            direction = {
                k: max(_rms(self.stand.base(k)), 0.1) * u for r in rows for k, u in r.direction(self.rng).items()
            }
            slope = sum(row.slopes(direction)[0] for row in rows)
            order = taylor_order(self.stand.evaluate, direction, slope) if rows else None
            if order is None or order >= MIN_ORDER:
                break
        self.report.taylor_order = order
        if order is None:
            detail = "the loss is linear along the probe, there is no remainder"
            self._add(CheckResult("V6", "order of the Taylor remainder", Verdict.SKIPPED, detail))
        else:
            verdict = Verdict.PASS if order >= MIN_ORDER else Verdict.FAIL
            self._add(CheckResult("V6", "order of the Taylor remainder", verdict, f"{order:.2f}", order))

    # ---- the rest ---------------------------------------------------------------------------------------------------

    def _run_invariants(self, point: Point) -> None:
        self._add(invariants.check_linear(self.script, point, self.stand.grads, self.cost))
        for result in invariants.check_batch(self.script, point, self.cost):
            self._add(result)
        for draw in range(DRAWS):
            # a unit within float32 rounding of its kink answers differently: look at another point
            result = invariants.check_float32(self.script, self._point(draw), self.cost, self.rng)
            if result.verdict is not Verdict.FAIL:
                break
        self._add(result)

    def _run_ties(self, point: Point) -> None:
        if self.failed_at is not None:
            return
        result, failed_at = check_ties(self.script, point, self.oracle, self.cost, self.rng)
        if result is not None:
            self._add(result)
        self.failed_at = failed_at

    def _run_witnesses(self, point: Point) -> None:
        """V8: the loss, the outputs and the gradients of independent implementations."""
        for name, witness in self.witnesses.items():
            self.report.oracles.append(name)
            loss, outputs, grads = witness(point)
            rng = np.random.default_rng(point.rng_seed)
            ours, _ = self.script.plain.forward(point.params, point.batch, training=True, rng=rng)
            errors = {"loss": abs(loss - self.stand.loss) / max(abs(loss), abs(self.stand.loss), 1e-300)}
            errors |= {key: _distance(value, ours[key]) for key, value in outputs.items()}
            errors |= {key: _distance(value, self.stand.grads[key]) for key, value in grads.items()}
            worst = max(errors, key=lambda key: errors[key])
            verdict = Verdict.PASS if errors[worst] <= TOLERANCE else Verdict.FAIL
            self._add(CheckResult("V8", f"against {name}", verdict, f"largest difference in {worst}", errors[worst]))

    def _settle_cotangents(self) -> None:
        """Drop what cannot be decided about cotangents, if the gradients made from them are right."""
        strict = {row.name for row in self.stand.rows() if row.strict}
        gradients_right = all(r.verdict is not Verdict.FAIL for r in self.results.values() if r.name in strict)
        for result in self.results.values():
            if result.kind == "cotangent" and result.verdict is Verdict.INCONCLUSIVE:
                result.verdict = Verdict.SKIPPED
            if result.name not in strict and result.verdict is Verdict.FAIL and gradients_right:
                result.verdict, result.rel_err = Verdict.SKIPPED, None
                result.reason = "built up in several steps that have no counterpart in the forward pass"

    def _blame(self) -> None:
        verdicts = {t.verdict for t in self.results.values()} | {c.verdict for c in self.report.checks}
        if self.failed_at is not None and Verdict.FAIL in verdicts:
            self.report.blame = localise(self.failed_at, self.oracle, self.rng)
        failed = next((c for c in self.report.checks if c.verdict is Verdict.FAIL and c.tensors), None)
        if self.report.blame is None and failed is not None and failed.id == "V1":
            self.report.blame = blame_for_seed(self.script, self.stand.point)
        if self.report.blame is None and failed is not None:
            pattern = Pattern(failed.title, failed.detail)
            self.report.blame = blame_for_gradient(self.script, failed.tensors[0], pattern)

    def _skip_tensors(self) -> None:
        blamed = self.report.blame.name if self.report.blame else ""
        for name, shape in self.script.params.items():
            result = TensorResult(name, "param", shape, self.script.anatomy.defined_at(name).spec_line)
            fails = blamed in (name, f"d_{name.replace('.', '_')}")
            result.verdict, result.reason = (
                (Verdict.FAIL, "") if fails else (Verdict.SKIPPED, "the script does not run")
            )
            self.results[name] = result

    def _add(self, result: CheckResult) -> None:
        self.report.checks.append(result)

    def _crossings(self, counts: Mapping[int, int]) -> list[Crossing]:
        by_line: dict[int, int] = {}
        for site, count in counts.items():
            by_line[self.script.sites[site]] = by_line.get(self.script.sites[site], 0) + count
        return [Crossing(n, self.script.anatomy.place(n).text, c) for n, c in sorted(by_line.items()) if c]


def _rms(array: Array) -> float:
    return norm(array) / math.sqrt(max(1, array.size))


def _distance(a: Array, b: Array) -> float:
    size = max(norm(a), norm(b))
    return norm(np.asarray(a) - np.asarray(b)) / size if size else 0.0

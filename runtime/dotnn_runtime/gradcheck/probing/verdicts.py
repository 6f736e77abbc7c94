"""The verdict on every gradient and cotangent of a script, as probes come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..report.results import CheckResult, Report, TensorResult, Verdict
from ..tracing.rows import Row
from ..tracing.traced import TracedScript
from .evaluation import Evaluation
from .probes import COMPLEX_STEP, ZERO_POINTS, Oracle, Outcome, Probe


@dataclass
class Verdicts:
    """What is known of every tensor, by its name in the report; checks of the whole script go there directly.

    `oracle` is what probes are compared with, `failed_at` the first evaluation at which a tensor was wrong.
    """

    script: TracedScript
    report: Report
    training: bool = True
    oracle: Oracle = COMPLEX_STEP
    results: dict[str, TensorResult] = field(default_factory=dict)
    failed_at: Evaluation | None = None

    def add(self, id_: str, title: str, verdict: Verdict, detail: str = "", value: float | None = None) -> None:
        """Note the verdict of a check of the whole script."""
        self.report.checks.append(CheckResult(id_, title, verdict, detail, value))

    def names(self, *verdicts: Verdict) -> set[str]:
        """Return the names of the tensors with one of these verdicts."""
        return {name for name, result in self.results.items() if result.verdict in verdicts}

    def settle(self, row: Row, probe: Probe, evaluation: Evaluation) -> None:
        """Turn a probe into a verdict."""
        result = self.results.setdefault(row.name, self._new_result(row))
        result.probes += 1
        result.norm, result.method = row.norm, self.oracle.name
        result.rel_err = max(result.rel_err or 0.0, probe.error)
        declared_zero = row.name in self.script.structural_zeros
        if probe.outcome is Outcome.WRONG:
            self.fail(result, evaluation)
        elif probe.outcome is Outcome.RIGHT:
            lies = declared_zero and self.training  # what a normalisation hides in training counts in prediction
            result.verdict = Verdict.FAIL if lies else Verdict.PASS
            result.reason = "declared to be zero, but it is not" if lies else ""
        elif declared_zero:
            result.verdict, result.rel_err = Verdict.ZERO_STRUCTURAL, None
        else:
            result.verdict, result.reason, result.rel_err = Verdict.INCONCLUSIVE, probe.reason, None

    def fail(self, result: TensorResult, evaluation: Evaluation) -> None:
        """Note that a tensor is wrong at a point."""
        result.verdict = Verdict.FAIL
        self.failed_at = self.failed_at or evaluation

    def _new_result(self, row: Row) -> TensorResult:
        spec_line = self.script.structure.defined_at(row.keys[0].name).spec_line
        return TensorResult(row.name, row.kind, row.shape, spec_line)

    def settle_zero(self, name: str, points: int) -> None:
        """Take a gradient for zero that was silent at every point, if the truth was zero at so many of them, too."""
        result = self.results[name]
        if points < ZERO_POINTS or result.kind == "cotangent":
            return
        result.verdict, result.reason = Verdict.ZERO_OBSERVED, ""
        self.report.notes.append(
            f"The gradient of {name} is zero at {points} points, and so is the truth; no rule of the "
            "compiler says that it must be. Should the loss depend on it?"
        )

    def settle_cotangents(self, rows: Sequence[Row], ties: bool) -> None:
        """Drop what cannot be decided about cotangents, if the gradients made from them are right.

        `ties` says whether a branch stands exactly on its edge at the point that the rows are of.
        """
        self._drop_wrong({row.name for row in rows if row.strict}, ties)
        for result in self.results.values():
            if result.kind == "cotangent" and result.verdict is Verdict.INCONCLUSIVE:
                result.verdict = Verdict.SKIPPED
        if not self.names(Verdict.FAIL):
            self.failed_at = None

    def _drop_wrong(self, strict: set[str], ties: bool) -> None:
        wrong = self.names(Verdict.FAIL)
        if any(self.results[name].kind != "cotangent" for name in wrong):
            return
        for name in wrong - strict:
            self._skip(name, "built up in several steps that have no counterpart in the forward pass")
        # where a unit is dead, the slope behind it is a matter of convention and reaches no parameter
        for name in wrong & strict if ties else ():
            self._skip(name, "undefined at an exact tie, without effect on any gradient")

    def _skip(self, name: str, reason: str) -> None:
        result = self.results[name]
        result.verdict, result.reason, result.rel_err = Verdict.SKIPPED, reason, None

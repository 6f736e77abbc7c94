"""`check_script`: all checks of one generated script, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np

from .blame.checks import blame_for_gradient, blame_for_note, blame_for_seed, blames_for_unsound
from .blame.faults import blames_at
from .blame.localise import localise
from .blame.predictions import blame_for_prediction
from .blame.training import blame_for_difference, blame_for_training
from .probing import invariants
from .probing.course import Trial
from .probing.evaluation import Evaluation, loss_and_grads, moves_by_rounding
from .probing.gradients import Probing
from .probing.likeness import check_likeness, check_loop
from .probing.predictions import check_predictions, has_own_predictions
from .probing.probes import NOISE, ROUNDING, TOLERANCE
from .probing.rounding import LIKE_ROUNDING
from .probing.soundness import check_soundness
from .probing.steps import Reference
from .probing.ties import check_ties
from .probing.training import check_training
from .reading.script import ScriptError
from .reading.types import Array, Point, norm
from .report.results import WARNING, Blame, CheckResult, Pattern, Report, TensorResult, Verdict
from .tracing.traced import TracedScript, load_script

SAMPLES = 16
POINTS = 5

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
    training: bool = True,
    witnesses: Mapping[str, Witness] | None = None,
    references: Mapping[str, Reference] | None = None,
    twins: Mapping[str, ModuleType] | None = None,
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
        training: whether the network is in training mode (dropout, statistics of the batch) or in prediction mode.
        witnesses: independent implementations to compare with, by name (V8).
        references: independent implementations of a training step, by name (V10).
        twins: scripts, as modules, that must do the same in all besides the training step, by name (V11).

    Raises:
        ScriptError: the text is not a script in the form of the contract.
    """
    script = load_script(source, filename)
    report = Report(seed)
    check = _Check(
        script,
        report,
        Probing(script, report, samples or SAMPLES, batch_size, v4, training),
        witnesses or {},
        references or {},
        twins or {},
    )
    with np.errstate(all="ignore"):  # a probe may leave the domain of a logarithm; what is not finite decides nothing
        check.run()
    return report


def check_style(
    source: str, filename: str, seed: int, style: str, references: Mapping[str, Reference], twin: ModuleType
) -> tuple[list[CheckResult], Blame | None]:
    """Compare what a script trains with references, and its batches and predictions with those of another style."""
    script = load_script(source, filename)
    trial = Trial(script, seed)
    with np.errstate(all="ignore"):
        results, wrong = check_training(trial, references, style)
        if wrong is not None:
            return results, blame_for_training(script, wrong)
        result, difference = check_loop(trial, twin, "the explain style")
        results.append(result)
        if difference is not None:
            return results, blame_for_difference(script, difference)
        result, prediction = check_predictions(trial, twin, "the explain style")
        return [*results, result], blame_for_prediction(script, prediction)


@dataclass
class _Check:
    script: TracedScript
    report: Report
    probing: Probing
    witnesses: Mapping[str, Witness]
    references: Mapping[str, Reference]
    twins: Mapping[str, ModuleType]

    def run(self) -> None:
        """Run all checks, from the cheapest to the most telling, and complete the report."""
        probing = self.probing
        try:
            point = probing.point(0)
        except (Exception, SystemExit) as error:
            raise ScriptError(f"{self.script.filename}: no point can be drawn to check it at: {error}") from error
        self.report.batch_size = next((len(a) for a in point.batch.values()), 0)
        sound = check_soundness(self.script, point, probing.cost)
        self._say(blames_for_unsound(self.script, point, sound, probing.elsewhere()))
        self._add(sound.result)
        if not sound.runs:
            self._skip_tensors()
        else:
            probing.run()
            if probing.stops_at is not None:
                self._run_where_it_stops(probing.stops_at)
            self._run_invariants(point)
            self._run_ties(point)
            self._run_witnesses()
            if self.report.blame is None:
                self._blame()
        self.report.tensors = list(probing.verdicts.results.values())
        if sound.runs and point.training and self.report.verdict is not Verdict.FAIL:
            self._run_training(Trial(self.script, self.report.seed))
        self.report.cost_forwards = probing.cost.forwards

    def _run_where_it_stops(self, point: Point) -> None:
        """V0 at a batch of another size, where the script stops: a size is written into one of its lines."""
        again = check_soundness(self.script, point, self.probing.cost)
        self._say(blames_for_unsound(self.script, point, again))
        size = next((len(a) for a in point.batch.values()), 0)
        self._add(replace(again.result, title=f"{again.result.title}, {size} examples"))

    def _run_invariants(self, point: Point) -> None:
        """V1, V7 and V9: what must hold between runs of the script itself."""
        probing, cost = self.probing, self.probing.cost
        self._add(invariants.check_linear(self.script, point, probing.evaluation.grads, cost))
        for result in invariants.check_batch(self.script, point, cost):
            self._add(result)
        for draw in range(POINTS):
            # a unit within float32 rounding of its kink answers differently: look at another point
            result = invariants.check_float32(self.script, probing.point(draw), cost)
            if result.verdict is not Verdict.FAIL:
                break
        self._add(result)

    def _run_ties(self, point: Point) -> None:
        probing, verdicts = self.probing, self.probing.verdicts
        if verdicts.failed_at is not None:
            return
        result, verdicts.failed_at = check_ties(self.script, point, verdicts.oracle, probing.cost, probing.rng)
        if result is not None:
            self._add(result)

    def _run_witnesses(self) -> None:
        """V8: the loss, the outputs and the gradients of independent implementations."""
        for name, witness in self.witnesses.items():
            self.report.oracles.append(name)
            try:
                result = self._beside(name, witness)
            except ScriptError:  # it is a witness of something else
                raise
            except (Exception, SystemExit) as stopped:
                detail = f"it stops: {type(stopped).__name__}: {stopped}"
                result = CheckResult("V8", f"against {name}", Verdict.FAIL, detail)
            self._add(result)

    def _beside(self, name: str, witness: Witness) -> CheckResult:
        """Compare with a witness; where rounding decides what comes out at a point, at another point."""
        title, probing = f"against {name}", self.probing
        for draw in range(POINTS):
            evaluation = Evaluation(self.script, probing.point(draw), probing.cost) if draw else probing.evaluation
            errors = self._errors_beside(witness, evaluation)
            worst = max(errors, key=lambda key: errors[key])
            if errors[worst] <= TOLERANCE:
                detail = f"largest difference in {worst}" if errors[worst] > WARNING else ""  # below, it is rounding
                return CheckResult("V8", title, Verdict.PASS, detail, errors[worst])
            if not self._rounding_decides(evaluation.point, errors):
                return CheckResult("V8", title, Verdict.FAIL, f"largest difference in {worst}", errors[worst])
        detail = f"rounding alone decides {worst}: a branch turns with the last digit, or differences of numbers grow"
        return CheckResult("V8", title, Verdict.INCONCLUSIVE, detail, errors[worst])

    def _rounding_decides(self, point: Point, errors: Mapping[str, float]) -> bool:
        """Whether all that is wrong moves as much in other arithmetics; an output, if anything moves as much."""
        loss, grads = loss_and_grads(self.script.plain, point)
        loss_moves, moves = moves_by_rounding(self.script.plain, point, self.probing.cost)
        shares = {name: moves[name] / norm(grad) for name, grad in grads.items() if norm(grad)}
        shares["loss"] = loss_moves / abs(loss) if loss else 0.0
        most = max(shares.values())
        return all(e <= max(TOLERANCE, LIKE_ROUNDING * shares.get(name, most)) for name, e in errors.items())

    def _errors_beside(self, witness: Witness, evaluation: Evaluation) -> dict[str, float]:
        """Return how far the loss, the outputs and the gradients are from those of a witness."""
        point = evaluation.point
        loss, outputs, grads = witness(point)
        rng = np.random.default_rng(point.rng_seed)
        ours, _ = self.script.plain.forward(point.params, point.batch, training=point.training, rng=rng)
        errors = {"loss": _distance(np.array(loss), np.array(evaluation.loss))}
        errors |= {key: _distance(value, ours[key]) for key, value in outputs.items()}
        largest = max(map(norm, grads.values()), default=0.0)
        live = [key for key, value in grads.items() if key in evaluation.grads and norm(value) > NOISE * largest]
        for key in live:
            error, apart = _distance(grads[key], evaluation.grads[key]), norm(grads[key] - evaluation.grads[key])
            lost = apart <= ROUNDING * largest or (error > TOLERANCE and evaluation.is_rounding(key, apart))
            if error <= TOLERANCE or not lost:  # else both lost these digits
                errors[key] = error
        return errors

    def _run_training(self, trial: Trial) -> None:
        """V10 to V12: what `train` and `predict` run; where a gradient is wrong already, a step is, too."""
        results, wrong = check_training(trial, self.references)
        self.report.checks += results
        self.report.blame = blame_for_training(self.script, wrong)
        if has_own_predictions(self.script.whole):
            result, prediction = check_predictions(trial, self.script.whole, "forward")
            self._add(result)
            self.report.blame = self.report.blame or blame_for_prediction(self.script, prediction)
        for name, twin in self.twins.items():
            result, difference = check_likeness(trial, twin, name)
            self._add(result)
            self.report.blame = self.report.blame or blame_for_difference(self.script, difference)

    def _blame(self) -> None:
        verdicts = {t.verdict for t in self.probing.verdicts.results.values()} | {c.verdict for c in self.report.checks}
        if self.probing.verdicts.failed_at is not None and Verdict.FAIL in verdicts:
            self._blame_lines(self.probing.verdicts.failed_at)
        failed = next((c for c in self.report.checks if c.verdict is Verdict.FAIL and c.tensors), None)
        if self.report.blame is None and failed is not None:
            self.report.blame = self._blame_for(failed)

    def _blame_for(self, failed: CheckResult) -> Blame | None:
        """Return the blame for a check of the whole script that names the gradients for which it fails."""
        by_seed = blame_for_seed(self.script, self.probing.evaluation.point) if failed.id == "V1" else None
        pattern = Pattern(failed.title, failed.detail)
        return by_seed or blame_for_gradient(self.script, failed.tensors[0], pattern)

    def _blame_lines(self, failed_at: Evaluation) -> None:
        """Blame every wrong line of the backward pass, and of a fast step."""
        found = blames_at(self.script, failed_at.point, failed_at.shifts, self.probing.elsewhere())
        if found:
            self._say(found)
            return
        self._say(localise(failed_at))
        turned = blame_for_note(self.script, failed_at.point, same_size=True)
        if turned is not None and not (self.report.blame and self.report.blame.line <= turned.line):
            self.report.blame = turned

    def _say(self, blames: list[Blame]) -> None:
        """Put blames into the report, the first one first."""
        self.report.blame, self.report.more = next(iter(blames), None), blames[1:]

    def _skip_tensors(self) -> None:
        blamed = self.report.blame.name if self.report.blame else ""
        for name, shape in self.script.params.items():
            result = TensorResult(name, "param", shape, self.script.structure.defined_at(name).spec_line)
            fails = blamed in (name, f"d_{name.replace('.', '_')}")
            result.verdict, result.reason = (
                (Verdict.FAIL, "") if fails else (Verdict.SKIPPED, "the script does not run")
            )
            self.probing.verdicts.results[name] = result

    def _add(self, result: CheckResult) -> None:
        self.report.checks.append(result)


def _distance(a: Array, b: Array) -> float:
    size = max(norm(a), norm(b))
    return norm(np.asarray(a) - np.asarray(b)) / size if size else 0.0

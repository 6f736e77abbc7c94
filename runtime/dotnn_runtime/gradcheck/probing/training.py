"""V10 as a whole: train a script for a few steps, and compare them with every reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..reading.types import Array
from ..report.results import CheckResult, Verdict
from ..tracing.recording import Arrays, Training, trains
from .course import Trial
from .steps import Fault, OwnPass, Reference, compare

ID = "V10"
OWN = "loss_and_grads"


@dataclass(frozen=True)
class WrongStep:
    """A fault of a step, the training in which it was found, and the right values of its forward pass, by name.

    Without a fault: the training takes no step.
    """

    fault: Fault | None = None
    training: Training | None = None
    examples: Arrays = field(default_factory=dict)
    values: Mapping[str, Array] = field(default_factory=dict)


Wrong = WrongStep | BaseException | None


def check_training(
    trial: Trial, references: Mapping[str, Reference], style: str = ""
) -> tuple[list[CheckResult], Wrong]:
    """Compare the steps of a script's `fit` with those of references, by name, and with its own `loss_and_grads`.

    `style` is named in the titles.
    """
    script = trial.script
    title = f"steps of training{f', {style}' * bool(style)}"
    if not trains(script.whole):
        return [CheckResult(ID, title, Verdict.SKIPPED, "the script has no function train")], None
    results: dict[str, float] = dict.fromkeys([OWN, *references], 0.0)
    count = 0
    try:
        for training, examples in trial.trainings:
            count += len(training.steps)
            for name, reference in {OWN: OwnPass(script), **references}.items():
                found = compare(script, training, examples, reference)
                results[name] = max(results[name], found.worst)
                if found.fault is not None:
                    step = training.steps[found.fault.at]
                    values = reference.gradients(step.before, step.batch, step.again()).values
                    wrong = WrongStep(found.fault, training, examples, values)
                    return [_result(title, name, Verdict.FAIL, str(found.fault), found.fault.error)], wrong
    except (Exception, SystemExit) as error:
        return [CheckResult(ID, title, Verdict.FAIL, f"{type(error).__name__}: {error}")], error
    if not count:
        return [CheckResult(ID, title, Verdict.FAIL, f"{script.loop} takes no step")], WrongStep()
    sizes = " and ".join(map(str, trial.course.sizes))
    detail = f"{count} steps on {sizes} examples"
    return [_result(title, name, Verdict.PASS, detail, worst) for name, worst in results.items()], None


def _result(title: str, name: str, verdict: Verdict, detail: str, value: float) -> CheckResult:
    return CheckResult(ID, f"{title} against {name}", verdict, detail, value if verdict is Verdict.PASS else None)

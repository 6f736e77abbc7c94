"""V10 as a whole: train a script for a few steps, compare them with every reference, blame a line."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import numpy as np

from .course import Trial
from .likeness import check_loop
from .localise import blame_at
from .patterns import Pattern
from .report import Blame, CheckResult, Verdict
from .script import Script, load_script
from .step_blame import blame_for_step
from .steps import OwnPass, Reference, compare
from .trail import blame_for_exception

ID = "V10"
OWN = "loss_and_grads"


def check_training(
    trial: Trial, references: Mapping[str, Reference], style: str = ""
) -> tuple[list[CheckResult], Blame | None]:
    """Compare the steps of a script's `fit` with those of references, by name, and with its own `loss_and_grads`.

    `style` is named in the titles.
    """
    script = trial.script
    title = f"steps of training{f', {style}' * bool(style)}"
    fit = getattr(script.whole, "fit", None)
    if fit is None:
        return [CheckResult(ID, title, Verdict.SKIPPED, "the script has no function fit")], None
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
                    blame = blame_for_step(script, found.fault, training, examples, values)
                    return [_result(title, name, Verdict.FAIL, str(found.fault), found.fault.error)], blame
    except (Exception, SystemExit) as error:
        return [CheckResult(ID, title, Verdict.FAIL, f"{type(error).__name__}: {error}")], blame_for_exception(
            script, error
        )
    if not count:
        return [CheckResult(ID, title, Verdict.FAIL, "fit takes no step")], _whole_fit(script)
    sizes = " and ".join(map(str, trial.course.sizes))
    detail = f"{count} steps on {sizes} examples"
    return [_result(title, name, Verdict.PASS, detail, worst) for name, worst in results.items()], None


def check_style(
    source: str, filename: str, seed: int, style: str, references: Mapping[str, Reference], twin: ModuleType
) -> tuple[list[CheckResult], Blame | None]:
    """Compare what a script trains with references, and the order in which it does with that of another style."""
    trial = Trial(load_script(source, filename), seed)
    with np.errstate(all="ignore"):
        results, blame = check_training(trial, references, style)
        if blame is None:
            result, blame = check_loop(trial, twin, "the explain style")
            results.append(result)
    return results, blame


def _result(title: str, name: str, verdict: Verdict, detail: str, value: float) -> CheckResult:
    return CheckResult(ID, f"{title} against {name}", verdict, detail, value if verdict is Verdict.PASS else None)


def _whole_fit(script: Script) -> Blame:
    line = next((i for i, text in enumerate(script.anatomy.lines, 1) if text.startswith("def fit(")), 0)
    place = script.anatomy.place(line)
    return blame_at("fit", "", place, place, Pattern("no step", "The loop never takes a step."))

"""V12: the fast style predicts by a pass of its own. Its outputs and figures beside those of a forward pass that is
written to be read, on one chunk of examples and on several.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from ..reading.types import Array
from ..report.results import CheckResult, Verdict
from ..tracing.recording import Arrays, NeutralScaling
from .course import Trial
from .likeness import fitted_to_nothing, raw_inputs
from .rounding import LIKE_ROUNDING, Arithmetic
from .steps import CLOSE, ROUNDINGS, apart

ID = "V12"
CHUNK = "CHUNK"
"""The constant of a script that says how many examples go through the network at once."""


@dataclass(frozen=True)
class WrongPrediction:
    """An output or a figure that is wrong, by name, and the parameters and examples for which it is."""

    name: str
    error: float
    params: Arrays
    examples: Arrays

    def __str__(self) -> str:
        return f"{self.name} is another, by {self.error:.1e}" if np.isfinite(self.error) else f"{self.name} is another"


FoundWrong = WrongPrediction | BaseException | None


def has_own_predictions(script: ModuleType) -> bool:
    """Whether a script predicts in another way than by its `forward`."""
    return hasattr(script, "make_forward")


def check_predictions(trial: Trial, other: ModuleType, name: str) -> tuple[CheckResult, FoundWrong]:
    """Compare the predictions and the figures of a script with those by the forward pass of a module, `name`."""
    title = f"predictions and figures against {name}"
    worst = 0.0
    try:
        for found in _comparisons(trial, other):
            if not found.error <= CLOSE and not _is_rounding(found, other):
                return CheckResult(ID, title, Verdict.FAIL, str(found)), found
            worst = max(worst, found.error if found.error <= CLOSE else 0.0)
    except (Exception, SystemExit) as error:
        return CheckResult(ID, title, Verdict.FAIL, f"{type(error).__name__}: {error}"), error
    return CheckResult(ID, title, Verdict.PASS, value=worst), None


def _comparisons(trial: Trial, other: ModuleType) -> Iterator[WrongPrediction]:
    """Yield how far every output and figure is from the right one, for few examples and for several chunks."""
    ours, course = trial.script.whole, trial.course
    whole = getattr(ours, CHUNK, 0)
    try:
        for part, chunk in (("test", whole), ("train", course.sizes[0])):
            vars(ours)[CHUNK] = chunk
            examples = course.parts[part]
            found = _outcome(ours, course.params, examples)
            right = by_forward(other, course.params, examples) | _prepared_outputs(ours, course.params, examples)
            for name, value in right.items():
                yield WrongPrediction(name, apart(found.get(name), value), course.params, examples)
    finally:
        vars(ours)[CHUNK] = whole


def _outcome(module: ModuleType, params: Arrays, examples: Arrays) -> Arrays:
    """Return the predictions and figures of a script, by name."""
    outputs = _predicted(module, params, examples)
    figures = module.evaluate(_copies(params), _copies(examples), NeutralScaling())
    return {**{name: np.array(a) for name, a in outputs.items()}, **_figures(figures)}


def _predicted(module: ModuleType, params: Arrays, examples: Arrays) -> Arrays:
    """Return what a script predicts, from inputs as it takes them: scaled by factors of 1, or raw."""
    if not _prepares(module):
        inputs = {name: examples[name].copy() for name in module.INPUTS}
        return dict(module.predict(_copies(params), inputs, NeutralScaling()))
    return dict(module.predict(_copies(params), raw_inputs(module, examples), fitted_to_nothing(module)))


def _prepares(module: ModuleType) -> bool:
    """Whether a script does more to inputs and outputs than a fitted scaling, so that no scaling leaves them alone."""
    raw_targets: Mapping[str, tuple[str, tuple[int, ...]]] = getattr(module, "RAW_TARGETS", {})
    known = hasattr(module, "RAW_INPUTS") or hasattr(module, "DIVIDED_BY")
    return known or any(kind.startswith("above:") for kind, _ in raw_targets.values())


def _prepared_outputs(module: ModuleType, params: Arrays, examples: Arrays) -> Arrays:
    """Return the outputs that a script makes of its own `forward`: as it prepares inputs, and undoes that.

    Nothing where it only scales: those are compared with the forward pass itself.
    """
    if not _prepares(module):
        return {}
    made = module.make_forward

    def plainly(params: Arrays, size: int) -> Callable[..., Arrays]:
        own = made(params, size)

        def run(examples: Arrays, *rng: np.random.Generator) -> Arrays:
            names = own(examples, *copy.deepcopy(rng))  # what else there is, is not of single examples
            outputs, cache = module.forward(params, examples, training=False, **dict(zip(["rng"], rng, strict=False)))
            values = {**cache, **outputs}
            return {name: values[name] for name in names}

        return run

    try:
        vars(module)["make_forward"] = plainly
        return {name: np.array(a) for name, a in _predicted(module, params, examples).items()}
    finally:
        vars(module)["make_forward"] = made


def by_forward(module: ModuleType, params: Arrays, examples: Arrays) -> Arrays:
    """Return what predictions and figures should be: the outputs and the loss of `forward` in prediction mode.

    Metrics are another script's, where that makes them of its `forward`; our own are made of what is compared.
    """
    outputs, cache = module.forward(_copies(params), _copies(examples), training=False)
    found = {name: np.array(outputs[name]) for name in module.OUTPUTS}
    if has_own_predictions(module):
        return {**found, "loss": np.array(float(module.total_loss(params, examples, cache)))}
    return {**found, **_figures(module.evaluate(_copies(params), _copies(examples), NeutralScaling()))}


def _figures(figures: dict[str, float]) -> Arrays:
    return {key: np.array(float(value)) for key, value in figures.items()}


def _is_rounding(found: WrongPrediction, other: ModuleType) -> bool:
    """Whether arithmetics that round otherwise are as far from each other: attention to large scores keeps few digits.

    A figure that counts, such as an accuracy, jumps where a value is rounded across its threshold.
    """
    right = by_forward(other, found.params, found.examples)[found.name]
    moved = 0.0
    for number in range(ROUNDINGS):
        arithmetic = Arithmetic.number(number)
        with arithmetic.within(other):
            params, examples = (arithmetic.arrays(arrays) for arrays in (found.params, found.examples))
            moved = max(moved, apart(_plain(by_forward(other, params, examples)[found.name]), right))
    return found.error <= LIKE_ROUNDING * moved


def _plain(value: Array) -> Array:
    return np.array(value, dtype=float, subok=False)


def _copies(arrays: Arrays) -> Arrays:
    return {name: value.copy() for name, value in arrays.items()}

"""`dotnn check` of `average`: what a training returns is the mean of its weights that the spec asks for.

The updates themselves are proven elsewhere. Here the weights after each of them are looked on at while a script trains,
averaged by a loop of this file, and compared with what the script returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dotnn.codegen import optimizer
from dotnn.core.arguments import Bound
from dotnn.ir.interpret import scope_of_lines
from dotnn.library.averages import Average
from dotnn.running.scripts import run_script
from dotnn.running.spec_step import Arrays
from dotnn.session import Compilation
from dotnn.targets import PROVEN
from dotnn_runtime.gradcheck import CheckResult, Verdict
from dotnn_runtime.gradcheck.tracing.recording import record
from dotnn_runtime.script.selfcheck import generic_batch

ID = "V10"
LIMIT = 1e-12
COUNT, SIZE, EPOCHS = 7, 3, 3
"""Examples, those of a batch where not all are one, and epochs of the training that is looked at."""


@dataclass
class Averaged:
    """The average of weights by its definition: a moving one by its equations, else the mean of the last."""

    average: Bound[Average]
    weights: Arrays = field(default_factory=dict)
    recent: list[Arrays] = field(default_factory=list)

    def updated(self, weights: Arrays) -> None:
        """Take in the weights after an update."""
        if self.average.entry.equations is not None:
            self.weights = self._moved(weights) if self.weights else dict(weights)
        elif self.average.attrs["updates"]:
            self._last(weights, self.average.attrs["updates"])

    def epoch_ended(self, weights: Arrays) -> None:
        """Take in the weights after an epoch."""
        if self.average.entry.equations is None and not self.average.attrs["updates"]:
            self._last(weights, self.average.attrs["epochs"])

    def _last(self, weights: Arrays, count: int) -> None:
        self.recent = [*self.recent, dict(weights)][-count:]
        self.weights = {name: np.mean([some[name] for some in self.recent], axis=0) for name in weights}

    def _moved(self, weights: Arrays) -> Arrays:
        assert self.average.entry.equations is not None
        lines = self.average.entry.equations(self.average.attrs)
        text = "\n".join(optimizer.numpy_equation(line, self.average.attrs) for line in lines)
        program, found = compile(text, "<equations>", "exec"), {}
        for name, w in weights.items():
            scope = {**scope_of_lines(), **self.average.attrs, "a": self.weights[name], "w": w}
            exec(program, scope)
            found[name] = scope["a"]
        return found


def check_average(begun: Compilation, seed: int) -> list[CheckResult]:
    """Return what the scripts of all styles show of the average of the weights; nothing where there is none."""
    average = begun.model.train.setting("average")
    if average is None:
        return []
    endless = Compilation.of(replace(begun.model, train=replace(begun.model.train, stops=())), begun.sets)
    return [_of_style(endless, average, style.name, seed) for style in PROVEN.styles]


def _of_style(begun: Compilation, average: Bound[Average], style: str, seed: int) -> CheckResult:
    title = f"{average}, the weights that are returned, {style} style"
    try:
        error = _error(begun, average, style, seed)
    except Exception as failure:  # whatever a script may raise
        return CheckResult(ID, title, Verdict.FAIL, f"{type(failure).__name__}: {failure}")
    return CheckResult(ID, title, Verdict.PASS if error < LIMIT else Verdict.FAIL, value=error)  # a NaN is no less


def _error(begun: Compilation, average: Bound[Average], style: str, seed: int) -> float:
    """Return how far what is returned is from the average of the weights after each update."""
    module = run_script(begun.script(PROVEN.name, style), "dotnn_average", begun.model.source.path)
    rng = np.random.default_rng([seed, 14])
    params = {n: w + 0.1 * rng.standard_normal(w.shape) for n, w in module.init_params(seed, np.float64).items()}
    examples = generic_batch({**module.INPUTS, **module.TARGETS}, rng, COUNT)
    training = record(module, params, dict.fromkeys(("train", "val", "test"), examples), epochs=EPOCHS, size=SIZE)
    weights = [{name: step.after[name] for name in module.PARAMS} for step in training.steps]
    expected = averaged(average, weights, len(weights) // EPOCHS)
    if not expected:
        return float("inf")
    return max(_distance(training.params[name], w) for name, w in expected.items())


def averaged(average: Bound[Average], weights: Sequence[Arrays], of_epoch: int) -> Arrays:
    """Return the average after a training with these weights after its updates, so many in each epoch."""
    found = Averaged(average)
    for number, some in enumerate(weights, 1):
        found.updated(some)
        if number % of_epoch == 0:
            found.epoch_ended(some)
    return found.weights


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    scale = max(float(np.abs(b).max(initial=0)), 1e-300)
    return float(np.abs(a - b).max(initial=0)) / scale if a.shape == b.shape else float("inf")

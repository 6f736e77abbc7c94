"""V0: does the script run at all, and does it return what the contract says?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..reading.script import Script
from ..reading.types import Array, Cost, Point
from ..report.results import CheckResult, Pattern, Verdict
from .evaluation import called, copied, loss_and_grads, moves_by_rounding
from .rounding import LIKE_ROUNDING

SAME = 1e-12
TITLE = "V0", "finite, shapes, dtypes, repeatable"


class Unsound(Enum):
    """What V0 may find."""

    STOPS = "an exception"
    NOT_FINITE = "a loss that is no number"
    GRADIENT = "a gradient that cannot be right, whatever its numbers"
    UNSTEADY = "results that change from run to run"
    CHANGES = "a parameter or an input that is not what it was before"
    FORWARD = "a loss or an output that the script's own functions disagree about"


@dataclass(frozen=True)
class Soundness:
    """What V0 found, and whether there is something to be probed.

    `fault` says of which kind it is; `error` is the exception, `name` the gradient that is wrong and `pattern` how.
    """

    result: CheckResult
    fault: Unsound | None = None
    error: BaseException | None = None
    name: str = ""
    pattern: Pattern | None = None
    runs: bool = False


def check_soundness(script: Script, point: Point, cost: Cost) -> Soundness:
    """Run the script twice and look at everything it returns."""
    params, batch = copied(point)
    try:
        loss, grads = called(script.plain, point, params, batch)
        again, grads_again = loss_and_grads(script.plain, point)
        cost.forwards += 2
        wrong_forward = _forward_fault(script, point, loss, cost)
    except (Exception, SystemExit) as error:
        return Soundness(_fails(f"{type(error).__name__}: {error}"), Unsound.STOPS, error)
    if not np.isfinite(loss):
        return Soundness(_fails(f"the loss is {loss}"), Unsound.NOT_FINITE)
    for name, pattern in _faults(script, point, grads):
        return Soundness(_fails(f"{name}: {pattern.words}"), Unsound.GRADIENT, name=name, pattern=pattern)
    if loss != again or any(not np.array_equal(grads[name], grads_again[name]) for name in grads):
        return Soundness(_fails("two runs with the same seed give different results"), Unsound.UNSTEADY)
    changed = _changed(point, {**params, **batch})
    if changed:
        return Soundness(_fails(f"{changed} is changed"), Unsound.CHANGES, name=changed, runs=True)
    if wrong_forward:
        return Soundness(_fails(wrong_forward), Unsound.FORWARD, runs=True)
    return Soundness(CheckResult(*TITLE, Verdict.PASS), runs=True)


def _changed(point: Point, after: Mapping[str, Array]) -> str:
    """Return the first array of a point that is not what it was after a pass, "" where all are."""
    before = {**point.params, **point.batch}
    return next(
        (n for n, a in before.items() if not np.array_equal(a, after.get(n, a), equal_nan=a.dtype.kind == "f")), ""
    )


def _fails(detail: str) -> CheckResult:
    return CheckResult(*TITLE, Verdict.FAIL, detail)


def _faults(script: Script, point: Point, grads: dict[str, Array]) -> Iterator[tuple[str, Pattern]]:
    inputs = {name: point.batch[name] for name in script.plain.INPUTS if name in grads}
    params = {name: point.params[name] for name in script.params}
    for name, value in (params | inputs).items():
        if name not in grads:
            yield name, Pattern("missing", "The gradient is missing from the dict that is returned.")
        elif grads[name].shape != value.shape:
            words = f"The gradient has the shape {grads[name].shape}, the tensor itself {value.shape}."
            yield name, Pattern("wrong shape", words)
        elif grads[name].dtype != value.dtype:
            yield name, Pattern("wrong dtype", f"The gradient is {grads[name].dtype}, the tensor itself {value.dtype}.")
        elif not np.all(np.isfinite(grads[name])):
            yield name, Pattern("not finite", "The gradient holds NaN or infinity.")


def _forward_fault(script: Script, point: Point, loss: float, cost: Cost) -> str:
    """Say what is wrong with `forward` and `total_loss`, "" for nothing."""
    cost.forwards += 1
    rng = np.random.default_rng(point.rng_seed)
    outputs, cache = script.plain.forward(point.params, point.batch, training=point.training, rng=rng)
    total = float(script.plain.total_loss(point.params, point.batch, cache))
    apart = abs(total - loss)
    alike = apart <= SAME * max(abs(total), abs(loss))
    if not alike and apart > LIKE_ROUNDING * moves_by_rounding(script.plain, point, cost)[0]:
        return f"loss_and_grads returns the loss {loss:.17g}, but forward and total_loss give {total:.17g}"
    for name, shape in getattr(script.plain, "OUTPUTS", {}).items():
        if name not in outputs:
            return f"forward does not return the output {name}"
        if np.shape(outputs[name])[1:] != tuple(shape):
            return f"the output {name} has the shape {np.shape(outputs[name])[1:]} per example, not {tuple(shape)}"
        if not np.all(np.isfinite(outputs[name])):
            return f"the output {name} holds NaN or infinity"
    return ""

"""V0: does the script run at all, and does it return what the contract says?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .kinds import Array, Cost, Point
from .patterns import Pattern
from .report import Blame, CheckResult, Verdict
from .script import Script
from .stand import loss_and_grads
from .step_blame import blame_for_forward
from .trail import blame_for_exception, blame_for_gradient, blame_for_note, blame_for_unsteady, blame_for_value

TITLE = "V0", "finite, shapes, dtypes, repeatable"


@dataclass(frozen=True)
class Soundness:
    """What V0 found, and whether there is something to be probed."""

    result: CheckResult
    blame: Blame | None = None
    runs: bool = False


def check_soundness(script: Script, point: Point, cost: Cost) -> Soundness:
    """Run the script twice and look at everything it returns."""
    try:
        loss, grads = loss_and_grads(script.plain, point)
        again, grads_again = loss_and_grads(script.plain, point)
        cost.forwards += 2
        wrong_forward = _forward_fault(script, point, loss, cost)
    except (Exception, SystemExit) as error:
        blame = blame_for_exception(script, error)
        if blame.text.startswith("d_"):
            # the line that stops may only meet what another did
            blame = blame_for_note(script, point) or blame_for_note(script, point, same_size=True) or blame
        return _fails(f"{type(error).__name__}: {error}", blame)
    lost = None if np.isfinite(loss) else blame_for_value(script, point)
    for name, pattern in _faults(script, point, grads) if lost is None else ():
        blame = blame_for_note(script, point) or blame_for_gradient(script, name, pattern)
        return _fails(f"{name}: {pattern.words}", blame)
    if not np.isfinite(loss):
        return _fails(f"the loss is {loss}", lost)
    if loss != again or any(not np.array_equal(grads[name], grads_again[name]) for name in grads):
        return _fails("two runs with the same seed give different results", blame_for_unsteady(script, point))
    verdict = Verdict.FAIL if wrong_forward else Verdict.PASS
    forward = blame_for_forward(script, point) if wrong_forward else None
    return Soundness(CheckResult(*TITLE, verdict, wrong_forward), forward, runs=True)


def _fails(detail: str, blame: Blame | None) -> Soundness:
    return Soundness(CheckResult(*TITLE, Verdict.FAIL, detail), blame)


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
    if abs(total - loss) > 1e-12 * max(abs(total), abs(loss)):
        return f"loss_and_grads returns the loss {loss:.17g}, but forward and total_loss give {total:.17g}"
    for name, shape in getattr(script.plain, "OUTPUTS", {}).items():
        if name not in outputs:
            return f"forward does not return the output {name}"
        if np.shape(outputs[name])[1:] != tuple(shape):
            return f"the output {name} has the shape {np.shape(outputs[name])[1:]} per example, not {tuple(shape)}"
        if not np.all(np.isfinite(outputs[name])):
            return f"the output {name} holds NaN or infinity"
    return ""

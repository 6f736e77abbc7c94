"""Steps that are too large, or too small."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from dotnn.codegen.stopping import which_ended
from dotnn.model.model import StopWhen
from dotnn.reports.findings.base import Fault, Finding, key_span, place, way_to_try
from dotnn.reports.seen import Seen

HUGE = 1.0
"""A first update larger than the weights themselves forgets how they began."""
USUAL = 0.001, 0.1
"""First updates as a part of the weights: small networks that learn well have up to the second."""
RAISED = 0.01
"""The first update that a rate which is too low is raised to: the middle of the usual ones."""
AT_LEAST = 10.0
"""A rate that is too high or too low is changed by this factor at least."""
TINY = 1e-5
IMPROVED = 0.02
"""By so much of it the loss must fall for steps not to be too small."""
CLEARLY = 1.1
"""So many times the loss before the training the last one is to be clearly worse."""
SOLVED = 0.01
"""A loss below this part of the first one is small, however it came about."""
WORSE = 2.0
"""A loss of the first epoch that is so many times the one before it."""
RISE, OFTEN = 1.2, 0.25
"""A loss that is so many times that of the epoch before, in this share of the epochs, is rough."""


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for a training that diverged, got worse, or jumped about; and for one that hardly moved."""
    rate, span = seen.rate, key_span(seen, "train", "optim")
    for word, change, said in _said(seen):
        wanted = _wanted(seen, lower=word == "high")
        message = f"the learning rate is too {word}: {said}{_step(seen)}"
        fix = way_to_try(
            seen, span, f"{change} the learning rate from {rate:g} to {wanted:g}", {f"{rate:g}": f"{wanted:g}"}
        )
        numbers = {"rate": rate, "update": _largest(seen)}
        yield Fault("learning_rate", message, place(seen, span), fix, numbers)


def _wanted(seen: Seen, *, lower: bool) -> float:
    """Return the rate by which the first update would be usual, rounded to one digit."""
    ratio = _largest(seen)
    if lower:
        factor = min(1 / AT_LEAST, USUAL[1] / ratio) if ratio > 0 else 1 / AT_LEAST
    else:
        factor = max(AT_LEAST, RAISED / ratio)
    return float(f"{seen.rate * factor:.0e}")


def _said(seen: Seen) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong, if anything: too what, what to do, how it is seen."""
    losses = [record.get("loss", math.nan) for record in seen.history]
    before, last = seen.fresh.loss, losses[-1] if losses else math.nan
    way = f"the loss went from {before:.3g} before the training to {last:.3g} at the last epoch ({len(losses)})"
    if seen.result.get("stopped_by") == "diverged":
        yield "high", "lower", f"the training diverged in epoch {len(losses)}"
    elif last > CLEARLY * before > 0:
        yield "high", "lower", way
    elif _largest(seen) > HUGE and last > SOLVED * before and _is_rough(before, losses) and not _reached_its_goal(seen):
        highest = f"{way}, and was {max(losses):.3g} on the way"
        yield "high", "lower", highest
    elif 0 < _largest(seen) < TINY and before - last < IMPROVED * abs(before):
        yield "low", "raise", way


def _step(seen: Seen) -> str:
    ratio = _largest(seen)
    usual = f"({USUAL[0]:g} to {USUAL[1]:g} is usual)"
    return f"; the first update was {ratio:.2g} times as large as the weights that it changed {usual}" if ratio else ""


def _largest(seen: Seen) -> float:
    """Return the largest part of itself by which a weight was changed at first, 0 where all began at 0."""
    return max((ratio for ratio in seen.updates.values() if math.isfinite(ratio)), default=0.0)


def _is_rough(before: float, losses: Sequence[float]) -> bool:
    """Whether the first epoch was worse than none, or the loss has jumped in many of those after it."""
    return losses[0] > WORSE * before > 0 or sum(
        after > RISE * before for before, after in pairwise(losses)
    ) > OFTEN * len(losses)


def _reached_its_goal(seen: Seen) -> bool:
    """Whether a rule of the spec, `stop = when(…)`, has ended the training."""
    return isinstance(which_ended(str(seen.result.get("stopped_by")), seen.model.train), StopWhen)


LEARNING_RATE = Finding(
    "learning_rate",
    "the training diverges, ends worse than it began, jumps about, or hardly moves",
    10,
    look,
    of_a_loss=True,
)

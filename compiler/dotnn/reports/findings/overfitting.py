"""A network that goes on learning the training part by heart."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dotnn.reports.findings.base import Fault, Finding, place
from dotnn.reports.seen import Seen

WORSE = 1.25
"""So many times the least validation loss the one of the kept parameters must be."""
LATE = 0.7
"""The least validation loss must be before this share of the epochs."""


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault where the validation loss has risen again, and the parameters that are kept are worse for it."""
    losses = [record.get("val_loss", math.nan) for record in seen.history]
    if len(losses) < 5 or not all(map(math.isfinite, losses)):
        return
    kept = int(seen.result.get("best_epoch") or len(losses))
    best = min(range(len(losses)), key=losses.__getitem__) + 1
    train = [record["loss"] for record in seen.history]
    value, least = losses[kept - 1], losses[best - 1]
    if not (0 < least * WORSE < value and best < LATE * kept and train[kept - 1] < train[best - 1]):
        return
    fell = f"while the training loss fell from {train[best - 1]:.3g} to {train[kept - 1]:.3g}"
    message = (
        f"overfitting: from epoch {best} to {kept} the validation loss rose from {least:.3g} to {value:.3g}, {fell}"
    )
    fix = "stop where it is least (stop = early(val_loss, patience = 10)), or add dropout, decay or data"
    line = place(seen, seen.model.train.losses[0].span)
    yield Fault("overfitting", message, line, fix, {"best": best, "kept": kept, "least": least, "value": value})


OVERFITTING = Finding(
    "overfitting",
    "the validation loss rises while the training loss falls, and nothing stops it",
    60,
    look,
    of_a_loss=True,
)

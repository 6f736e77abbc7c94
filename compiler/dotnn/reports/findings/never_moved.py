"""Weights that training has left as they were."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.reports.findings.base import Fault, Finding, place
from dotnn.reports.seen import Seen


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for each trained weight that is, to the bit, what it was; single precision is how it was kept."""
    if not any(record.get("loss") for record in seen.history):
        return  # nothing was to be learned
    for name, p in seen.model.params.items():
        if not p.trained or name not in seen.graph.grads or len(p.shape) < 2 or name not in seen.start:
            continue
        before = seen.start[name].astype(np.float32)
        if before.any() and np.array_equal(before, seen.params[name].astype(np.float32)):
            message = f"{name}, {p.size} numbers, never moved: no gradient has reached it in {len(seen.history)} epochs"
            fix = "look for dead units, a stop_gradient or a threshold between it and the loss"
            yield Fault("never_moved", message, place(seen, p.span), fix, {"numbers": p.size}, follows=True)


NEVER_MOVED = Finding("never_moved", "a weight is after the training what it was before", 35, look, of_layers=True)

"""What a way back computes again: `rnn_backward` the states of `rnn`, from those that were kept.

A value there that is no cotangent, and has the name and the turn of one of the forward pass, should be that one.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from ..tracing.run import Event, Run
from .truth import Target

BACK = "backward"


def recomputed(run: Run) -> dict[int, tuple[Target, ...]]:
    """Return what the values should be that loops of the backward pass compute again, by the number of their event."""
    made: dict[tuple[str, str, tuple[str, ...]], list[Target]] = defaultdict(list)
    for event in run.forward:
        if _is_computed(event) and event.value is not None:
            made[event.site.function, event.name, event.loops].append(Target.of(event.value))
    found = {}
    for event in run.backward:
        forward = event.site.function.removesuffix(BACK).removesuffix("_") or "forward"
        targets = made.get((forward, event.name, event.loops))
        if targets and not event.seeded and _is_computed(event) and event.site.function.endswith(BACK):
            found[event.number] = tuple(targets)
    return found


def _is_computed(event: Event) -> bool:
    """Whether an event is an array of its own turn of a loop."""
    is_array = event.value is not None and np.ndim(event.value) > 0
    return is_array and bool(event.loops) and event.site.kind == "assign" and event.name.isidentifier()

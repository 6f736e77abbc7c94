"""Units that began alike and stayed alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.reports.findings.base import Fault, Finding, hidden, place_of, statement_of, way_to_try
from dotnn.reports.seen import Seen

ALIKE = 1e-9


def are_alike(w: np.ndarray) -> bool:
    """Whether all units, along the last axis, have the same weights."""
    spread = np.abs(w - w[..., :1]).max()
    return bool(spread <= ALIKE * max(np.abs(w).max(), ALIKE))


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for each hidden layer whose units compute the same before and after the training."""
    for layer in hidden(seen, seen.trained.layers):
        several = [name for name in layer.weights if seen.params[name].shape[-1] > 1]
        if not several or not all(are_alike(seen.start[name]) and are_alike(seen.params[name]) for name in several):
            continue
        units = seen.params[several[0]].shape[-1]
        zero = " of 0" if not any(seen.start[name].any() for name in several) else " alike"
        message = f"the {units} units of {layer.name} are one: they began with weights{zero} and still have the same"
        fix = way_to_try(seen, statement_of(layer), "start from random weights: init = xavier", {"zeros": "xavier"})
        yield Fault("symmetry", message, place_of(seen, layer), fix, {"units": units})


SYMMETRY = Finding("symmetry", "all units of a layer have the same weights, before and after the training", 15, look)

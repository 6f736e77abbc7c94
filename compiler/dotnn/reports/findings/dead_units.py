"""Units that are off for all examples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.reports.findings.base import Fault, Finding, hidden, place_of, statement_of, way_to_try
from dotnn.reports.seen import Layer, Seen

TOO_MANY = 0.5
"""Above this share of dead units a layer is a finding: a few are common after a training with relu."""
ENOUGH = 8
"""Of fewer examples a unit may be silent without being dead."""


def silent_units(layer: Layer) -> np.ndarray:
    """Return which units, or channels, are 0 in all examples and at all places, (units,)."""
    return np.asarray((layer.a == 0).reshape(-1, layer.a.shape[-1]).all(axis=0))


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for each layer most of whose units are off."""
    for layer in hidden(seen, seen.trained.layers):
        silent = silent_units(layer) if layer.z is not None else np.zeros(1, bool)
        share = float(silent.mean())
        if share <= TOO_MANY or (len(layer.a) < ENOUGH and share < 1):
            continue
        units, dead = len(silent), int(silent.sum())
        change = "lower the learning rate, start from smaller weights and biases of 0, or use leaky_relu"
        fix = way_to_try(seen, statement_of(layer), change, {"relu": "leaky_relu"})
        message = f"{dead} of the {units} units of {layer.name} are 0 for all of {len(layer.a)} examples: they are dead"
        yield Fault("dead_units", message, place_of(seen, layer), fix, {"dead": dead, "units": units})


DEAD_UNITS = Finding("dead_units", "most units of a layer are 0 for every example: no gradient reaches them", 20, look)

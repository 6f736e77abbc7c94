"""Units that are off for all examples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.ir.interpret import evaluate
from dotnn.reports.findings.base import Fault, Finding, hidden, place_of, statement_of, way_to_try
from dotnn.reports.findings.symmetry import one_unit
from dotnn.reports.seen import Layer, Seen

TOO_MANY = 0.5
"""Above this share of dead units a layer is a finding: a few are common after a training with relu."""
ENOUGH = 8
"""Of fewer examples a unit may be silent without being dead."""


def silent_units(layer: Layer) -> np.ndarray:
    """Return which units, or channels, are 0 in all examples and at all places, (units,)."""
    return np.asarray((layer.a == 0).reshape(-1, layer.a.shape[-1]).all(axis=0))


def _is_like_relu(seen: Seen, layer: Layer) -> bool:
    """Whether an activation is 0 far below 0, and about what it takes above it."""
    node = seen.trained.node_of(layer)
    if node is None or not node.rule.elementwise:
        return False
    low, high = np.asarray(evaluate(node, [np.array([[-30.0, 3.0]])], None, False)).reshape(-1)
    return bool(abs(low) < 1e-6 and high > 2.5)


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for each layer most of whose units are off; none where equal units explain it."""
    if any(one_unit(seen, layer) for layer in hidden(seen, seen.trained.layers)):
        return
    pairs = zip(hidden(seen, seen.fresh.layers), hidden(seen, seen.trained.layers), strict=True)
    for before, layer in pairs:
        silent = silent_units(layer) if layer.z is not None else np.zeros(1, bool)
        share = float(silent.mean())
        if share <= TOO_MANY or (len(layer.a) < ENOUGH and share < 1):
            continue
        units, dead = len(silent), int(silent.sum())
        from_start = float(silent_units(before).mean()) > TOO_MANY
        change = "start from smaller weights and biases of 0" if from_start else "lower the learning rate"
        change += ", or use leaky_relu" if _is_like_relu(seen, layer) else ""
        fix = way_to_try(seen, statement_of(layer), change, {"relu": "leaky_relu"})
        which = f"all {units}" if dead == units else f"{dead} of the {units}"
        message = f"{which} units of {layer.name} are 0 for each of {len(layer.a)} examples: they are dead"
        numbers = {"dead": dead, "units": units}
        yield Fault("dead_units", message, place_of(seen, layer), fix, numbers, follows=not from_start)


DEAD_UNITS = Finding(
    "dead_units", "most units of a layer are 0 for every example: no gradient reaches them", 20, look, of_layers=True
)

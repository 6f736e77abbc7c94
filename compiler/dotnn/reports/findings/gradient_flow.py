"""Gradients that vanish, or explode, on their way back through the layers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.reports.findings.base import Fault, Finding, place_of, statement_of, way_to_try
from dotnn.reports.seen import Layer, Pass, Seen

LEAST, MOST = 1e-3, 1e3
"""Parts of the gradient of the last layer: below the first it has vanished, above the second exploded."""


def gradient_norms(found: Pass) -> list[tuple[Layer, float]]:
    """Return the layers with weights, in order, each with the norm of the loss's derivative with respect to these."""
    pairs = []
    for layer in found.layers:
        grads = [found.grads[name] for name in layer.weights if name in found.grads]
        if grads:
            pairs.append((layer, float(np.sqrt(sum(np.sum(np.square(g)) for g in grads)))))
    return pairs


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault where the gradient of some layer is far from that of the last one, before the training."""
    norms = [(layer, norm) for layer, norm in gradient_norms(seen.fresh) if norm > 0]
    if len(norms) < 2 or not np.isfinite([norm for _, norm in norms]).all():
        return
    last, reference = norms[-1]
    small = next(((la, n) for la, n in reversed(norms[:-1]) if n < LEAST * reference), None)
    large = next(((la, n) for la, n in reversed(norms[:-1]) if n > MOST * reference), None)
    for found, word in ((small, "vanishes"), (large, "explodes")):
        if found is None:
            continue
        layer, norm = found
        numbers = {"norm": norm, "last": reference, "ratio": norm / reference}
        times = f"{norm:.2g}, {norm / reference:.2g} of that of {last.name} ({reference:.2g})"
        message = f"the gradient {word} from {layer.name} on: before the training its norm was {times}"
        yield Fault("gradient_flow", message, place_of(seen, layer), _fix(seen, layer, word), numbers)


def _fix(seen: Seen, layer: Layer, word: str) -> str:
    if word == "explodes":
        return "start from smaller weights (xavier), scale the inputs, or add clip = norm(1)"
    change = "use relu with init = he, fewer layers, residual joins or batchnorm"
    return way_to_try(seen, statement_of(layer), change, {"sigmoid": "relu", "tanh": "relu"})


GRADIENT_FLOW = Finding(
    "gradient_flow",
    "a layer's gradient is less than 1e-3 of the last layer's, or more than 1e3 of it",
    40,
    look,
    of_a_loss=True,
)

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
    reference = norms[-1][1]
    small = next(((la, n) for la, n in reversed(norms[:-1]) if n < LEAST * reference), None)
    large = next(((la, n) for la, n in reversed(norms[:-1]) if n > MOST * reference), None)
    for found, word in ((small, "vanishes"), (large, "explodes")):
        if found is None:
            continue
        layer, norm = found
        numbers = {"norm": norm, "last": reference, "ratio": norm / reference}
        message = f"the gradient {word} on its way back: before the training {_said(norms, layer, word)}"
        yield Fault("gradient_flow", message, place_of(seen, layer), _fix(seen, layer, word), numbers)


def _said(norms: list[tuple[Layer, float]], layer: Layer, word: str) -> str:
    """Return which layers get how little, or how much, of the gradient that the last one gets."""
    last, reference = norms[-1]
    limit = f"less than 1/{1 / LEAST:.0f} of" if word == "vanishes" else f"more than {MOST:g} times"
    before = norms[: [la.name for la, _ in norms].index(layer.name) + 1]
    far = [n < LEAST * reference if word == "vanishes" else n > MOST * reference for _, n in before]
    several = len(before) > 1 and all(far)
    who = f"{layer.name} and the layers before it got" if several else f"{layer.name} got"
    worst, norm = (min if word == "vanishes" else max)(before, key=lambda pair: pair[1])
    return f"{who} {limit} what {last.name} got ({reference:.2g}); {worst.name} got {norm:.2g}"


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
    of_layers=True,
)

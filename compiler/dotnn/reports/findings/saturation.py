"""Layers whose activations are flat where the examples are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.ir.interpret import evaluate
from dotnn.ir.node import Node
from dotnn.reports.findings.base import (
    Fault,
    Finding,
    hidden,
    key_span,
    place,
    place_of,
    statement_of,
    unscaled,
    way_to_try,
)
from dotnn.reports.seen import Layer, Pass, Seen
from dotnn.reports.slopes import slope

FLAT = 0.01
"""A slope below this part of the steepest one is flat."""
AT_START, AT_END = 0.75, 0.98
"""Above these shares of flat slopes, before and after the training, a layer is saturated: it may learn to be steep."""
PLAIN = ("normal", "uniform", "constant")
"""Initialisers whose numbers do not follow the sizes of a layer."""
FAR = np.array([[-30.0, 30.0]])


def flat_share(found: Pass, layer: Layer) -> float:
    """Return the share of units and examples where the activation of a layer is flat; 0 without two flat ends."""
    node = found.node_of(layer)
    if node is None or layer.z is None or not node.rule.elementwise or not _has_two_ends(node):
        return 0.0
    with np.errstate(all="ignore"):
        slopes, steepest = slope(node, layer.z, layer.a), _slopes(node, np.linspace(-3, 3, 61)[None])
    if slopes is None or steepest is None:
        return 0.0
    return float(np.mean(np.abs(slopes) < FLAT * np.abs(steepest).max()))


def _slopes(node: Node, z: np.ndarray) -> np.ndarray | None:
    return slope(node, z, np.asarray(evaluate(node, [z], None, False)))


def _has_two_ends(node: Node) -> bool:
    """Whether an activation is flat on both sides, as tanh is, without being flat everywhere."""
    with np.errstate(all="ignore"):
        far, near = _slopes(node, FAR), _slopes(node, np.zeros((1, 1)))
    return far is not None and near is not None and bool((np.abs(far) < 1e-6).all() and np.abs(near).max() > 0)


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for each hidden layer that is saturated at the start, or as good as everywhere at the end."""
    pairs = zip(hidden(seen, seen.fresh.layers), hidden(seen, seen.trained.layers), strict=True)
    for before, after in pairs:
        start, end = flat_share(seen.fresh, before), flat_share(seen.trained, after)
        if start <= AT_START and end <= AT_END:
            continue
        node = seen.trained.node_of(after)
        assert node is not None  # whose slopes are flat
        when = f"{node.op} was flat for {start:.0%} of its inputs before the training, and is for {end:.0%} after it"
        message, numbers = f"{after.name} is saturated: {when}", {"start": start, "end": end}
        follows = start <= AT_START
        yield Fault("saturation", message, place_of(seen, after), _fix(seen, after, start), numbers, follows=follows)


def _fix(seen: Seen, layer: Layer, start: float) -> str:
    """Return what the spec does not do yet: smaller steps where these have made a layer flat, else a better start."""
    large, scaled = unscaled(seen)
    if large:
        where = place(seen, key_span(seen, "data", "scale"))
        return f"{large}, and units want inputs near 1: put {scaled} into data ({where})"
    if start <= AT_START:
        return "lower the learning rate, or add decay: the weights have grown in the training"
    if not any(seen.model.params[name].init.name in PLAIN for name in layer.weights):
        return "use relu with init = he, or batchnorm before the activation"
    return way_to_try(seen, statement_of(layer), "start from smaller weights (xavier)", dict.fromkeys(PLAIN, "xavier"))


SATURATION = Finding(
    "saturation", "a hidden layer's activation is flat where the examples are", 30, look, of_layers=True
)

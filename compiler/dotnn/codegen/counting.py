"""How much each example, or each of its steps, counts in a metric or a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dotnn.model.masks import known_before
from dotnn.model.model import MetricTerm, Model, Read


@dataclass(frozen=True)
class Weights:
    """What the weights of a metric are made of: a weight for each example, and a mask over `axes` of it, if any.

    Where the mask `compares`, it holds whole numbers, of which 0 does not count.
    """

    given: Read | None = None
    mask: Read | None = None
    compares: bool = False
    axes: int = 0


def made_of(metric: MetricTerm, model: Model) -> Weights:
    """Return what the weights of a metric are made of."""
    given = Read(target=metric.counts) if metric.counts else None
    if not metric.mask.name:
        return Weights(given)
    kind = model.type_of(metric.mask)
    return Weights(given, metric.mask, kind.dtype == "int", len(kind.example))


def weights(metric: MetricTerm, model: Model, source: Callable[[Read], str]) -> str:
    """Return the expression of the weights of a metric, "" where all counts alike.

    `source` tells where the script has a value, an input or a target.
    """
    parts = made_of(metric, model)
    given = source(parts.given) if parts.given else ""
    if parts.mask is None:
        return given
    mask = source(parts.mask)
    if parts.compares:
        mask = f"({mask} != 0)" if given else f"{mask} != 0"
    return _product(given, mask, parts.axes) if given else mask


def of_a_batch(model: Model, array: str, numbers: str = "") -> str:
    """Return the expression of how much the examples of a batch count in its loss, "" where all count alike.

    `array` is the template of an input or a target, given its name, `numbers` that of a comparison as numbers, where
    a comparison cannot be multiplied and summed as it is.
    """
    given = array.format(model.weights) if model.weights else ""
    mask = next((term.mask for term in model.train.losses if term.mask.name), None)
    known = known_before(mask, model) if mask else None
    if mask is None or known is None:
        return given
    name, padding = known
    found = array.format(name)
    if padding is not None:
        found = f"{found} != {padding}"
        found = numbers.format(found) if numbers else f"({found})" if given else found
    return _product(given, found, len(model.type_of(mask).example)) if given else found


def _product(given: str, mask: str, axes: int) -> str:
    """Return the product of one weight for each example and what a mask holds along so many axes of it."""
    return f"{given}[{', '.join([':', *['None'] * axes])}] * {mask}" if axes else f"{given} * {mask}"

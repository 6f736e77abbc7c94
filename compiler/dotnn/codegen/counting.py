"""How much each example, or each of its steps, counts in a metric or a loss."""

from __future__ import annotations

from collections.abc import Callable

from dotnn.model.masks import known_before
from dotnn.model.model import MetricTerm, Model, Read


def weights(metric: MetricTerm, model: Model, source: Callable[[Read], str]) -> str:
    """Return the expression of the weights of a metric, "" where all counts alike.

    `source` tells where the script has a value, an input or a target.
    """
    given = source(Read(target=metric.counts)) if metric.counts else ""
    if not metric.mask.name:
        return given
    mask, kind = source(metric.mask), model.type_of(metric.mask)
    if kind.dtype == "int":
        mask = f"({mask} != 0)" if given else f"{mask} != 0"
    return _product(given, mask, len(kind.example)) if given else mask


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

"""How much each example, or each of its steps, counts in a metric."""

from __future__ import annotations

from collections.abc import Callable

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
    if not given:
        return mask
    more = [":", *(["None"] * len(kind.example))]
    return f"{given}[{', '.join(more)}] * {mask}" if kind.example else f"{given} * {mask}"

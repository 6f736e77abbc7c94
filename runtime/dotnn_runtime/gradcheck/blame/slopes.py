"""What a function with the name of a slope should return: `gelu_slope(z)` the derivative of the script's `gelu`."""

from __future__ import annotations

import numpy as np

from ..reading.script import Script
from ..tracing.run import Event, Run
from ..tracing.values import Node, differentiate, followed, new_node, node_of
from .truth import Target

SLOPE = "_slope"


def slopes(script: Script, run: Run) -> dict[int, Target]:
    """Return what the events should be that return the slope of an elementwise function, by their number."""
    arguments: dict[int, list[Event]] = {}
    for event in run.backward:
        if event.site.kind == "argument":
            arguments.setdefault(event.frame, []).append(event)
    found: dict[int, Target] = {}
    for event in run.backward:
        function = getattr(script.plain, event.site.function.removesuffix(SLOPE), None)
        given = arguments.get(event.frame, [])
        if event.site.kind == "return" and event.site.function.endswith(SLOPE) and callable(function) and given:
            target = _slope(function, given)
            if target is not None and event.value is not None and target.value.shape == event.value.shape:
                found[event.number] = target
    return found


def _slope(function: object, given: list[Event]) -> Target | None:
    """Return the derivative of a function, summed over its elements, with respect to its first argument."""
    first = new_node([], None)
    values = [np.asarray(event.value) for event in given]
    try:
        result = np.sum(function(followed(values[0], first), *values[1:]))  # type: ignore[operator]
    except Exception:  # it is not the function of this slope
        return None
    node: Node | None = node_of(result)
    if node is None:
        return None
    differentiate(node)
    return Target(first) if first.total is not None else None

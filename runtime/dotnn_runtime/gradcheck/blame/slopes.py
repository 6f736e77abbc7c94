"""What a function with the name of a slope should return: `gelu_slope(z)` the derivative of the script's `gelu`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from ..reading.script import Script
from ..reading.types import Array
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
    returned = [e for e in run.backward if e.site.kind == "return" and e.site.function.endswith(SLOPE)]
    found: dict[int, Target] = {}
    for event in returned:
        function = getattr(script.plain, event.site.function.removesuffix(SLOPE), None)
        target = _slope(function, arguments.get(event.frame, []))
        if target is not None and target.value.shape == np.shape(event.value if event.value is not None else ()):
            found[event.number] = target
    return found


def stages(script: Script, run: Run, event: Event) -> Iterator[Array]:
    """Yield what the function of a slope computes on its way, where an event is what the slope returns.

    What both name, such as the exponent of a sigmoid, is the same number in both.
    """
    node = script.structure.functions.get(event.site.function.removesuffix(SLOPE))
    given = [e for e in run.backward if e.frame == event.frame and e.site.kind == "argument"]
    if node is None or not event.site.function.endswith(SLOPE):
        return
    names = vars(script.plain) | {a.arg: np.asarray(e.value) for a, e in zip(node.args.args, given, strict=False)}
    for statement in node.body:
        value = statement.value if isinstance(statement, ast.Assign | ast.Return) else None
        for part in ast.walk(value) if value is not None else ():
            if isinstance(part, ast.expr):
                with suppress(Exception):  # a part that makes no sense by itself
                    yield np.asarray(_evaluated(part, names))
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name) and value is not None:
            try:
                names[statement.targets[0].id] = _evaluated(value, names)
            except Exception:
                return


def _evaluated(part: ast.expr, names: Mapping[str, Any]) -> Any:
    return eval(compile(ast.Expression(part), "<stage>", "eval"), dict(names))


def _slope(function: object, given: list[Event]) -> Target | None:
    """Return the derivative of a function, summed over its elements, with respect to its first argument."""
    if not (callable(function) and given):
        return None
    first = new_node([], None)
    values = [np.asarray(event.value) for event in given]
    try:
        result = np.sum(function(followed(values[0], first), *values[1:]))
    except Exception:  # it is not the function of this slope
        return None
    node: Node | None = node_of(result)
    if node is None:
        return None
    differentiate(node)
    return Target(first) if first.total is not None else None

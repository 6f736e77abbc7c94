"""Where a script has what comes out of a loop over time: in what the function around the loop returns."""

from __future__ import annotations

import ast
from types import ModuleType
from typing import Any

import numpy as np

from dotnn.codegen.site import Site
from dotnn.commands.explaining.example import Array, Worked
from dotnn.commands.explaining.script import Explanation
from dotnn.ir.node import Value
from dotnn.running.displaced import displaced


def loop_output(found: Explanation, example: Worked, value: Value) -> tuple[Site, int] | None:
    """Return the place of a value in what is returned, and how many executions of that statement come before its own.

    None for a value that no loop makes, or that no function returns as it is.
    """
    made = found.graph.producers().get(value.id)
    if made is None or made.loop is None or value.name not in example.values.whole:
        return None
    inside = [v.name for node in made.loop.nodes for v in node.outs if v.name in found.sites]
    for name in inside:
        site = found.sites[name]
        returned = _return_of(found.text, site.function)
        if site.in_loop and returned is not None:
            calls = example.values.turns.get(name, 0) // max(len(example.values.steps.get(name, ())), 1)
            return _where(found, example, value, Site(site.path, site.function, "", returned.lineno), returned, calls)
    return None


def _return_of(text: str, function: str) -> ast.Return | None:
    """Return the last statement of a function, where it returns something."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == function and isinstance(node.body[-1], ast.Return):
            return node.body[-1]
    return None


def _where(
    found: Explanation, example: Worked, value: Value, site: Site, returned: ast.Return, calls: int
) -> tuple[Site, int] | None:
    """Return the part of what is returned that is the value, for there it has the value's numbers."""
    parts = returned.value.elts if isinstance(returned.value, ast.Tuple) else [returned.value]
    wanted: Array = np.asarray(example.values.whole[value.name])
    for index in range(len(parts)):
        at = Site(site.path, site.function, "", site.line, at=(index,) if len(parts) > 1 else ())
        seen: list[Any] = []

        def note(given: Any, seen: list[Any] = seen) -> Any:
            seen.append(given)
            return given

        _forward(found, example, displaced(found.text, at, calls, note))
        if len(seen) == 1 and np.shape(seen[0]) == wanted.shape and np.array_equal(seen[0], wanted):
            return at, calls
    return None


def _forward(found: Explanation, example: Worked, module: ModuleType) -> None:
    rng = np.random.default_rng(found.model.train.seed)
    module.forward(dict(example.before), dict(example.batch), training=True, rng=rng)

"""The reference interpreter: runs a graph node by node on NumPy arrays, float or complex.

It evaluates the very line that the script will show, with the operands in place of the names.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from types import CodeType
from typing import Any

import numpy as np

import dotnn_runtime.script as library
from dotnn.core.registry import scripts
from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value

Array = Any
Rounding = Callable[[Array, list[Array]], Array]
"""What becomes of a computed value, given it and what it was computed from."""


def as_it_is(x: Array, operands: list[Array]) -> Array:
    """Return a value as it was computed."""
    return x


def helper_functions() -> dict[str, Callable[..., Array]]:
    """Return the functions that op lines may call, by name: all that can be pasted into a script."""
    return _functions((library.__name__, *scripts()))


@cache
def _functions(packages: tuple[str, ...]) -> dict[str, Callable[..., Array]]:
    found: dict[str, Callable[..., Array]] = {}
    for package in packages:
        search = importlib.import_module(package).__path__
        for info in pkgutil.walk_packages(search, f"{package}."):
            found.update(inspect.getmembers(importlib.import_module(info.name), inspect.isfunction))
    return found


def scope_of_lines() -> dict[str, Any]:
    """Return what lines of scripts may read besides values: NumPy, Python's math and the functions that are pasted."""
    return {"np": np, "math": math, **helper_functions()}


@lru_cache(maxsize=4096)
def _compiled(line: str) -> CodeType:
    return compile(line, "<op>", "eval")


def evaluate(
    node: Node, operands: list[Array], rng: np.random.Generator | None, training: bool, step: int = 1
) -> Array:
    """Return the value of one node with one output; `step` is the step of the loop that it belongs to."""
    op = node.rule
    names = {v.id: f"_{i}" for i, v in enumerate(node.ins)}
    scope = {names[v.id]: x for v, x in zip(node.ins, operands, strict=True)}
    line = (op.line if training else op.prediction_line)(node, lambda v: names[v.id])
    known: dict[str, object] = {**scope_of_lines(), "rng": rng, "step": step, "params": {}}
    if "definition" in node.attrs:
        known |= _defined("\n\n".join(map(str, node.attrs["definition"].sources().values())))
    return eval(_compiled(line), {**known, **scope})


@lru_cache(maxsize=256)
def _defined(text: str) -> dict[str, Any]:
    """Return the functions of a text, by name: those that a script holds."""
    known = scope_of_lines()
    exec(compile(text, "<definition>", "exec"), known)
    return known


def evaluate_loop(
    node: Node,
    operands: list[Array],
    rng: np.random.Generator | None,
    training: bool,
    rounded: Rounding = as_it_is,
) -> list[Array]:
    """Return the outputs of a scan; `rounded` is applied to every value in it."""
    loop = node.loop
    assert loop is not None
    outside = _by_id(node.ins, operands)
    states = [outside[v.id] for v in loop.initial(node.ins)]
    order = range(loop.steps)
    seen: dict[int, dict[int, Array]] = {}
    for step in reversed(order) if loop.reverse else order:
        slices = [outside[v.id][:, step] for v in loop.sequences(node.ins)]
        env = outside | _by_id(loop.slices, slices) | _by_id(loop.entering, states)
        for inner in loop.nodes:
            read = [env[v.id] for v in inner.ins]
            if inner.loop is not None:
                env |= _by_id(inner.outs, evaluate_loop(inner, read, rng, training, rounded))
            else:
                env[inner.out.id] = rounded(evaluate(inner, read, rng, training, step), read)
        states = [env[v.id] for v in loop.leaving]
        seen[step] = env
    return _loop_outputs(loop, seen)


def _by_id(values: Sequence[Value], arrays: Sequence[Array]) -> dict[int, Array]:
    return {v.id: x for v, x in zip(values, arrays, strict=True)}


def _loop_outputs(loop: Loop, seen: Mapping[int, Mapping[int, Array]]) -> list[Array]:
    """Return sequences, last states and sums, from the values of every step in the order in which they ran."""
    *_, last = seen.values()
    collected = [np.stack([seen[step][v.id] for step in range(loop.steps)], axis=1) for v in loop.collected]
    final = [last[v.id] for v in loop.final]
    summed = [sum(env[v.id] for env in seen.values()) for v in loop.summed]
    return [*collected, *final, *summed]


def run(
    graph: Graph,
    values: Mapping[str, Array],
    *,
    rng: np.random.Generator | None = None,
    training: bool = True,
    d_loss: float | Array = 1.0,
    rounded: Rounding = as_it_is,
) -> dict[int, Array]:
    """Run all nodes; `values` maps parameter, input and target names to arrays. Returns arrays by value number.

    `d_loss` is the seed: a number, or an array where the graph goes back from another value than a loss.

    `rounded` is applied to every value that is computed: another arithmetic than that of the processor.
    """
    env: dict[int, Array] = {v.id: values[name] for name, v in _named_sources(graph) if name in values}
    if graph.seed:
        env[graph.seed.id] = d_loss
    for node in graph.nodes:
        operands = [env[v.id] for v in node.ins]
        if node.loop is None:
            env[node.out.id] = rounded(evaluate(node, operands, rng, training), operands)
        else:
            env |= _by_id(node.outs, evaluate_loop(node, operands, rng, training, rounded))
    return env


def _named_sources(graph: Graph) -> list[tuple[str, Value]]:
    return [*graph.params.items(), *graph.state.items(), *graph.inputs.items(), *graph.targets.items()]

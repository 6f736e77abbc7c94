"""The reference interpreter: runs a graph node by node on NumPy arrays, float or complex.

It evaluates the very line that the script will show, with the operands in place of the names.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import CodeType
from typing import Any

import numpy as np

import dotnn_runtime.script as library
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value

Array = Any
Rounding = Callable[[Array, list[Array]], Array]
"""What becomes of a computed value, given it and what it was computed from."""


def _as_it_is(x: Array, operands: list[Array]) -> Array:
    return x


@cache
def helper_functions() -> dict[str, Any]:
    """Return the functions that op lines may call, by name: all that can be pasted into a script."""
    names = (info.name for info in pkgutil.walk_packages(library.__path__, f"{library.__name__}."))
    return {n: f for name in names for n, f in inspect.getmembers(importlib.import_module(name), inspect.isfunction)}


@lru_cache(maxsize=4096)
def _compiled(line: str) -> CodeType:
    return compile(line, "<op>", "eval")


def evaluate(
    node: Node, operands: list[Array], rng: np.random.Generator | None, training: bool, step: int = 1
) -> Array:
    """Return the value of one node with one output; `step` is the step of the loop that it stands in."""
    op = node.rule
    names = {v.id: f"_{i}" for i, v in enumerate(node.ins)}
    scope = {names[v.id]: x for v, x in zip(node.ins, operands, strict=True)}
    line = (op.line if training else op.prediction_line)(node, lambda v: names[v.id])
    known = {"np": np, "math": math, "rng": rng, "step": step, "params": {}, **helper_functions()}
    return eval(_compiled(line), {**known, **scope})


def evaluate_loop(
    node: Node,
    operands: list[Array],
    rng: np.random.Generator | None,
    training: bool,
    rounded: Rounding = _as_it_is,
) -> list[Array]:
    """Return the outputs of a scan; `rounded` is applied to every value in it."""
    loop = node.loop
    assert loop is not None
    outside = {v.id: x for v, x in zip(node.ins, operands, strict=True)}
    sequences = [outside[v.id] for v in loop.sequences(node.ins)]
    states = [outside[v.id] for v in loop.initial(node.ins)]
    seen: list[dict[int, Array]] = []
    for step in reversed(range(loop.steps)) if loop.reverse else range(loop.steps):
        env = dict(outside)
        env |= {v.id: sequence[:, step] for v, sequence in zip(loop.slices, sequences, strict=True)}
        env |= {v.id: state for v, state in zip(loop.entering, states, strict=True)}
        for inner in loop.nodes:
            read = [env[v.id] for v in inner.ins]
            env[inner.out.id] = rounded(evaluate(inner, read, rng, training, step), read)
        states = [env[v.id] for v in loop.leaving]
        seen.append(env)
    in_order = seen[::-1] if loop.reverse else seen
    collected = [np.stack([env[v.id] for env in in_order], axis=1) for v in loop.collected]
    final = [seen[-1][v.id] for v in loop.final]
    return [*collected, *final, *(sum(env[v.id] for env in seen) for v in loop.summed)]


def run(
    graph: Graph,
    values: Mapping[str, Array],
    *,
    rng: np.random.Generator | None = None,
    training: bool = True,
    d_loss: float = 1.0,
    rounded: Rounding = _as_it_is,
) -> dict[int, Array]:
    """Run all nodes; `values` maps parameter, input and target names to arrays. Returns arrays by value number.

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
            outs = evaluate_loop(node, operands, rng, training, rounded)
            env |= {v.id: x for v, x in zip(node.outs, outs, strict=True)}
    return env


def _named_sources(graph: Graph) -> list[tuple[str, Value]]:
    return [*graph.params.items(), *graph.state.items(), *graph.inputs.items(), *graph.targets.items()]

"""The reference interpreter: runs a graph node by node on NumPy arrays, float or complex.

It evaluates the very line that the script will show, with the operands in place of the names.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

import numpy as np

import dotnn_runtime.script.encode as encode
import dotnn_runtime.script.formulas as formulas
from dotnn.ir.graph import Graph
from dotnn.ops import OPS
from dotnn.ops.base import Node, Value

Array = Any


def helper_functions() -> dict[str, Any]:
    """Return the functions that op lines may call, by name."""
    return {name: f for module in (encode, formulas) for name, f in inspect.getmembers(module, inspect.isfunction)}


@lru_cache(maxsize=4096)
def _compiled(line: str) -> CodeType:
    return compile(line, "<op>", "eval")


def evaluate(node: Node, operands: list[Array], rng: np.random.Generator | None, training: bool) -> Array:
    """Return the value of one node."""
    op = OPS[node.op]
    if op.random and not training:
        return np.ones(operands[0].shape, operands[0].dtype) if op.otherwise == "1.0" else float(op.otherwise)
    names = {v.id: f"_{i}" for i, v in enumerate(node.ins)}
    scope = {names[v.id]: x for v, x in zip(node.ins, operands, strict=True)}
    line = op.line(node, lambda v: names[v.id])
    return eval(_compiled(line), {"np": np, "rng": rng, **helper_functions(), **scope})


def run(
    graph: Graph,
    values: Mapping[str, Array],
    *,
    rng: np.random.Generator | None = None,
    training: bool = True,
    d_loss: float = 1.0,
) -> dict[int, Array]:
    """Run all nodes; `values` maps parameter, input and target names to arrays. Returns arrays by value number."""
    env: dict[int, Array] = {v.id: values[name] for name, v in _named_sources(graph) if name in values}
    if graph.seed:
        env[graph.seed.id] = d_loss
    for node in graph.nodes:
        env[node.out.id] = evaluate(node, [env[v.id] for v in node.ins], rng, training)
    return env


def _named_sources(graph: Graph) -> list[tuple[str, Value]]:
    return [*graph.params.items(), *graph.inputs.items(), *graph.targets.items()]

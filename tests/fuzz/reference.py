"""The judge of both styles: a training whose network the interpreter computes, and how far another is from it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from support import as_module

from dotnn.ir.graph import Graph
from dotnn.ir.interpret import run

Arrays = dict[str, np.ndarray]
NOISE = 1e-3
"""Arrays are compared relative to their size, or to this share of the largest: an optimizer makes steps of rounding."""


@dataclass
class Trained:
    """What a training ends with."""

    losses: list[float]
    figures: Arrays
    params: Arrays
    outputs: Arrays


def trained(module: ModuleType, examples: Arrays, seed: int, **start: Any) -> Trained:
    """Train as `dotnn train` does, but in float64, and predict."""
    params, history = module.train(examples, dtype=np.float64, seed=seed, **start)
    figures = {key: np.array([record.get(key, np.nan) for record in history]) for key in history[0] if key != "epoch"}
    inputs = {name: examples[name] for name in module.INPUTS}
    return Trained([r["loss"] for r in history], figures, dict(params), module.predict(params, inputs))


class One(float):
    """A number that stands for whatever a script keeps in its own way: it is finite, however deep it is kept."""

    def __getitem__(self, key: str) -> "One":
        return self


class Kept(np.ndarray):
    """An array that may have the name under which a script keeps a record."""

    def __getitem__(self, key: Any) -> Any:
        return One(1) if isinstance(key, str) else super().__getitem__(key)


class Cache(dict[str, Any]):
    """The values of a forward pass by name, as in a script, and all values by number."""

    def __init__(self, named: Arrays, values: dict[int, Any]) -> None:
        super().__init__({name: np.asarray(value).view(Kept) for name, value in named.items()})
        self.values_by_id = values

    def __missing__(self, key: str) -> One:
        return One(1)


def interpreted(script: str, path: Path, graph: Graph, rounded: Callable[..., Any] | None = None) -> ModuleType:
    """An explain script in which the interpreter computes the network, forward and backward, and renews the state."""
    module = as_module(script, path)
    options = {"rounded": rounded} if rounded else {}

    def forward(params: Arrays, batch: Arrays, *, training: bool = False, rng: Any = None) -> tuple[Arrays, Arrays]:
        whole = graph if graph.targets.keys() <= batch.keys() else replace(graph, nodes=graph.phase("forward"))
        rng = np.random.default_rng(module.SEED) if rng is None else rng  # as a script does, where predictions draw
        values = run(whole, {**params, **batch}, rng=rng, training=training, **options)
        named = {v.name: values[v.id] for node in whole.nodes for v in node.outs}
        return {name: values[v.id] for name, v in graph.outputs.items()}, Cache(named, values)

    def loss_of(params: Arrays, batch: Arrays, cache: Cache) -> Any:
        assert graph.loss is not None
        return cache.values_by_id[graph.loss.id]

    def backward(params: Arrays, batch: Arrays, cache: Cache, d_loss: float = 1.0) -> Arrays:
        return {name: cache.values_by_id[v.id] for name, v in graph.grads.items()}

    def renew_state(params: Arrays, cache: Cache) -> None:
        params |= {name: cache.values_by_id[v.id] for name, v in graph.new_state.items()}

    vars(module).update(forward=forward, total_loss=loss_of, backward=backward)
    if graph.new_state:
        vars(module).update(renew_state=renew_state)
    if hasattr(module, "unit_variance"):  # it reads what the script itself keeps
        vars(module).update(unit_variance=as_module(script, path).unit_variance)
    return module


def distance(ours: Trained, theirs: Trained) -> tuple[float, str]:
    """How far two trainings are from each other, relative to the second, and where they are farthest apart."""
    worst = (0.0, "")
    for kind in ("figures", "params", "outputs"):
        a, b = getattr(ours, kind), getattr(theirs, kind)
        if a.keys() != b.keys():
            return float("inf"), f"{kind}: {sorted(a.keys() ^ b.keys())}"
        largest = max((float(np.abs(value).max(initial=0)) for value in b.values()), default=0.0)
        for name, value in b.items():
            worst = max(
                worst, (_relative(a[name], value, NOISE * largest if kind == "params" else 0), f"{kind} {name}")
            )
    return worst


def _relative(a: np.ndarray, b: np.ndarray, floor: float) -> float:
    if a.shape != b.shape:
        return float("inf")
    if np.array_equal(a, b, equal_nan=True):
        return 0.0
    size = max(float(np.abs(b).max(initial=0)), floor)
    far = float(np.abs(a - b).max(initial=0))
    return far / size if np.isfinite(far) and size else float("inf")

"""A finished run with its data, computed once: what pictures are drawn of and findings are read from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from dotnn.codegen.derivatives import Derivatives
from dotnn.core.arguments import Bound
from dotnn.ir.graph import Graph
from dotnn.ir.interpret import run
from dotnn.ir.node import Node, Value
from dotnn.model.model import Model, Step
from dotnn_runtime.merit.calibration import Calibration, calibration

Array = np.ndarray
Arrays = Mapping[str, Array]
PARTS = {"train": "training part", "val": "validation part", "test": "test part"}
LOOKED_AT = 256
"""So many examples of the training part are looked at, spread evenly over it."""


@dataclass(frozen=True)
class Classes:
    """Scores of classes, (n, classes), and the true ones, (n,); `probable` if the scores are probabilities.

    `positive` is the class that a binary output stands for, -1 where each class has a score. `weights`, (n,), say how
    often each row counts, None: once.
    """

    output: str
    target: str
    labels: Sequence[str]
    scores: Array
    actual: Array
    probable: bool
    positive: int = -1
    weights: Array | None = None

    @property
    def predicted(self) -> Array:
        """The class with the highest score, the first of equal ones."""
        return np.asarray(self.scores.argmax(axis=1))

    @property
    def reading(self) -> str:
        """Which values of a single unit mean which class, and which number of the target each is; "" for several."""
        if self.positive < 0:
            return ""
        limit, numbers = ("0.5", ("0", "1")) if self.probable else ("0", ("-1", "1"))
        no, yes = (label if label == n else f"{label} ({n})" for label, n in zip(self.labels, numbers, strict=True))
        return f"{self.output} above {limit}: {self.target} is {yes}, else {no}"

    def calibration(self, weights: Array | None) -> Calibration:
        """Return how often the positive class is right, else the predicted one, for each tenth of its probability."""
        if self.positive >= 0:
            return calibration(self.scores[:, self.positive], self.actual == self.positive, weights)
        return calibration(self.scores.max(axis=1), self.predicted == self.actual, weights)


@dataclass(frozen=True)
class Numbers:
    """Predictions and targets in the target's own units, (n, outputs) each, with `weights` of the rows or None."""

    output: str
    target: str
    values: Array
    actual: Array
    weights: Array | None = None


Comparison = Classes | Numbers


@dataclass(frozen=True)
class Layer:
    """What a layer computes for some examples, the first axis counts them; None for what it does not have.

    `z` is what its activation takes, `a` what it returns, `d` the derivative of the loss with respect to z, where
    there is none with respect to a. `weights` are the names of its own weights.
    """

    step: Step
    z: Array | None
    a: Array
    d: Array | None
    weights: tuple[str, ...]

    @property
    def name(self) -> str:
        """The path of the layer."""
        return self.step.path


@dataclass(frozen=True)
class Pass:
    """All values of a network, its loss and its gradients, for some examples in prediction mode, in float64."""

    model: Model
    graph: Graph
    values: Mapping[int, Array]

    @property
    def loss(self) -> float:
        """The loss, with its penalties."""
        return float(self.values[self.graph.loss.id]) if self.graph.loss else np.nan

    @cached_property
    def grads(self) -> dict[str, Array]:
        """The gradients of the trained parameters, in their shapes."""
        graph = self.graph
        return {name: np.asarray(self.values[graph.grads[name].id]) for name in graph.params if name in graph.grads}

    @cached_property
    def layers(self) -> list[Layer]:
        """The layers that have weights or activations, in the order in which they are computed."""
        return [*self._layers()]

    def node_of(self, layer: Layer) -> Node | None:
        """Return the node that makes what a layer gives on: its activation, where it has one."""
        return self._producers.get(self.graph.steps[layer.name].id)

    @cached_property
    def _producers(self) -> Mapping[int, Node]:
        return self.graph.producers()

    def _layers(self) -> Iterator[Layer]:
        graph, producers, sent = self.graph, self._producers, self._sent()
        for step in self.model.steps:
            a = graph.steps[step.path]
            z = _activated(producers.get(a.id), a)
            weights = tuple(
                p for p in step.params.values() if p in graph.params and len(graph.params[p].type.shape) > 1
            )
            if a.type.batched and a.type.dtype == "real" and (weights or z):
                d = next((sent[v.id] for v in (z, a) if v is not None and v.id in sent), None)
                yield Layer(step, self._array(z), self.values[a.id], self._array(d), weights)

    def _sent(self) -> dict[int, Value]:
        """Return the derivative of the loss by each value that has a whole one, by the value's number."""
        primal, sent = Derivatives(self.graph), dict[int, Value]()
        for sender in self.graph.phase("backward"):
            for v in sender.outs:
                of, through = primal.of_cotangent(v) if v.role == "cotangent" else (None, "whole")
                if of is not None and not through:
                    sent[of.id] = v
        return sent

    def _array(self, v: Value | None) -> Array | None:
        return None if v is None else np.asarray(self.values[v.id])


def _activated(node: Node | None, a: Value) -> Value | None:
    """Return what a node takes that makes `a` of a value of its own type; None where `a` comes about otherwise."""
    activates = node is not None and node.loop is None and len(node.ins) == 1 and node.ins[0].type == a.type
    return node.ins[0] if node and activates else None


@dataclass(frozen=True)
class Seen:
    """A finished run.

    params, start  the parameters after and before the training, float64
    graph     the graph of a training step
    history   a record for each epoch;  result: what `metrics.json` says
    parts     prepared examples of each part;  compared: predictions and targets on the `part` that is held out
    outputs   prepared inputs -> outputs in the network's units
    updates   the norm of the first update of each weight, as a part of the weight's own
    snapshots  -> (epoch, the parameters after it, float64), of some epochs of the training in ascending order
    """

    name: str
    model: Model
    graph: Graph
    params: Arrays
    start: Arrays
    history: Sequence[Mapping[str, float]]
    result: Mapping[str, Any]
    parts: Mapping[str, Arrays]
    part: str
    compared: Sequence[Comparison]
    outputs: Callable[[Arrays], Arrays]
    updates: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sets: Sequence[str] = ()
    snapshots: Callable[[], Iterable[tuple[int, Arrays]]] = tuple

    @cached_property
    def chosen(self) -> dict[str, Array]:
        """Some examples of the training part, in float64 where they are numbers of that kind."""
        count = len(next(iter(self.parts["train"].values())))
        rows = np.unique(np.linspace(0, count - 1, min(count, LOOKED_AT)).astype(int))
        return {name: double(np.asarray(a[rows])) for name, a in self.parts["train"].items()}

    @cached_property
    def trained(self) -> Pass:
        """What the trained network computes for them."""
        return self.computed(self.params)

    @cached_property
    def fresh(self) -> Pass:
        """What the network computed before the training."""
        return self.computed(self.start)

    def computed(self, params: Arrays) -> Pass:
        """Return what the network computes for them with some parameters."""
        rng = np.random.default_rng(self.model.train.seed)  # some networks draw in prediction, too
        with np.errstate(all="ignore"):
            return Pass(self.model, self.graph, run(self.graph, {**params, **self.chosen}, training=False, rng=rng))

    @property
    def rate(self) -> float:
        """The learning rate of the optimizer, that of the start where it has a schedule."""
        rate = self.model.train.optimizer.attrs["lr"]
        return float(rate.attrs.get("lr", np.nan) if isinstance(rate, Bound) else rate)


def score_of(graph: Graph, output: Value) -> Value:
    """Return what the activation of an output takes; the output itself where it has none."""
    return _activated(graph.producers().get(output.id), output) or output


def double(values: Array) -> Array:
    """Return numbers in float64; whole numbers as they are."""
    return values if values.dtype.kind in "iu" else values.astype(float)

"""What rounding alone does to a training: the same training again, with every number rounded by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from dotnn.ir.graph import Graph
from dotnn.ir.rounding import RandomRounding
from dotnn.reports.trajectory import Difference, explains
from dotnn.running.distances import Distances
from dotnn.running.spec_step import SpecStep
from dotnn.session import Compilation
from dotnn.targets import Options
from dotnn.targets.numpy.steps import Arrays, Training

LIKE_TIES = 1e-9
"""A difference that is less than this share of what ties do to the training does not come from ties."""
COPIES = 8
"""In how many trainings it is looked at what rounding does."""


@dataclass
class Perturbed(Training):
    """A training by the reference interpreter, every number rounded by chance; with `ties` zeros are moved, too."""

    graph: Graph
    rounding: RandomRounding
    ties: bool

    def forward_and_backward(self, batch: Arrays, rng: np.random.Generator) -> tuple[float, Arrays]:
        """Return the loss and the gradients."""
        self.params |= self.rounding.moved(self.params, ties=self.ties)
        found = SpecStep(self.model, self.graph).passes(self.params, batch, rng, self.piece, self.rounding)
        self.new_state = found.state
        return found.loss, found.grads

    def _renew(self) -> None:
        """Renew the state as the graph says."""
        self.params |= self.new_state


def perturbed(begun: Compilation, one: Training, *, ties: bool = False) -> list[Perturbed]:
    """Return `COPIES` of a training, each with another rounding."""
    graph = begun.compiled(Options(sets=begun.sets)).graph
    roundings = [RandomRounding(np.random.default_rng([one.seed, copy])) for copy in range(COPIES)]
    return [Perturbed(one.model, one.script, one.seed, graph, rounding, ties) for rounding in roundings]


def explanation(begun: Compilation, script: ModuleType, first: Difference, seed: int) -> float:
    """Return what rounding does until the first difference, with the ties that it decides where only they explain it.

    A tie that is decided otherwise makes a difference of about its own size: not one that is smaller by far, even
    where a gradient that it makes is compared with the floor of one that was zero.
    """
    calm = rounding(begun, script, first.step, seed)
    if explains(calm, first.error):
        return calm
    torn = rounding(begun, script, first.step, seed, ties=True)
    return torn if explains(torn, first.error) and first.error > LIKE_TIES * torn else calm


def rounding(begun: Compilation, script: ModuleType, steps: int, seed: int = 0, *, ties: bool = False) -> float:
    """Return how far rounding alone takes the NumPy script's training from itself within these steps.

    With `ties`, weights of zero are moved, too, by a unit in the last place of 1: equal values are no longer equal.
    There are several copies: where terms cancel out exactly in one, it shows nothing of what rounding does to others.
    """
    one = Training(begun.model, script, seed)
    measured = [(copy, Distances(one.zeros)) for copy in perturbed(begun, one, ties=ties)]
    largest = 0.0
    for number, batch in enumerate(one.batches(steps)):
        loss, grads, rate = one.gradients(number, batch)
        one.update(grads, rate)
        for copy, distances in measured:
            other_loss, other_grads, other_rate = copy.gradients(number, batch)
            copy.update(other_grads, other_rate)
            found = distances((loss, grads, one.params), (other_loss, other_grads, copy.params))
            largest = max([largest, *(error for _, _, error in found if not math.isnan(error))])
    return largest

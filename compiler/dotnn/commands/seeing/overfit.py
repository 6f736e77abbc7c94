"""The test of a small subset: a network that cannot learn a few examples by heart will not learn many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dotnn.commands.seeing.comparisons import comparisons
from dotnn.commands.seeing.look import seen_of
from dotnn.commands.seeing.run import Run
from dotnn.commands.seeing.watch import Enough, watched
from dotnn.core.diagnostics import CompileError
from dotnn.model import messages
from dotnn.model.model import Data, Model, Train
from dotnn.model.raw import raw_declarations
from dotnn.reports.figures import number
from dotnn.reports.findings import Fault, diagnosis
from dotnn.reports.seen import Classes, Comparison, Seen
from dotnn.running.spec_files import Arrays, load_examples
from dotnn.session import Compilation

EVERY = 10
"""After so many epochs it is looked at what has been learned."""
SMALL = 0.01
"""Numbers are learned by heart where the mean squared error is below this part of their variance."""
CALLED_FOR = ("overfitting", "class_imbalance", "leak", "constant_column")
"""Findings that say nothing about so few examples."""


@dataclass(frozen=True)
class ByHeart:
    """What became of the test: how much of each output was learned, after how many epochs, and what is wrong if not."""

    name: str
    examples: int
    epochs: int
    losses: tuple[float, float]
    outputs: Mapping[str, float]
    is_learned: bool
    faults: Sequence[Fault]

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "learned": self.is_learned,
            "examples": self.examples,
            "epochs": self.epochs,
            "loss_before": self.losses[0],
            "loss": self.losses[1],
            "outputs": dict(self.outputs),
            "findings": [fault.as_json() for fault in self.faults],
        }

    def text(self) -> str:
        """Return the result as lines of text."""
        verdict = "learned by heart" if self.is_learned else "NOT learned by heart"
        way = f"the loss went from {number(self.losses[0])} to {number(self.losses[1])} in {self.epochs} epochs"
        lines = [f"{self.name}: {self.examples} examples {verdict}; {way}"]
        lines += [f"  {output}: {share:.1%} of it" for output, share in self.outputs.items()]
        for fault in self.faults:
            lines += ["", f"{fault.message} ({fault.place})", f"  fix: {fault.fix}"]
        if not self.is_learned and not self.faults:
            lines.append("  fix: more units, another learning rate, more --epochs; and dotnn check, dotnn doctor")
        return "\n".join(lines)


def learned_by_heart(begun: Compilation, examples: int, epochs: int, data: str | None, seed: int | None) -> ByHeart:
    """Train on a few examples of a spec's data, all at once, until they are known. Raises `CompileError`."""
    if begun.model.turns and not begun.model.targets:
        raise CompileError([messages.turns.nothing_by_heart(begun.model.turns[0].span)], begun.model.source)
    raw, labels = load_examples(begun.model, data)
    few = Compilation.of(_for_few(begun.model), begun.sets, ())
    needed = raw_declarations(few.model)
    chosen = _spread(few.model, {name: a for name, a in raw.items() if name in needed}, examples)

    def after(run: Run) -> None:
        if len(run.history) % EVERY == 0 and _is_learned(_shares(run)):
            raise Enough(run)

    run = watched(few, chosen, labels, epochs=epochs, seed=seed, after=after)
    return _result(few, run, _shares(run))


def _is_learned(shares: Mapping[str, float]) -> bool:
    return bool(shares) and all(share >= 1 - SMALL for share in shares.values())


def _result(few: Compilation, run: Run, shares: Mapping[str, float]) -> ByHeart:
    seen: Seen = seen_of(run)
    learned = _is_learned(shares)
    faults = [] if learned else [fault for fault in diagnosis(seen) if fault.finding not in CALLED_FOR]
    count = len(next(iter(seen.parts["train"].values())))
    return ByHeart(
        few.model.name, count, len(run.history), (seen.fresh.loss, seen.trained.loss), shares, learned, faults
    )


def _for_few(model: Model) -> Model:
    """Return a model that trains on all its examples at once, and stops for nothing."""
    turns = tuple(replace(turn, train=_at_once(turn.train)) for turn in model.turns)
    weights = {name: kind for name, kind in (model.data.beside if model.data else {}).items() if kind == "weight"}
    data = model.data and replace(model.data, split=None, files={}, source=None, inline={}, beside=weights)
    return replace(model, train=_at_once(model.train), turns=turns, data=data or Data())


def _at_once(train: Train) -> Train:
    settings = {name: chosen for name, chosen in train.settings.items() if name != "ensemble"}
    return replace(train, batch=0, stops=(), checkpoint=None, metrics=(), settings=settings)


def _spread(model: Model, raw: Arrays, count: int) -> Arrays:
    """Return a few examples: as many of each class as of the others, where there are classes, else spread evenly."""
    total = len(next(iter(raw.values())))
    names = [name for name in model.targets if name in raw and np.asarray(raw[name]).dtype.kind in "iu"]
    keys = np.asarray(raw[names[0]]).reshape(total, -1)[:, 0] if names else np.zeros(total, int)
    order = np.lexsort((np.arange(total), _turn(keys)))
    return {name: np.asarray(a)[np.sort(order[:count])] for name, a in raw.items()}


def _turn(keys: np.ndarray) -> np.ndarray:
    """Return of each example how many of its class come before it."""
    turn = np.zeros(len(keys), int)
    for key in np.unique(keys):
        own = np.flatnonzero(keys == key)
        turn[own] = np.arange(len(own))
    return turn


def _shares(run: Run) -> dict[str, float]:
    """Return how much of each output is right: the share of examples, or of the variance of numbers."""
    compared = comparisons(run, dict(run.parts()["train"]))
    if not compared:  # nothing is compared with a target: the loss must fall to so small a part
        return {"loss": 1 - run.history[-1]["loss"] / run.history[0]["loss"]}
    return {f"{one.output} against {one.target}": _share(one) for one in compared}


def _share(one: Comparison) -> float:
    if isinstance(one, Classes):
        return float(np.mean(one.predicted == one.actual))
    error, spread = np.mean(np.square(one.values - one.actual)), np.var(one.actual, axis=0).mean()
    return float(1 - error / (spread or np.mean(np.square(one.actual)) or 1.0))

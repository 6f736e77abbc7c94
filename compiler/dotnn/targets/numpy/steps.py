"""The training of a NumPy script one step at a time: what its `fit` does, taken apart so that it can be compared."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from types import ModuleType

import numpy as np

from dotnn.codegen import learning_rate, optimizer
from dotnn.codegen.training import epoch_loss
from dotnn.model.model import Model
from dotnn.running.spec_files import load_examples
from dotnn.targets.numpy.fast.update import plan_update
from dotnn_runtime.script.selfcheck import generic_batch

Arrays = dict[str, np.ndarray]
Step = Callable[[np.ndarray, np.random.Generator], float]
"""(rows of the examples, generator) -> the loss; the gradients are in arrays that exist."""

INVENTED = 12
"""How many examples are drawn where the spec has no data."""


@dataclass
class Training:
    """One training of a script in float64: the weights, the optimizer's memory, and how it chooses its batches."""

    model: Model
    script: ModuleType
    seed: int

    def __post_init__(self) -> None:
        self.params: Arrays = self.script.init_params(self.seed, np.float64)
        self.state = self.script.optimizer_state(self.params)
        self.data = _data(self.model, self.script, self.seed)
        self.rates = _Rates(self.model, self.script, self.data)
        self.cache: Arrays = {}

    @cached_property
    def zeros(self) -> tuple[str, ...]:
        """The parameters that the loss does not feel."""
        return getattr(self.script, "STRUCTURAL_ZEROS", ())

    @property
    def piece(self) -> int:
        """The size of the pieces in which a batch is computed, 0 for a whole one."""
        return self.model.train.batch if self.model.train.setting("accumulate") else 0

    def batches(self, steps: int) -> Iterator[Arrays]:
        """Yield the batches of as many epochs as it takes, in the order that `fit` would choose without other draws.

        `rows` then says which examples the last one holds. Formulas of the spec's own that know the length of the run
        mean nothing beyond it: there the batches end.
        """
        steps = min(steps, self.rates.most)
        examples, count = self.data.parts["train"], self.data.count
        self.rows = np.arange(0)
        size = min(self.model.train.update_size or count, count)
        for rows in islice(self._rows(np.random.default_rng([self.seed, 1]), count, size), steps):
            self.rows = rows
            yield {name: values[self.rows] for name, values in examples.items()}

    def _rows(self, rng: np.random.Generator, count: int, size: int) -> Iterator[np.ndarray]:
        """Yield the rows of one batch after the other, without an end."""
        shuffle = self.model.train.shuffle
        fixed = np.random.default_rng([self.seed, 2]).permutation(count)
        while True:
            if shuffle == "batches":
                batches = np.split(fixed, range(size, count, size))
                yield from (batches[number] for number in rng.permutation(len(batches)))
                continue
            order = rng.permutation(count) if shuffle else np.arange(count)
            yield from (order[start : start + size] for start in range(0, count, size))

    def gradients(self, number: int, batch: Arrays) -> tuple[float, Arrays, float]:
        """Return the loss, the gradients and the learning rate of a step."""
        loss, grads = self.forward_and_backward(batch, self.rng(number))
        if not self.model.train.batch:  # an epoch is reported after the pass that begins the next one
            self._renew()
        return loss, grads, self.rates.before(number, loss, len(next(iter(batch.values()))), self.params)

    def rng(self, number: int) -> np.random.Generator:
        """Return the generator of what a step draws."""
        return np.random.default_rng([self.seed, 2, number])

    def forward_and_backward(self, batch: Arrays, rng: np.random.Generator) -> tuple[float, Arrays]:
        """Return the loss and the gradients of a batch."""
        if self.model.train.setting("accumulate"):
            loss, grads = self.script.accumulated(self.params, batch, rng)
            return float(loss), grads
        _, self.cache = self.script.forward(self.params, batch, training=True, rng=rng)
        loss = float(self.script.total_loss(self.params, batch, self.cache))
        return loss, self.script.backward(self.params, batch, self.cache)

    def update(self, grads: Arrays, rate: float) -> None:
        """Take the step, as `fit` does: clip, update, constrain."""
        train, grads = self.model.train, dict(grads)
        if train.batch:
            self._renew()
        if train.clip is not None:
            grads = getattr(self.script, train.clip.entry.helper)(grads, train.clip.attrs["limit"])
        self.script.update(self.params, grads, self.state, **({"lr": rate} if train.schedule else {}))
        if hasattr(self.script, "constrain"):
            self.script.constrain(self.params)

    def _renew(self) -> None:
        """Renew the state, such as running statistics, by the last forward pass."""
        if hasattr(self.script, "renew_state"):
            self.script.renew_state(self.params, self.cache)


class FastTraining:
    """The same training by a script of the fast style, whose arrays are filled anew by every step, as in `fit`."""

    def __init__(self, script: ModuleType, beside: Training) -> None:
        self.script, self.seed = script, beside.seed
        w, self.params = script.flat_arrays(script.PARAMS, np.float64)
        self.g, self._g = script.flat_arrays(script.PARAMS, np.float64)
        self.params |= {name: np.empty(shape) for name, shape in getattr(script, "STATE", {}).items()}
        self.start_from(beside.params)
        self.lr = float(plan_update(beside.model.train).d_loss)
        self.arrays = script.training_arrays(beside.data.parts["train"], np.float64)
        self.steps: dict[int, Step] = {}
        self.clip = script.make_clip(self.g, self._g) if hasattr(script, "make_clip") else lambda: None
        self.run = script.make_update(w, self.g, script.optimizer_state(w), self.params)
        self.rated = beside.model.train.schedule is not None

    def start_from(self, params: Arrays) -> None:
        """Let the next step start from these weights."""
        for name, values in self.params.items():
            values[...] = params[name]

    def gradients(self, number: int, rows: np.ndarray) -> tuple[float, Arrays]:
        """Return the loss and the gradients of a step on some of the examples."""
        size = len(rows)
        if size not in self.steps:
            self.steps[size] = self._make_step(size)
        loss = self.steps[size](rows, np.random.default_rng([self.seed, 2, number]))
        return loss, {name: g / self.lr for name, g in self._g.items()}

    def _make_step(self, size: int) -> Step:
        if hasattr(self.script, "make_accumulated"):
            piece = min(self.script.BATCH_SIZE, size)
            of = {"g": self.g, "count": size, "d_loss": self.lr}
            return self.script.make_accumulated(self.params, self._g, self.arrays, piece, **of)  # type: ignore[no-any-return]
        return self.script.make_step(self.params, self._g, self.arrays, size, d_loss=self.lr)  # type: ignore[no-any-return]

    def update(self, rate: float) -> None:
        """Take the step by these gradients, as `fit` does."""
        self.clip()
        self.run(*([rate] if self.rated else []))
        if hasattr(self.script, "constrain"):
            self.script.constrain(self.params)


@dataclass(frozen=True)
class _Data:
    """The parts of the examples, and how they were scaled."""

    parts: dict[str, Arrays]
    scaling: dict[str, dict[str, np.ndarray]]

    @property
    def count(self) -> int:
        """How many examples there are to train on."""
        return len(next(iter(self.parts["train"].values())))


def _data(model: Model, script: ModuleType, seed: int) -> _Data:
    """Return the spec's data as `fit` gets them, or what is drawn where it has none."""
    if model.data is None or not (model.data.inline or model.data.source):
        drawn = generic_batch({**script.INPUTS, **script.TARGETS}, np.random.default_rng(seed), INVENTED)
        return _Data({"train": drawn}, {})
    return _Data(*script.prepare(load_examples(model)[0], np.float64))


class _Rates:
    """The learning rate of every step, as the script's `fit` chooses it.

    A plateau is told of an epoch when the next one begins: with all examples in one batch, the loss of an epoch is
    that after its step.
    """

    def __init__(self, model: Model, script: ModuleType, data: _Data) -> None:
        self.train, self.script, self.data = model.train, script, data
        self.summed = epoch_loss(model)[1] == "total"
        self.in_epoch = -(-data.count // (model.train.update_size or data.count))
        self.losses: list[float] = []
        self.sizes: list[int] = []
        watched = learning_rate.watcher(model.train)
        if watched is not None:
            numbers = dict(watched.attrs)
            self.quantity = numbers.pop("quantity")
            sign = 1 if learning_rate.better(model.train, self.quantity) == "min" else -1
            self.plateau = getattr(script, watched.entry.watches)(**numbers, sign=sign)

    @property
    def most(self) -> int:
        """The number of steps for which the formulas of the regime have a meaning."""
        if optimizer.run_lengths(self.train):
            return self.train.epochs  # outside of a run an optimizer takes an epoch to be one step
        defined = self.train.schedule is not None and self.train.schedule.entry.definition
        return self.train.epochs * self.in_epoch if defined else sys.maxsize

    def before(self, step: int, loss: float, size: int, params: Arrays) -> float:
        """Return the rate of a step, given the loss and the size of its batch, and the weights before it."""
        if learning_rate.formula(self.train) is not None:
            return float(self.script.learning_rate(step, self.train.epochs * self.in_epoch, self.in_epoch))
        if self.train.schedule is None:
            return float(self.train.optimizer.attrs["lr"])
        if step and step % self.in_epoch == 0:
            self.plateau.observe(self._watched(loss, params))
            self.losses, self.sizes = [], []
        self.losses.append(loss)
        self.sizes.append(size)
        return float(self.plateau.lr)

    def _watched(self, loss: float, params: Arrays) -> float:
        """Return the quantity that is watched, of the epoch that has ended."""
        if self.quantity == "loss":
            whole = sum(self.losses) if self.summed else np.average(self.losses, weights=self.sizes)
            return float(whole if self.train.batch else loss)
        key = self.quantity.removeprefix("val_")
        part = self.data.parts["val" if self.quantity != key else "train"]
        return float(self.script.evaluate(params, part, self.data.scaling)[key])

"""V10: everything that `train` runs. Steps of a script's own `fit` beside those of a reference.

A step is compared part by part, each computed from what the script itself had before it: so the first part that is
wrong is named, and rounding does not grow from step to step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ..reading.script import Script
from ..reading.types import Array, norm
from ..tracing.recording import Arrays, Step, Training
from .draws import HUGE
from .rounding import LIKE_ROUNDING, Arithmetic

CLOSE = 1e-9
"""Two computations of the same step in float64 differ by no more than this of a tensor's norm …"""
NOTHING = 1e-12
"""… or of the largest gradient: what is smaller is what larger terms leave behind."""
ROUNDINGS = 4
"""How often it is tried what rounding does."""
UNMOVED = 1e-5
"""A step is measured by its own length, or by this share of the weights: their last digits are rounded."""


Slots = dict[str, Arrays]


@dataclass
class Memory:
    """The optimizer's memories in the course of a training, as a script holds them: slot → parameter → array.

    `of_textbook` are those of the equations as printed, where the script scales its own. `run` are the plain numbers
    beside them, as the script has them: the length of the run.
    """

    slots: Slots = field(default_factory=dict)
    of_textbook: Slots = field(default_factory=dict)
    updates: int = 0
    run: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Expected:
    """What a pass must give; the renewed state, the outputs and the named values as far as a reference knows them."""

    loss: float
    grads: Arrays
    state: Arrays = field(default_factory=dict)
    outputs: Arrays = field(default_factory=dict)
    values: Arrays = field(default_factory=dict)


class Reference(Protocol):
    """An independent implementation of a training step."""

    def gradients(self, params: Arrays, batch: Arrays, draws: np.random.Generator, piece: int = 0) -> Expected:
        """Return what a pass in training mode gives, with the draws of a generator.

        The draws are those of a batch that is computed in pieces of so many examples; 0: as a whole.
        """

    def rounded(
        self, params: Arrays, batch: Arrays, draws: np.random.Generator, number: int, piece: int = 0
    ) -> Expected:
        """Return the same as far off as rounding may be, by chance; `number` says which try it is."""

    def clipped(self, grads: Arrays, draws: np.random.Generator, done: int) -> Arrays | None:
        """Return what the update is handed of these gradients, None where the reference does not know.

        The generator is that of the pass, after it; `done` updates are done.
        """

    def update(self, params: Arrays, grads: Arrays, rate: float | None, memory: Memory) -> Arrays | None:
        """Return the parameters after an update and the constraints, and renew the memories."""


@dataclass(frozen=True)
class Fault:
    """The first part of a step that is wrong: `part` is batch, loss, output, gradient, state, clip, slot or weight.

    `size` is the number of examples of the step, `at` its place in the training.
    """

    part: str
    name: str
    at: int
    size: int
    error: float

    def __str__(self) -> str:
        what = {
            "batch": f"the examples of {self.name} are not those of the other arrays",
            "loss": "the loss is another",
            "output": f"the output {self.name} is another",
            "gradient": f"the gradient of {self.name} is another",
            "state": f"the renewed {self.name} is another",
            "clip": f"the clipped gradient of {self.name} is another",
            "slot": f"the optimizer's memory {self.name} is another",
            "weight": f"{self.name} is another after the update",
        }[self.part]
        by = f", by {self.error:.1e}" if math.isfinite(self.error) and self.error else ""
        return f"step {self.at + 1}, {self.size} examples: {what}{by}"


class OwnPass:
    """The script's own `loss_and_grads`, which the other checks have proven, as the reference of its steps."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def gradients(self, params: Arrays, batch: Arrays, draws: np.random.Generator, piece: int = 0) -> Expected:
        """Return what `loss_and_grads` gives of the whole batch, gradients of inputs among it.

        Nothing is known of one that is computed in pieces, each with draws of its own.
        """
        params, batch = ({name: a.copy() for name, a in arrays.items()} for arrays in (params, batch))
        state = draws.bit_generator.state if piece and draws is not None else None
        loss, grads = self.script.plain.loss_and_grads(params, batch, training=True, rng=draws)
        drew = state is not None and draws.bit_generator.state != state
        inputs = () if piece else [name for name in self.script.plain.INPUTS if name in grads]
        found = {name: np.array(grads[name]) for name in (*self.script.params, *inputs)}
        return Expected(np.nan if drew else float(loss), found)

    def rounded(
        self, params: Arrays, batch: Arrays, draws: np.random.Generator, number: int, piece: int = 0
    ) -> Expected:
        """Return the same in an arithmetic that rounds otherwise."""
        arithmetic = Arithmetic.number(number)
        with arithmetic.within(self.script.plain):
            return self.gradients(arithmetic.arrays(params), arithmetic.arrays(batch), draws, piece)

    def clipped(self, grads: Arrays, draws: np.random.Generator, done: int) -> None:
        """Only a spec says how gradients are clipped."""
        return

    def update(self, params: Arrays, grads: Arrays, rate: float | None, memory: Memory) -> Arrays:
        """Return what an update leaves as it is: all that has no gradient. Only a spec says what the optimizer is."""
        return {name: w for name, w in params.items() if name not in self.script.params}


@dataclass(frozen=True)
class Comparison:
    """How far the steps of a training are from those of a reference at most, and the first fault."""

    worst: float = 0.0
    fault: Fault | None = None


def compare(script: Script, training: Training, examples: Arrays, reference: Reference) -> Comparison:
    """Compare the steps of a training, in their order, with those of a reference."""
    memory = Memory()
    worst = scale = 0.0
    for at, step in enumerate(training.steps):
        if at and not abs(step.loss) < HUGE:
            break  # it diverges: products overflow in one order of the factors and not in another
        size = len(next(iter(step.batch.values()), ()))
        scale = max(scale, abs(step.loss))
        for part, name, error in _parts(script, step, examples, reference, memory, scale):
            if not error <= CLOSE:
                return Comparison(error, Fault(part, name, at, size, error))
            worst = max(worst, error)
    return Comparison(worst)


def _parts(
    script: Script, step: Step, examples: Arrays, reference: Reference, memory: Memory, scale: float
) -> Iterator[tuple[str, str, float]]:
    """Yield the parts of a step, in the order in which they are computed, and how far each is from the reference's."""
    yield from _strange_rows(step, step.among or examples)
    draws = step.again()
    expected = reference.gradients(step.before, step.batch, draws, step.piece)
    if not np.isfinite(expected.loss):
        return
    outputs: Arrays = {}
    if expected.outputs and not step.piece:
        outputs, _ = script.plain.forward(step.before, step.batch, training=True, rng=step.again())
    wanted = {name: g for name, g in expected.grads.items() if name in script.params or name in step.grads}
    expected = replace(expected, grads=wanted, outputs=expected.outputs if outputs else {})
    computed = list(_pass_parts(Expected(step.loss, step.grads, step.state, outputs), expected, scale))
    if any(not error <= CLOSE for _, _, error in computed):
        computed = _beyond_rounding(computed, step, expected, reference, scale)
    yield from computed
    if step.given is not None:
        yield from _update_parts(step, step.given, reference, memory, draws)


def _update_parts(
    step: Step, given: Arrays, reference: Reference, memory: Memory, draws: np.random.Generator
) -> Iterator[tuple[str, str, float]]:
    """Yield the parts of an update, which is given these gradients, and how far each is from the reference's."""
    clipped = reference.clipped(step.grads, draws, memory.updates)
    if clipped is not None:
        yield from (("clip", *pair) for pair in _apart_together(given, clipped))
    before = {**step.before, **step.held, **step.state}
    memory.run = step.run
    after = reference.update(before, given, step.rate, memory)
    if after is None:
        return
    for slot, arrays in memory.slots.items():
        theirs = step.slots.get(slot, {})
        yield from (("slot", slot, apart(theirs.get(name), value)) for name, value in arrays.items())
    for name, w in after.items():
        floor = norm(w - before[name]) + UNMOVED * norm(w)
        yield "weight", name, apart(step.after.get(name), w, floor)


def _pass_parts(ours: Expected, expected: Expected, scale: float) -> Iterator[tuple[str, str, float]]:
    """Yield the parts of a forward and a backward pass, and how far each is from what is expected."""
    yield "loss", "", abs(ours.loss - expected.loss) / max(abs(expected.loss), 1e-6 * scale, 1e-300)
    yield from (("output", name, apart(ours.outputs[name], value)) for name, value in expected.outputs.items())
    yield from (("gradient", *pair) for pair in _apart_together(ours.grads, expected.grads))
    yield from (("state", name, apart(ours.state.get(name), w)) for name, w in expected.state.items())


def _beyond_rounding(
    computed: list[tuple[str, str, float]], step: Step, expected: Expected, reference: Reference, scale: float
) -> list[tuple[str, str, float]]:
    """Return the parts whose difference is more than rounding makes: attention to large scores keeps few digits."""
    moved: dict[tuple[str, str], float] = {}
    for number in range(ROUNDINGS):
        other = reference.rounded(step.before, step.batch, step.again(), number, step.piece)
        for part, name, error in _pass_parts(other, expected, scale):
            moved[part, name] = max(moved.get((part, name), 0.0), error)
    return [p for p in computed if p[2] <= CLOSE or not p[2] <= LIKE_ROUNDING * moved.get((p[0], p[1]), 0.0)]


def _strange_rows(step: Step, examples: Arrays) -> Iterator[tuple[str, str, float]]:
    """Yield the first array whose rows are not those of the same examples as the rows of the arrays before it."""
    same = None
    for name, values in step.batch.items():
        if not values.size:
            yield "batch", name, math.inf
            return
        ours, all_ = values.reshape(len(values), 1, -1), examples[name].reshape(1, len(examples[name]), -1)
        equal = (ours == all_).all(axis=-1)
        same = equal if same is None else same & equal
        if not same.any(axis=1).all():
            yield "batch", name, math.inf
            return


def _apart_together(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> Iterator[tuple[str, float]]:
    """Yield how far gradients are apart, those nearest to the loss first; noise beside the largest is nothing."""
    largest = max(map(norm, theirs.values()), default=0.0)
    for name, value in reversed(list(theirs.items())):
        yield name, apart(ours.get(name), value, NOTHING / CLOSE * largest)


def apart(ours: Array | None, theirs: Array, floor: float = 0.0) -> float:
    """Return the distance of two arrays, relative to the size of the second or to a floor.

    It is infinite where the shapes differ or only one is finite, and nothing where neither is.
    """
    if ours is None or np.shape(ours) != np.shape(theirs):
        return math.inf
    finite = [bool(np.isfinite(a).all()) for a in (ours, theirs)]
    if not all(finite):
        return math.inf if any(finite) else 0.0
    distance = norm(np.asarray(ours, dtype=float) - theirs)
    size = max(norm(theirs), floor)
    return distance / size if size else (math.inf if distance else 0.0)

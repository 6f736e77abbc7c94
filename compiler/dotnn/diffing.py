"""`dotnn diff`: both targets train from the same start, on the same batches and draws; where do they part?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import click
import numpy as np

from dotnn.console import show_json, warn
from dotnn.driver import Options, compile_model, front
from dotnn.emit import learning_rate
from dotnn.emit.training import epoch_loss
from dotnn.model.model import Model
from dotnn.peer import Arrays, Peer
from dotnn.scripts import run_script
from dotnn.spec_files import load_examples
from dotnn_runtime.script.selfcheck import generic_batch

TOLERANCE = 1e-9
NOISE = {"loss": 0.0, "gradient": 1e-6, "weight": 1e-3}
"""A tensor is compared relative to its own size, or to this share of the largest of its kind.

An optimizer such as Adam makes a step of a gradient that is nothing but rounding: weights need the larger share.
"""
INVENTED = 12
"""How many examples are drawn where the spec has no data."""


@dataclass(frozen=True)
class Difference:
    """How far one tensor of one step is from its counterpart. `kind` is loss, gradient or weight."""

    step: int
    kind: str
    name: str
    error: float

    def __str__(self) -> str:
        return "the loss" if self.kind == "loss" else f"the {self.kind} of {self.name}"


@dataclass
class Trajectory:
    """What `dotnn diff` found: the largest difference of every step, and the first that is too large."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    worst: Difference = field(default_factory=lambda: Difference(0, "loss", "", 0.0))
    first: Difference | None = None
    place: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        parted = None
        if self.first is not None:
            parted = {**vars(self.first), "place": self.place}
        return {
            "verdict": "FAIL" if self.first else "PASS",
            "steps": len(self.steps),
            "tolerance": TOLERANCE,
            "largest": vars(self.worst),
            "diverged": parted,
            "trajectory": self.steps,
        }


def diff_path(path: str, *, sets: tuple[str, ...], steps: int, seed: int | None, as_json: bool) -> int:
    """Compare the trajectories of a spec's NumPy and TensorFlow scripts. Returns the exit code."""
    model, warnings = front(path, sets)
    warn(warnings)
    found = compare(model, steps, model.train.seed if seed is None else seed, sets)
    if as_json:
        show_json(found.to_json())
    else:
        _say(found)
    return 1 if found.first else 0


def compare(model: Model, steps: int, seed: int = 0, sets: tuple[str, ...] = ()) -> Trajectory:
    """Take steps of training on both targets in float64, until they part."""
    with Peer(model, sets) as peer:
        return follow(model, peer, steps, seed, sets)


def follow(model: Model, peer: Peer, steps: int, seed: int = 0, sets: tuple[str, ...] = ()) -> Trajectory:
    """Take steps of training beside a TensorFlow script that is there already."""
    ours = run_script(compile_model(model, Options(sets=sets)).script, "dotnn_numpy")
    return _walk(model, _steps(model, ours, peer, steps, seed))


def _walk(model: Model, steps: Iterator[list[tuple[str, str, float]]]) -> Trajectory:
    found = Trajectory()
    for number, differences in enumerate(steps, 1):
        made = [Difference(number, *d) for d in differences]
        largest = max(made, key=lambda d: d.error)
        found.steps.append({"step": number, "largest": str(largest), "error": largest.error})
        if not largest.error <= found.worst.error:
            found.worst = largest
        found.first = next((d for d in made if not d.error <= TOLERANCE), None)
        if found.first is not None:
            found.place = _place(model, found.first)
            break
    return found


def _steps(model: Model, ours: ModuleType, peer: Peer, steps: int, seed: int) -> Iterator[list[tuple[str, str, float]]]:
    params = ours.init_params(seed, np.float64)
    state, theirs = ours.optimizer_state(params), peer.module
    theirs.assign(peer.network, params)
    step, distances = peer.make_step(), _Distances()
    data = _data(model, ours, seed)
    rates = _Rates(model, ours, data)
    for number, batch in enumerate(_batches(model, data, steps, seed)):
        _, cache = ours.forward(params, batch, training=True, rng=np.random.default_rng([seed, 2, number]))
        loss, grads = ours.total_loss(params, batch, cache), ours.backward(params, batch, cache)
        rate = rates.before(number, float(loss), len(next(iter(batch.values()))), params)
        if hasattr(ours, "renew_state"):
            ours.renew_state(params, cache)
        peer.take(cache)
        their_loss, their_grads = step(batch, rate)
        _update(model, ours, params, dict(grads), state, rate)
        # Of a weight that the loss does not feel TensorFlow has a gradient of rounding, which Adam makes steps of.
        felt = {name: w for name, w in params.items() if name not in getattr(ours, "STRUCTURAL_ZEROS", ())}
        yield [
            *distances("loss", {"": np.asarray(loss)}, {"": np.asarray(their_loss)}),
            *distances("gradient", dict(reversed(grads.items())), their_grads),
            *distances("weight", felt, theirs.weights(peer.network)),
        ]


@dataclass(frozen=True)
class _Data:
    """The parts of the examples, and how they were scaled."""

    parts: dict[str, Arrays]
    scaling: dict[str, Any]

    @property
    def count(self) -> int:
        return len(next(iter(self.parts["train"].values())))


class _Distances:
    """Distances of tensors, relative to their size, or to the share `NOISE` of the largest of their kind so far.

    Rounding does not shrink with a gradient that cancels out, as that of a bias does near the minimum.
    """

    def __init__(self) -> None:
        self.largest: dict[str, float] = {}

    def __call__(self, kind: str, ours: Arrays, theirs: Arrays) -> list[tuple[str, str, float]]:
        sizes = {name: float(np.linalg.norm(a)) for name, a in ours.items()}
        self.largest[kind] = max([self.largest.get(kind, 0.0), *sizes.values()])
        floor = NOISE[kind] * self.largest[kind]
        far = {name: float(np.linalg.norm(a - theirs[name])) for name, a in ours.items()}
        return [(kind, name, far[name] / (max(sizes[name], floor) or 1.0)) for name in ours]


class _Rates:
    """The learning rate of every step, as the NumPy script's `fit` chooses it. Both scripts take it.

    A plateau is told of an epoch when the next one begins: with all examples in one batch, the loss of an epoch is
    that after its step.
    """

    def __init__(self, model: Model, ours: ModuleType, data: _Data) -> None:
        self.train, self.ours, self.data = model.train, ours, data
        self.summed = epoch_loss(model)[1] == "total"
        self.in_epoch = -(-data.count // (model.train.batch or data.count))
        self.losses: list[float] = []
        self.sizes: list[int] = []
        watched = learning_rate.watcher(model.train)
        if watched is not None:
            numbers = dict(watched.attrs)
            self.quantity = numbers.pop("quantity")
            sign = 1 if learning_rate.better(model.train, self.quantity) == "min" else -1
            self.plateau = ours.Plateau(**numbers, sign=sign)

    def before(self, step: int, loss: float, size: int, params: Arrays) -> float:
        """Return the rate of a step, given the loss and the size of its batch, and the weights before it."""
        if learning_rate.formula(self.train) is not None:
            return float(self.ours.learning_rate(step, self.train.epochs * self.in_epoch, self.in_epoch))
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
        return float(self.ours.evaluate(params, part, self.data.scaling)[key])


def _update(model: Model, ours: ModuleType, params: Arrays, grads: Arrays, state: Any, rate: float) -> None:
    """Take the NumPy script's step, as its `fit` does: clip, update, constrain."""
    clip = model.train.clip
    if clip is not None:
        grads = getattr(ours, clip.entry.helper)(grads, clip.attrs["limit"])
    ours.update(params, grads, state, **({"lr": rate} if model.train.schedule else {}))
    if hasattr(ours, "constrain"):
        ours.constrain(params)


def _batches(model: Model, data: _Data, steps: int, seed: int) -> Iterator[Arrays]:
    """Yield the batches of as many epochs as it takes, in the order that `fit` would choose without other draws."""
    count, examples = data.count, data.parts["train"]
    size = min(model.train.batch or count, count)
    rng = np.random.default_rng([seed, 1])
    taken = 0
    while True:
        order = rng.permutation(count) if model.train.shuffle else np.arange(count)
        for start in range(0, count, size):
            if taken == steps:
                return
            taken += 1
            yield {name: values[order[start : start + size]] for name, values in examples.items()}


def _data(model: Model, ours: ModuleType, seed: int) -> _Data:
    """Return the spec's data as `fit` gets them, or what is drawn where it has none."""
    if model.data is None or not (model.data.inline or model.data.source):
        drawn = generic_batch({**ours.INPUTS, **ours.TARGETS}, np.random.default_rng(seed), INVENTED)
        return _Data({"train": drawn}, {})
    return _Data(*ours.prepare(load_examples(model)[0], np.float64))


def _place(model: Model, difference: Difference) -> str:
    """Return the line of the spec that a tensor belongs to."""
    span = model.params[difference.name].span if difference.name else model.train.losses[0].span
    return f"{model.source.path}:{model.source.line_of(span)}"


def _say(found: Trajectory) -> None:
    if found.first is None:
        click.echo(
            f"PASS  {len(found.steps)} steps on both targets agree to {found.worst.error:.1e}"
            f"  (largest: {found.worst} in step {found.worst.step})"
        )
        return
    click.echo(f"FAIL  {found.first} differs by {found.first.error:.1e} in step {found.first.step}  ({found.place})")
    for step in found.steps[-5:]:
        click.echo(f"  step {step['step']}: largest difference {step['error']:.1e} in {step['largest']}")

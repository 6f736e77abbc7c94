"""`dotnn diff`: the scripts of a spec train from the same start, on the same batches and draws; where do they part?

The explain style's is compared with TensorFlow's, and with that of the fast style, which `dotnn train` runs.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import click
import numpy as np

from dotnn.ir.graph import Graph
from dotnn.ir.interpret import run
from dotnn.ir.rounding import RandomRounding
from dotnn.model.model import Model
from dotnn.reports.console import show_json, warn
from dotnn.running.scripts import run_script
from dotnn.session import Options, compile_model, front, witness
from dotnn.targets.keras.witness import Arrays, Peer
from dotnn.targets.numpy.steps import FastTraining, Training

TOLERANCE = 1e-9
NOISE = {"loss": 0.0, "gradient": 1e-6, "weight": 1e-3}
"""A tensor is compared relative to its own size, or to this share of the largest of its kind.

An optimizer such as Adam makes a step of a gradient that is nothing but rounding: weights need the larger share.
"""
LIKE_ROUNDING = 10
"""A difference that is at most so many times what rounding alone does to the training says nothing of the scripts."""
LIKE_TIES = 1e-9
"""A difference that is less than this share of what ties do to the training does not come from ties."""
TENSORFLOW, FAST = "TensorFlow", "fast style"
HUGE = float(np.finfo(float).max) ** 0.25
"""Beyond such weights a training diverges: products overflow in the order of one style and not in that of the other."""
MUCH_ROUNDING = 1e-6
"""Where rounding alone moves a tensor of a single step by more than this share of it, its numbers prove nothing."""
TWINS = 8
"""In how many trainings it is looked at what rounding does."""


@dataclass(frozen=True)
class Difference:
    """How far one tensor of one step is from its counterpart in another script. `kind` is loss, gradient or weight.

    `error` is infinite where one of them is not finite, and NaN where neither is: then both trainings diverge.
    """

    step: int
    kind: str
    name: str
    error: float
    script: str = TENSORFLOW

    def to_json(self) -> dict[str, Any]:
        """Return the fields; an error that is no number is null."""
        return {**vars(self), "error": self.error if math.isfinite(self.error) else None}

    def __str__(self) -> str:
        what = "the loss" if self.kind == "loss" else f"the {self.kind} of {self.name}"
        return what if self.script == TENSORFLOW else f"{what} in the {self.script}"


@dataclass
class Trajectory:
    """What `dotnn diff` found: the largest difference of every step, and the first that is too large.

    `rounding` is how far rounding alone takes the training from itself by then. Where that explains the difference, all
    steps are taken once more, each from the same weights in all scripts: `alike` says whether they are the same then.
    """

    steps: list[dict[str, Any]] = field(default_factory=list)
    worst: Difference = field(default_factory=lambda: Difference(0, "loss", "", 0.0))
    first: Difference | None = None
    place: str = ""
    rounding: float = 0.0
    alike: bool = False

    @property
    def verdict(self) -> str:
        """PASS, FAIL, or INCONCLUSIVE: the training diverges, or multiplies rounding until it is as large as the
        difference, and its steps cannot be told from rounding one by one, either."""
        if self.first is None or self.alike:
            return "PASS"
        proves_nothing = self.diverges or _explains(self.rounding, self.first.error)
        return "INCONCLUSIVE" if proves_nothing else "FAIL"

    @property
    def diverges(self) -> bool:
        """Whether the trainings end in numbers that are not finite, on both targets in the same step."""
        return self.first is not None and math.isnan(self.first.error)

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        parted = None
        if self.first is not None:
            parted = {**self.first.to_json(), "place": self.place, "rounding": self.rounding, "alike": self.alike}
        return {
            "verdict": self.verdict,
            "steps": len(self.steps),
            "tolerance": TOLERANCE,
            "largest": self.worst.to_json(),
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
    return int(found.verdict != "PASS")


def compare(model: Model, steps: int, seed: int = 0, sets: tuple[str, ...] = ()) -> Trajectory:
    """Take steps of training on both targets in float64, until they part."""
    with witness(model, sets) as peer:
        return follow(model, peer, steps, seed, sets)


@np.errstate(all="ignore")  # a training may diverge
def follow(model: Model, peer: Peer, steps: int, seed: int = 0, sets: tuple[str, ...] = ()) -> Trajectory:
    """Take steps of training beside a TensorFlow script that is there already."""
    script, fast = (run_script(compile_model(model, Options(style, sets)).script, "dotnn_numpy") for style in STYLES)
    found, ours = Trajectory(), Training(model, script, seed)
    for number, differences in enumerate(_steps(ours, FastTraining(fast, ours), peer, steps), 1):
        made = [Difference(number, *d) for d in differences]
        found.first = next((d for d in made if not d.error <= TOLERANCE), None)
        largest = max(made, key=lambda d: math.inf if math.isnan(d.error) else d.error)
        found.steps.append({"step": number, "largest": str(largest), "error": largest.to_json()["error"]})
        if largest.error > found.worst.error:
            found.worst = largest
        if found.first is not None:
            found.place = _place(model, found.first)
            found.rounding = 0.0 if found.diverges else _explanation(model, script, found.first, seed)
            break
    if found.verdict == "INCONCLUSIVE" and not found.diverges:
        ours = Training(model, script, seed)
        found.alike = _alike_one_by_one(ours, FastTraining(fast, ours), peer, steps)
    return found


def _alike_one_by_one(ours: Training, fast: FastTraining, peer: Peer, steps: int) -> bool:
    """Whether every step does the same in all scripts when it starts from the same weights.

    What rounding does within a step is measured beside it: a saturated unit multiplies it, too, but a step too few
    times to hide a difference that is not rounding.
    """
    twins = _twins(ours)
    step, scale = peer.make_step(), _Distances(ours.zeros)
    for number, batch in enumerate(ours.batches(steps)):
        peer.module.assign(peer.network, ours.params)
        fast.start_from(ours.params)
        for twin in twins:
            twin.params = {name: w.copy() for name, w in ours.params.items()}
        loss, grads, rate = ours.gradients(number, batch)
        peer.take(ours.cache)
        theirs, quick = step(batch, rate), fast.gradients(number, ours.rows)
        moved = [twin.gradients(number, batch) for twin in twins]
        ours.update(grads, rate)
        fast.update(rate)
        for twin, (_, its_grads, its_rate) in zip(twins, moved, strict=True):
            twin.update(its_grads, its_rate)
        mine = loss, grads, ours.params
        found = [scale(mine, (*theirs, peer.module.weights(peer.network))), scale(mine, (*quick, fast.params))]
        rounded = [scale(mine, (*made[:2], twin.params)) for made, twin in zip(moved, twins, strict=True)]
        limits = [max(errors) for errors in zip(*([error for *_, error in one] for one in rounded), strict=True)]
        for one in found:
            for (*_, error), limit in zip(one, limits, strict=True):
                if not error <= max(TOLERANCE, LIKE_ROUNDING * min(limit, MUCH_ROUNDING)):
                    return False
    return True


Distance = tuple[str, str, float]
STYLES = ("explain", "fast")


def _steps(ours: Training, fast: FastTraining, peer: Peer, steps: int) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the distances of all tensors, step by step, those from the fast style with its name."""
    theirs = peer.module
    theirs.assign(peer.network, ours.params)
    step, distances, styles = peer.make_step(), _Distances(ours.zeros), _Distances(ours.zeros)
    for number, batch in enumerate(ours.batches(steps)):
        loss, grads, rate = ours.gradients(number, batch)
        peer.take(ours.cache)
        their_loss, their_grads = step(batch, rate)
        fast_loss, fast_grads = fast.gradients(number, ours.rows)
        ours.update(grads, rate)
        fast.update(rate)
        mine = loss, grads, ours.params
        found: list[tuple[Any, ...]] = distances(mine, (their_loss, their_grads, theirs.weights(peer.network)))
        if all((np.abs(w) < HUGE).all() for w in ours.params.values()):
            found = [*found, *((*d, FAST) for d in styles(mine, (fast_loss, fast_grads, fast.params)))]
        yield found


def _explanation(model: Model, script: ModuleType, first: Difference, seed: int) -> float:
    """Return what rounding does until the first difference, with the ties that it decides where only they explain it.

    A tie that is decided otherwise makes a difference of about its own size: not one that is smaller by far, even
    where a gradient that it makes is compared with the floor of one that was zero.
    """
    calm = rounding(model, script, first.step, seed)
    if _explains(calm, first.error):
        return calm
    torn = rounding(model, script, first.step, seed, ties=True)
    return torn if _explains(torn, first.error) and first.error > LIKE_TIES * torn else calm


def _explains(rounding: float, error: float) -> bool:
    return error <= LIKE_ROUNDING * rounding


def rounding(model: Model, script: ModuleType, steps: int, seed: int = 0, *, ties: bool = False) -> float:
    """Return how far rounding alone takes the NumPy script's training from itself within these steps.

    With `ties`, weights of zero are moved, too, by a unit in the last place of 1: equal values are no longer equal.
    There are several twins: where terms cancel out exactly in one, nothing can be seen of what rounding does to others.
    """
    one = Training(model, script, seed)
    measured = [(twin, _Distances(one.zeros)) for twin in _twins(one, ties=ties)]
    largest = 0.0
    for number, batch in enumerate(one.batches(steps)):
        loss, grads, rate = one.gradients(number, batch)
        one.update(grads, rate)
        for twin, distances in measured:
            other_loss, other_grads, other_rate = twin.gradients(number, batch)
            twin.update(other_grads, other_rate)
            found = distances((loss, grads, one.params), (other_loss, other_grads, twin.params))
            largest = max([largest, *(error for _, _, error in found if not math.isnan(error))])
    return largest


@dataclass
class Twin(Training):
    """A training by the reference interpreter, every number rounded by chance; with `ties` zeros are moved, too."""

    graph: Graph
    rounding: RandomRounding
    ties: bool

    def forward_and_backward(self, batch: Arrays, rng: np.random.Generator) -> tuple[float, Arrays]:
        """Return the loss and the gradients."""
        self.params |= self.rounding.moved(self.params, ties=self.ties)
        values = run(self.graph, {**self.params, **batch}, rng=rng, rounded=self.rounding)
        self.cache = {v.name: values[v.id] for node in self.graph.phase("forward") for v in node.outs}
        assert self.graph.loss is not None
        return float(values[self.graph.loss.id]), {name: values[v.id] for name, v in self.graph.grads.items()}


def _twins(one: Training, *, ties: bool = False) -> list[Twin]:
    """Return as many twins of a training as are looked at, each with another rounding."""
    graph = compile_model(one.model, Options()).graph
    roundings = [RandomRounding(np.random.default_rng([one.seed, twin])) for twin in range(TWINS)]
    return [Twin(one.model, one.script, one.seed, graph, rounding, ties) for rounding in roundings]


class _Distances:
    """Distances of tensors, relative to their size, or to the share `NOISE` of the largest of their kind so far.

    Rounding does not shrink with a gradient that cancels out, as that of a bias does near the minimum.
    """

    def __init__(self, zeros: Container[str]) -> None:
        self.zeros = zeros
        self.largest: dict[str, float] = {}

    def __call__(self, ours: tuple[float, Arrays, Arrays], theirs: tuple[float, Arrays, Arrays]) -> list[Distance]:
        """Return the distances of the losses, the gradients and the weights of both."""
        (loss, grads, weights), (their_loss, their_grads, their_weights) = ours, theirs
        # Of a weight that the loss does not feel TensorFlow has a gradient of rounding, which Adam makes steps of.
        felt = {name: w for name, w in weights.items() if name not in self.zeros}
        return [
            *self._of("loss", {"": np.asarray(loss)}, {"": np.asarray(their_loss)}),
            *self._of("gradient", dict(reversed(grads.items())), their_grads),
            *self._of("weight", felt, their_weights),
        ]

    def _of(self, kind: str, ours: Arrays, theirs: Arrays) -> list[Distance]:
        sizes = {name: _norm(a) for name, a in ours.items()}
        self.largest[kind] = largest = max([self.largest.get(kind, 0.0), *sizes.values()])
        floors = {name: largest * (1.0 if name in self.zeros else NOISE[kind]) for name in ours}
        far = {name: _distance(a, theirs[name]) for name, a in ours.items()}
        scales = {name: max(sizes[name], floors[name]) or 1.0 for name in ours}
        return [(kind, n, error / scales[n] if math.isfinite(error) else error) for n, error in far.items()]


def _distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the norm of the difference; where something is not finite, NaN for both, infinity for one of them."""
    finite = [bool(np.isfinite(a).all()) for a in (ours, theirs)]
    return _norm(ours - theirs) if all(finite) else math.inf if any(finite) else math.nan


def _norm(a: np.ndarray) -> float:
    """Return the norm, whose squares do not overflow: a training that diverges has numbers that large."""
    largest = float(np.abs(a).max(initial=0.0))
    return largest * float(np.linalg.norm(a / largest)) if 0 < largest < math.inf else largest


def _place(model: Model, difference: Difference) -> str:
    """Return the line of the spec that a tensor belongs to."""
    span = model.params[difference.name].span if difference.name else model.train.losses[0].span
    return f"{model.source.path}:{model.source.line_of(span)}"


def _say(found: Trajectory) -> None:
    if found.alike and found.first is not None:
        click.echo(
            "PASS  every step does the same when it starts from the same weights; one after the other they part in step"
            f" {found.first.step}\nThis training multiplies rounding: NumPy beside NumPy, every number in it moved by a"
            f" unit in the last\nplace, differs by {found.rounding:.1e}."
        )
        return
    if found.first is None:
        click.echo(
            f"PASS  {len(found.steps)} steps on both targets agree to {found.worst.error:.1e}"
            f"  (largest: {found.worst} in step {found.worst.step})"
        )
        return
    if found.diverges:
        click.echo(
            f"INCONCLUSIVE  {found.first} is not finite on either target in step {found.first.step}  ({found.place})\n"
            f"Until then they agree to {found.worst.error:.1e}. A smaller learning rate says more."
        )
        return
    differs = f"{found.first} differs by {found.first.error:.1e} in step {found.first.step}  ({found.place})"
    click.echo(f"{found.verdict}  {differs}")
    for step in found.steps[-5:]:
        click.echo(f"  step {step['step']}: largest difference {step['error']:.1e} in {step['largest']}")
    if found.verdict == "INCONCLUSIVE":
        click.echo(
            "This training multiplies rounding: NumPy beside NumPy, every number in it moved by a unit in the last\n"
            f"place, differs by {found.rounding:.1e}. A smaller learning rate says more."
        )

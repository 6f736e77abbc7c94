"""A script at a point: its loss as a function of displacements of any named tensor, and the gradients it claims."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from ..reading.types import Array, Cost, Direction, Key, Point, Unusable, norm
from ..tracing.displace import Edges, Recording, Replaying, Snapping
from ..tracing.listen import Values
from ..tracing.notes import Noting, Spot
from ..tracing.rows import Cotangents, Row, parameter_rows
from ..tracing.traced import TracedScript
from .probes import MARGIN, NOISE, Oracle, Outcome, Probe, probe_rows, scale_of
from .rounding import EPSILON, Arithmetic

ARITHMETICS = 5
"""In how many other arithmetics it is looked at what rounding makes."""
LEAP = 1e-9
"""What moves a claim by more than this share of the largest gradient is no rounding."""


class Evaluation:
    """Runs a traced script at one point.

    Making one runs the script once forward, recording values and branch decisions, and once backward, recording
    cotangents; `read_back` names the values that the second run took from the traced forward pass, so that it notices
    when they are moved. `snap` names values to be rounded to multiples of `1 / grid`, where ties abound, or
    brought near to the `edges` that they are compared with; `shifts` moves named values by constants. Either
    changes the function, not the rules of its derivative.
    """

    def __init__(
        self,
        script: TracedScript,
        point: Point,
        cost: Cost,
        *,
        snap: Iterable[str] = (),
        grid: float = 4.0,
        edges: Edges | None = None,
        shifts: Mapping[Key, Array] | None = None,
    ) -> None:
        self.script, self.point, self.cost = script, point, cost
        self.shifts: dict[Key, Array] = dict(shifts or {})
        if snap:
            snapping = Snapping(script.woven, frozenset(snap), grid, edges or {})
            self._run(snapping)
            self.shifts = snapping.found
        recording = Recording(script.woven, self.shifts)
        self.base_loss = float(np.real(self._run(recording)))
        self.tape = recording.tape
        self._complex: Point | None = None
        noting = Noting(script.woven, self.shifts)
        with script.woven.heard_by(noting) as module:
            self.loss, self.grads = loss_and_grads(module, point)
        cost.forwards += 1
        self.notes, self.read_back = noting.notes, frozenset(noting.seen)

    def handed(self, given: Mapping[Spot, Array]) -> Evaluation:
        """Return the same with arrays handed in for what the pass writes."""
        other = copy.copy(self)
        for name, kept in vars(Evaluation).items():
            if isinstance(kept, cached_property):
                vars(other).pop(name, None)  # it was found from what the pass wrote before
        noting = Noting(self.script.woven, self.shifts, given=given)
        with self.script.woven.heard_by(noting) as module:
            other.loss, other.grads = loss_and_grads(module, self.point)
        self.cost.forwards += 1
        other.notes = noting.notes
        return other

    def evaluate(self, push: Direction) -> Any:
        """Return the loss with tensors displaced, every branch decided as at the base point."""
        if not any(np.iscomplexobj(delta) for delta in push.values()):
            return float(np.real(self._run(self._replaying(push), push)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                return self._run(self._replaying(push), push, as_complex=True)
        except (np.exceptions.ComplexWarning, TypeError, ValueError) as error:
            raise Unusable(f"the forward pass is not complex-safe: {error}") from error

    def base(self, key: Key) -> Array:
        """Return the undisplaced tensor of a key."""
        if key.kind == "param":
            return self.point.params[key.name]
        if key.kind == "input":
            return self.point.batch[key.name]
        return self.tape.values[key.name][key.at]

    @cached_property
    def rounding(self) -> dict[str, float]:
        """How far a claim may be off for rounding alone, by the name of its row.

        That is what it moves in other arithmetics. What moves it by more than `LEAP` is no rounding: a branch turned.
        """
        claims, leap = {row.name: row.claims[0] for row in self.rows}, self.leap
        others = [self._in(Arithmetic.number(number)).rows for number in range(ARITHMETICS)]
        moves = farthest(claims, ({row.name: row.claims[0] for row in found} for found in others))
        return {name: min(MARGIN * moved, leap) for name, moved in moves.items()}

    def is_rounding(self, name: str, distance: float) -> bool:
        """Whether a claim may be so far off for rounding alone."""
        return distance <= self.leap and distance <= self.rounding.get(name, 0.0)

    def _in(self, arithmetic: Arithmetic) -> Evaluation:
        """Return the same in another arithmetic."""
        with arithmetic.within(self.script.woven.module):
            return Evaluation(self.script, arithmetic.point(self.point), self.cost, shifts=self.shifts)

    @cached_property
    def cotangents(self) -> Cotangents:
        """What the backward pass has noted, beside the values of the forward pass."""
        aliases = self.script.structure.aliases
        named = self._inputs | {a: self._inputs[key.name] for a, key in aliases.items() if key.name in self._inputs}
        return Cotangents(self.script, self.notes, self.tape.values, named)

    @property
    def _inputs(self) -> dict[str, Array]:
        return {n: self.point.batch[n] for n, (kind, _) in self.script.plain.INPUTS.items() if kind == "real"}

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Every claim of the script: parameters, inputs, then cotangents in the order of the backward pass."""
        return *parameter_rows(self.grads, self.point.params, self._inputs), *self.cotangents.rows()

    @cached_property
    def scale(self) -> float:
        """The norm of the largest gradient or cotangent."""
        return scale_of(self.rows)

    @property
    def leap(self) -> float:
        """What is farther off than this is so for more than rounding."""
        return LEAP * self.scale

    def live_rows(self) -> list[Row]:
        """Return the rows whose gradient is more than rounding: a sum of terms that cancel is not exactly zero."""
        return [row for row in self.rows if row.norm > NOISE * self.scale]

    def probes(self, rows: Sequence[Row], oracle: Oracle, rng: np.random.Generator) -> dict[str, Probe]:
        """Probe rows by an oracle.

        A difference that rounding alone can make here says nothing, and none does where the loss is no number.
        """
        found = probe_rows(rows, self.evaluate, oracle, rng, self.scale)
        for name, probe in found.items():
            if probe.outcome is Outcome.WRONG and (not self.finite or self.is_rounding(name, probe.distance)):
                found[name] = replace(probe, outcome=Outcome.SILENT)
        return found

    @property
    def finite(self) -> bool:
        """Whether the loss is a number here: a root or a quotient may leave its domain at a point that is drawn."""
        return math.isfinite(self.base_loss)

    def _replaying(self, push: Direction) -> Replaying:
        return Replaying(self.script.woven, self.shifts, self.tape, push, self.script.kinks)

    def _run(self, listener: Values, push: Direction | None = None, as_complex: bool = False) -> Any:
        self.cost.forwards += 1
        point = self._complex_point() if as_complex else self.point
        stores = {"param": dict(point.params), "input": dict(point.batch)}
        for key, delta in (push or {}).items():
            if key.kind in stores:
                stores[key.kind][key.name] = stores[key.kind][key.name] + delta
        rng = np.random.default_rng(self.point.rng_seed)
        with self.script.woven.heard_by(listener) as module:
            _, cache = module.forward(stores["param"], stores["input"], training=point.training, rng=rng)
            return module.total_loss(stores["param"], stores["input"], cache)

    def _complex_point(self) -> Point:
        """Return the point with complex parameters and real-kind inputs, so that every buffer becomes complex."""
        if self._complex is None:
            real_inputs = {n for n, (kind, _) in self.script.plain.INPUTS.items() if kind == "real"}
            params = {name: value.astype(np.complex128) for name, value in self.point.params.items()}
            batch = {n: v.astype(np.complex128) if n in real_inputs else v for n, v in self.point.batch.items()}
            self._complex = replace(self.point, params=params, batch=batch)
        return self._complex


def loss_and_grads(module: Any, point: Point, **options: Any) -> tuple[float, dict[str, Array]]:
    """Call a script's `loss_and_grads` on copies, with its own random draws repeated."""
    return called(module, point, *copied(point), **options)


def copied(point: Point) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return copies of the parameters and the batch of a point."""
    return tuple({name: value.copy() for name, value in some.items()} for some in (point.params, point.batch))  # type: ignore[return-value]


def called(
    module: Any, point: Point, params: Mapping[str, Array], batch: Mapping[str, Array], **options: Any
) -> tuple[float, dict[str, Array]]:
    """Call a script's `loss_and_grads` on these arrays; it may change them. Raises `TypeError` for odd results."""
    rng = np.random.default_rng(point.rng_seed)
    result = module.loss_and_grads(params, batch, rng=rng, **{"training": point.training, **options})
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)):
        raise TypeError("It must return two things: the loss, and a dict of gradients")
    loss, grads = result
    if np.size(loss) != 1 or loss is None:
        raise TypeError(
            f"The loss must be a number, not {'None' if loss is None else f'an array of shape {np.shape(loss)}'}"
        )
    # a script may hand out its own buffers; the next call would write over them
    return float(loss), {name: np.array(value) for name, value in grads.items()}


def farthest(
    base: Mapping[str, tuple[Array, ...]], others: Iterable[Mapping[str, tuple[Array, ...]]]
) -> dict[str, float]:
    """Return how far each entry is from its counterparts at most; infinite where none of these is finite."""
    apart: dict[str, list[float]] = {name: [] for name in base}
    for other in others:
        for name, arrays in base.items():
            apart[name].append(math.hypot(*(norm(a - b) for a, b in zip(arrays, other[name], strict=True))))
    return {name: max(filter(math.isfinite, found), default=math.inf) for name, found in apart.items()}


def moves_by_rounding(
    module: ModuleType, point: Point, cost: Cost, epsilon: float = EPSILON
) -> tuple[float, dict[str, float]]:
    """Return how far the loss and every gradient of a script move in other arithmetics, at most.

    `epsilon` is what a number is off in these.
    """
    loss, grads = loss_and_grads(module, point)
    base = {name: (g,) for name, g in grads.items()}
    losses, others = [], []
    for number in range(ARITHMETICS):
        arithmetic = Arithmetic.number(number, epsilon)
        with arithmetic.within(module):
            other, moved = loss_and_grads(module, arithmetic.point(point))
        losses.append({"": (np.array(other),)})
        others.append({name: (g,) for name, g in moved.items()})
    cost.forwards += 1 + ARITHMETICS
    return farthest({"": (np.array(loss),)}, losses)[""], farthest(base, others)


def sizes_of(module: Any) -> list[tuple[int, ...]]:
    """Return the shapes of one example of everything that a script declares, and the numbers of its classes."""
    tables = [module.INPUTS, module.TARGETS]
    declared = [entry for table in tables for entry in table.values()]
    bounds = [int(count) for kind, _ in declared if (count := kind.partition(":")[2]).isdigit()]
    outputs = getattr(module, "OUTPUTS", {}).values()
    return [*(tuple(shape) for _, shape in declared), *(tuple(shape) for shape in outputs), tuple(bounds)]

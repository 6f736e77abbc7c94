"""A script at a point: its loss as a function of displacements of any named tensor, and the gradients it claims."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ..reading.types import Array, Cost, Direction, Key, Point, Unusable, is_float, norm
from ..tracing.displace import Recording, Replaying, Snapping
from ..tracing.listen import Values
from ..tracing.notes import Noting
from ..tracing.rows import Row, cotangent_rows, parameter_rows
from ..tracing.traced import TracedScript
from .probes import MARGIN, scale_of

EPSILON = float(np.finfo(np.float64).eps)
NUDGES = 3
LEAP = 1e-9
"""What moves a claim by more than this share of the largest gradient is no rounding."""


class Evaluation:
    """Runs a traced script at one point.

    Making one runs the script once forward, recording values and branch decisions, and once backward, recording
    cotangents; `read_back` names the values that the second run took from the traced forward pass, so that it notices
    when they are moved. `snap` names values to be rounded to multiples of `1 / grid`, where ties abound; `shifts`
    moves named values by constants. Either changes the function, not the rules of its derivative.
    """

    def __init__(
        self,
        script: TracedScript,
        point: Point,
        cost: Cost,
        *,
        snap: Iterable[str] = (),
        grid: float = 4.0,
        shifts: Mapping[Key, Array] | None = None,
    ) -> None:
        self.script, self.point, self.cost = script, point, cost
        self.shifts: dict[Key, Array] = dict(shifts or {})
        if snap:
            snapping = Snapping(script.woven, frozenset(snap), grid)
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

        Every value of the forward pass is moved by a rounding, and the claims are looked at again: behind a saturated
        unit, 1 - a² has lost its digits. A rule may rely on two values being equal to the last digit (where is the
        maximum?): then a claim leaps, and the value that makes it leap is left as it is. In the fast style, which
        computes the values anew, nothing moves.
        """
        rows = self.rows()
        claims, leap = {row.name: row.claims[0] for row in rows}, LEAP * scale_of(rows)
        names = list(self.tape.values)
        if self._farthest(claims, names, 1) > leap:
            names = [name for name in names if self._farthest(claims, [name], 1) <= leap]
        moves, outside = self._moves(claims, names, NUDGES), self._moves_of_point(claims)
        return {name: min(MARGIN * max(moves[name], outside[name]), leap) for name in claims}

    def _farthest(self, claims: Mapping[str, tuple[Array, ...]], names: Iterable[str], times: int) -> float:
        return max(self._moves(claims, names, times).values(), default=0.0)

    def _moves(self, claims: Mapping[str, tuple[Array, ...]], names: Iterable[str], times: int) -> dict[str, float]:
        """Return how far each claim moves where these values are off by a rounding, at most."""
        found, rng = dict.fromkeys(claims, 0.0), np.random.default_rng(0)
        values = {Key("value", name, i): a for name in names for i, a in enumerate(self.tape.values[name])}
        for _ in range(times):
            nudges = {key: EPSILON * np.abs(a) * rng.standard_normal(a.shape) for key, a in values.items()}
            shifts = {key: self.shifts.get(key, 0.0) + nudge for key, nudge in nudges.items()}
            _farther(found, claims, Evaluation(self.script, self.point, self.cost, shifts={**self.shifts, **shifts}))
        return found

    def _moves_of_point(self, claims: Mapping[str, tuple[Array, ...]]) -> dict[str, float]:
        """Return the same where weights and inputs are off by a rounding: what functions compute inside moves, too."""
        found, rng = dict.fromkeys(claims, 0.0), np.random.default_rng(0)

        def moved(arrays: Mapping[str, Array]) -> dict[str, Array]:
            nudged = {n: a * (1 + EPSILON * rng.standard_normal(a.shape)) for n, a in arrays.items() if is_float(a)}
            return {**arrays, **nudged}

        inputs = self.script.plain.INPUTS
        for _ in range(NUDGES):
            given = moved({name: a for name, a in self.point.batch.items() if name in inputs})
            point = replace(self.point, params=moved(self.point.params), batch={**self.point.batch, **given})
            _farther(found, claims, Evaluation(self.script, point, self.cost, shifts=self.shifts))
        return found

    def rows(self) -> list[Row]:
        """Return every claim of the script: parameters, inputs, then cotangents in the order of the backward pass."""
        aliases = self.script.structure.aliases
        inputs = {n: self.point.batch[n] for n, (kind, _) in self.script.plain.INPUTS.items() if kind == "real"}
        rows = parameter_rows(self.grads, self.point.params, inputs)
        batch_last = self.script.structure.step is not None
        named = inputs | {a: inputs[key.name] for a, key in aliases.items() if key.name in inputs}
        for row in cotangent_rows(
            self.notes, self.tape.values, named, self._strict, self.started, self.step_line, batch_last
        ):
            key = row.keys[0]
            known = key.kind == "input" and key.name in aliases
            rows.append(Row(row.name, row.kind, (aliases[key.name],), row.claims, row.strict) if known else row)
        return rows

    def _strict(self, value: str) -> bool:
        """A value counts by itself when it is one array, assigned by one statement in either direction."""
        written = set().union(*self.script.structure.in_place.values())
        return self.script.explains and value not in written and f"d_{value}" not in written

    def step_line(self, value: str, cotangent: str) -> int:
        """Return the line of the backward loop that assigns a cotangent, 0 where it is not the only one that does."""
        structure = self.script.structure
        if not self.script.explains or value not in structure.stepwise["forward"]:
            return 0
        return structure.stepwise[structure.backward_function].get(cotangent, 0)

    def started(self, value: str) -> bool:
        """Whether a value is assigned before the loop that assigns it: the state that a recurrence starts from."""
        return sum(value in s.targets and not s.is_load for s in self.script.structure.statements) > 1

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


def _farther(found: dict[str, float], claims: Mapping[str, tuple[Array, ...]], other: Evaluation) -> None:
    """Keep how far the claims of another evaluation are from these, where that is farther than so far."""
    for row in other.rows():
        moved = math.hypot(*(norm(a - b) for a, b in zip(row.claims[0], claims[row.name], strict=True)))
        found[row.name] = max(found[row.name], moved)


def loss_and_grads(module: Any, point: Point, **options: Any) -> tuple[float, dict[str, Array]]:
    """Call a script's `loss_and_grads` on copies, with its own random draws repeated."""
    params = {name: value.copy() for name, value in point.params.items()}
    batch = {name: value.copy() for name, value in point.batch.items()}
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


def sizes_of(module: Any) -> list[tuple[int, ...]]:
    """Return the shapes of one example of everything that a script declares, and the numbers of its classes."""
    tables = [module.INPUTS, module.TARGETS]
    declared = [entry for table in tables for entry in table.values()]
    bounds = [int(count) for kind, _ in declared if (count := kind.partition(":")[2]).isdigit()]
    outputs = getattr(module, "OUTPUTS", {}).values()
    return [*(tuple(shape) for _, shape in declared), *(tuple(shape) for shape in outputs), tuple(bounds)]

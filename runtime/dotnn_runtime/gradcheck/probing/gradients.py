"""V2 to V6: every gradient and cotangent of a script against the oracles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..reading.types import Array, Cost, Key, Point, Unusable
from ..report.results import CheckResult, Crossing, Report, Verdict
from ..tracing.rows import Row
from ..tracing.traced import TracedScript
from .draws import as_classes, calmed, generic_batch_size, generic_point
from .elements import probe_elements
from .evaluation import Evaluation, sizes_of
from .numerically import check_taylor, probe_numerically
from .oracles import complex_step, richardson
from .probes import COMPLEX_STEP, NUMERIC_TOLERANCE, RICHARDSON, element_size
from .sides import DRAWS as OTHER_SIDES
from .sides import Sides
from .together import probe_elsewhere, probe_together
from .verdicts import Verdicts

DRAWS = 16
NEAR = 4
"""From this draw on every second point is far from where training starts."""


@dataclass
class Probing:
    """Probes a script at generic points and keeps the verdict on every tensor.

    `stops_at` is a point of another batch size at which the script stops, if it does.
    """

    script: TracedScript
    report: Report
    samples: int
    batch_size: int | None
    v4: bool
    training: bool = True
    cost: Cost = field(default_factory=Cost)

    def __post_init__(self) -> None:
        self.seed = self.report.seed
        self.rng = np.random.default_rng([self.seed, 1])
        self.verdicts = Verdicts(self.script, self.report, self.training)
        self.stops_at: Point | None = None
        self.sides = Sides(self.script, self.cost)

    def point(self, draw: int) -> Point:
        """Draw a point in general position; the same one for the same number.

        All points but the first have more examples: what is silent at the first may be silent for want of them. Weights
        from a file may keep a branch from ever being taken (a PReLU whose inputs are positive): some points leave them.
        """
        plain = self.script.plain
        shapes = [*self.script.params.values(), *(shape for _, shape in plain.INPUTS.values())]
        return self._drawn(draw, self.batch_size or generic_batch_size(shapes, least=20 if draw else 5))

    def _drawn(self, draw: int, batch_size: int) -> Point:
        plain = self.script.plain
        initial = plain.init_params(self.seed + draw, dtype=np.float64)
        drawn = generic_point(
            initial,
            plain.INPUTS,
            plain.TARGETS,
            batch_size=batch_size,
            rng=np.random.default_rng([self.seed, 0, draw]),
            training=self.training,
            trained=self.script.params if draw >= NEAR and draw % 2 else (),
        )
        point, halvings = calmed(self.script, drawn)
        divided = f"they are divided by {2**halvings}"
        note = f"The loss overflows at weights as large as those that training starts from: {divided}."
        if halvings and note not in self.report.notes:
            self.report.notes.append(note)
        self.cost.forwards += 1 + halvings
        return point

    @cached_property
    def evaluation(self) -> Evaluation:
        """The script at the first point."""
        return Evaluation(self.script, self.point(0), self.cost)

    def run(self) -> None:
        """Find an oracle, probe everything with it, and note the verdict on every tensor."""
        verdicts, evaluation, rng = self.verdicts, self.evaluation, self.rng
        self._choose_oracle()
        self._probe_every_row()
        rows = [row for row in evaluation.live_rows() if row.kind == "param"]
        probe_together(verdicts, evaluation, rows, rng)
        if verdicts.failed_at is None and rows:
            self._probe_another_size(rows)
            self._probe_other_sides(rows)
        if self.v4 and verdicts.oracle is COMPLEX_STEP:
            probe_elements(verdicts, evaluation, self.samples, rng)
        verdicts.settle_cotangents(evaluation.rows, any(evaluation.tape.ties.values()))
        if verdicts.oracle is COMPLEX_STEP:
            probe_numerically(verdicts, evaluation, rng)
        check_taylor(verdicts, evaluation, rows, rng)
        self.report.kinks = self._crossings(self.script.kinks)
        self.report.ties = self._crossings(evaluation.tape.ties)

    def _choose_oracle(self) -> None:
        """Use the complex step if the forward pass is safe for it, which Richardson extrapolation must confirm."""
        params = self.evaluation.point.params
        sizes = {name: max(element_size(p), 0.1) for name, p in params.items()}
        direction = {Key("param", name): sizes[name] * self.rng.standard_normal(p.shape) for name, p in params.items()}
        self.report.oracles = ["complex step, h = 1e-20, branches frozen", "Richardson extrapolation, branches frozen"]
        numeric = richardson(self.evaluation.evaluate, direction)
        try:
            slope = complex_step(self.evaluation.evaluate, direction)
        except Unusable as error:
            self._use_richardson(str(error))
            return
        distance = abs(slope - numeric.value)
        if distance > NUMERIC_TOLERANCE * max(abs(slope), abs(numeric.value)) and distance > 10.0 * numeric.error:
            self._use_richardson("the complex step disagrees with it, so the forward pass is not complex-safe")

    def _use_richardson(self, why: str) -> None:
        self.verdicts.oracle = RICHARDSON
        self.report.oracles = ["Richardson extrapolation, branches frozen"]
        self.report.notes.append(f"Richardson extrapolation is the only oracle: {why}.")

    def _probe_every_row(self) -> None:
        """V3: one probe for every parameter, input and cotangent; draw again where a probe carries no signal."""
        zeros: Counter[str] = Counter()
        for draw in range(DRAWS):
            evaluation = self.evaluation if draw == 0 else Evaluation(self.script, self.point(draw), self.cost)
            silent = self.verdicts.names(Verdict.INCONCLUSIVE)
            rows = [row for row in evaluation.rows if draw == 0 or row.name in silent]
            probes = evaluation.probes(rows, self.verdicts.oracle, self.rng)
            for row in rows:
                self.verdicts.settle(row, probes[row.name], evaluation)
                zeros[row.name] += probes[row.name].zero
            if not self.verdicts.names(Verdict.INCONCLUSIVE):
                break
        for name in self.verdicts.names(Verdict.INCONCLUSIVE):
            self.verdicts.settle_zero(name, zeros[name])

    def another_size(self, draw: int = 0) -> Point:
        """Draw a batch of another size, where targets in [0, 1] are 0 or 1: classes may have lines of their own."""
        plain = self.script.plain
        point = self._drawn(draw, self._another_size)
        return replace(point, batch=as_classes(point.batch, {**plain.INPUTS, **plain.TARGETS}))

    @cached_property
    def _another_size(self) -> int:
        size = len(next(iter(self.point(0).batch.values()), (0,)))
        taken = [*self.script.params.values(), *sizes_of(self.script.plain), (size,)]
        taken += [value.shape for values in self._values.values() for value in values]
        return generic_batch_size(taken, least=size + 1)

    @cached_property
    def _values(self) -> Mapping[str, Sequence[Array]]:
        """What the forward pass names at the first point, nothing where the script stops."""
        try:
            return self.evaluation.tape.values
        except (Exception, SystemExit):
            return {}

    def elsewhere(self) -> Iterator[Point]:
        """Yield points at which lines may be wrong that are right at the first: of another size, on other sides."""
        yield self.another_size()
        yield from self.sides.shown_at(map(self.point, OTHER_SIDES))

    def _probe_another_size(self, rows: list[Row]) -> None:
        """V2 on a batch of another size, at the first of several points that tells something."""
        for draw in range(NEAR):
            point = self.another_size(draw)
            try:
                evaluation = Evaluation(self.script, point, self.cost)
            except (Exception, SystemExit):
                self.stops_at = point
                return
            self.sides.see(evaluation.tape)
            result = self._elsewhere(evaluation, rows, 4, f"{self._another_size} examples")
            if result is None or result.verdict is not Verdict.SKIPPED:
                break
        self._add(result)

    def _probe_other_sides(self, rows: list[Row]) -> None:
        """V2 where a branch takes a side that it has taken at no point so far."""
        self.sides.see(self.evaluation.tape)
        for point in self.sides.shown_at(map(self.point, OTHER_SIDES)):
            if self.verdicts.failed_at is None:
                evaluation = Evaluation(self.script, point, self.cost)
                self._add(self._elsewhere(evaluation, rows, 5, "other sides of branches"))

    def _elsewhere(self, evaluation: Evaluation, rows: list[Row], number: int, where: str) -> CheckResult | None:
        if not evaluation.finite:
            return None
        names, rng = {row.name for row in rows}, np.random.default_rng([self.seed, number])
        return probe_elsewhere(self.verdicts, evaluation, names, rng, where)

    def _add(self, result: CheckResult | None) -> None:
        if result is not None:
            self.report.checks.append(result)

    def _crossings(self, counts: Mapping[int, int]) -> list[Crossing]:
        return [Crossing(n, self.script.structure.place(n).text, c) for n, c in sorted(counts.items()) if c]

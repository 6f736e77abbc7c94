"""Which sides of its branches a script has taken: what is wrong on one that no point takes cannot show.

At a generic point `np.where(v > 0.1, …)` may find no v above 0.1 at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from ..reading.types import Cost, Point
from ..tracing.displace import Recording, Tape
from ..tracing.traced import TracedScript

DRAWS = (1, 2, 5, 7)
"""The points that are looked at for another side: some near where training starts, some far from there."""


class Sides:
    """The sides that branches between two have taken at the points that were seen."""

    def __init__(self, script: TracedScript, cost: Cost) -> None:
        self.script, self.cost = script, cost
        self.taken: dict[int, set[bool]] = defaultdict(set)

    def see(self, tape: Tape) -> bool:
        """Note the sides that were taken in a forward pass; return whether one of them is new."""
        new = False
        for number, decision in tape.decisions:
            if decision.dtype == bool:
                found = {side for side in (True, False) if np.any(decision == side)}
                new = new or not found <= self.taken[number]
                self.taken[number] |= found
        return new

    @property
    def all_taken(self) -> bool:
        """Whether both sides of every branch were."""
        return all(len(sides) == 2 for sides in self.taken.values())

    def shown_at(self, points: Iterator[Point]) -> Iterator[Point]:
        """Yield the points at which a side is taken that none has taken before."""
        while not self.all_taken and (point := next(points, None)) is not None:
            tape = self._tape(point)
            if tape is not None and self.see(tape):
                yield point

    def _tape(self, point: Point) -> Tape | None:
        """Return what a forward pass has decided, None where it stops."""
        recording = Recording(self.script.woven, {})
        self.cost.forwards += 1
        try:
            with self.script.woven.heard_by(recording) as module:
                rng = np.random.default_rng(point.rng_seed)
                _, cache = module.forward(point.params, point.batch, training=point.training, rng=rng)
                module.total_loss(point.params, point.batch, cache)
        except (Exception, SystemExit):
            return None
        return recording.tape

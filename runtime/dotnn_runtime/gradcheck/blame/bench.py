"""Running the backward pass again and again: with the values handed in so far, and with others on trial."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from ..reading.types import Array, Key, Point
from ..tracing.follow import Follower
from ..tracing.run import Place, Run

SECONDS = 20.0
"""After so long no more lines are looked for …"""
MOST_WORK = 600_000
"""… and after so many events: that is the same on every machine."""


class OutOfTime(Exception):
    """There is no time left to try more values."""


class Bench:
    """A followed script at a point, and `overrides`, the right values that were handed in for wrong ones.

    Those that are `plain` are no cotangents: they stay what they are where the seed is another. `shifts` are subtracted
    from values of the forward pass. `work` counts the events of all replays.
    """

    def __init__(self, follower: Follower, point: Point, shifts: Mapping[Key, Array] | None = None) -> None:
        self.follower, self.point, self.shifts = follower, point, shifts
        self.overrides: dict[Place, Array] = {}
        self.plain: set[Place] = set()
        self._replay = follower.prepare(point, shifts)
        self.work = 0
        self._deadline = time.process_time() + SECONDS

    def follow(self) -> Run:
        """Run forward and backward, with the graph of what is made from what."""
        return self.follower.follow(self.point, self.overrides, self.shifts)

    def again(self, until: Place | None = None, kept: Collection[Place] | None = None, seed: float = 1.0) -> Run:
        """Run the backward pass alone, as far as an event, with a seed d_loss; keep the values of some events only."""
        given = {place: a if place in self.plain else seed * a for place, a in self.overrides.items()}
        return self._counted(self._replay(given, until, seed, kept))

    def on_trial(self, place: Place, value: Array) -> Run:
        """Run the backward pass with one more value handed in. Raises `OutOfTime`."""
        if self.is_late:
            raise OutOfTime
        return self._counted(self._replay({**self.overrides, place: value}))

    def _counted(self, run: Run) -> Run:
        self.work += run.length
        return run

    @property
    def is_late(self) -> bool:
        """Whether the time is up."""
        return self.work > MOST_WORK or time.process_time() > self._deadline

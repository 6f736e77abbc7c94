"""Every line of the backward pass judged by itself.

The events of a run are looked at in their order. The first that is not what it should be is wrong, or something that
it was made from and that no truth is known of: those statements are suspects. Which of them is to blame is shown by a
repair; then that, or the right value, is put in its place, and the search goes on.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..reading.types import Array, Key, Point
from ..tracing.follow import Follower
from ..tracing.run import Event
from ..tracing.weave import Site
from .assess import Assessment, Wrong
from .bench import Bench
from .culprit import Culprit, culprit
from .fault import Fault
from .outputs import outputs
from .scaling import UNSCALED, first_unscaled
from .stops import where_it_stopped
from .suspects import doubts
from .truth import Target

MOST_FAULTS = 12
MOST_ROUNDS = 80
MOST_DOUBTS = 3
MOST_PATHS = 3
"""After so many wrong turns no better repair is looked for."""


class Judge:
    """Judges the backward pass of a script, at one point after the other: repairs that were found stay."""

    def __init__(self, follower: Follower) -> None:
        self.follower, self.patches = follower, follower.patches
        self.faults: dict[int, Fault] = {}

    def judge(self, point: Point, shifts: Mapping[Key, Array] | None = None) -> list[Fault]:
        """Return the faults that show at a point and were not found before, in the order of the backward pass."""
        known, self.bench = {*self.faults}, Bench(self.follower, point, shifts)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other versions of a line may be odd
            for _ in range(MOST_ROUNDS):
                if self.bench.is_late or len(self.faults) >= MOST_FAULTS or not self._round():
                    break
            self._look_for_unscaled()
        return [fault for number, fault in self.faults.items() if number not in known]

    def _round(self) -> bool:
        """Find one more event that is wrong, and put it right; return whether there was one that could be."""
        state = Assessment(self.bench)
        wrong = self._first_wrong(state) if state.run.nodes else None
        if wrong is None:
            return False
        found = culprit(state, wrong, [n for n, fault in self.faults.items() if self._is_settled(n, fault)])
        fault = self._fault(state, wrong, found)
        return self._mended(state, wrong, found, fault) or self._overridden(state, wrong, fault)

    def _look_for_unscaled(self) -> None:
        """Note what is right for d_loss = 1 alone; it is handed in, too, and scales with the seed then."""
        for _ in range(MOST_FAULTS):
            state = Assessment(self.bench)
            event = first_unscaled(state) if state.run.nodes else None
            if event is None or event.value is None or self.bench.is_late:
                return
            right = Target.of(event.value)
            fault = Fault(event.site, event.line, event, event, state.run, right, pattern=UNSCALED)
            self.faults.setdefault(event.site.number, fault)
            self.bench.overrides[event.place] = event.value

    def _is_settled(self, number: int, fault: Fault) -> bool:
        """Whether no other repair of a site is looked for: there is none, or two were right by chance alone."""
        return number not in self.patches or len(fault.paths) >= MOST_PATHS

    def _first_wrong(self, state: Assessment) -> Wrong | None:
        found = state.first_wrong()
        run = state.run
        if found is None and run.error is not None and run.backward and not self.faults:
            last = replace(run.backward[-1], stopped=run.error, line=0)  # between two events
            return Wrong(where_it_stopped(last, run, self.bench.follower, state.shared), None)
        return found

    def _fault(self, state: Assessment, wrong: Wrong, found: Culprit) -> Fault:
        """Note that a site is to blame for an event."""
        site, event = found.site, wrong.event
        fault = self.faults.get(site.number)
        if fault is None:
            line = event.line if event.site.number == site.number else site.line
            fault = Fault(site, line, _shown(state, site, event), event, state.run)
            self.faults[site.number] = fault
        fault.paths.append(state.run.path(event))
        if found.repair is not None:
            fault.repair = found.repair.text
        elif not fault.doubts and not isinstance(event.stopped, KeyError):
            fault.doubts = doubts(state, [s for s in found.others if s is not site])[:MOST_DOUBTS]
        return fault

    def _mended(self, state: Assessment, wrong: Wrong, found: Culprit, fault: Fault) -> bool:
        """Whether an event is right with a repair, which stays then."""
        if found.repair is None:
            return False
        event, expectation = wrong
        self.patches[found.site.number] = found.repair.patch
        fixed = self.bench.again(event.place).at(event.place)
        fault.right = fault.right or state.target_of(expectation, fixed.value if fixed is not None else None)
        if fixed is not None and state.meets(expectation, fixed.value):
            return True
        self.patches.pop(found.site.number, None)
        return False

    def _overridden(self, state: Assessment, wrong: Wrong, fault: Fault) -> bool:
        """Whether the right value could be handed in for an event, or all those of a statement that has stopped."""
        event = wrong.event
        if event.stopped is not None:
            given = outputs(state, wrong)
        else:
            target = state.best_target(*wrong)
            given = {event.place: target} if target is not None else {}
        for place, target in given.items():
            self.bench.overrides[place] = target.value
            if state.expected.is_plain(event):
                self.bench.plain.add(place)
        fault.right = fault.right or given.get(event.place)
        return bool(given)


def _shown(state: Assessment, site: Site, event: Event) -> Event:
    """Return the event by which a site is to be shown: its own, the last before what was found to be wrong."""
    if event.site.number == site.number:
        return event
    own = list(state.of_site(site.number, before=event))
    return own[-1] if own else replace(event, site=site, line=site.line, name=(site.names or ("",))[0])

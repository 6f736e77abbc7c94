"""What is right and what is wrong in one run of a backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..reading.types import Array
from ..tracing.run import Event, Place, Run
from .bench import Bench, OutOfTime
from .expect import Expectation, Expectations
from .sites import carried_names
from .slopes import slopes
from .stops import where_it_stopped
from .truth import Target, Truths

FAR = 48
"""So many events behind a suspect show whether another value makes more of them right."""
MOST_TARGETS = 12
"""So many of the values that are expected are tried."""


class Wrong(NamedTuple):
    """An event that is wrong, or stopped, and what was expected of it."""

    event: Event
    expectation: Expectation | None


class Assessment:
    """A run with the values handed in so far, and the right cotangents beside it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.run = bench.follow()
        self.truths = Truths(self.run.nodes)
        script = bench.follower.script
        carried = carried_names(script.structure)
        self.expected = Expectations(self.run, self.truths, slopes(script, self.run), carried)

    @cached_property
    def judged(self) -> list[tuple[Event, Expectation]]:
        """The events of which something is expected, and which have consequences."""
        pairs = ((event, self.expected.of(event)) for event in self.run.backward)
        return [(e, x) for e, x in pairs if x is not None and (x.sure or self.expected.consumers[e.number])]

    @cached_property
    def shared(self) -> frozenset[str]:
        """The functions that the forward pass calls, too: they are not to blame for a gradient."""
        first = next((f.number for f in self.run.frames if f.function == "backward"), len(self.run.frames))
        return frozenset(f.function for f in self.run.frames if 0 < f.number < first)

    # --------------------------------------------------------------------------------------------- one event

    def first_wrong(self) -> Wrong | None:
        """Return the first event that is wrong or stopped, None if there is none."""
        for event in self.run.backward:
            if self.is_handed_in(event):
                continue
            expectation = self.expected.of(event)
            if event.stopped is not None:
                return Wrong(where_it_stopped(event, self.run, self.bench.follower, self.shared), expectation)
            if event.value is not None and expectation is not None and self._is_wrong(event, event.value, expectation):
                return Wrong(self._in_caller(event), expectation)
        return None

    def _is_wrong(self, event: Event, value: Array, expectation: Expectation) -> bool:
        if expectation.met(self.truths, value):
            return False
        if value.dtype.kind not in "fc" or expectation.sure:
            return True
        if not self.expected.consumers[event.number] and self.run.error is None:
            return False
        doubtful = not event.seeded or self.expected.has_another_name(value)
        return not doubtful or self.expected.names_are_kept or self._helps(event, expectation)

    def is_handed_in(self, event: Event) -> bool:
        """Whether the right value was handed in for an event: what made it has been blamed, and spoils nothing now."""
        return event.place in self.bench.overrides

    def is_right(self, event: Event) -> bool:
        """Whether an event is right as far as can be told."""
        if self.is_handed_in(event):
            return True
        if event.value is None:
            return False
        expectation = self.expected.of(event)
        if expectation is not None:
            return expectation.met(self.truths, event.value)
        return bool(self.truths.find(event.value)) or self.truths.nothing(event.value)

    def meets(self, expectation: Expectation | None, value: Array | None) -> bool:
        """Whether a value is what is expected; where nothing is, that there is one."""
        return value is not None if expectation is None else expectation.met(self.truths, value)

    def _in_caller(self, event: Event) -> Event:
        """Return the event of an argument as one of the statement that has passed it."""
        frame = self.run.frames[event.frame]
        if event.site.kind != "argument" or frame.site < 0:
            return event
        site = self.bench.follower.sites[frame.site]
        return replace(event, site=site, line=site.line, frame=frame.caller)

    def source(self, event: Event) -> Event:
        """Return the event that made a value which was only handed on since: a function's result, another name."""
        while len(event.deps) == 1 and event.deps[0] >= self.run.start_of_backward and event.value is not None:
            before = self.run.events[event.deps[0]]
            same = before.value is not None and np.array_equal(event.value, before.value)
            if not same or before.site.kind != "return" or self.is_handed_in(before):
                break
            event = before
        return event

    # ------------------------------------------------------------------------------- what comes after an event

    def wrong(self, run: Run) -> set[Place | str]:
        """Return the places that are wrong in a replay, or never reached, and the names of wrong gradients."""
        values = {event.place: event.value for event in run.events}
        found: set[Place | str] = {e.place for e, x in self.judged if not x.met(self.truths, values.get(e.place))}
        grads = run.grads if isinstance(run.grads, dict) else {}
        for name, node in (self.run.asked_for | self.run.answered(grads)).items():
            if node.total is not None and not self.truths.same(grads.get(name), node.total):
                found.add(name)
        return found

    def _helps(self, event: Event, expectation: Expectation) -> bool:
        """Whether one of the values that are expected makes something right that is wrong, and more behind it."""
        behind, now = self._behind(event), self.bench.again()
        score, wrong = self._score(now, behind), len(self.wrong(now))
        try:
            runs = [self.bench.on_trial(event.place, t.value) for t in expectation.targets[:MOST_TARGETS]]
        except OutOfTime:
            return False
        return any(self._score(run, behind) > score for run in runs) and any(
            len(self.wrong(run)) < wrong for run in runs
        )

    def best_target(self, event: Event, expectation: Expectation | None) -> Target | None:
        """Return what should be handed in for an event: what makes the most of the events behind it right."""
        targets = expectation.targets if expectation is not None else ()
        fitting = [t for t in targets if event.value is None or t.value.shape == event.value.shape] or [*targets]
        if len(fitting) < 2:
            return fitting[0] if fitting else None
        behind, scored = self._behind(event), [(-1, fitting[0])]
        for target in fitting[: 2 * MOST_TARGETS]:
            try:
                scored.append((self._score(self.bench.on_trial(event.place, target.value), behind), target))
            except OutOfTime:
                break
        return max(scored, key=lambda pair: pair[0])[1]

    def target_of(self, expectation: Expectation | None, value: Array | None) -> Target | None:
        """Return which of the values that are expected one is."""
        targets = expectation.targets if expectation is not None else ()
        return next((t for t in targets if self.truths.same(value, t.value)), None)

    def _behind(self, event: Event) -> list[Event]:
        """Return the next events that are made from one."""
        found: dict[int, Event] = {}
        unread = [event]
        while unread and len(found) < FAR:
            for user in self.expected.consumers[unread.pop(0).number]:
                if user.number not in found:
                    found[user.number] = user
                    unread.append(user)
        return [found[number] for number in sorted(found)]

    def _score(self, run: Run, behind: list[Event]) -> int:
        """Return how right these events are in a replay: what is expected counts twice, to have stopped once less."""
        values = {event.place: event.value for event in run.events}
        return sum(self._points(event, values.get(event.place)) for event in behind) - (run.error is not None)

    def _points(self, event: Event, value: Array | None) -> int:
        expectation = self.expected.of(event)
        if value is None:
            return 0
        return int(bool(self.truths.find(value))) if expectation is None else 2 * expectation.met(self.truths, value)

    @cached_property
    def by_site(self) -> dict[tuple[int, int], list[Event]]:
        """The events of the backward pass by call and site."""
        found: dict[tuple[int, int], list[Event]] = {}
        for event in self.run.backward:
            found.setdefault((event.frame, event.site.number), []).append(event)
        return found

    def of_site(self, number: int, before: Event | None = None) -> Iterator[Event]:
        """Yield the events of a site, in all calls, as far as another event."""
        for event in self.run.backward:
            if event.site.number == number and (before is None or event.number <= before.number):
                yield event

"""Every line of the backward pass judged by itself.

The events of a run are looked at in their order. The first that is not what it should be is wrong, or something that
it was made from and that no truth is known of: those statements are suspects. Which of them is to blame is shown by a
repair; then the right value is handed in, and the search goes on.
"""

from __future__ import annotations

import ast
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from ..reading.types import Array, Key, Point
from ..tracing.follow import Follower
from ..tracing.run import Event, Overrides, Place, Run
from ..tracing.weave import Site
from .edits import TIERS
from .expect import ROOT, Expectation, Expectations
from .fault import Fault
from .repair import Repair, Repairs
from .sites import base_name, keeps_its_promise, loops_around, only_reads, written_keys
from .truth import Target, Truths

MOST_FAULTS = 12
MOST_ROUNDS = 80
SECONDS = 12.0
"""After so long no more lines are looked for."""
MOST_REPAIRS = 6
SURE, UNSURE = 0.3, 2.0
"""How many seconds a repair is looked for where one line alone is suspected, and where several are."""
FAR = 48
"""So many events behind a suspect show whether another value makes more of them right."""


class Judge:
    """Judges the backward pass of a script at a point."""

    def __init__(self, follower: Follower, point: Point, shifts: Mapping[Key, Array] | None = None) -> None:
        self.follower, self.point, self.shifts = follower, point, shifts
        self.replay = follower.prepare(point, shifts)
        self.overrides: dict[Place, Array] = {}
        self.faults: list[Fault] = []
        self.known: dict[int, Fault] = {}
        self.deadline = time.process_time() + SECONDS

    def judge(self) -> list[Fault]:
        """Return the faults, in the order of the backward pass."""
        self.follower.patches.clear()
        try:
            with np.errstate(all="ignore"):
                for _ in range(MOST_ROUNDS):
                    if time.process_time() > self.deadline or len(self.faults) >= MOST_FAULTS or not self._round():
                        break
        finally:
            self.follower.patches.clear()
        return self.faults

    def _round(self) -> bool:
        """Find one more event that is wrong; return whether there was one."""
        self.run = self.follower.follow(self.point, self.overrides, self.shifts)
        if not self.run.nodes:
            return False
        self.truths = Truths(self.run.nodes)
        self.expected = Expectations(self.run, self.truths)
        pairs = [(event, self.expected.of(event)) for event in self.run.backward]
        self._judged = [(e, x) for e, x in pairs if x is not None and (x.sure or self.expected.consumers[e.number])]
        self.shared = {f.function for f in self.run.frames if f.number and f.number < self._first_frame_back()}
        found = self._first_wrong()
        if found is None and self.run.error is not None and not self.faults:
            last = replace(self.run.backward[-1], stopped=self.run.error, line=0) if self.run.backward else None
            found = (self._where_it_stopped(last), None) if last is not None else None
        if found is None:
            return False
        event, expectation = found
        site, repair = self._culprit(event, expectation)
        fault = self.known.get(site.number)
        if fault is None:
            shown = self._shown(site, event)
            fault = Fault(site, self._line(site, event), shown, event, None, self._expectation_of(event, expectation))
            fault.run = self.run
            self.known[site.number] = fault
            self.faults.append(fault)
        fault.paths.append(self.run.path(event))
        if repair is None and not fault.doubts:
            others = [s for s in self._suspects(event) if s.kind == "assign" and s is not site and not only_reads(s)]
            fault.doubts = [(s.names[0], s.line) for s in others[:3] if s.names[0].isidentifier()]
        if repair is not None:
            fault.repair = repair.text
            self.follower.patches[site.number] = repair.patch
            fixed = self.replay(self.overrides, event.place).at(event.place)
            fault.right = fault.right or self._target_of(expectation, fixed)
            if fixed is not None and self._right(expectation, fixed.value):
                return True
            self.follower.patches.pop(site.number, None)
        target = self._best_target(event, expectation)
        if target is None:
            return False
        fault.right = fault.right or target
        self.overrides[event.place] = target.value
        return True

    def _expectation_of(self, event: Event, expectation: Expectation | None) -> tuple[Target, ...]:
        return expectation.targets if expectation is not None else ()

    # --------------------------------------------------------------------------------------- what is wrong

    def _first_wrong(self) -> tuple[Event, Expectation | None] | None:
        for event in self.run.backward:
            if event.place in self.overrides:
                continue
            expectation = self.expected.of(event)
            if event.stopped is not None:
                return self._where_it_stopped(event), expectation
            if event.value is None or expectation is None or expectation.met(self.truths, event.value):
                continue
            if event.value.dtype.kind not in "fc":
                return event, expectation
            used = self.expected.consumers[event.number] or self.run.error is not None
            if not expectation.sure and not used:
                continue
            doubtful = bool(self.truths.find(event.value)) or not event.seeded
            if expectation.sure or not doubtful or self._helps(event, expectation):
                return self._in_caller(event), expectation
        return None

    def _in_caller(self, event: Event) -> Event:
        """Return the event of an argument as one of the statement that has passed it."""
        frame = self.run.frames[event.frame]
        if event.site.kind != "argument" or frame.site < 0:
            return event
        site = self.follower.sites[frame.site]
        return replace(event, site=site, line=site.line, frame=frame.caller)

    def _where_it_stopped(self, event: Event) -> Event:
        """Return the event of the innermost line of the backward pass that an exception passed through."""
        lines = [line for name, line in self._lines_of(event.stopped) if name not in self.shared]
        if not lines or lines[-1] == event.line:
            return event
        sites = [s for s in self.follower.sites if s.line == lines[-1] and s.kind not in ("argument", "loop")]
        if not sites:
            return event
        place = Place(sites[0].number, 0, "", 0)
        name = sites[0].names[0] if sites[0].names else ""
        calls = [f.number for f in self.run.frames if f.function == sites[0].function]
        frame = calls[-1] if calls else event.frame
        made = replace(event, deps=(), execution=0, place=place, name=name, frame=frame)
        return replace(made, site=sites[0], line=sites[0].line)

    def _lines_of(self, error: BaseException | None) -> list[tuple[str, int]]:
        frames = traceback.extract_tb(error.__traceback__) if error is not None else []
        found = [f for f in frames if f.filename == self.follower.script.filename]
        return [(f.name, f.lineno or 0) for f in found]

    def _source(self, event: Event) -> Event:
        """Return the event that made a value which was only handed on since: a function's result, another name."""
        while len(event.deps) == 1 and event.deps[0] >= self.run.start_of_backward and event.value is not None:
            before = self.run.events[event.deps[0]]
            same = before.value is not None and np.array_equal(event.value, before.value)
            if not same or before.site.kind != "return" or before.place in self.overrides:
                break
            event = before
        return event

    def _right(self, expectation: Expectation | None, value: Array | None) -> bool:
        if expectation is None:
            return value is not None
        return expectation.met(self.truths, value)

    def _is_right(self, event: Event) -> bool:
        """Whether an event is right as far as can be told."""
        if event.place in self.overrides:
            return True
        if event.value is None:
            return False
        expectation = self.expected.of(event)
        if expectation is not None:
            return expectation.met(self.truths, event.value)
        return bool(self.truths.find(event.value)) or self.truths.nothing(event.value)

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
        """Count which of these events are right in a replay."""
        values = {event.place: event.value for event in run.events}
        count = 0
        for event in behind:
            value, expectation = values.get(event.place), self.expected.of(event)
            if value is None:
                continue
            if expectation is not None:
                count += 2 * expectation.met(self.truths, value)
            else:
                count += bool(self.truths.find(value))
        return count

    def _gain(self, event: Event, expectation: Expectation) -> int:
        """Return how many more events are right with the best of the values that are expected."""
        behind = self._behind(event)
        run = self.replay(self.overrides)
        before = self._score(run, behind) - (run.error is not None)
        return max((self._score_with(event, t, behind) for t in expectation.targets[:12]), default=before) - before

    def _helps(self, event: Event, expectation: Expectation) -> bool:
        """Whether one of the values that are expected makes most of what is wrong right."""
        if self._gain(event, expectation) <= 0:
            return False
        before = self._wrong(self.replay(self.overrides))
        targets = expectation.targets[:12]
        return any(2 * self._wrong(self.replay({**self.overrides, event.place: t.value})) <= before for t in targets)

    def _score_with(self, event: Event, target: Target, behind: list[Event]) -> int:
        run = self.replay({**self.overrides, event.place: target.value})
        return self._score(run, behind) - (run.error is not None)

    def _best_target(self, event: Event, expectation: Expectation | None) -> Target | None:
        """Return what should be handed in for an event: what makes the most of the events behind it right."""
        if expectation is None or not expectation.targets:
            return None
        targets = [t for t in expectation.targets if event.value is None or t.value.shape == event.value.shape]
        targets = targets or list(expectation.targets)
        if len(targets) == 1:
            return targets[0]
        behind = self._behind(event)
        return max(targets[:24], key=lambda target: self._score_with(event, target, behind))

    def _target_of(self, expectation: Expectation | None, event: Event | None) -> Target | None:
        if expectation is None or event is None:
            return None
        return next((t for t in expectation.targets if self.truths.same(event.value, t.value)), None)

    # ------------------------------------------------------------------------------------------ who is to blame

    def _culprit(self, event: Event, expectation: Expectation | None) -> tuple[Site, Repair | None]:
        """Return the site to blame for a wrong event, and its repair if one was found."""
        misplaced = self._under_another_name(event)
        if misplaced is not None:
            return misplaced, None
        suspects = self._suspects(event)
        suspects.sort(key=lambda site: (site.number != event.site.number, site.kind != "loop"))
        for site in suspects:
            if site.number in self.known and site.number not in self.follower.patches:
                return site, None
        search = Repairs(self.follower, self.replay, self.overrides, SURE if len(suspects) == 1 else UNSURE)
        before = self._wrong(self.replay(self.overrides))
        found: list[tuple[int, int, int, Repair]] = []
        for tier in range(TIERS):
            for order, site in enumerate(suspects):
                if tier > 1 and order and only_reads(site):
                    continue
                local = self._local(site, event, expectation)
                right = partial(self._repaired, event, expectation)
                for repair in islice(search.at(site, self._execution(site, event), right, local, tier), MOST_REPAIRS):
                    wrong = self._wrong(self.replay(self.overrides))
                    if wrong < before if site.number == event.site.number else 2 * wrong <= before:
                        found.append((wrong, tier + repair.rank // 200, order, repair))
                    if not wrong:
                        break
            if found and (tier == 1 or not min(wrong for wrong, *_ in found)):
                best = min(found, key=lambda entry: entry[:3])[3]
                return best.site, best
        if found:
            best = min(found, key=lambda entry: entry[:3])[3]
            return best.site, best
        source = self._source(event)  # a function whose lines are judged, or a helper, which is its caller's matter
        judged = any(e.frame == source.frame for e, _ in self._judged)
        return source.site if judged else event.site, None

    def _under_another_name(self, event: Event) -> Site | None:
        """Return the statement that has put a gradient where another belongs, where one is missing at the end."""
        missing = event.stopped.args[0] if isinstance(event.stopped, KeyError) and event.stopped.args else None
        right = self.run.params.get(missing) if isinstance(missing, str) else None
        if right is None or right.total is None:
            return None
        for e in self.run.backward:
            if "[" in e.name and e.site.kind != "return" and self.truths.same(e.value, right.total):
                return e.site
        return None

    def _repaired(self, event: Event, expectation: Expectation | None) -> bool:
        """Whether an event is right in a replay, or the gradient that it should be."""
        if expectation is not None and expectation.sure:
            run = self.replay(self.overrides, kept={event.place})
            grads = run.grads if isinstance(run.grads, dict) else {}
            if any(grads.get(n) is not None and self._right(expectation, grads[n]) for n in self._names(expectation)):
                return True
            now = run.at(event.place)
        elif event.place.part >= 1 and event.site.kind != "unpack":  # finished later, perhaps
            all_of_it = [e for e in self.replay(self.overrides).events if e.place[:3] == event.place[:3]]
            return any(self._right(expectation, e.value) for e in all_of_it)
        else:
            now = self.replay(self.overrides, event.place, kept={event.place}).at(event.place)
        if event.stopped is not None and expectation is None:
            return True  # whether it helps is seen by what is wrong then
        return now is not None and now.stopped is None and self._right(expectation, now.value)

    def _names(self, expectation: Expectation) -> list[str]:
        """Return the parameters whose gradients are expected."""
        nodes = [target.node for target in expectation.targets]
        return [name for name, node in self.run.params.items() if any(node is n for n in nodes)]

    def _wrong(self, run: Run) -> int:
        """Count the events that are wrong in a replay, and those that it did not come to."""
        values = {event.place: event.value for event in run.events}
        count = 0
        for event, expectation in self._judged:
            count += not expectation.met(self.truths, values.get(event.place))
        for name, node in self.run.params.items():
            grad = run.grads.get(name) if isinstance(run.grads, dict) else None
            count += node.total is not None and not self.truths.same(grad, node.total)
        return count

    def _local(self, site: Site, event: Event, expectation: Expectation | None) -> Callable[[Any], bool] | None:
        """Return what judges the value of a site's own expression, where that is the value of the event."""
        if (
            not site.number == event.site.number == event.place.site
            or event.place.part >= 2
            or site.kind == "loop"
            or expectation is None
        ):
            return None
        if site.kind == "part" and event.place.part == 1:
            return None
        place, many = event.place, site.kind in ("unpack", "return") and len(site.names) > 1

        def judge(value: Any) -> bool:
            value = value[place.part] if many else value
            value = value[place.key] if place.key else value
            return expectation.met(self.truths, np.asarray(value))

        return judge

    def _execution(self, site: Site, event: Event) -> int:
        """Return when a site was executed last before an event."""
        before = [e.execution for e in self.run.backward if e.site.number == site.number and e.number <= event.number]
        return before[-1] if before else 0

    def _suspects(self, event: Event) -> list[Site]:
        """Return the statements that may be to blame for an event, its own first."""
        found: dict[int, Site] = {}
        unread, seen = [event, self._source(event)], {event.number}
        while unread:
            e = unread.pop(0)
            if (
                e.site.kind != "argument"
                and not keeps_its_promise(e.site)
                and (e is event or e.site.function not in self.shared)
            ):
                found.setdefault(e.site.number, e.site)
            for site in self._helpers(e):
                if keeps_its_promise(site):
                    continue
                found.setdefault(site.number, site)
            for number in e.deps:
                dep = self.run.events[number]
                if number in seen or number < self.run.start_of_backward:
                    continue
                seen.add(number)
                if not dep.seeded or not self._is_right(dep) or only_reads(dep.site):
                    unread.append(dep)
        if isinstance(event.stopped, KeyError):
            key = str(event.stopped.args[0]) if event.stopped.args else ""
            for site in self.follower.sites:
                if any(key.endswith(text) for text in written_keys(site.node)) and site.function not in self.shared:
                    found.setdefault(site.number, site)
        for site in list(found.values()):
            for loop in loops_around(site, self.follower, self.shared):
                found.setdefault(loop.number, loop)
        return list(found.values())

    def _helpers(self, event: Event) -> Iterator[Site]:
        """Yield the statements that make what a statement reads besides cotangents: values, masks, slopes."""
        unread, seen = [(event.site, event.frame)], set[tuple[int, str]]()
        while unread:
            site, frame = unread.pop(0)
            if frame >= len(self.run.frames):
                continue
            function = self.run.frames[frame]
            names = {n.id for n in ast.walk(site.node) if isinstance(n, ast.Name)} if site.kind != "argument" else set()
            if site.kind == "argument":
                names = set()
            for name in names:
                if (frame, name) in seen:
                    continue
                seen.add((frame, name))
                for other in self._making(function.function, name, frame):
                    if other.kind == "argument":
                        if function.site >= 0 and function.caller >= 0:
                            caller = self.follower.sites[function.site]
                            if caller.function not in ROOT:
                                yield caller
                                unread.append((caller, function.caller))
                    elif other.number != site.number:
                        yield other
                        unread.append((other, frame))
            for name in names:
                yield from self._inside(name)

    def _making(self, function: str, name: str, frame: int) -> Iterator[Site]:
        """Yield the sites of a function that make what has a name, unless all that they made there is right."""
        for site in self.follower.sites:
            if site.function != function or not any(base_name(n) == name for n in site.names):
                continue
            events = self._events_of.get((frame, site.number), [])
            events = [e for e in events if base_name(e.name) == name or e.place.key]
            if site.kind == "loop" or (site.kind != "argument" and function in self.shared):
                continue
            if events and all(e.seeded and self._is_right(e) for e in events) and not only_reads(site):
                continue
            yield site

    def _inside(self, function: str) -> Iterator[Site]:
        """Yield the statements of a function that only the backward pass calls, if it makes no cotangents itself."""
        if function in self.shared or function not in self.follower.script.structure.functions:
            return
        events = [e for e in self.run.backward if e.site.function == function]
        if any(e.seeded and self._is_right(e) and e.site.kind == "return" for e in events):
            return
        yield from (s for s in self.follower.sites if s.function == function and s.kind not in ("argument", "loop"))

    @property
    def _events_of(self) -> dict[tuple[int, int], list[Event]]:
        if getattr(self, "_indexed", None) is not self.run:
            self._index: dict[tuple[int, int], list[Event]] = {}
            for event in self.run.backward:
                self._index.setdefault((event.frame, event.site.number), []).append(event)
            self._indexed = self.run
        return self._index

    def _first_frame_back(self) -> int:
        return next((f.number for f in self.run.frames if f.function == "backward"), len(self.run.frames))

    def _line(self, site: Site, event: Event) -> int:
        return event.line if event.site.number == site.number else site.line

    def _shown(self, site: Site, event: Event) -> Event:
        """Return the event by which a site is to be shown: its own, the last before what was found to be wrong."""
        if event.site.number == site.number:
            return event
        own = [e for e in self.run.backward if e.site.number == site.number and e.number <= event.number]
        return own[-1] if own else replace(event, site=site, line=site.line, name=(site.names or ("",))[0])


__all__ = ["Fault", "Judge", "Overrides"]

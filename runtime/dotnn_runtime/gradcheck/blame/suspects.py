"""Which statements may be to blame for a wrong event: its own, and those whose results no truth is known of.

What an event was made from is followed back as far as to what is right. The way goes through functions and their
arguments, to what makes values, masks and slopes besides the cotangents, and to the loops around.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ..tracing.run import Event, Frame
from ..tracing.weave import Site
from .assess import Assessment
from .promises import ROOT
from .sites import base_name, handed_on, keeps_its_promise, loops_around, made_by, names_in, only_reads, written_keys


def suspects(state: Assessment, event: Event) -> list[Site]:
    """Return the statements that may be to blame for an event, its own first, then the loops around it."""
    return _Search(state, event).run()


def doubts(state: Assessment, sites: list[Site]) -> list[tuple[str, int]]:
    """Return the names and the lines that a report may doubt besides: what computes something that is not empty."""
    found = []
    for site in sites:
        values = [e.value for e in state.of_site(site.number) if e.value is not None]
        computes = site.kind == "assign" and site.names[0].isidentifier() and not only_reads(site)
        if computes and any(value.any() for value in values):
            found.append((site.names[0], site.line))
    return found


class _Search:
    """The way back from one event; the functions that were `entered` before it are gone through event by event."""

    def __init__(self, state: Assessment, event: Event) -> None:
        self.state, self.event = state, event
        self.run_, self.follower = state.run, state.bench.follower
        self.found: dict[int, Site] = {}
        self.entered = {"backward"}
        self.asked: set[tuple[int, ...]] = set()
        self.making: dict[tuple[int, str], list[tuple[Site, int]]] = {}
        frame = event.frame
        while frame > 0:
            self.entered.add(self.run_.frames[frame].function)
            frame = self.run_.frames[frame].caller

    def run(self) -> list[Site]:
        for event in self._behind_it():
            own = event is self.event or event.site.function not in self.state.shared
            if event.site.kind != "argument" and own:
                self._add(event.site)
            for site in self._helpers(event):
                self._add(site)
        for site in self._writing_its_key():
            self._add(site)
        for site in list(self.found.values()):
            for loop in loops_around(site, self.follower, self.state.shared):
                self._add(loop)
        return sorted(self.found.values(), key=lambda s: (s.number != self.event.site.number, s.kind != "loop"))

    def _add(self, site: Site) -> None:
        if not keeps_its_promise(site):
            self.found.setdefault(site.number, site)

    def _behind_it(self) -> Iterator[Event]:
        """Yield the event, and what it was made from as far as to what is right."""
        unread, seen = [self.event, self.state.source(self.event)], {self.event.number}
        while unread:
            event = unread.pop(0)
            yield event
            for number in event.deps:
                dep = self.run_.events[number]
                if number in seen or number < self.run_.start_of_backward:
                    continue
                seen.add(number)
                if self.state.is_handed_in(dep):
                    continue
                if not dep.seeded or not self._is_right(dep) or only_reads(dep.site) or self._is_summed(dep):
                    unread.append(dep)

    def _is_right(self, event: Event) -> bool:
        """Whether an event is right beyond doubt: zero may be right by itself, and be what is wrong with the rest."""
        doubtful = self.state.expected.of(event) is None and event.value is not None and not np.any(event.value)
        return self.state.is_right(event) and not doubtful

    def _is_summed(self, dep: Event) -> bool:
        """Whether the event is but a sum of another, of which no name says what it should be."""
        return handed_on(self.event.site) == dep.name and self.state.expected.of(dep) is None

    def _writing_its_key(self) -> Iterator[Site]:
        """Yield the statements that write under a name that looks like the one which is missing."""
        stopped = self.event.stopped
        key = str(stopped.args[0]) if isinstance(stopped, KeyError) and stopped.args else ""
        for site in self.follower.sites if key else ():
            if site.function not in self.state.shared and any(key.endswith(k) for k in written_keys(site.node)):
                yield site

    # ----------------------------------------------------------------------- what makes the rest that it reads

    def _helpers(self, event: Event) -> Iterator[Site]:
        """Yield the statements that make what a statement reads besides cotangents: values, masks, slopes.

        None where the same was asked for another turn of its loop.
        """
        unread, seen = [(made_by(event), event.site, event.frame)], set[tuple[int, str]]()
        asked = (event.site.number, event.frame, *map(id, unread[0][0]))
        if asked in self.asked:
            return
        self.asked.add(asked)
        while unread:
            parts, site, frame = unread.pop(0)
            names = names_in(parts)
            for name in sorted(names):
                if (frame, name) in seen:
                    continue
                seen.add((frame, name))
                for other, caller in self._making(name, frame):
                    if other.number != site.number:
                        yield other
                        unread.append(([other.node], other, caller))
            for name in sorted(names):
                yield from self._inside(name)

    def _making(self, name: str, frame: int) -> list[tuple[Site, int]]:
        """Return the sites that make what has a name in a call, each with the call that it stands in."""
        if (frame, name) not in self.making:
            self.making[frame, name] = [] if self._is_known(name, frame) else [*self._openly_making(name, frame)]
        return self.making[frame, name]

    def _openly_making(self, name: str, frame: int) -> Iterator[tuple[Site, int]]:
        call = self.run_.frames[frame]
        for site in self.follower.sites:
            makes = site.function == call.function and site.kind != "loop" and name in map(base_name, site.names)
            if makes and self._is_open(site, name, frame):
                yield from self._from_caller(call) if site.kind == "argument" else self._own(site, frame)

    def _own(self, site: Site, frame: int) -> Iterator[tuple[Site, int]]:
        if site.function not in self.state.shared:
            yield site, frame

    def _from_caller(self, call: Frame) -> Iterator[tuple[Site, int]]:
        """Yield the statement that made a call, if the backward pass did."""
        if call.site >= 0 and self.follower.sites[call.site].function not in ROOT:
            yield self.follower.sites[call.site], call.caller

    def _is_known(self, name: str, frame: int) -> bool:
        """Whether a name stands for a right cotangent before the event: a buffer that is filled by now."""
        named = [e for e in self._named.get((frame, name), ()) if e.number < self.event.number]
        if named and self.state.is_handed_in(named[-1]):
            return True
        last = named[-1] if named and self.event.stopped is None else None
        return last is not None and last.seeded and self._is_right(last) and not only_reads(last.site)

    @cached_property
    def _named(self) -> dict[tuple[int, str], list[Event]]:
        """The events by call, and by the name that they give something."""
        found: dict[tuple[int, str], list[Event]] = {}
        for event in self.run_.backward:
            found.setdefault((event.frame, base_name(event.name)), []).append(event)
        return found

    def _before(self, events: list[Event]) -> list[Event] | None:
        """Return which of some events were before the event; None if they all came only after it."""
        before = [e for e in events if e.number < self.event.number]
        return before if before or not events else None

    def _is_open(self, site: Site, name: str, frame: int) -> bool:
        """Whether something that a site has made under a name, before the event, is not known to be right.

        What is right by its numbers may still be what a function stops at, because of its shape.
        """
        before = self._before(self.state.by_site.get((frame, site.number), []))
        if before is None or (before and all(map(self.state.is_handed_in, before))):
            return False
        if only_reads(site) or (self.event.stopped is not None and site.function == self.event.site.function):
            return True
        named = (e for e in before if base_name(e.name) == name or e.place.key)
        known = {e.seeded and self._is_right(e) for e in named}
        return known != {True}

    def _inside(self, function: str) -> Iterator[Site]:
        """Yield the statements of a function that only the backward pass calls, and that returns no cotangents.

        Where it does, what it returns is followed back event by event.
        """
        if function not in self.follower.script.structure.functions.keys() - self.state.shared - self.entered:
            return
        before = self._before([e for e in self.run_.backward if e.site.function == function])
        if before is None or ("return", True) in {(e.site.kind, e.seeded) for e in before}:
            return
        for site in self.follower.sites:
            if site.function == function and site.kind not in ("argument", "loop"):
                yield site

"""What every assignment of the backward pass should have made.

A returned gradient should be that of its parameter. Beyond that a name is a promise. What keeps no promise by name is
not judged by it, only by what is made of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, takewhile

import numpy as np

from ..reading.types import Array
from ..tracing.run import Event, Run
from ..tracing.values import node_of
from .promises import Promise, Promises, spread
from .recomputed import recomputed
from .truth import Target, Truths

TRUSTED = 3
"""So many times more lines must keep their promise than break it."""


@dataclass(frozen=True)
class Expectation:
    """The cotangents that an event may be. `sure` is what no naming can change: a gradient that is returned.

    Where some of them are more likely `meant` than the others, an event is right only if it is one of those.
    """

    targets: tuple[Target, ...]
    sure: bool = False
    meant: tuple[Target, ...] = ()

    def met(self, truths: Truths, claim: Array | None) -> bool:
        """Whether a value is one of them."""
        return any(truths.same(_spread(claim, target.value), target.value) for target in self.meant or self.targets)


def _spread(claim: Array | None, right: Array) -> Array | None:
    """Return a claim in the shape of what it should be, where fewer numbers may stand for all."""
    if claim is None or np.ndim(claim) > np.ndim(right) or np.shape(claim) == np.shape(right):
        return claim
    try:
        return np.broadcast_to(claim, np.shape(right))
    except ValueError:
        return claim


class Expectations:
    """What is expected of the events of a run; `carried` is where a loop assigns a name, as `carried_names` says."""

    def __init__(
        self, run: Run, truths: Truths, slopes: Mapping[int, Target], carried: Mapping[tuple[str, str], int]
    ) -> None:
        self.run, self.truths, self.slopes, self.carried = run, truths, slopes, carried
        self.consumers: dict[int, list[Event]] = defaultdict(list)
        for event in run.backward:
            for dep in event.deps:
                self.consumers[dep].append(event)
        self.promises = Promises(run, truths, self.consumers)
        self.recomputed = recomputed(run)
        self._known: dict[int, Expectation | None] = {}

    def of(self, event: Event) -> Expectation | None:
        """Return what is expected of an event, None for nothing."""
        if event.number not in self._known:
            self._known[event.number] = self._find(event)
        return self._known[event.number]

    def is_plain(self, event: Event) -> bool:
        """Whether an event should be no cotangent, which scales with the seed, but a slope or a value made again."""
        return event.number in self.slopes or event.number in self.recomputed

    def _find(self, event: Event) -> Expectation | None:
        if event.number in self.slopes:
            return Expectation((self.slopes[event.number],))
        if event.number in self.recomputed:
            return Expectation(self.recomputed[event.number])
        returned = self._returned.get(event.number)
        if returned is not None and event.place.key:
            return returned
        promised = self._part_promised(event) if self.is_partial(event) else self._promised(event)
        if promised is not None and not self._starts(event):
            return promised
        return returned if "[" in event.name or self._is_free(event) else None

    def _is_free(self, event: Event) -> bool:
        """Whether an event is a cotangent of nothing known."""
        known = event.value is None or bool(self.truths.find(event.value))
        return event.seeded and not known and event.site.kind != "return"

    def _promised(self, event: Event) -> Expectation | None:
        """Return what a name promises: in a loop that goes through the turns of the forward pass, in the same turn."""
        own, others = self._promise[event.number]
        if own and self._by_turns[event.site.number] > 0:
            return Expectation(own)
        likely = own if self._goes_by_turns(event) else ()
        return Expectation(own + others, meant=likely) if own or others else None

    def _part_promised(self, event: Event) -> Expectation | None:
        """Return what is promised of a part that a statement of another turn adds to: `d_c = d_c * f` at the end."""
        if event.stopped is not None and event.site.kind == "part":
            return self._added(event)
        if not event.loops or event.site.kind != "assign" or event.place.part:
            return None
        users = (user for user in self.consumers[event.number] if user.loops != event.loops)
        wholes = [t for user in users for t in self._promise[user.number].own if t.is_whole]
        parts = (self.truths.parts.get(id(spread(whole.node)), ()) for whole in wholes)
        return Expectation((*wholes, *chain.from_iterable(parts))) if wholes else None

    def _added(self, event: Event) -> Expectation | None:
        """Return what `+=` should have added where it stops: the part through the uses of the same turn."""
        wholes = [t for t in chain(*self._promise[event.number]) if t.is_whole]
        nodes = {id(node): node for node in (spread(whole.node) for whole in wholes)}
        parts = ((node, self.promises.uses_in_turn(node, event.loops)) for node in nodes.values())
        found = tuple(Target(node, uses) for node, uses in parts if uses)
        return Expectation(found) if found else None

    def _goes_by_turns(self, event: Event) -> bool:
        """Whether an event is likely to be one of its own turn: so are most of its site, or else of its function."""
        return (self._by_turns[event.site.number] or self._by_turns[event.site.function]) > 0

    @cached_property
    def _promise(self) -> dict[int, Promise]:
        return {event.number: self.promises.of(event) for event in self.run.backward}

    @cached_property
    def _by_turns(self) -> Counter[int | str]:
        """How many more events of a site, and of a function, are cotangents of their own turn than of others."""
        count: Counter[int | str] = Counter()
        for event in self.run.backward:
            own, others = self._promise[event.number]
            if own and others and np.any(event.value):
                met = [Expectation(targets).met(self.truths, event.value) for targets in (own, others)]
                for key in (event.site.number, event.site.function):
                    count[key] += 1 if met[0] else -met[1]
        return count

    def _starts(self, event: Event) -> bool:
        """Whether an event is only what is there before: an empty buffer, what a loop begins with, a cut."""
        if self._is_empty(event):
            return event.number not in self._returned and (self._is_open(event) or not self._in_turn(event))
        return not event.loops and event.line < self.carried.get((event.site.function, event.name), 0)

    def _is_empty(self, event: Event) -> bool:
        """Whether an event is a buffer that is filled later: zero, and not read by anything else before."""
        value, users = event.value, self.consumers[event.number]
        if event.seeded or value is None or value.dtype.kind not in "fc" or np.any(value):
            return False
        return not users or any(user.name == event.name for user in users)

    def _in_turn(self, event: Event) -> bool:
        return bool(self._promise[event.number].own) and self._goes_by_turns(event)

    @cached_property
    def names_are_kept(self) -> bool:
        """Whether the names of this script keep their promises: by far most of its right cotangents do."""
        kept, broken = set[int](), set[int]()
        for event in self.run.backward:
            expectation, used = self.of(event), self.consumers[event.number]
            if expectation is not None and not expectation.sure and used and event.seeded and event.value is not None:
                if expectation.met(self.truths, event.value):
                    kept.add(event.site.number)
                elif self.has_another_name(event.value):
                    broken.add(event.site.number)
        return len(kept - broken) >= TRUSTED * max(1, len(broken))

    def has_another_name(self, value: Array) -> bool:
        """Whether a value is right, but perhaps for another name: one factor of h * h alone has none."""
        return any(target.is_whole or not self.promises.splits_a_use(target) for target in self.truths.find(value))

    def is_partial(self, event: Event) -> bool:
        """Whether an event is only a part of what gets its name: all that is made of it is assigned to it again."""
        if event.site.kind == "part" and event.place.part == 0:
            return True
        users = self.consumers[event.number]
        grows = event.site.kind == "part" or event.place.is_buffer
        if grows and not users and self._is_open(event):
            return True
        again = (u.name == event.name and u.frame == event.frame and u.site.kind != "return" for u in users)
        return bool(users) and all(again)

    def _is_open(self, event: Event) -> bool:
        """Whether a run has stopped in a loop that an event stands in, in its turn or in a later one."""
        return any(event.frame == frame and self._in_same_loop(event, loops) for frame, loops in self._open_turns)

    def _in_same_loop(self, event: Event, stopped: tuple[str, ...]) -> bool:
        """Whether the outermost loop of an event is that of a later stop in its call, in whichever turn."""
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(event.loops, stopped, strict=False)))
        if same or not (event.loops and stopped):
            return same > 0
        later = self.run.events[event.number : self._end]
        return all(e.loops for e in later if e.frame == event.frame)

    @cached_property
    def _end(self) -> int:
        """The number of the event in which a run has stopped; what stopped before, and was passed over, is no end."""
        error = self.run.error
        ended = (e.number for e in self.run.backward if error is not None and e.stopped is error)
        return next(ended, -1)

    @cached_property
    def _open_turns(self) -> set[tuple[int, tuple[str, ...]]]:
        """The turns of loops, by call, in which a run has stopped: what is summed there is not finished."""
        found = set[tuple[int, tuple[str, ...]]]()
        if self._end < 0:
            return found
        for event in self.run.events[max(self._end - 1, self.run.start_of_backward) : self._end + 1]:
            # what stops as it is stored is only noted by its caller
            number, loops = event.frame, event.loops
            while number > 0:
                found.add((number, loops))
                number, loops = self.run.frames[number].caller, self.run.frames[number].loops
        return found

    @cached_property
    def _returned(self) -> dict[int, Expectation]:
        """The events whose very value is returned as a gradient."""
        found: dict[int, Expectation] = {}
        for name, grad in self.run.grads.items() if isinstance(self.run.grads, dict) else ():
            right = self.run.asked_for.get(name)
            if right is None or right.total is None:
                continue
            expected = Expectation((Target(right),), sure=True)
            node = node_of(grad)
            while node is not None:
                if node.event is not None:
                    found[node.event] = expected
                node = node.parents[0] if len(node.parents) == 1 and node.event is not None else None
        return found

"""What every assignment of the backward pass should have made.

A returned gradient should be that of its parameter. Beyond that a name is a promise: `d_h` is the cotangent of the `h`
of the function whose values this call was given, `d_h_from_f` its part through some uses. What keeps no promise by name
is not judged by it, only by what is made of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..reading.types import Array
from ..tracing.rows import EDGE
from ..tracing.run import Event, Run
from ..tracing.values import Node, node_of
from .truth import Target, Truths

ROOT = ("forward", "total_loss")


@dataclass(frozen=True)
class Expectation:
    """The cotangents that an event may be. `sure` is what no naming can change: a gradient that is returned."""

    targets: tuple[Target, ...]
    sure: bool = False

    def met(self, truths: Truths, claim: Array | None) -> bool:
        """Whether a value is one of them."""
        return any(truths.same(_spread(claim, target.value), target.value) for target in self.targets)


def _spread(claim: Array | None, right: Array) -> Array | None:
    """Return a claim in the shape of what it should be, where fewer numbers may stand for all."""
    if claim is None or np.ndim(claim) > np.ndim(right) or np.shape(claim) == np.shape(right):
        return claim
    try:
        return np.broadcast_to(claim, np.shape(right))
    except ValueError:
        return claim


class Expectations:
    """What is expected of the events of a run."""

    def __init__(self, run: Run, truths: Truths) -> None:
        self.run, self.truths = run, truths
        self.consumers: dict[int, list[Event]] = defaultdict(list)
        for event in run.backward:
            for dep in event.deps:
                self.consumers[dep].append(event)

    def of(self, event: Event) -> Expectation | None:
        """Return what is expected of an event, None for nothing."""
        returned = self._returned.get(event.number)
        if returned is not None and event.place.key:
            return returned
        promised = event.name.startswith("d_") and event.name.isidentifier() and not self.is_partial(event)
        found = tuple(self._by_name(event)) if promised else ()
        if found:
            return Expectation(found)
        free = event.seeded and event.value is not None and not self.truths.find(event.value)
        free = free and event.site.kind != "return"
        return returned if free or (returned and "[" in event.name) else None

    def is_partial(self, event: Event) -> bool:
        """Whether an event is only a part of what gets its name: all that is made of it is assigned to it again."""
        if event.site.kind == "part" and event.place.part == 0:
            return True
        users = self.consumers[event.number]
        return bool(users) and all(u.name == event.name and u.frame == event.frame for u in users)

    @cached_property
    def _returned(self) -> dict[int, Expectation]:
        """The events whose very value is returned as a gradient."""
        found: dict[int, Expectation] = {}
        for name, grad in self.run.grads.items() if isinstance(self.run.grads, dict) else ():
            right = self.run.params.get(name)
            if right is None or right.total is None:
                continue
            expected = Expectation((Target(right),), sure=True)
            node = node_of(grad)
            while node is not None:
                if node.event is not None:
                    found[node.event] = expected
                node = node.parents[0] if len(node.parents) == 1 and _is_identity(node) else None
        return found

    def _by_name(self, event: Event) -> Iterable[Target]:
        name, edge, _ = event.name.removeprefix("d_").partition(EDGE)
        for node in self._nodes(event.frame, name, whole=not edge):
            if not edge:
                yield Target(node)
            else:
                found = (t for t in self.truths.of_shape(node.shape) if t.node is node)
                yield from (t for t in found if not _splits_a_use(t))

    def _nodes(self, frame: int, name: str, whole: bool) -> list[Node]:
        """Return the values of a name in the functions that a call of the backward pass belongs to."""
        found: dict[int, Node] = {}
        partners = self.partners(frame)
        for number in partners:
            for event in self._forward_events.get((number, name), ()):
                names = [node for node in _ancestors(event.node) if node.total is not None]
                if whole and names and all(user.frame in partners for user, _ in names[-1].uses):
                    names = names[-1:]  # all that is read here under any name
                found |= {node.order: node for node in names}
        return list(found.values())

    @cached_property
    def _forward_events(self) -> dict[tuple[int, str], list[Event]]:
        found: dict[tuple[int, str], list[Event]] = defaultdict(list)
        for event in self.run.forward:
            if event.site.kind != "return":
                found[event.frame, event.name].append(event)
        return found

    def partners(self, frame: int) -> tuple[int, ...]:
        """Return the calls of the forward pass that a call of the backward pass goes back through."""
        if self.run.frames[frame].function == "backward":
            return self._roots
        hits = self._hits[frame]
        inner = {number: count for number, count in hits.items() if number not in self._roots}
        best = max(inner.values(), default=0)
        return tuple(number for number, count in inner.items() if count == best) or self._roots

    @cached_property
    def _roots(self) -> tuple[int, ...]:
        return tuple(f.number for f in self.run.frames if f.function in ROOT and f.caller == 0)

    @cached_property
    def _hits(self) -> dict[int, Counter[int]]:
        found: dict[int, Counter[int]] = defaultdict(Counter)
        for event in self.run.backward:
            for dep in event.deps:
                if dep < self.run.start_of_backward:
                    found[event.frame][self.run.events[dep].frame] += 1
        return found


def _splits_a_use(target: Target) -> bool:
    """Whether a part of a cotangent is through one factor of h * h, and not through the other."""
    users = [user.order for user, _ in target.node.uses]
    chosen = {users[i] for i in target.shares}
    return any(users[i] in chosen and i not in target.shares for i in range(len(users))) if chosen else False


def _is_identity(node: Node) -> bool:
    return node.event is not None


def _ancestors(node: Node | None) -> list[Node]:
    """Return a node and what it is another name of."""
    found: list[Node] = []
    while node is not None:
        found.append(node)
        node = node.parents[0] if node.event is not None and len(node.parents) == 1 else None
    return found

"""What every assignment of the backward pass should have made.

A returned gradient should be that of its parameter. Beyond that a name is a promise: `d_h` is the cotangent of the `h`
of the function whose values this call was given, `d_h_from_f` its part through some uses. What keeps no promise by name
is not judged by it, only by what is made of it.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
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
        promised = event.name.startswith("d_") and event.name.isidentifier() and not self._starts(event)
        promised = promised and not self.is_partial(event)
        found = tuple(self._by_name(event)) if promised else ()
        if found:
            return Expectation(found)
        free = event.seeded and event.value is not None and not self.truths.find(event.value)
        free = free and event.site.kind != "return"
        return returned if free or (returned and "[" in event.name) else None

    def _starts(self, event: Event) -> bool:
        """Whether an event is only what is there before: an empty buffer, what a loop begins with, a cut."""
        if not event.seeded and event.value is not None and not np.any(event.value):
            return event.number not in self._returned
        number = self._first_in_loop.get((event.frame, event.name), 0)
        return not event.loops and event.number < number

    @cached_property
    def _first_in_loop(self) -> dict[tuple[int, str], int]:
        """The first events in loops, by call and name."""
        found: dict[tuple[int, str], int] = {}
        for event in self.run.backward:
            if event.loops and event.site.kind in ("assign", "unpack", "part"):
                found.setdefault((event.frame, event.name), event.number)
        return found

    def is_partial(self, event: Event) -> bool:
        """Whether an event is only a part of what gets its name: all that is made of it is assigned to it again."""
        if event.site.kind == "part" and event.place.part == 0:
            return True
        users = self.consumers[event.number]
        again = (u.name == event.name and u.frame == event.frame and u.site.kind != "return" for u in users)
        return bool(users) and all(again)

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

    def _by_name(self, event: Event) -> Iterator[Target]:
        name, edge, user = event.name.removeprefix("d_").partition(EDGE)
        for node in self._nodes(event, name, whole=not edge):
            if edge:
                yield from self._through(node, user, in_parts=self._read_twice(event))
            else:
                yield Target(node)

    def _through(self, node: Node, user: str, in_parts: bool) -> Iterator[Target]:
        """Yield the parts of a cotangent through the uses of a statement: all of them, then some."""
        owners = [self._owners.get(use.order, ("", 0))[0] for use, _ in node.uses]
        named = [i for i, owner in enumerate(owners) if owner == user]
        named = named or [i for i, owner in enumerate(owners) if owner.startswith(f"{user}_")]
        if len(named) == len(owners):
            yield Target(node)
        elif named:
            yield Target(node, tuple(named))
        for target in self.truths.of_shape(node.shape):
            chosen = target.node is node and target.shares and (not named or set(target.shares) < set(named))
            if chosen and (in_parts or not _splits_a_use(target)):
                yield target

    def _read_twice(self, event: Event) -> bool:
        """Whether one statement reads an event several times: what both factors of h * h send back."""
        for user in self.consumers[event.number]:
            loads = [n for n in ast.walk(user.site.node) if isinstance(n, ast.Name) and n.id == event.name]
            if len(loads) > 1:
                return True
        return False

    def _nodes(self, event: Event, name: str, whole: bool) -> list[Node]:
        """Return the values of a name in the calls of the forward pass that an event belongs to, its own turn first."""
        found: dict[int, Node] = {}
        partners = self.partners(event.frame)
        events = [e for number in partners for e in self._forward_events.get((number, name), ())]
        for made in sorted(events, key=lambda e: e.loops != event.loops):
            names = [node for node in self._same_name(made) if node.total is not None]
            names = names or self._cut(event, made)
            if whole and names and all(user.frame in partners for user, _ in names[-1].uses):
                names = names[-1:]  # all that is read here under any name
            found |= {node.order: node for node in names}
        return list(found.values())

    def _cut(self, event: Event, made: Event) -> list[Node]:
        """Return the node of a value that the loss does not depend on, in the same turn: its cotangent is zero."""
        node = made.node
        if node is None or node.lost or made.value is None or not event.loops or made.loops != event.loops:
            return []
        node.total = np.zeros(made.value.shape)
        return [node]

    @cached_property
    def _owners(self) -> dict[int, tuple[str, int]]:
        return owners_of(self.run)

    def _same_name(self, event: Event) -> list[Node]:
        """Return the node of an event, and what it is another reading of: up to the first of its own name."""
        chain = _ancestors(event.node)
        named = [i for i, node in enumerate(chain) if node.event is not None and self._name(node) == event.name]
        last = named[-1] if named else 0
        while last + 1 < len(chain) and chain[last + 1].event is None:
            last += 1
        return chain[: last + 1]

    def _name(self, node: Node) -> str:
        return self.run.events[node.event].name if node.event is not None else ""

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


def owners_of(run: Run) -> dict[int, tuple[str, int]]:
    """Return the assignment of the forward pass that every node is a part of: its name, and the number of its event."""
    found: dict[int, tuple[str, int]] = {}
    for event in run.forward:
        unread = [event.node] if event.node is not None else []
        while unread:
            node = unread.pop()
            if node.order in found or (node.event is not None and node is not event.node):
                continue
            found[node.order] = event.name, event.number
            unread += [p for p in node.parents if p is not None]
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

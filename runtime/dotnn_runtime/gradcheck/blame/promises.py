"""What the name of a cotangent promises: `d_h` is the cotangent of `h`, `d_h_from_f` its part through the uses by `f`.

The `h` meant is that of the functions whose values the call of the backward pass was given, in a loop that of the same
turn. In the scripts of the compiler every promise is kept.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..reading.statements import names_in
from ..tracing.rows import EDGE
from ..tracing.run import Event, Run
from ..tracing.values import Node
from .truth import Target, Truths

ROOT = ("forward", "total_loss")
CARRIED = f"{EDGE}next"
"""Ends what a time step takes from the next one; the last step takes what comes from outside of the loop, or zeros."""


class Promise(NamedTuple):
    """The cotangents that a name may stand for: those of the same turn of a loop, and those of all other turns."""

    own: tuple[Target, ...] = ()
    others: tuple[Target, ...] = ()


class Promises:
    """What the names of the backward pass promise; `consumers` are the events that are made from each."""

    def __init__(self, run: Run, truths: Truths, consumers: dict[int, list[Event]]) -> None:
        self.run, self.truths, self.consumers = run, truths, consumers

    def of(self, event: Event) -> Promise:
        """Return what the name of an event promises, nothing for a name that is no cotangent's."""
        if not (event.name.startswith("d_") and event.name.isidentifier()) or event.name.endswith(CARRIED):
            return Promise()
        own, others = self._made(event)
        cut = [Target.of(np.zeros(e.value.shape)) for e in own if e.value is not None and _is_cut(e)]
        return Promise((*self._targets(event, own), *cut), tuple(self._targets(event, others)))

    def _made(self, event: Event) -> tuple[list[Event], list[Event]]:
        """Return the values that the name of an event speaks of: those of its turn, and the others."""
        name = event.name.removeprefix("d_").partition(EDGE)[0]
        made = [e for number in self.partners(event.frame) for e in self._forward_events.get((number, name), ())]
        if not event.loops:  # outside of all loops an array is meant as it is when all of it is written
            full = {e.frame: e.number for e in made if e.place.is_buffer}
            made = [e for e in made if e.number >= full.get(e.frame, 0)]
        own = {e.number for e in made if event.loops and e.loops == event.loops}
        return [e for e in made if e.number in own], [e for e in made if e.number not in own]

    def _targets(self, event: Event, made: list[Event]) -> Iterator[Target]:
        """Yield what the name of an event promises of values of the forward pass."""
        _, edge, user = event.name.partition(EDGE)
        partners = self.partners(event.frame)
        nodes = {node.order: node for e in made for node in self._nodes(e, partners, whole=not edge)}
        for node in nodes.values():
            yield from self.through(node, user, self._is_all(event, node, user)) if edge else [Target(node)]

    def through(self, node: Node, user: str, in_parts: bool) -> Iterator[Target]:
        """Yield the parts of a cotangent through the uses of a statement: all of them, then some."""
        named = self._uses_by(node, user)
        if len(named) == len(node.uses):
            yield Target(node)
        elif named:
            yield Target(node, named)
        for target in self.truths.parts.get(id(node), ()):
            chosen = not named or set(target.shares) < set(named)
            if chosen and (in_parts or not self.splits_a_use(target)):
                yield target

    def _uses_by(self, node: Node, user: str) -> tuple[int, ...]:
        """Return the numbers of the uses by a statement: `fc2` also stands for `fc2_z = …`."""
        owners = [self._owners.get(use.order, ("", 0))[0] for use, _ in node.uses]
        exact = tuple(i for i, owner in enumerate(owners) if owner == user)
        return exact or tuple(i for i, owner in enumerate(owners) if owner.startswith(f"{user}_"))

    def uses_in_turn(self, node: Node, loops: tuple[str, ...]) -> tuple[int, ...]:
        """Return the numbers of the uses in a turn of loops, none outside of all."""
        made = [
            self.run.events[self._owners[use.order][1]] if use.order in self._owners else None for use, _ in node.uses
        ]
        return tuple(i for i, event in enumerate(made) if loops and event is not None and event.loops == loops)

    def splits_a_use(self, target: Target) -> bool:
        """Whether a part of a cotangent is through one factor of h * h, and not through the other."""
        users = [self._owners.get(user.order, ("", -user.order)) for user, _ in target.node.uses]
        chosen = {users[i] for i in target.shares}
        return any(users[i] in chosen and i not in target.shares for i in range(len(users))) if chosen else False

    def _is_all(self, event: Event, node: Node, user: str) -> bool:
        """Whether nothing else is summed with an event: e + e, where e is what each factor of h * h sends back.

        Where e alone is handed on, that may be half of such a sum only if there are no other uses to be summed.
        """
        values = [getattr(user.site.node, "value", user.site.node) for user in self.consumers[event.number]]
        read_once = all(len(before.uses) == 1 for before in _ancestors(node)[1:])
        alone = read_once and len(self._uses_by(node, user)) == len(node.uses)
        read = [{name for name in names_in(value) if name.startswith("d_")} for value in values]
        sums = (alone or not isinstance(value, ast.Name) for value in values)
        return any(is_sum and names == {event.name} for is_sum, names in zip(sums, read, strict=True))

    def _nodes(self, made: Event, partners: tuple[int, ...], whole: bool) -> list[Node]:
        """Return the nodes of a value under its name; of a whole cotangent the first one, which all readings are of."""
        nodes = [node for node in self._same_name(made) if node.total is not None]
        if whole and nodes and all(user.frame in partners for user, _ in nodes[-1].uses):
            return nodes[-1:]
        return nodes

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
    def _owners(self) -> dict[int, tuple[str, int]]:
        return owners_of(self.run)

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
        if not hits:
            return ()
        inner = {number: count for number, count in hits.items() if number not in self._roots}
        best = max(inner.values(), default=0)
        return tuple(number for number, count in inner.items() if count == best) or self._roots

    @cached_property
    def _roots(self) -> tuple[int, ...]:
        return tuple(f.number for f in self.run.frames if f.function in ROOT and f.caller == 0)

    @cached_property
    def _hits(self) -> dict[int, Counter[int]]:
        """How often each call of the backward pass reads values of each call of the forward pass."""
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


def spread(node: Node) -> Node:
    """Return the last reading of a value under another name, from which its uses part."""
    while len(node.uses) == 1 and node.uses[0][0].event is not None:
        node = node.uses[0][0]
    return node


def _is_cut(made: Event) -> bool:
    """Whether the loss does not depend on a value."""
    return made.node is not None and made.node.total is None and not made.node.lost


def _ancestors(node: Node | None) -> list[Node]:
    """Return a node and what it is another name of."""
    found: list[Node] = []
    while node is not None:
        found.append(node)
        node = node.parents[0] if node.event is not None and len(node.parents) == 1 else None
    return found

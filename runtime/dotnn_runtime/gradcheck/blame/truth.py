"""The right cotangents of a run: of every value of the forward pass, through all of its uses or through some.

A claim is looked up by two of its projections, so that thousands of values are searched at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from ..reading.types import Array, norm
from ..tracing.values import Node

CLOSE = 1e-8
"""Two cotangents are the same if they differ by no more than this of their norm …"""
CLOSER = 1e-10
"""… where no line is wrong by more, than this: a share may be a millionth of the sum that adds it …"""
NOTHING = 1e-12
"""… or of the largest one: sums whose terms cancel are not exactly zero."""
MOST_SUBSETS = 6
"""Of a value with more uses, not all sets of them are looked at."""


@dataclass(frozen=True)
class Target:
    """The right cotangent of a value; where `shares` are given, its part through these uses."""

    node: Node
    shares: tuple[int, ...] = ()

    @classmethod
    def of(cls, value: Array) -> Target:
        """Return a cotangent that is made of others."""
        node = Node((), None, 0)
        node.total = value
        return cls(node)

    @property
    def is_whole(self) -> bool:
        """Whether it is the cotangent through all uses."""
        return not self.shares

    @cached_property
    def value(self) -> Array:
        """The cotangent."""
        if self.is_whole:
            return np.asarray(self.node.total)
        return np.asarray(np.sum([self.node.uses[i][1] for i in self.shares], axis=0))


class Truths:
    """All right cotangents of a run, to be found by what they are; `parts` are those through some uses of a node.

    `close` is the share of its norm by which a claim may be off.
    """

    def __init__(self, nodes: Sequence[Node], close: float = CLOSE) -> None:
        self.nodes, self.close = nodes, close
        self.scale = max((norm(n.total) for n in nodes if n.total is not None), default=0.0)
        self._probes: dict[tuple[int, ...], Array] = {}
        self._targets: dict[tuple[int, ...], list[Target]] = defaultdict(list)
        self.parts: dict[int, list[Target]] = defaultdict(list)
        marks: dict[tuple[int, ...], list[Array]] = defaultdict(list)
        for node in nodes:
            shape = node.shape
            own = [self._mark(share) for _, share in node.uses]
            self._targets[shape].append(Target(node))
            marks[shape].append(self._mark(np.asarray(node.total)))
            for some in subsets(node):
                self.parts[id(node)].append(Target(node, some))
                self._targets[shape].append(self.parts[id(node)][-1])
                marks[shape].append(np.sum([own[i] for i in some], axis=0))
        self._marks = {shape: np.array(found) for shape, found in marks.items()}

    def _mark(self, value: Array) -> Array:
        shape = np.shape(value)
        if shape not in self._probes:
            rng = np.random.default_rng(list(shape))
            self._probes[shape] = rng.standard_normal((2, int(np.prod(shape))))
        return np.asarray(self._probes[shape] @ np.ravel(value))

    def find(self, claim: Array) -> list[Target]:
        """Return the cotangents that a claim may be."""
        shape = np.shape(claim)
        if shape not in self._marks or not np.all(np.isfinite(claim)):
            return []
        apart = np.abs(self._marks[shape] - self._mark(claim)).max(axis=1)
        near = np.flatnonzero(apart <= 4.0 * max(self.close * norm(claim), NOTHING * self.scale))
        return [self._targets[shape][i] for i in near]

    def nothing(self, claim: Array) -> bool:
        """Whether a claim is zero but for rounding."""
        return bool(np.all(np.isfinite(claim))) and norm(claim) <= NOTHING * self.scale

    def same(self, claim: Array | None, right: Array) -> bool:
        """Whether a claim is right."""
        if claim is None or np.shape(claim) != np.shape(right) or not np.all(np.isfinite(claim)):
            return False
        return norm(claim - right) <= max(self.close * max(norm(claim), norm(right)), NOTHING * self.scale)


def subsets(node: Node) -> Iterator[tuple[int, ...]]:
    """Yield sets of uses whose share may be asked for by itself: all of a few, else those of a call, and from the end.

    The uses of a node are in the order of the way back.
    """
    count = len(node.uses)
    if count < 2:
        return
    if count <= MOST_SUBSETS:
        for size in range(1, count):
            yield from combinations(range(count), size)
        return
    yield from ((i,) for i in range(count))
    yield from (tuple(range(i)) for i in range(2, count))
    by_frame: dict[int, list[int]] = defaultdict(list)
    for i, (user, _) in enumerate(node.uses):
        by_frame[user.frame].append(i)
    yield from (tuple(some) for some in by_frame.values() if 1 < len(some) < count)
